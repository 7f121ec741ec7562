// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"context"
	"slices"
	"time"

	"gioui.org/layout"
	"gioui.org/widget"

	"persten/internal/client"
	"persten/internal/ui"
	"persten/internal/ui/look"
	"persten/proto"
)

// tokensPage shows tokens and certificates.
type tokensPage struct {
	h        *Home
	list     widget.List
	load     job
	fresh    bool // what is shown was read since the last change
	groups   []group
	problems []proto.Problem
	files    map[string]proto.KeyFile // by their names, which are their tokens' labels
	cards    map[string]*certState

	reload, add, lose, doctor widget.Clickable
	adding                    job
	removes                   map[string]*widget.Clickable
	lost                      lostPanel
}

// certState is what the person did with one card.
type certState struct {
	more, check, sign, stop widget.Clickable
	open                    bool
	checking                job
	status                  *proto.CertificateStatus
	chain                   []link
}

func newTokens(h *Home) *tokensPage {
	return &tokensPage{h: h, cards: map[string]*certState{}, removes: map[string]*widget.Clickable{}, lost: lostPanel{h: h}}
}

func (p *tokensPage) enter() {
	if !p.fresh {
		p.read(false)
	}
}

func (p *tokensPage) tokens() {
	p.fresh = false
	if p.h.page == Tokens || p.h.page == Sign {
		p.read(false)
	}
}

// found is what one reading of the tokens brought.
type found struct {
	tokens *proto.TokensListResult
	certs  *proto.CertificatesListResult
	files  []proto.KeyFile
}

// read asks for tokens, certificates and key files.
func (p *tokensPage) read(refresh bool) {
	p.fresh = true
	s, files := p.h.session, p.h.has(proto.MethodKeyfilesList)
	if s == nil {
		return
	}
	p.h.begin(&p.load, "", func(ctx context.Context) (func(), error) {
		var f found
		var err error
		if f.tokens, err = client.Ask[proto.TokensListResult](ctx, s, proto.MethodTokensList, proto.TokensListParams{Refresh: refresh}); err != nil {
			return nil, err
		}
		if f.certs, err = client.Ask[proto.CertificatesListResult](ctx, s, proto.MethodCertificatesList, proto.CertificatesListParams{All: true}); err != nil {
			return nil, err
		}
		if files {
			list, err := client.Ask[proto.KeyfilesListResult](ctx, s, proto.MethodKeyfilesList, proto.KeyfilesListParams{})
			if err != nil {
				return nil, err
			}
			f.files = list.Files
		}
		return func() { p.take(f) }, nil
	})
}

// take shows what was read.
func (p *tokensPage) take(f found) {
	p.groups = groups(p.h.lang, f.tokens.Tokens, f.certs.Certificates, time.Now())
	p.problems = f.tokens.Problems
	for _, c := range f.certs.Problems {
		if !slices.ContainsFunc(p.problems, func(o proto.Problem) bool { return o.Code == c.Code && o.Text == c.Text }) {
			p.problems = append(p.problems, c)
		}
	}
	p.files = map[string]proto.KeyFile{}
	for _, k := range f.files {
		p.files[ui.Safe(k.Name, maxName)] = k
	}
}

// usable are the certificates that can sign now.
func (p *tokensPage) usable() (list []certCard) {
	for _, g := range p.groups {
		for _, c := range g.Certs {
			if c.Usable {
				list = append(list, c)
			}
		}
	}
	return list
}

func (p *tokensPage) state(id string) *certState {
	if p.cards[id] == nil {
		p.cards[id] = &certState{}
	}
	return p.cards[id]
}

func (p *tokensPage) scrolled() *widget.List { return &p.list }

