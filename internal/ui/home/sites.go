// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"strings"

	"gioui.org/layout"
	"gioui.org/widget"

	"persten/internal/text"
	"persten/internal/ui"
	"persten/internal/ui/look"
	"persten/proto"
)

// sitesPage lists the sites somebody decided about.
type sitesPage struct {
	h      *Home
	list   widget.List
	load   job
	change job
	sites  []siteRow
	states map[string]*siteState
	search widget.Editor
}

// siteRow is a site as people see it.
type siteRow struct {
	Origin  string // as the session knows it
	Site    ui.Site
	Allowed bool
	Hidden  bool
	Fixed   bool   // policy or configuration decided
	Says    string // what it may do
	Since   string // who decided, and when
}

// siteState is what the person is about to do with a site.
type siteState struct {
	forget, deny, allow, hide widget.Clickable
	yes, no                   widget.Clickable
	asked                     string // what waits for a second click
}

func newSites(h *Home) *sitesPage { return &sitesPage{h: h, states: map[string]*siteState{}} }

func (p *sitesPage) enter()  { p.read() }
func (p *sitesPage) tokens() {}

func (p *sitesPage) read() {
	ask(p.h, &p.load, proto.MethodOriginsList, proto.OriginsListParams{}, func(r *proto.OriginsListResult) {
		p.sites = siteRows(p.h.lang, r.Origins)
	})
}

func siteRows(lang text.Lang, list []proto.Origin) (rows []siteRow) {
	for _, o := range list {
		r := siteRow{Origin: o.Origin, Site: ui.NewSite(o.Origin), Allowed: o.Allowed, Hidden: o.Hidden, Fixed: o.Source != proto.OriginSourceUser}
		switch {
		case !o.Allowed:
			r.Says = say(lang, "home.sites.denied")
		case o.Hidden:
			r.Says = say(lang, "home.sites.hidden")
		default:
			r.Says = say(lang, "home.sites.allowed")
		}
		r.Since = named(lang, "home.sites.by.", string(o.Source), string(o.Source))
		if !o.Since.IsZero() {
			r.Since += ", " + ui.Date(lang, o.Since)
		}
		rows = append(rows, r)
	}
	return rows
}

func (p *sitesPage) scrolled() *widget.List { return &p.list }

func (p *sitesPage) layout(gtx layout.Context) layout.Dimensions {
	h := p.h
	for {
		if _, ok := p.search.Update(gtx); !ok {
			break
		}
	}
	var items []layout.Widget
	for _, w := range []layout.Widget{h.working(&p.load, nil, h.say("home.sites.reading")), h.working(&p.change, nil, h.say("home.sites.reading"))} {
		if w != nil {
			items = append(items, w)
		}
	}
	if len(p.sites) == 0 && !p.load.running && p.load.fault == nil {
		items = append(items, h.empty(h.say("home.sites.none"), h.say("home.sites.nonenext")))
	}
	if len(p.sites) > 8 {
		items = append(items, h.Field(&p.search, h.say("home.sites.search"), h.Blue))
	}
	what := strings.ToLower(strings.TrimSpace(p.search.Text()))
	for _, r := range p.sites {
		if strings.Contains(strings.ToLower(r.Origin), what) {
			items = append(items, p.site(gtx, r))
		}
	}
	return sheet(gtx, h.head(h.say("home.sites.title"), h.say("home.sites.about")), h.scroll(&p.list, items...))
}

// site is the card of a site; what takes something away asks once more.
func (p *sitesPage) site(gtx layout.Context, r siteRow) layout.Widget {
	h := p.h
	s := p.states[r.Origin]
	if s == nil {
		s = &siteState{}
		p.states[r.Origin] = s
	}
	p.press(gtx, r, s)
	name := row(0, h.soft(r.Site.Scheme+r.Site.Before), h.Text(r.Site.Domain, look.Label{Size: 16, Bold: true, Lines: 1}), h.soft(r.Site.After))
	t := Good
	if !r.Allowed {
		t = Bad
	} else if r.Hidden {
		t = Warn
	}
	parts := []layout.Widget{roomy(520, name, p.buttons(r, s)...)}
	if r.Site.Native != "" {
		parts = append(parts, h.toned(Warn, h.say("prompt.banner.punycode", "name", r.Site.Native)))
	}
	parts = append(parts, h.toned(t, r.Says), h.soft(r.Since))
	if s.asked != "" {
		parts = append(parts, look.Panel(h.AmberBed, h.AmberBed, 6, 10, beside(8, h.Text(h.say("home.sites.ask."+s.asked, "site", r.Site.String()), look.Label{}),
			h.danger(&s.yes, h.say("home.sites."+s.asked)), h.other(&s.no, h.say("home.cancel")))))
	}
	return h.card(t, spaced(5, parts...))
}

func (p *sitesPage) buttons(r siteRow, s *siteState) (list []layout.Widget) {
	h := p.h
	if r.Fixed {
		return []layout.Widget{h.soft(h.say("home.sites.fixed"))}
	}
	if r.Allowed {
		list = append(list, h.danger(&s.deny, h.say("home.sites.deny")))
	} else {
		list = append(list, h.other(&s.allow, h.say("home.sites.allow")))
	}
	return append(list, h.other(&s.forget, h.say("home.sites.forget")))
}

func (p *sitesPage) press(gtx layout.Context, r siteRow, s *siteState) {
	for name, c := range map[string]*widget.Clickable{"deny": &s.deny, "allow": &s.allow, "forget": &s.forget} {
		if clicked(gtx, c) {
			s.asked = name
		}
	}
	if clicked(gtx, &s.no) {
		s.asked = ""
	}
	if clicked(gtx, &s.yes) && s.asked != "" {
		method := map[string]string{"deny": proto.MethodOriginsDeny, "allow": proto.MethodOriginsAllow, "forget": proto.MethodOriginsForget}[s.asked]
		s.asked = ""
		p.h.ask(&p.change, method, map[string]string{"origin": r.Origin}, p.read)
	}
}
