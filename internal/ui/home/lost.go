// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"cmp"
	"slices"
	"time"

	"gioui.org/layout"
	"gioui.org/unit"
	"gioui.org/widget"

	"persten/internal/text"
	"persten/internal/ui"
	"persten/internal/ui/look"
	"persten/proto"
)

// lostPanel tells what to do when a token is lost: stop, tell, look at what it was last used for.
type lostPanel struct {
	h      *Home
	open   bool
	load   job
	pause  widget.Clickable
	paused job
	picks  []widget.Clickable
	taken  int
	tokens []lostToken
}

// lostToken is a token that signed here.
type lostToken struct {
	Serial, Label string
	Certs         []string // serial numbers of its certificates
	Issuers       []string // who gave them, as far as the token is known
	Sites         []string
	Uses          []use
}

// use is one signature of the past.
type use struct{ When, What string }

// lostLook is how far back the journal is searched.
const lostLook = 1000

// Limits of what the panel lists.
const (
	maxUses  = 10
	maxSites = 12
)

func (l *lostPanel) read() {
	ask(l.h, &l.load, proto.MethodJournalList, proto.JournalListParams{Limit: lostLook}, func(r *proto.JournalListResult) {
		l.tokens = lostTokens(l.h.lang, r.Records, l.h.pages[Tokens].(*tokensPage).groups)
		l.picks, l.taken = make([]widget.Clickable, len(l.tokens)), 0
	})
}

// lostTokens finds the tokens that signed, the one used last first. The journal knows numbers; names come from tokens that are
// plugged in.
func lostTokens(lang text.Lang, records []proto.JournalRecord, known []group) (list []lostToken) {
	newest := slices.Clone(records)
	slices.SortFunc(newest, func(a, b proto.JournalRecord) int { return cmp.Compare(b.Seq, a.Seq) })
	for _, r := range newest {
		if r.TokenSerial == "" || r.Type != "begin" {
			continue
		}
		i := slices.IndexFunc(list, func(t lostToken) bool { return t.Serial == ui.Safe(r.TokenSerial, 40) })
		if i < 0 {
			list = append(list, lostToken{Serial: ui.Safe(r.TokenSerial, 40)})
			i = len(list) - 1
		}
		list[i].add(lang, r)
	}
	for i := range list {
		list[i].name(known)
	}
	return list
}

func (t *lostToken) add(lang text.Lang, r proto.JournalRecord) {
	if s := ui.Safe(r.CertificateSerial, 60); s != "" && !slices.Contains(t.Certs, s) {
		t.Certs = append(t.Certs, s)
	}
	site := ui.Safe(r.Origin, maxName)
	if site != "" && !slices.Contains(t.Sites, site) && len(t.Sites) < maxSites {
		t.Sites = append(t.Sites, site)
	}
	if len(t.Uses) < maxUses {
		what := named(lang, "journal.kind.", r.Kind, r.Kind)
		if site != "" {
			what += ", " + site
		}
		if len(r.Documents) > 0 {
			what += ", " + ui.Safe(r.Documents[0].Name, maxName)
		}
		t.Uses = append(t.Uses, use{ui.Moment(lang, r.Time), what})
	}
}

func (t *lostToken) name(known []group) {
	for _, g := range known {
		mine := g.Token != nil && ui.Safe(g.Token.Serial, 40) == t.Serial
		for _, c := range g.Certs {
			if mine || slices.Contains(t.Certs, c.Serial) {
				t.Label = g.Title
				if !slices.Contains(t.Issuers, c.Issuer) {
					t.Issuers = append(t.Issuers, c.Issuer)
				}
			}
		}
	}
}

func (l *lostPanel) items(gtx layout.Context) (items []layout.Widget) {
	h := l.h
	if clicked(gtx, &l.pause) {
		h.ask(&l.paused, proto.MethodAgentPause, proto.AgentPauseParams{Paused: h.status.State != proto.StatePaused}, h.askStatus)
	}
	stop, caption := h.say("home.lost.pausewhy"), h.say("home.lost.pause")
	if h.status.State == proto.StatePaused {
		stop, caption = h.say("home.lost.paused"), h.say("home.lost.resume")
	}
	items = append(items, h.step("1", h.say("home.lost.first"), h.Text(stop, look.Label{}), row(8, h.danger(&l.pause, caption))))
	if w := h.working(&l.load, nil, h.say("home.journal.reading")); w != nil {
		items = append(items, w)
	}
	for i := range l.picks {
		if clicked(gtx, &l.picks[i]) {
			l.taken = i
		}
	}
	var t lostToken
	if len(l.tokens) > 0 {
		t = l.tokens[l.taken]
	}
	return append(items, l.which(), h.step("3", h.say("home.lost.tell"), l.tell(t)...), h.step("4", h.say("home.lost.uses"), l.uses(t)...))
}