func (p *tokensPage) layout(gtx layout.Context) layout.Dimensions {
	h := p.h
	p.press(gtx)
	actions := []layout.Widget{h.other(&p.reload, h.say("home.tokens.reload"))}
	if h.has(proto.MethodKeyfilesAdd) {
		actions = append(actions, h.other(&p.add, h.say("home.tokens.add")))
	}
	actions = append(actions, h.danger(&p.lose, h.say("home.tokens.lost")))
	if p.lost.open {
		return sheet(gtx, h.head(h.say("home.lost.title"), h.say("home.lost.about"), h.other(&p.lose, h.say("home.back"))),
			h.scroll(&p.list, p.lost.items(gtx)...))
	}
	return sheet(gtx, h.head(h.say("home.tokens.title"), h.say("home.tokens.about"), actions...), h.scroll(&p.list, p.items(gtx)...))
}

func (p *tokensPage) press(gtx layout.Context) {
	h := p.h
	if clicked(gtx, &p.reload) {
		p.read(true)
	}
	if clicked(gtx, &p.add) {
		h.chosen.choose(h.say("home.tokens.addtitle"), []string{".pfx", ".p12"}, p.addFile)
	}
	if clicked(gtx, &p.lose) {
		p.list.Position = layout.Position{}
		if p.lost.open = !p.lost.open; p.lost.open {
			p.lost.read()
		}
	}
	if clicked(gtx, &p.doctor) {
		h.open(Doctor)
	}
}

// addFile has the session take a key file; it asks for the password itself.
func (p *tokensPage) addFile(path string) {
	p.h.ask(&p.adding, proto.MethodKeyfilesAdd, proto.KeyfilesAddParams{Path: path}, func() { p.read(true) })
}

func (p *tokensPage) items(gtx layout.Context) (items []layout.Widget) {
	h := p.h
	for _, w := range []layout.Widget{h.working(&p.load, nil, h.say("home.tokens.reading")), h.working(&p.adding, nil, h.say("home.tokens.adding"))} {
		if w != nil {
			items = append(items, w)
		}
	}
	for _, problem := range p.problems {
		items = append(items, h.Banner(ui.Safe(problem.Text, 300)+" "+ui.Safe(problem.Next, 300)))
	}
	if len(p.groups) == 0 && !p.load.running && p.load.fault == nil {
		items = append(items, h.empty(h.say("home.tokens.none"), h.say("home.tokens.insert"), h.other(&p.doctor, h.say("home.todoctor"))))
	}
	for _, g := range p.groups {
		items = append(items, p.token(gtx, g))
		for _, c := range g.Certs {
			items = append(items, p.cert(gtx, c))
		}
		if len(g.Certs) == 0 {
			items = append(items, p.bare(g))
		}
	}
	return items
}

// bare says why a token has no card. A certificate that is in several places has one card, under the first of them.
func (p *tokensPage) bare(g group) layout.Widget {
	h := p.h
	if f := p.files[g.Title]; len(f.Certificates) > 0 {
		return h.card(Plain, spaced(3, h.bold(h.say("home.token.elsewhere")), h.soft(h.say("home.token.elsewherenext"))))
	}
	return h.card(Plain, spaced(3, h.bold(h.say("home.token.bare")), h.soft(h.say("home.token.barenext"))))
}

// token is the line above the cards of a token.
func (p *tokensPage) token(gtx layout.Context, g group) layout.Widget {
	h := p.h
	title := row(10, h.Text(g.Title, look.Label{Size: 17, Bold: true, Lines: 1}), h.soft(g.About))
	parts := []layout.Widget{}
	if f, is := p.files[g.Title]; is && !f.Fixed {
		c := p.removes[f.Path]
		if c == nil {
			c = new(widget.Clickable)
			p.removes[f.Path] = c
		}
		if clicked(gtx, c) {
			h.ask(&p.adding, proto.MethodKeyfilesRemove, proto.KeyfilesRemoveParams{Path: f.Path}, func() { p.read(true) })
		}
		parts = append(parts, h.danger(c, h.say("home.tokens.remove")))
	}
	line := beside(8, title, parts...)
	if g.State == "" {
		return layoutInset(0, 6, 0, 0, line)
	}
	return layoutInset(0, 6, 0, 0, spaced(4, line, h.toned(g.Tone, g.State)))
}

