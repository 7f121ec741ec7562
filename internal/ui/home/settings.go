// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"context"
	"slices"
	"strings"

	"gioui.org/layout"
	"gioui.org/op/paint"
	"gioui.org/widget"

	"persten/internal/text"
	"persten/internal/ui"
	"persten/internal/ui/look"
	"persten/proto"
)

// settingsPage is what the person may set, and where things lie.
type settingsPage struct {
	h             *Home
	list          widget.List
	change        job
	now           proto.Settings
	known         bool
	language      choice
	theme         choice
	notifications choice
	paths         []Path
	faces         []Face
	files         []proto.KeyFile
	removes       []widget.Clickable
	asking, faced job
}

func newSettings(h *Home) *settingsPage {
	return &settingsPage{h: h, language: newChoice("system", "ru", "en", "system"), theme: newChoice("system", "light", "dark", "system"),
		notifications: newChoice("on", "on", "off")}
}

func (p *settingsPage) enter() {
	h := p.h
	p.paths = h.o.Paths()
	h.askSettings()
	h.begin(&p.faced, "", func(ctx context.Context) (func(), error) {
		list := h.o.Faces(ctx)
		return func() { p.faces = list }, nil
	})
	p.readFiles()
}

// readFiles asks for the key files.
func (p *settingsPage) readFiles() {
	if p.h.has(proto.MethodKeyfilesList) {
		ask(p.h, &p.asking, proto.MethodKeyfilesList, proto.KeyfilesListParams{}, func(r *proto.KeyfilesListResult) {
			p.files, p.removes = r.Files, make([]widget.Clickable, len(r.Files))
		})
	}
}

func (p *settingsPage) tokens() {}

// askSettings asks for the person's settings and puts this window under them.
func (h *Home) askSettings() {
	if h.has(proto.MethodSettingsGet) {
		p := h.pages[Settings].(*settingsPage)
		ask(h, &p.change, proto.MethodSettingsGet, proto.SettingsGetParams{}, p.take)
	}
}

// take shows settings and follows them.
func (p *settingsPage) take(s *proto.Settings) {
	p.now, p.known = *s, true
	p.language.value, p.theme.value = string(s.Language), string(s.Theme)
	p.notifications.value = map[bool]string{true: "on", false: "off"}[s.Notifications]
	p.h.dress(s.Language, s.Theme)
}

// dress puts the window into a language and a theme.
func (h *Home) dress(language proto.LanguageSetting, theme proto.Theme) {
	lang := h.o.Lang
	if language != proto.LanguageSettingSystem {
		lang = text.Lang(language)
	}
	dark := h.o.Dark(theme)
	if lang == h.lang && dark == h.Dark {
		return
	}
	again := lang != h.lang
	h.kit = newKit(lang, dark)
	if again {
		h.speak(lang)
	}
}

// speak has everything said again in a language: texts of the session come in the language of the connection.
func (h *Home) speak(lang text.Lang) {
	h.mu.Lock()
	h.spoken = lang
	h.mu.Unlock()
	if h.session != nil {
		h.session.Close()
		h.waited = false
	}
}

func (p *settingsPage) scrolled() *widget.List { return &p.list }

func (p *settingsPage) layout(gtx layout.Context) layout.Dimensions {
	h := p.h
	p.press(gtx)
	var items []layout.Widget
	if w := h.working(&p.change, nil, h.say("home.settings.saving")); w != nil {
		items = append(items, w)
	}
	if h.status.Policy {
		items = append(items, p.policy())
	}
	if p.known {
		items = append(items,
			p.part("language", h.choice(&p.language, "home.settings.language.")),
			p.part("theme", h.choice(&p.theme, "home.settings.theme.")),
			p.part("notifications", h.choice(&p.notifications, "home.settings.notifications.")),
		)
	} else if h.session != nil {
		items = append(items, h.card(Plain, h.soft(h.say("home.settings.none"))))
	}
	if h.has(proto.MethodKeyfilesList) {
		items = append(items, h.card(Plain, spaced(8, append([]layout.Widget{h.bold(h.say("home.settings.files")), h.soft(h.say("home.settings.files.about"))}, p.fileRows(gtx)...)...)))
	}
	if len(p.faces) > 0 {
		items = append(items, h.card(Plain, spaced(6, h.bold(h.say("home.settings.faces")), h.soft(h.say("home.settings.faces.about")), h.Table(p.faceRows()))))
	}
	if len(p.paths) > 0 {
		items = append(items, h.card(Plain, spaced(10, append([]layout.Widget{h.bold(h.say("home.settings.paths"))}, p.pathRows()...)...)))
	}
	return sheet(gtx, h.head(h.say("home.settings.title"), h.say("home.settings.about")), h.scroll(&p.list, items...))
}

