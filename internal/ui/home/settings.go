// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"slices"

	"gioui.org/layout"
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
}

func newSettings(h *Home) *settingsPage {
	return &settingsPage{h: h, language: newChoice("system", "ru", "en", "system"), theme: newChoice("system", "light", "dark", "system"),
		notifications: newChoice("on", "on", "off")}
}

func (p *settingsPage) enter() {
	p.paths = p.h.o.Paths()
	p.h.askSettings()
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

func (p *settingsPage) layout(gtx layout.Context) layout.Dimensions {
	h := p.h
	p.press(gtx)
	var items []layout.Widget
	if w := h.working(&p.change, nil, h.say("home.settings.saving")); w != nil {
		items = append(items, w)
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
	rows := make([]layout.Widget, 0, len(p.paths))
	for _, f := range p.paths {
		rows = append(rows, spaced(1, h.soft(h.say("home.settings.path."+f.Name)), h.Text(ui.Safe(f.Path, maxFact), look.Label{Mono: true, Size: 13})))
	}
	if len(rows) > 0 {
		items = append(items, h.card(Plain, spaced(10, append([]layout.Widget{h.bold(h.say("home.settings.paths"))}, rows...)...)))
	}
	return sheet(gtx, h.head(h.say("home.settings.title"), h.say("home.settings.about")), h.scroll(&p.list, items...))
}

// part is one setting with a word about it.
func (p *settingsPage) part(name string, control layout.Widget) layout.Widget {
	h := p.h
	about := h.say("home.settings." + name + ".about")
	if slices.Contains(p.now.Fixed, proto.SettingName(name)) {
		about = h.say("home.settings.fixed")
		enabled := control
		control = func(gtx layout.Context) layout.Dimensions { return enabled(gtx.Disabled()) }
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