// which lets the person say what token it is.
func (l *lostPanel) which() layout.Widget {
	h := l.h
	if len(l.tokens) == 0 {
		return h.step("2", h.say("home.lost.which"), h.soft(h.say("home.lost.never")))
	}
	var options []layout.Widget
	for i, t := range l.tokens {
		options = append(options, h.option(&l.picks[i], cmp.Or(t.Label, h.say("home.lost.unnamed"))+", "+t.Serial, i == l.taken))
	}
	return h.step("2", h.say("home.lost.which"), wrap(6, options...))
}

// tell lists who should know.
func (l *lostPanel) tell(t lostToken) (parts []layout.Widget) {
	h := l.h
	issuers := t.Issuers
	if len(issuers) == 0 {
		issuers = []string{h.say("home.lost.anyissuer")}
	}
	for _, i := range issuers {
		parts = append(parts, spaced(1, h.bold(i), h.Text(h.say("home.lost.revoke"), look.Label{})))
	}
	for _, c := range t.Certs {
		parts = append(parts, h.soft(h.say("home.lost.number", "serial", c)))
	}
	parts = append(parts, spaced(1, h.bold(h.say("home.lost.admin")), h.Text(h.say("home.lost.adminwhy"), look.Label{})))
	if len(t.Sites) > 0 {
		parts = append(parts, spaced(1, h.bold(h.say("home.lost.sites")), h.Text(h.say("home.lost.siteswhy"), look.Label{})))
		for _, s := range t.Sites {
			parts = append(parts, h.Text(s, look.Label{Mono: true, Size: 13}))
		}
	}
	return parts
}

func (l *lostPanel) uses(t lostToken) []layout.Widget {
	h := l.h
	if len(t.Uses) == 0 {
		return []layout.Widget{h.soft(h.say("home.lost.nouses"))}
	}
	rows := make([]look.Row, len(t.Uses))
	for i, u := range t.Uses {
		rows[i] = look.Row{Label: u.When, Value: u.What}
	}
	return []layout.Widget{h.soft(h.say("home.lost.useswhy")), h.wideTable(rows)}
}

// step is a numbered part of what to do.
func (h *Home) step(n, title string, parts ...layout.Widget) layout.Widget {
	return h.card(Plain, spaced(8, append([]layout.Widget{row(8, h.Text(n+".", look.Label{Size: 16, Bold: true, Color: h.Blue}), h.Text(title, look.Label{Size: 16, Bold: true}))}, parts...)...))
}

// wideTable is a table whose labels are moments.
func (h *Home) wideTable(rows []look.Row) layout.Widget {
	parts := make([]layout.Widget, len(rows))
	for i, r := range rows {
		parts[i] = func(gtx layout.Context) layout.Dimensions {
			return layout.Flex{Alignment: layout.Baseline}.Layout(gtx, layout.Rigid(fixed(210, h.soft(r.Label))), layout.Flexed(1, h.Text(r.Value, look.Label{})))
		}
	}
	return spaced(2, parts...)
}

// fixed gives a widget a width.
func fixed(width unit.Dp, w layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		gtx.Constraints.Min.X = gtx.Dp(width)
		gtx.Constraints.Max.X = gtx.Constraints.Min.X
		return w(gtx)
	}
}

func unitDp(n int) unit.Dp { return unit.Dp(n) }

// launch starts a session that outlives this window, and waits until it answers.
func (h *Home) launch() {
	h.start = job{running: true, since: time.Now(), n: h.start.n + 1}
	go func() {
		err := h.o.Start()
		if err == nil {
			time.Sleep(launchPatience)
		}
		h.post(func() {
			h.start.running = false
			if err == nil && h.session == nil {
				err = proto.E(proto.CodeAgentNotRunning, nil)
			}
			if err != nil {
				h.start.fault = h.faultOf(err)
			}
		})
	}()
}

// launchPatience is how long a session may take to answer.
const launchPatience = 10 * time.Second