// policy tells that others decided something here, and what the person may not do.
func (p *settingsPage) policy() layout.Widget {
	h := p.h
	lines := []layout.Widget{h.bold(h.say("home.settings.organization")), h.soft(h.say("home.settings.organization.about"))}
	if len(h.status.Withheld) > 0 {
		var rights []string
		for _, r := range h.status.Withheld {
			rights = append(rights, h.say("policy.right."+string(r)))
		}
		lines = append(lines, h.Text(h.say("policy.withheld", "rights", strings.Join(rights, ", ")), look.Label{}))
	}
	return h.card(Plain, spaced(6, lines...))
}

// part is one setting with a word about it.
func (p *settingsPage) part(name string, control layout.Widget) layout.Widget {
	h := p.h
	about := h.say("home.settings." + name + ".about")
	if slices.Contains(p.now.Fixed, proto.SettingName(name)) {
		about = h.say("home.settings.fixed")
		if slices.Contains(p.now.Policy, proto.SettingName(name)) {
			about = h.say("home.settings.policy")
		}
		enabled := control
		control = func(gtx layout.Context) layout.Dimensions {
			defer paint.PushOpacity(gtx.Ops, 0.5).Pop()
			return enabled(gtx.Disabled())
		}
	}
	return h.card(Plain, spaced(8, h.bold(h.say("home.settings."+name)), h.soft(about), control))
}

func (p *settingsPage) press(gtx layout.Context) {
	var change proto.SettingsSetParams
	touched := false
	if p.language.changed(gtx) {
		change.Language, touched = proto.LanguageSetting(p.language.value), true
	}
	if p.theme.changed(gtx) {
		change.Theme, touched = proto.Theme(p.theme.value), true
	}
	if p.notifications.changed(gtx) {
		on := p.notifications.value == "on"
		change.Notifications, touched = &on, true
	}
	if touched {
		ask(p.h, &p.change, proto.MethodSettingsSet, change, p.take)
	}
}

// fileRows are the key files, each with a button that forgets it.
func (p *settingsPage) fileRows(gtx layout.Context) (rows []layout.Widget) {
	h := p.h
	if w := h.working(&p.asking, nil, h.say("home.tokens.reading")); w != nil {
		rows = append(rows, w)
	}
	for i, f := range p.files {
		if clicked(gtx, &p.removes[i]) {
			h.ask(&p.asking, proto.MethodKeyfilesRemove, proto.KeyfilesRemoveParams{Path: f.Path}, func() { p.readFiles(); h.pages[Tokens].tokens() })
		}
		words := []layout.Widget{h.Text(ui.Safe(f.Path, maxFact), look.Label{Mono: true, Size: 13})}
		switch {
		case !f.Present:
			words = append(words, h.toned(Warn, h.say("home.settings.files.gone")))
		case f.Problem != "":
			what, next := text.Error(h.lang, f.Problem, map[string]string{"file": ui.Safe(f.Path, maxFact)})
			words = append(words, h.toned(Warn, what), h.soft(next))
		}
		rest := []layout.Widget{h.danger(&p.removes[i], h.say("home.tokens.remove"))}
		if f.Fixed {
			rest = []layout.Widget{h.soft(h.say("home.settings.files.fixed"))}
		}
		rows = append(rows, beside(12, spaced(2, words...), rest...))
	}
	if len(p.files) == 0 {
		rows = append(rows, h.soft(h.say("home.settings.files.none")))
	}
	return rows
}

func (p *settingsPage) faceRows() []look.Row {
	rows := make([]look.Row, len(p.faces))
	for i, f := range p.faces {
		words := p.h.say("home.settings.faces.off")
		if f.On {
			words = p.h.say("home.settings.faces.on", "address", f.Address)
		}
		rows[i] = look.Row{Label: f.Name, Value: words}
	}
	return rows
}

func (p *settingsPage) pathRows() (rows []layout.Widget) {
	h := p.h
	for _, f := range p.paths {
		rows = append(rows, spaced(1, h.soft(h.say("home.settings.path."+f.Name)), h.Text(ui.Safe(f.Path, maxFact), look.Label{Mono: true, Size: 13})))
	}
	return rows
}
