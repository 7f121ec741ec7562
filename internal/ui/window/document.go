// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"context"
	"image"
	"os"
	"slices"

	"gioui.org/io/event"
	"gioui.org/io/key"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/unit"
	"gioui.org/widget"
	"gioui.org/widget/material"

	"persten/internal/signing"
	"persten/internal/ui"
	"persten/internal/ui/look"
)

// document is one line of the list and what is shown below it.
type document struct {
	ui.Document
	asked  signing.Document
	source func(context.Context) (*os.File, error) // where the content is to be got from, once
	toggle widget.Clickable
	open   bool
	lost   bool // the content could not be got

	borrowing bool // the content is on its way

	views []*view // the ways to show it, the best first; none: it cannot be shown, or the content is not got yet
	at    int     // which of them is shown
}

func (w *Window) documents(list []signing.Document) []document {
	docs := make([]document, len(w.card.Documents))
	for i := range docs {
		d := &docs[i]
		d.Document, d.asked = w.card.Documents[i], list[i]
		if w.view == nil {
			continue
		}
		d.source = list[i].Open
		if list[i].Content != nil {
			d.views = newViews(d.asked)
		}
	}
	return docs
}

// view is the one that is shown; nil when there is none.
func (d *document) view() *view {
	if len(d.views) == 0 {
		return nil
	}
	return d.views[d.at]
}

// seen tells of each document whether the person could see what it says, and in which way it was shown.
func (w *Window) seen() (viewed []bool, how []signing.How) {
	for i := range w.docs {
		h := w.docs[i].how()
		viewed, how = append(viewed, h.Content()), append(how, h)
	}
	return viewed, how
}

// how is the best way in which the document was shown.
func (d *document) how() signing.How {
	if len(d.views) == 0 && d.source == nil || d.lost {
		return signing.HowNot
	}
	best := signing.How("")
	for _, h := range []signing.How{signing.HowHex, signing.HowExtracted, signing.HowSystem, signing.HowShown} {
		if slices.ContainsFunc(d.views, func(v *view) bool { return v.how() == h }) {
			best = h
		}
	}
	return best
}

// browse handles the buttons of the documents, and the keys that scroll the one whose button has the keyboard.
func (w *Window) browse(ctx context.Context, gtx layout.Context) {
	for i := range w.docs {
		d := &w.docs[i]
		for d.toggle.Clicked(gtx) {
			d.open = !d.open
			w.refit, w.opened = true, &d.open
			w.refocus = w.refocus || d.toggle.Hovered() // who reads with the mouse goes on typing where the PIN goes
			if w.many() {
				w.onlyOpen(ctx, d)
			}
			w.want(ctx, d)
		}
		tags := []event.Tag{&d.toggle}
		for at, v := range d.views {
			tags = append(tags, &v.tab)
			for v.tab.Clicked(gtx) {
				d.at, w.refit = at, true
				w.want(ctx, d)
			}
			tags = append(tags, &v.system, &v.seen)
			for v.system.Clicked(gtx) && !v.opening {
				v.opening = true
				go w.launch(ctx, d, v)
			}
		}
		if v := d.view(); d.open && v != nil {
			scroll(gtx, &v.list, v.screenful(), tags...)
		}
	}
}

// want has an open document read in the form it is to be shown in, once, and lets go of the pages of a closed one.
func (w *Window) want(ctx context.Context, d *document) {
	for i, v := range d.views {
		if !d.open || i != d.at {
			v.rest()
		}
	}
	v := d.view()
	switch {
	case !d.open:
	case v == nil && d.source != nil && !d.borrowing:
		d.borrowing = true
		go w.borrow(ctx, d)
	case v != nil && !v.asked:
		v.asked = true
		go w.read(ctx, d, v)
	}
}

// scrollLine is how far an arrow moves a shown document.
const scrollLine unit.Dp = 36

// scroll moves a list by the keys pressed while one of the tags has the keyboard.
func scroll(gtx layout.Context, l *widget.List, screenful unit.Dp, tags ...event.Tag) {
	moves := map[key.Name]unit.Dp{
		key.NameDownArrow: scrollLine, key.NameUpArrow: -scrollLine, key.NamePageDown: screenful, key.NamePageUp: -screenful,
		key.NameHome: 0, key.NameEnd: 0,
	}
	for name, by := range moves {
		for _, tag := range tags {
			for e, ok := gtx.Event(key.Filter{Focus: tag, Name: name}); ok; e, ok = gtx.Event(key.Filter{Focus: tag, Name: name}) {
				if k, is := e.(key.Event); !is || k.State != key.Press {
					continue
				}
				switch name {
				case key.NameHome:
					l.Position = layout.Position{BeforeEnd: true}
				case key.NameEnd:
					l.Position = layout.Position{First: 1 << 30}
				default:
					l.Position.Offset += gtx.Dp(by)
					l.Position.BeforeEnd = true
				}
				gtx.Execute(op.InvalidateCmd{})
			}
		}
	}
}

