// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"encoding/json"
	"os"
	"path/filepath"

	"gioui.org/io/key"
	"gioui.org/layout"
	"gioui.org/widget"

	"persten/internal/ui"
	"persten/internal/ui/look"
	"persten/proto"
)

// signPage signs and verifies files, and makes test signatures.
type signPage struct {
	h    *Home
	list widget.List
	mode choice

	certificate string // id of the chosen one
	picks       map[string]*widget.Clickable

	file       string // to sign
	form       choice
	pick       widget.Clickable
	sign, stop widget.Clickable
	signing    job
	made       *madeFile
	verifyMade widget.Clickable
	doctor     widget.Clickable

	check checkPanel

	test    widget.Clickable
	testing job
	tested  *testResult
}

// madeFile is a signature that was made here.
type madeFile struct {
	path, certificate, digest string
	when                      string
}

func newSign(h *Home) *signPage {
	return &signPage{h: h, mode: newChoice("sign", "sign", "verify", "test"), form: newChoice("detached", "detached", "attached"),
		picks: map[string]*widget.Clickable{}, check: checkPanel{h: h}}
}

func (p *signPage) enter() {
	p.source().enter()
	if !p.h.has(proto.MethodSignTest) {
		p.mode.values = []string{"sign", "verify"}
	} else {
		p.mode = newChoice(p.mode.value, "sign", "verify", "test")
	}
}

func (p *signPage) tokens() {}

func (p *signPage) source() *tokensPage { return p.h.pages[Tokens].(*tokensPage) }

// give takes a file that was pasted or dropped here: to verify when it looks like a signature, else as the page stands.
func (p *signPage) give(path string) {
	if p.mode.value != "verify" && !ends(path, signatureEndings) {
		p.mode.value = "sign"
		p.takeFile(path)
		return
	}
	p.mode.value = "verify"
	p.check.take(path)
}

func (p *signPage) takeFile(path string) {
	p.file, p.made, p.signing = path, nil, job{n: p.signing.n + 1}
}

func (p *signPage) scrolled() *widget.List { return &p.list }

func (p *signPage) layout(gtx layout.Context) layout.Dimensions {
	h := p.h
	h.pasted(gtx)
	if p.mode.changed(gtx) {
		p.list.Position = layout.Position{}
	}
	var items []layout.Widget
	switch p.mode.value {
	case "verify":
		items = p.check.items(gtx)
	case "test":
		items = p.testItems(gtx)
	default:
		items = p.signItems(gtx)
	}
	return layout.Flex{Axis: layout.Vertical}.Layout(gtx,
		layout.Rigid(h.head(h.say("home.sign.title"), h.say("home.sign.about"))),
		layout.Rigid(layoutInset(24, 0, 24, 14, h.choice(&p.mode, "home.sign.mode."))),
		layout.Flexed(1, h.scroll(&p.list, items...)),
	)
}

// key implements keyed.
func (p *signPage) key(_ layout.Context, name key.Name) {
	switch {
	case name == keyOpen && p.mode.value == "verify":
		p.check.choose()
	case name == keyOpen:
		p.mode.value = "sign"
		p.choose()
	case name == keySave && p.mode.value == "verify" && p.check.report != nil:
		p.check.save()
	case name == keyDo && p.mode.value == "sign":
		p.doSign()
	case name == keyDo && p.mode.value == "test":
		p.doTest()
	}
}

func (p *signPage) choose() { p.h.chosen.choose(p.h.say("home.sign.choose"), nil, p.takeFile) }

// ready tells whether there is all that a signature needs.
func (p *signPage) ready() bool { return p.file != "" && p.chosen() != nil && !p.signing.running }

// listEnd is a list at its end, where it says how far a job is.
var listEnd = layout.Position{First: 1 << 20}

func (p *signPage) doSign() {
	if p.ready() {
		p.made, p.list.Position = nil, listEnd
		p.h.signFile(p, p.file, *p.chosen(), p.form.value == "attached")
	}
}

func (p *signPage) doTest() {
	if c := p.chosen(); c != nil && !p.testing.running {
		p.tested, p.list.Position = nil, listEnd
		ask(p.h, &p.testing, proto.MethodSignTest, proto.SignTestParams{Certificate: c.ID}, func(r *testResult) {
			p.tested, p.list.Position = r, listEnd
		})
	}
}

func (p *signPage) signItems(gtx layout.Context) []layout.Widget {
	h := p.h
	if clicked(gtx, &p.pick) {
		p.choose()
	}
	p.form.changed(gtx)
	ready := p.ready()
	if clicked(gtx, &p.sign) {
		p.doSign()
	}
	items := []layout.Widget{
		h.step("1", h.say("home.sign.file"), h.fileZone(&p.pick, p.file, h.dropWords("sign"), h.say("home.sign.choose"))),
		p.certificates(gtx, "2"),
		h.step("3", h.say("home.sign.form"), h.choice(&p.form, "home.sign.form."), h.soft(h.say("home.sign.formabout."+p.form.value))),
		row(12, h.primary(&p.sign, h.say("home.sign.do"), ready), h.soft(h.say("home.sign.pin"))),
	}
	if w := h.working(&p.signing, &p.stop, h.say("home.sign.sending")); w != nil {
		items = append(items, w)
	}
	if p.made != nil {
		items = append(items, p.success(gtx))
	}
	return items
}

