// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"cmp"
	"context"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gioui.org/io/key"
	"gioui.org/layout"
	"gioui.org/widget"
	"gioui.org/widget/material"

	"persten/internal/client"
	"persten/internal/text"
	"persten/internal/ui"
	"persten/internal/ui/look"
	"persten/proto"
)

// journalPage lists the journal, newest first.
type journalPage struct {
	h    *Home
	list widget.List
	load job
	more bool // there are older ones

	records []proto.JournalRecord
	rows    []journalRow
	clicks  map[int64]*widget.Clickable
	opened  int64 // seq of the row whose details are shown

	search  widget.Editor
	sought  string
	result  choice
	period  choice
	formats choice

	verify, save widget.Clickable
	verifying    job
	verdict      *proto.JournalVerifyResult
	saving       job
	saved        string
}

// page is how many records are asked for at a time; the next ones come when the end is near.
const (
	journalPageSize = 200
	journalAhead    = 40
)

func newJournal(h *Home) *journalPage {
	return &journalPage{h: h, clicks: map[int64]*widget.Clickable{}, result: newChoice("all", "all", "ok", "failed"),
		period: newChoice("all", "day", "month", "year", "all"), formats: newChoice("csv", "csv", "json", "pdf")}
}

func (p *journalPage) enter()  { p.read() }
func (p *journalPage) tokens() {}

// filter is what the person asked to see.
func (p *journalPage) filter() proto.JournalListParams {
	f := proto.JournalListParams{Limit: journalPageSize, Text: strings.TrimSpace(p.search.Text())}
	if p.result.value != "all" {
		f.Result = p.result.value
	}
	now := time.Now()
	switch p.period.value {
	case "day":
		f.From = now.AddDate(0, 0, -1)
	case "month":
		f.From = now.AddDate(0, -1, 0)
	case "year":
		f.From = now.AddDate(-1, 0, 0)
	}
	if !p.h.filters() {
		return proto.JournalListParams{Limit: journalPageSize}
	}
	return f
}

// filters tells whether the session can search its journal.
func (h *Home) filters() bool { return h.has(proto.MethodJournalExport) }

// read starts the list anew.
func (p *journalPage) read() {
	ask(p.h, &p.load, proto.MethodJournalList, p.filter(), func(r *proto.JournalListResult) {
		p.records, p.more = r.Records, r.More
		p.list.Position = layout.Position{}
		p.rows = journalRows(p.h.lang, p.records)
	})
}

// older brings the next records.
func (p *journalPage) older() {
	if !p.more || p.load.running || len(p.records) == 0 || p.load.fault != nil {
		return
	}
	f := p.filter()
	f.Before = slices.MinFunc(p.records, func(a, b proto.JournalRecord) int { return cmp.Compare(a.Seq, b.Seq) }).Seq
	ask(p.h, &p.load, proto.MethodJournalList, f, func(r *proto.JournalListResult) {
		p.more = r.More && len(r.Records) > 0
		p.records = append(p.records, r.Records...)
		p.rows = append(p.rows, journalRows(p.h.lang, r.Records)...)
	})
}

// journalRow is a line as people read it: one for each use of a key or decision.
type journalRow struct {
	Seq             int64
	When, Kind, Who string
	What            string
	Result          string
	Tone            Tone
	Details         []look.Row
}

// journalRows joins beginnings with their ends, newest first.
func journalRows(lang text.Lang, records []proto.JournalRecord) (rows []journalRow) {
	begins := map[int64]proto.JournalRecord{}
	ended := map[int64]bool{}
	for _, r := range records {
		if r.Type == "begin" {
			begins[r.Seq] = r
		}
		if r.Of != 0 {
			ended[r.Of] = true
		}
	}
	for _, r := range records {
		switch about, known := begins[r.Of]; {
		case r.Type == "begin" && ended[r.Seq]:
		case r.Type == "begin":
			rows = append(rows, newJournalRow(lang, r, r))
		case known:
			rows = append(rows, newJournalRow(lang, r, about))
		default:
			rows = append(rows, newJournalRow(lang, r, r))
		}
	}
	slices.SortFunc(rows, func(a, b journalRow) int { return cmp.Compare(b.Seq, a.Seq) })
	return rows
}

// newJournalRow makes the line of r, whose documents are those of about.
func newJournalRow(lang text.Lang, r, about proto.JournalRecord) journalRow {
	row := journalRow{Seq: r.Seq, When: ui.Date(lang, r.Time) + r.Time.Local().Format(" 15:04:05"), Kind: named(lang, "journal.kind.", about.Kind, about.Kind)}
	switch {
	case about.Origin != "":
		row.Who = ui.Safe(about.Origin, maxName)
	case about.Program != "":
		row.Who = say(lang, "home.journal.program") + " " + ui.Safe(path.Base(strings.ReplaceAll(about.Program, `\\`, "/")), maxName)
	default:
		row.Who = say(lang, "home.journal.here")
	}
	var names []string
	for _, d := range about.Documents[:min(len(about.Documents), 3)] {
		names = append(names, ui.Safe(d.Name, maxName))
	}
	if n := len(about.Documents); n > len(names) {
		names = append(names, text.Plural(lang, "count.documents", n))
	}
	row.What = strings.Join(names, ", ")
	row.Result, row.Tone = journalResult(lang, r, about.Kind)
	row.Details = journalDetails(lang, r, about)
	return row
}