// reach moves the window to the documents when one was opened, past what stands above them, and back to the top when it was
// closed.
func (w *Window) reach(gtx layout.Context, above layout.Widget) {
	if w.opened == nil || w.many() {
		return
	}
	w.list.Position = layout.Position{}
	if *w.opened {
		gtx.Constraints.Min = image.Point{}
		m := op.Record(gtx.Ops)
		w.list.Position = layout.Position{BeforeEnd: true, Offset: above(gtx).Size.Y}
		m.Stop()
		gtx.Execute(op.InvalidateCmd{})
	}
	w.opened = nil
}

func (w *Window) documentList(gtx layout.Context) layout.Dimensions {
	rows := make([]layout.Widget, 0, 2*len(w.docs))
	for i := range w.docs {
		if i > 0 {
			rows = append(rows, look.Gap(10), w.look.Line(), look.Gap(10))
		}
		rows = append(rows, w.document(&w.docs[i]))
	}
	return w.look.Box(look.Column(rows...))(gtx)
}

func (w *Window) document(d *document) layout.Widget {
	about := look.Column(
		w.look.Text(d.Name, look.Label{Size: 15, Bold: true}), look.Gap(2),
		w.look.Text(d.Size+"   "+d.Digest, look.Label{Size: 12, Color: w.look.Soft}),
	)
	parts := []layout.Widget{func(gtx layout.Context) layout.Dimensions {
		return layout.Flex{Alignment: layout.Middle}.Layout(gtx, append([]layout.FlexChild{layout.Flexed(1, about)}, w.handles(d)...)...)
	}}
	if d.Signed != "" {
		parts = append(parts, look.Gap(6), w.look.Text(d.Signed, look.Label{Size: 14, Bold: true}))
	}
	if d.open {
		parts = append(parts, look.Gap(8), w.panel(d))
	}
	return look.Column(parts...)
}

// handles are the buttons of a document, as long as the question stands.
func (w *Window) handles(d *document) (list []layout.FlexChild) {
	if len(d.views) == 0 && d.source == nil || w.screen != asking && w.screen != pinning {
		return nil
	}
	caption := "prompt.documents.view"
	if d.open {
		caption = "prompt.documents.hide"
	}
	return []layout.FlexChild{
		layout.Rigid(layout.Spacer{Width: 8}.Layout), layout.Rigid(w.look.Small(&d.toggle, w.card.Say(caption), w.accent())),
	}
}

// panel shows the content of a document, or why it cannot be shown.
func (w *Window) panel(d *document) layout.Widget {
	v := d.view()
	switch {
	case d.lost:
		return w.remark("prompt.documents.unreadable")
	case v == nil:
		return w.remark("prompt.documents.reading")
	}
	var parts []layout.Widget
	if len(d.views) > 1 {
		parts = append(parts, w.tabs(d, w.place(v)), look.Gap(6))
	}
	for _, why := range w.refusals(d) {
		parts = append(parts, w.look.Text(why, look.Label{Size: 13, Color: w.look.Amber}), look.Gap(6))
	}
	body, notice := w.viewPanel(v)
	parts = append(parts, body)
	if notice != "" {
		parts = append(parts, look.Gap(4), w.look.Text(notice, look.Label{Size: 13, Color: w.look.Soft}))
	}
	return look.Column(append(parts, w.systemPanel(d, v)...)...)
}

// remark is a sentence in place of a document.
func (w *Window) remark(key string) layout.Widget {
	return w.look.Text(w.card.Say(key), look.Label{Size: 13, Color: w.look.Soft})
}

// listing scrolls rows within a fixed height; few rows take less.
func (w *Window) listing(l *widget.List, n, shown int, row layout.ListElement) layout.Widget {
	const lineHeight, least = 18, 2
	return look.Panel(w.look.Ground, w.look.Rule, 6, 10, func(gtx layout.Context) layout.Dimensions {
		height := gtx.Dp(lineHeight) * shown
		if n <= shown {
			height = min(height, max(gtx.Dp(lineHeight)*least, measure(gtx, n, row)))
		}
		gtx.Constraints.Min.Y = height
		gtx.Constraints.Max = image.Pt(gtx.Constraints.Max.X, height)
		return material.List(w.look.Material, l).Layout(gtx, n, row)
	})
}

// measure is how high rows are together.
func measure(gtx layout.Context, n int, row layout.ListElement) (height int) {
	gtx.Constraints.Min.Y = 0
	gtx.Constraints.Max.X -= gtx.Dp(barRoom)
	gtx.Constraints.Min.X = min(gtx.Constraints.Min.X, gtx.Constraints.Max.X)
	defer op.Record(gtx.Ops).Stop()
	for i := range n {
		height += row(gtx, i).Size.Y
	}
	return height
}

// barRoom is what a scroll bar takes of the width.
const barRoom = 10