// success tells where the signature is.
func (p *signPage) success(gtx layout.Context) layout.Widget {
	h := p.h
	if clicked(gtx, &p.verifyMade) {
		p.mode.value = "verify"
		p.check.take(p.made.path)
	}
	return h.card(Good, spaced(6, h.toned(Good, h.say("home.sign.made")),
		h.Text(ui.Safe(p.made.path, maxFact), look.Label{Bold: true}),
		h.soft(p.made.certificate+", "+p.made.when), h.soft(p.made.digest),
		row(8, h.other(&p.verifyMade, h.say("home.sign.verify")))))
}

// dropWords say how a file can be given.
func (h *Home) dropWords(page string) string {
	if h.drops {
		return h.say("home." + page + ".drop")
	}
	return h.say("home." + page + ".paste")
}

// fileZone is where a file is given.
func (h *Home) fileZone(pick *widget.Clickable, path, drop, choose string) layout.Widget {
	words := h.soft(drop)
	if path != "" {
		about := homely(filepath.Dir(path))
		if fi, err := os.Stat(path); err == nil {
			about = ui.Size(h.lang, fi.Size()) + ", " + about
		}
		words = spaced(2, h.bold(ui.Safe(filepath.Base(path), maxName)), h.soft(ui.Safe(about, maxFact)))
	}
	return look.Panel(h.Ground, h.Rule, 6, 14, beside(12, words, h.other(pick, choose)))
}

// chosen is the certificate to sign with: the one picked, or the only one there is.
func (p *signPage) chosen() *certCard {
	list := p.source().usable()
	for i := range list {
		if list[i].ID == p.certificate || len(list) == 1 {
			return &list[i]
		}
	}
	return nil
}

// certificates lets the person choose whose key signs.
func (p *signPage) certificates(gtx layout.Context, step string) layout.Widget {
	h := p.h
	list := p.source().usable()
	if clicked(gtx, &p.doctor) {
		h.open(Doctor)
	}
	if len(list) == 0 {
		if p.source().load.running {
			return h.step(step, h.say("home.sign.cert"), row(8, h.loader, h.soft(h.say("home.tokens.reading"))))
		}
		return h.step(step, h.say("home.sign.cert"), h.Text(h.say("home.sign.nocert"), look.Label{Color: h.Amber}), h.other(&p.doctor, h.say("home.todoctor")))
	}
	now := p.chosen()
	rows := make([]layout.Widget, len(list))
	for i, c := range list {
		click := p.picks[c.ID]
		if click == nil {
			click = new(widget.Clickable)
			p.picks[c.ID] = click
		}
		if clicked(gtx, click) {
			p.certificate = c.ID
		}
		rows[i] = h.certOption(click, c, now != nil && now.ID == c.ID)
	}
	return h.step(step, h.say("home.sign.cert"), spaced(6, rows...))
}

func (h *Home) certOption(click *widget.Clickable, c certCard, taken bool) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		fill, frame := h.Paper, h.Rule
		if taken {
			fill, frame = look.Mix(h.Blue, h.Paper, 0.9), h.Blue
		}
		if gtx.Focused(click) {
			frame = look.Mix(h.Blue, h.Ink, 0.35)
		}
		return click.Layout(gtx, look.Panel(fill, frame, 6, 10, spaced(2,
			beside(8, h.Text(c.Name, look.Label{Bold: true, Lines: 1}), h.Text(c.Life, look.Label{Size: 13, Color: h.tone(c.LifeTone)})),
			h.soft(c.About+", "+c.Key))))
	}
}

func (p *signPage) testItems(gtx layout.Context) []layout.Widget {
	h := p.h
	if clicked(gtx, &p.test) {
		p.doTest()
	}
	ready := p.chosen() != nil && !p.testing.running
	items := []layout.Widget{
		h.card(Plain, h.Text(h.say("home.test.about"), look.Label{})),
		p.certificates(gtx, "1"),
		row(12, h.primary(&p.test, h.say("home.test.do"), ready), h.soft(h.say("home.sign.pin"))),
	}
	if w := h.working(&p.testing, &p.stop, h.say("home.step.waiting")); w != nil {
		items = append(items, w)
	}
	if r := p.tested; r != nil {
		items = append(items, h.testCard(*r))
	}
	return items
}

// testResult is what sign.test answers.
type testResult = proto.SignTestResult

func (h *Home) testCard(r testResult) layout.Widget {
	t, words := Good, h.say("home.test.good")
	if !r.Report.Valid {
		t, words = Bad, h.say("home.test.bad")
	}
	c := newCertCard(h.lang, r.Certificate, r.Time)
	return h.card(t, spaced(6, h.toned(t, words), h.Table([]look.Row{
		{Label: h.say("prompt.cert.name"), Value: c.Name}, {Label: h.say("prompt.cert.issuer"), Value: c.Issuer},
		{Label: h.say("home.test.time"), Value: ui.Moment(h.lang, r.Time)},
		{Label: h.say("home.test.algorithm"), Value: ui.Safe(r.Algorithm, 40)},
		{Label: h.say("home.test.digest"), Value: ui.DigestName(r.DigestAlg) + ": " + ui.Safe(r.Digest, 140)},
	}), h.soft(h.say("home.test.force"))))
}

// heard takes the session's word of where a request stands. Only one request of this window waits for a person at a time.
func (h *Home) heard(params json.RawMessage) {
	var p proto.ProgressParams
	if json.Unmarshal(params, &p) != nil {
		return
	}
	h.post(func() {
		s := h.pages[Sign].(*signPage)
		for _, j := range []*job{&s.signing, &s.testing} {
			if j.running && p.Step != "" {
				j.stage, j.done = h.say("home.step."+string(p.Step)), 0
			}
		}
		if d := &h.pages[Doctor].(*doctorPage).running; d.running && p.Total > 0 {
			d.done = float32(p.Done) / float32(p.Total)
		}
	})
}