// journalResult says how it ended.
func journalResult(lang text.Lang, r proto.JournalRecord, kind string) (string, Tone) {
	site := kind == "origin" || kind == "hidden" // nobody asked for a signature there
	switch {
	case site && r.Result == string(proto.CodeUserRejected):
		return say(lang, "home.sites.denied"), Warn
	case site && r.Result == string(proto.CodeOriginNotAllowed):
		return say(lang, "home.journal.forgotten"), Warn
	case kind == "origin" && r.Result == "ok":
		return say(lang, "home.sites.allowed"), Good
	case kind == "hidden" && r.Result == "ok":
		return say(lang, "home.sites.hidden"), Good
	case r.Result == "ok":
		return say(lang, "journal.result.ok"), Good
	case r.Result == "" || r.Result == "unknown":
		return say(lang, "journal.result.unknown"), Warn
	}
	what, _ := text.Error(lang, r.Result, r.Args)
	if r.Result == string(proto.CodeUserRejected) {
		return ui.Safe(what, maxFact), Warn
	}
	return ui.Safe(what, maxFact), Bad
}

func journalDetails(lang text.Lang, r, about proto.JournalRecord) (rows []look.Row) {
	add := func(key, value string) {
		if value != "" {
			rows = append(rows, look.Row{Label: say(lang, "home.journal."+key), Value: ui.Safe(value, maxFact)})
		}
	}
	add("certificate", about.CertificateSerial)
	add("token", about.TokenSerial)
	add("profile", about.Profile)
	add("program", about.Program)
	if about.By != "" {
		add("by", say(lang, "journal.by.policy"))
	}
	for i, d := range about.Documents {
		if i == 20 {
			break
		}
		seen := say(lang, "home.journal.unseen")
		if d.Viewed {
			seen = say(lang, "home.journal.seen")
		}
		add("document", d.Name+", "+ui.Size(lang, d.Size)+", "+seen)
		add("digest", ui.DigestName(d.Alg)+": "+d.Digest)
	}
	add("number", strconv.FormatInt(r.Seq, 10))
	return rows
}

// key implements keyed.
func (p *journalPage) key(gtx layout.Context, name key.Name) {
	switch {
	case name == keySearch:
		gtx.Execute(key.FocusCmd{Tag: &p.search})
	case name == keySave && p.h.filters():
		p.export()
	}
}

func (p *journalPage) press(gtx layout.Context) {
	for {
		if _, ok := p.search.Update(gtx); !ok {
			break
		}
	}
	again := p.result.changed(gtx)
	again = p.period.changed(gtx) || again
	p.formats.changed(gtx)
	if what := strings.TrimSpace(p.search.Text()); what != p.sought {
		p.sought, again = what, true
	}
	if again {
		p.read()
	}
	if clicked(gtx, &p.verify) {
		ask(p.h, &p.verifying, proto.MethodJournalVerify, proto.JournalVerifyParams{}, func(r *proto.JournalVerifyResult) { p.verdict = r })
	}
	if clicked(gtx, &p.save) {
		p.export()
	}
}

// export writes what the filter lets through into a file among the downloads.
func (p *journalPage) export() {
	h, s, f := p.h, p.h.session, p.filter()
	p.saved = ""
	format := p.formats.value
	params := proto.JournalExportParams{Format: proto.JournalFormat(format), From: f.From, Result: f.Result, Text: f.Text}
	file := filepath.Join(keepIn(), "persten-journal-"+time.Now().Format(time.DateOnly)+"."+format)
	h.begin(&p.saving, h.say("home.journal.saving"), func(ctx context.Context) (func(), error) {
		r, err := client.Ask[proto.JournalExportResult](ctx, s, proto.MethodJournalExport, params)
		if err != nil {
			return nil, err
		}
		defer drop(s, r.Handle)
		out, err := writeNew(file, func(w io.Writer) error { return s.Download(ctx, proto.Content{Handle: r.Handle}, w) })
		return func() { p.saved = out }, err
	})
}

func (p *journalPage) scrolled() *widget.List { return &p.list }

func (p *journalPage) layout(gtx layout.Context) layout.Dimensions {
	h := p.h
	p.press(gtx)
	actions := []layout.Widget{h.other(&p.verify, h.say("home.journal.verify"))}
	if h.filters() {
		actions = append(actions, h.choice(&p.formats, "home.journal.format."), h.other(&p.save, h.say("home.journal.save")))
	}
	return layout.Flex{Axis: layout.Vertical}.Layout(gtx,
		layout.Rigid(h.head(h.say("home.journal.title"), h.say("home.journal.about"), actions...)),
		layout.Rigid(layoutInset(24, 0, 24, 10, p.tools())),
		layout.Flexed(1, p.body),
	)
}

