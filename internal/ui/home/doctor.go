// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"maps"
	"slices"
	"strings"
	"time"

	"gioui.org/io/key"
	"gioui.org/layout"
	"gioui.org/widget"

	"persten/internal/text"
	"persten/internal/ui"
	"persten/internal/ui/look"
	"persten/proto"
)

// doctorPage looks for what is wrong, and explains words that other programs and sites say.
type doctorPage struct {
	h        *Home
	list     widget.List
	run      widget.Clickable
	stop     widget.Clickable
	running  job
	findings []proto.DoctorFinding
	looked   bool
	passed   bool // show those that found nothing
	show     widget.Clickable
	fixes    map[string]*widget.Clickable
	ways     map[string]*widget.Clickable
	fixing   job
	asked    []proto.DoctorFinding // what a repair wants a yes for
	since    time.Time             // when that was shown

	search     widget.Editor
	explain    widget.Clickable
	explaining job
	answers    *proto.DoctorExplainResult

	support bundlePanel
}

func newDoctor(h *Home) *doctorPage {
	return &doctorPage{h: h, fixes: map[string]*widget.Clickable{}, ways: map[string]*widget.Clickable{}, support: newBundle(h)}
}

func (p *doctorPage) enter() {
	if !p.looked && !p.running.running {
		p.look()
	}
}

func (p *doctorPage) tokens() {}

func (p *doctorPage) look() {
	if p.h.has(proto.MethodDoctorRun) {
		ask(p.h, &p.running, proto.MethodDoctorRun, proto.DoctorRunParams{}, p.take)
	}
}

// take shows findings, the worst first. What was found alike of several certificates is said once.
func (p *doctorPage) take(f *proto.DoctorFindings) {
	p.looked, p.findings = true, nil
	for _, f := range f.Findings {
		if !slices.ContainsFunc(p.findings, func(o proto.DoctorFinding) bool { return alike(o, f) }) {
			p.findings = append(p.findings, f)
		}
	}
	slices.SortStableFunc(p.findings, func(a, b proto.DoctorFinding) int {
		return slices.Index(levels, a.Level) - slices.Index(levels, b.Level)
	})
}

// levels are those of findings, the worst first.
var levels = []proto.DoctorLevel{proto.DoctorLevelProblem, proto.DoctorLevelWarning, proto.DoctorLevelNote, proto.DoctorLevelOK}

func alike(a, b proto.DoctorFinding) bool {
	return a.Code == b.Code && a.Subject == b.Subject && a.Text == b.Text && a.Level == b.Level && a.Fix == nil && b.Fix == nil
}

// levelTone is the colour of a level.
func levelTone(level proto.DoctorLevel) Tone {
	switch level {
	case proto.DoctorLevelProblem:
		return Bad
	case proto.DoctorLevelWarning:
		return Warn
	case proto.DoctorLevelOK:
		return Good
	}
	return Plain
}

func (p *doctorPage) scrolled() *widget.List { return &p.list }

func (p *doctorPage) layout(gtx layout.Context) layout.Dimensions {
	h := p.h
	p.press(gtx)
	var actions []layout.Widget
	if h.has(proto.MethodDoctorBundle) {
		actions = append(actions, h.other(&p.support.make, h.say("home.doctor.bundle")))
	}
	if h.has(proto.MethodDoctorRun) {
		actions = append(actions, h.primary(&p.run, h.say("home.doctor.run"), !p.running.running))
	}
	return sheet(gtx, h.head(h.say("home.doctor.title"), h.say("home.doctor.about"), actions...), h.scroll(&p.list, p.items(gtx)...))
}

// key implements keyed.
func (p *doctorPage) key(gtx layout.Context, name key.Name) {
	switch name {
	case keySearch:
		gtx.Execute(key.FocusCmd{Tag: &p.search})
	case keySave:
		p.support.save()
	case keyDo:
		p.look()
	}
}

