// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"context"
	"image"
	"os"

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
	content *os.File // nil: cannot be shown, or not got yet
	source  func(context.Context) (*os.File, error)
	covered []signing.Span
	toggle  widget.Clickable
	form    widget.Clickable // tree or text
	open    bool
	asTree  bool

	borrowing bool // the content is on its way

	lines reading[ui.Lines]
	tree  reading[ui.Tree]
	rows  []treeRow // of tree, ready to draw
}

// reading is an answer of a viewing process, awaited or there.
type reading[T any] struct {
	asked, there, failed bool
	got                  T
	list                 widget.List
}

func (w *Window) documents(list []signing.Document) []document {
	docs := make([]document, len(w.card.Documents))
	for i := range docs {
		d := &docs[i]
		d.Document = w.card.Documents[i]
		d.lines.list.Axis, d.tree.list.Axis = layout.Vertical, layout.Vertical
		if w.view != nil {
			d.source = list[i].Open
		}
		if w.view == nil || list[i].Content == nil {
			continue
		}
		d.asTree, d.covered = ui.ShowsTree(list[i]), list[i].Covered
		if d.asTree || ui.Showable(list[i].Content) {
			d.content = list[i].Content
		}
	}
	return docs
}

// treeable tells whether the document can be switched between tree and text.
func (d *document) treeable() bool { return d.tree.there && !d.refused() }

// refused tells that a tree was tried and cannot be shown.
func (d *document) refused() bool { return d.tree.there && (d.tree.failed || d.tree.got.Refused) }

// shown is the list on screen.
func (d *document) shown() *widget.List {
	if d.asTree {
		return &d.tree.list
	}
	return &d.lines.list
}

// viewed tells of each document whether its content has been on screen.
func (w *Window) viewed() []bool {
	v := make([]bool, len(w.docs))
	for i := range w.docs {
		d := &w.docs[i]
		v[i] = d.treeable() || d.lines.there && !d.lines.failed && !d.lines.got.Binary
	}
	return v
}

// browse handles the buttons of the documents, and the keys that scroll the one whose button has the keyboard.
func (w *Window) browse(ctx context.Context, gtx layout.Context) {
	for i := range w.docs {
		d := &w.docs[i]
		for d.toggle.Clicked(gtx) {
			d.open = !d.open
			w.refit = true
			if w.many() {
				w.onlyOpen(d)
			}
			w.want(ctx, d)
		}
		for d.form.Clicked(gtx) {
			d.asTree = !d.asTree
			w.refit = true
			w.want(ctx, d)
		}
		if d.open {
			scroll(gtx, d.shown(), &d.toggle, &d.form)
		}
	}
}

// want has an open document read in the form it is to be shown in, once.
func (w *Window) want(ctx context.Context, d *document) {
	switch {
	case !d.open:
	case d.content == nil && d.source != nil && !d.lines.there:
		if !d.borrowing {
			d.borrowing = true
			go w.borrow(ctx, d)
		}
	case d.source != nil && d.lines.there:
	case d.asTree && !d.tree.asked:
		d.tree.asked = true
		go w.readTree(ctx, d)
	case !d.asTree && !d.lines.asked:
		d.lines.asked = true
		go w.readLines(ctx, d)
	}
}

// readLines gets a document as text. It runs beside the drawing.
func (w *Window) readLines(ctx context.Context, d *document) {
	lines, err := w.view.Lines(ctx, d.content)
	w.mu.Lock()
	d.lines.got, d.lines.failed, d.lines.there = lines, err != nil, true
	w.refit = true
	w.mu.Unlock()
	w.redraw()
}

// readTree gets a document as a tree, or as text when it is none.
func (w *Window) readTree(ctx context.Context, d *document) {
	tree, err := w.view.Tree(ctx, d.content, d.covered)
	w.mu.Lock()
	d.tree.got, d.tree.failed, d.tree.there = tree, err != nil, true
	d.rows = w.treeRows(tree)
	d.tree.list.Position = layout.Position{First: firstSigned(d.rows), BeforeEnd: true}
	if d.refused() {
		d.asTree = false
		w.want(ctx, d)
	}
	w.refit = true
	w.mu.Unlock()
	w.redraw()
}

// How far a key moves a shown document, in device-independent pixels.
const (
	scrollLine = 36
	scrollPage = 180
)

// scroll moves a list by the keys pressed while one of the tags has the keyboard.
func scroll(gtx layout.Context, l *widget.List, tags ...event.Tag) {
	moves := map[key.Name]unit.Dp{
		key.NameDownArrow: scrollLine, key.NameUpArrow: -scrollLine, key.NamePageDown: scrollPage, key.NamePageUp: -scrollPage,
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
	if d.content == nil && d.source == nil || w.screen != asking && w.screen != pinning {
		return nil
	}
	add := func(b *widget.Clickable, set bool, on, off string) {
		if set {
			on = off
		}
		list = append(list, layout.Rigid(layout.Spacer{Width: 8}.Layout), layout.Rigid(w.look.Small(b, w.card.Say(on), w.accent())))
	}
	if d.open && d.treeable() {
		add(&d.form, d.asTree, "prompt.documents.astree", "prompt.documents.astext")
	}
	add(&d.toggle, d.open, "prompt.documents.view", "prompt.documents.hide")
	return list
}

// panel shows the content of a document, or why it cannot be shown.
func (w *Window) panel(d *document) layout.Widget {
	var parts []layout.Widget
	if d.refused() {
		why := w.card.Say("prompt.tree.refused", "reason", d.tree.got.Reason.Say(w.card.Lang))
		parts = append(parts, w.look.Text(why, look.Label{Size: 13, Color: w.look.Amber}), look.Gap(6))
	}
	body, notice := w.textPanel(d)
	if d.asTree {
		body, notice = w.treePanel(d)
	}
	parts = append(parts, body)
	if notice != "" {
		parts = append(parts, look.Gap(4), w.look.Text(notice, look.Label{Size: 13, Color: w.look.Soft}))
	}
	return look.Column(parts...)
}

// textPanel is a document as lines, and what is to be said about that.
func (w *Window) textPanel(d *document) (body layout.Widget, notice string) {
	say := func(key string) layout.Widget {
		return w.look.Text(w.card.Say(key), look.Label{Size: 13, Color: w.look.Soft})
	}
	lines := d.lines.got
	switch {
	case !d.lines.there:
		return say("prompt.documents.reading"), ""
	case d.lines.failed:
		return say("prompt.documents.unreadable"), ""
	case lines.Binary:
		return say("prompt.documents.binary"), ""
	case len(lines.Text) == 0:
		return say("prompt.documents.empty"), ""
	}
	if lines.Cut {
		notice = w.card.Say("prompt.documents.cut")
	}
	return w.listing(&d.lines.list, len(lines.Text), 10, func(gtx layout.Context, i int) layout.Dimensions {
		return w.look.Text(lines.Text[i], look.Label{Size: 12, Mono: true})(gtx)
	}), notice
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