// tools are search and filters, and what verifying and saving brought.
func (p *journalPage) tools() layout.Widget {
	h := p.h
	var parts []layout.Widget
	if h.filters() {
		parts = append(parts, h.Field(&p.search, h.say("home.journal.search"), h.Blue),
			wrap(18, h.choice(&p.result, "home.journal.result."), h.choice(&p.period, "home.journal.period.")))
	}
	for _, w := range []layout.Widget{h.working(&p.verifying, nil, h.say("home.journal.verifying")), h.working(&p.saving, nil, h.say("home.journal.saving"))} {
		if w != nil {
			parts = append(parts, w)
		}
	}
	if v := p.verdict; v != nil {
		t, lines := verdictWords(h.lang, v)
		parts = append(parts, h.card(t, spaced(3, h.toned(t, lines[0]), h.soft(strings.Join(lines[1:], " ")))))
	}
	if p.saved != "" {
		parts = append(parts, h.card(Good, h.toned(Good, h.say("home.saved", "file", ui.Safe(p.saved, maxFact)))))
	}
	return spaced(8, parts...)
}

// verdictWords says what checking the chain found.
func verdictWords(lang text.Lang, v *proto.JournalVerifyResult) (Tone, []string) {
	records := text.Plural(lang, "count.records", v.Records)
	t, lines := Good, []string{say(lang, "home.journal.whole", "records", records)}
	if !v.OK {
		what, next := text.Error(lang, proto.CodeJournalDamaged, map[string]string{"line": strconv.Itoa(v.Line)})
		t, lines = Bad, []string{what, next}
	}
	if v.Unknown > 0 {
		lines = append(lines, say(lang, "home.journal.unfinished", "records", text.Plural(lang, "count.records", v.Unknown)))
	}
	if v.Seal != nil {
		lines = append(lines, say(lang, "home.journal.sealed", "time", ui.Moment(lang, v.Seal.Time), "seq", strconv.FormatInt(v.Seal.Seq, 10)))
	}
	return t, lines
}

func (p *journalPage) body(gtx layout.Context) layout.Dimensions {
	h := p.h
	gtx.Constraints.Min.Y = 0
	if len(p.rows) == 0 {
		w := h.working(&p.load, nil, h.say("home.journal.reading"))
		if w == nil {
			title, next := h.say("home.journal.none"), h.say("home.journal.nonenext")
			if p.sought != "" || p.result.value != "all" || p.period.value != "all" {
				title, next = h.say("home.journal.nofit"), h.say("home.journal.nofitnext")
			}
			w = h.empty(title, next)
		}
		return layoutInset(24, 0, 24, 0, w)(gtx)
	}
	p.list.Axis = layout.Vertical
	if p.list.Position.First+p.list.Position.Count+journalAhead > len(p.rows) {
		p.older()
	}
	return material.List(h.Material, &p.list).Layout(gtx, len(p.rows), func(gtx layout.Context, i int) layout.Dimensions {
		return layoutInset(24, 0, 14, 4, p.row(gtx, &p.rows[i]))(gtx)
	})
}

// row draws one line, with its details below when it is opened.
func (p *journalPage) row(gtx layout.Context, r *journalRow) layout.Widget {
	h := p.h
	c := p.clicks[r.Seq]
	if c == nil {
		c = new(widget.Clickable)
		p.clicks[r.Seq] = c
	}
	if clicked(gtx, c) {
		p.opened = map[bool]int64{true: 0, false: r.Seq}[p.opened == r.Seq]
	}
	return func(gtx layout.Context) layout.Dimensions {
		fill, frame := h.Paper, h.Rule
		if c.Hovered() {
			fill = look.Mix(h.Rule, h.Paper, 0.6)
		}
		if gtx.Focused(c) {
			frame = h.Blue
		}
		return look.Panel(fill, frame, 6, 10, func(gtx layout.Context) layout.Dimensions {
			parts := []layout.Widget{func(gtx layout.Context) layout.Dimensions {
				return c.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
					gtx.Constraints.Min.X = gtx.Constraints.Max.X
					return h.journalLine(r)(gtx)
				})
			}}
			if p.opened == r.Seq {
				parts = append(parts, h.Line(), h.Table(r.Details))
			}
			return spaced(8, parts...)(gtx)
		})(gtx)
	}
}

// journalLine is when, what for whom, and how it ended.
func (h *Home) journalLine(r *journalRow) layout.Widget {
	what := r.Who
	if r.What != "" {
		what = r.What + ", " + r.Who
	}
	return func(gtx layout.Context) layout.Dimensions {
		return layout.Flex{Alignment: layout.Baseline}.Layout(gtx,
			layout.Rigid(fixed(160, h.soft(r.When))),
			layout.Flexed(0.6, spaced(1, h.Text(r.Kind, look.Label{Bold: true, Lines: 1}), h.Text(what, look.Label{Size: 13, Color: h.Soft, Lines: 1}))),
			layout.Rigid(layout.Spacer{Width: 10}.Layout),
			layout.Flexed(0.4, h.Text(r.Result, look.Label{Size: 13, Color: h.tone(r.Tone), Lines: 2})),
		)
	}
}