func (p *doctorPage) press(gtx layout.Context) {
	h := p.h
	if clicked(gtx, &p.run) {
		p.look()
	}
	if clicked(gtx, &p.show) {
		p.passed = true
	}
	p.search.Submit = true
	sought := clicked(gtx, &p.explain)
	for {
		e, ok := p.search.Update(gtx)
		if !ok {
			break
		}
		if _, enter := e.(widget.SubmitEvent); enter {
			sought = true
		}
	}
	if what := strings.TrimSpace(p.search.Text()); sought && what != "" {
		ask(h, &p.explaining, proto.MethodDoctorExplain, proto.DoctorExplainParams{Query: shorten(what)}, func(r *proto.DoctorExplainResult) { p.answers = r })
	}
	p.support.press(gtx, strings.TrimSpace(p.search.Text()))
}

// shorten keeps a question within what the session takes.
func shorten(s string) string {
	const most = 1000
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

func (p *doctorPage) items(gtx layout.Context) (items []layout.Widget) {
	h := p.h
	add := func(w layout.Widget) {
		if w != nil {
			items = append(items, w)
		}
	}
	if h.session == nil {
		add(h.card(Bad, func(gtx layout.Context) layout.Dimensions { return h.absent(gtx) }))
		return items
	}
	items = append(items, p.support.items()...)
	for _, q := range p.asked {
		add(p.finding(gtx, q))
	}
	if h.has(proto.MethodDoctorExplain) {
		add(h.card(Plain, spaced(8, h.bold(h.say("home.doctor.words")), h.soft(h.say("home.doctor.wordsabout")),
			beside(8, h.Field(&p.search, h.say("home.doctor.search"), h.Blue), h.other(&p.explain, h.say("home.doctor.explain"))))))
		add(h.working(&p.explaining, nil, h.say("home.doctor.looking")))
		items = append(items, p.explained(gtx)...)
	}
	if !h.has(proto.MethodDoctorRun) {
		return append(items, p.problems()...)
	}
	add(h.working(&p.running, &p.stop, h.say("home.doctor.looking")))
	add(h.working(&p.fixing, nil, h.say("home.doctor.fixing")))
	if p.looked && !p.running.running {
		add(p.summary())
	}
	for i := range p.findings {
		if p.passed || p.findings[i].Level != proto.DoctorLevelOK {
			add(p.finding(gtx, p.findings[i]))
		}
	}
	if p.looked && !p.passed {
		add(row(8, h.other(&p.show, h.say("home.doctor.showpassed"))))
	}
	return items
}

// problems are those of agent.status, for a session without a doctor.
func (p *doctorPage) problems() (items []layout.Widget) {
	h := p.h
	for _, q := range h.status.Problems {
		items = append(items, h.card(Bad, spaced(4, h.toned(Bad, ui.Safe(q.Text, 300)), h.Text(ui.Safe(q.Next, 300), look.Label{}))))
	}
	if len(items) == 0 {
		items = append(items, h.empty(h.say("home.doctor.well"), h.say("home.doctor.wellnext")))
	}
	return items
}

// summary counts what was found.
func (p *doctorPage) summary() layout.Widget {
	h := p.h
	count := map[Tone]int{}
	for _, f := range p.findings {
		count[levelTone(f.Level)]++
	}
	good := text.Plural(h.lang, "home.doctor.passed", count[Good])
	switch {
	case count[Bad] > 0:
		return h.card(Bad, spaced(3, h.Text(text.Plural(h.lang, "home.doctor.bad", count[Bad]), look.Label{Size: 17, Bold: true, Color: h.Red}), h.soft(good)))
	case count[Warn] > 0:
		return h.card(Warn, spaced(3, h.Text(text.Plural(h.lang, "home.doctor.doubt", count[Warn]), look.Label{Size: 17, Bold: true, Color: h.Amber}), h.soft(good)))
	}
	return h.card(Good, spaced(3, h.Text(h.say("home.doctor.well"), look.Label{Size: 17, Bold: true, Color: h.Green}), h.soft(good)))
}

// finding is a card with what was found, what to do, and a button where the agent can do it.
func (p *doctorPage) finding(gtx layout.Context, f proto.DoctorFinding) layout.Widget {
	h, t := p.h, levelTone(f.Level)
	parts := []layout.Widget{h.Text(ui.Safe(f.Text.What, 400), look.Label{Color: h.tone(t), Bold: true})}
	if f.Text.Next != "" {
		parts = append(parts, h.Text(ui.Safe(f.Text.Next, 600), look.Label{}))
	}
	about := named(h.lang, "home.doctor.fault.", string(f.Fault), string(f.Fault))
	if f.Subject != "" {
		about += ", " + ui.Safe(f.Subject, maxFact)
	}
	parts = append(parts, h.soft(about+"  ·  "+ui.Safe(f.Code, 60)))
	if f.Fix == nil {
		return h.card(t, spaced(5, append(parts, p.waysOf(gtx, f.Code+" "+f.Subject, f.Text.Next))...))
	}
	key := f.Code + " " + f.Subject + " " + f.Fix.Args["file"]
	if p.fixes[key] == nil {
		p.fixes[key] = new(widget.Clickable)
	}
	if clicked(gtx, p.fixes[key]) && (f.Fix.Needs != proto.DoctorNeedConsent || time.Since(p.since) > settle) {
		p.repair(*f.Fix)
	}
	return h.card(t, spaced(5, append(parts, row(8, h.other(p.fixes[key], ui.Safe(f.Fix.Label, maxName))))...))
}

var certificateEndings = []string{".cer", ".crt", ".pem", ".der", ".p7b"}

// settle is how long a question is there before its yes counts: it comes up where a file was clicked, perhaps twice.
const settle = 700 * time.Millisecond

// repair has the agent mend something.
func (p *doctorPage) repair(f proto.DoctorFix) {
	if f.Needs != proto.DoctorNeedFile {
		p.mend(f)
		return
	}
	p.h.chosen.choose(p.h.say("home.doctor.file"), certificateEndings, func(path string) {
		args := maps.Clone(f.Args)
		if args == nil {
			args = map[string]string{}
		}
		args["file"] = path
		p.mend(proto.DoctorFix{ID: f.ID, Args: args})
	})
}

// mend asks for a repair. What the person has to agree to first comes back as a finding with a repair of its own.
func (p *doctorPage) mend(f proto.DoctorFix) {
	p.asked = nil
	ask(p.h, &p.fixing, proto.MethodDoctorFix, proto.DoctorFixParams{ID: f.ID, Args: f.Args}, func(r *proto.DoctorFindings) {
		for _, q := range r.Findings {
			if q.Fix != nil && q.Fix.Needs == proto.DoctorNeedConsent {
				p.asked, p.list.Position, p.since = append(p.asked, q), layout.Position{}, time.Now()
			}
		}
		if p.asked == nil {
			p.look()
		}
	})
}

// explained are the answers of the search.
func (p *doctorPage) explained(gtx layout.Context) (items []layout.Widget) {
	h := p.h
	if p.answers == nil {
		return nil
	}
	if len(p.answers.Answers) == 0 {
		return []layout.Widget{h.card(Warn, spaced(4, h.toned(Warn, h.say("home.doctor.unknown")), h.soft(h.say("home.doctor.unknownnext"))))}
	}
	for _, a := range p.answers.Answers {
		parts := []layout.Widget{h.bold(ui.Safe(a.Title, 200)), h.soft(named(h.lang, "home.doctor.fault.", string(a.Fault), string(a.Fault)))}
		for _, step := range a.Check {
			parts = append(parts, row2(h.Text("•", look.Label{Color: h.Blue, Bold: true}), h.Text(ui.Safe(step, 400), look.Label{})))
		}
		parts = append(parts, h.Text(ui.Safe(a.Next, 400), look.Label{Bold: true}), p.waysOf(gtx, a.ID, append(a.Check, a.Next)...))
		items = append(items, h.card(Warn, spaced(5, parts...)))
	}
	return items
}