// cert is the card of a certificate.
func (p *tokensPage) cert(gtx layout.Context, c certCard) layout.Widget {
	h, s := p.h, p.state(c.ID)
	if clicked(gtx, &s.more) {
		s.open = !s.open
	}
	if clicked(gtx, &s.check) {
		s.open = true
		ask(h, &s.checking, proto.MethodCertificatesCheck, proto.CertificatesCheckParams{Certificate: c.ID}, func(r *proto.CertificateStatus) {
			s.status, s.chain = r, chainLinks(h.lang, r.Chain)
		})
	}
	if clicked(gtx, &s.sign) {
		h.pages[Sign].(*signPage).certificate = c.ID
		h.open(Sign)
	}
	more := "home.cert.more"
	if s.open {
		more = "home.cert.less"
	}
	buttons := []layout.Widget{h.other(&s.more, h.say(more)), h.other(&s.check, h.say("home.cert.check"))}
	if c.Usable {
		buttons = append([]layout.Widget{h.other(&s.sign, h.say("home.cert.sign"))}, buttons...)
	}
	parts := []layout.Widget{
		roomy(620, spaced(2, h.Text(c.Name, look.Label{Size: 16, Bold: true}), h.soft(c.About)), buttons...),
		row(12, h.toned(c.LifeTone, c.Life), h.soft(c.Key)),
	}
	if c.What != "" {
		parts = append(parts, spaced(2, h.toned(Bad, c.What), h.Text(c.Next, look.Label{})))
	}
	if s.open {
		parts = append(parts, h.Line(), h.Table(c.Rows))
		parts = append(parts, p.chain(c, s)...)
	}
	return h.card(c.LifeTone, spaced(8, parts...))
}

// chain is who vouches for a certificate, and what a check of it found.
func (p *tokensPage) chain(c certCard, s *certState) (parts []layout.Widget) {
	h := p.h
	if w := h.working(&s.checking, &s.stop, h.say("home.cert.checking")); w != nil {
		parts = append(parts, w)
	}
	if r := s.status; r != nil {
		t, words := statusWords(r)
		parts = append(parts, h.toned(t, h.say("home.cert.status."+words)))
		if r.Text != "" {
			parts = append(parts, h.Text(ui.Safe(r.Text, 300), look.Label{}), h.soft(ui.Safe(r.Next, 300)))
		}
	}
	links := c.Chain
	if s.chain != nil {
		links = s.chain
	}
	if len(links) == 0 {
		return parts
	}
	parts = append(parts, h.Heading(h.say("home.cert.chain")))
	for i := len(links) - 1; i >= 0; i-- {
		parts = append(parts, h.link(links[i], len(links)-1-i))
	}
	return parts
}

// statusWords tells how a checked certificate stands: good, bad, or not known.
func statusWords(r *proto.CertificateStatus) (Tone, string) {
	switch {
	case r.Indication == proto.IndicationTOTALPASSED:
		return Good, "good"
	case r.Code == proto.CodeRevocationUnknown, r.Code == proto.CodeCertificateUntrusted, r.Code == proto.CodeAlgorithmUnsupported, r.Code == "":
		return Warn, "unknown"
	}
	return Bad, "bad"
}

// link is one box of a chain, moved in by how far it is from the root.
func (h *Home) link(l link, depth int) layout.Widget {
	lines := []layout.Widget{row(8, h.Text(l.Name, look.Label{Bold: true, Lines: 1}), h.soft(l.Role)), h.toned(l.Tone, l.State)}
	for _, n := range l.Notes {
		lines = append(lines, h.soft(n))
	}
	frame, fill := h.Rule, h.Ground
	switch l.Tone {
	case Bad:
		frame, fill = h.Red, h.RedBed
	case Warn:
		frame, fill = h.Amber, h.AmberBed
	}
	return func(gtx layout.Context) layout.Dimensions {
		return layout.Inset{Left: 22 * unitDp(depth)}.Layout(gtx, look.Panel(fill, frame, 6, 10, spaced(2, lines...)))
	}
}
