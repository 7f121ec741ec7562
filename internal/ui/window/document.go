// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"context"
	"image"
	"os"

	"gioui.org/layout"
	"gioui.org/widget"
	"gioui.org/widget/material"

	"persten/internal/signing"
	"persten/internal/ui"
)

// Viewer turns a document into safe lines, in a process of its own.
type Viewer func(ctx context.Context, content *os.File) (ui.Lines, error)

// document is one line of the list and what is shown below it.
type document struct {
	ui.Document
	content *os.File // nil: cannot be shown
	toggle  widget.Clickable
	open    bool
	read    bool // the answer is there
	lines   ui.Lines
	failed  bool
	list    widget.List
}

func (w *Window) documents(list []signing.Document) []document {
	docs := make([]document, len(w.card.Documents))
	for i := range docs {
		docs[i].Document = w.card.Documents[i]
		docs[i].list.Axis = layout.Vertical
		if c := list[i].Content; c != nil && w.view != nil && ui.Showable(c) {
			docs[i].content = c
		}
	}
	return docs
}

// viewed tells of each document whether its content has been on screen.
func (w *Window) viewed() []bool {
	v := make([]bool, len(w.docs))
	for i := range w.docs {
		v[i] = w.docs[i].read && !w.docs[i].failed && !w.docs[i].lines.Binary
	}
	return v
}

// browse handles the "View" buttons.
func (w *Window) browse(ctx context.Context, gtx layout.Context) {
	for i := range w.docs {
		d := &w.docs[i]
		for d.toggle.Clicked(gtx) {
			d.open = !d.open
			w.refit = true
			if d.open && !d.read {
				go w.read(ctx, d)
			}
		}
	}
}

// read gets the lines of a document. It runs beside the drawing.
func (w *Window) read(ctx context.Context, d *document) {
	lines, err := w.view(ctx, d.content)
	w.mu.Lock()
	d.lines, d.failed, d.read = lines, err != nil, true
	w.refit = true
	w.mu.Unlock()
	w.redraw()
}

func (w *Window) documentList(gtx layout.Context) layout.Dimensions {
	rows := make([]layout.Widget, 0, 2*len(w.docs))
	for i := range w.docs {
		if i > 0 {
			rows = append(rows, gap(10), bar(rule, 1), gap(10))
		}
		rows = append(rows, w.document(&w.docs[i]))
	}
	return box(paper, rule, 8, 14, column(rows...))(gtx)
}

func (w *Window) document(d *document) layout.Widget {
	head := func(gtx layout.Context) layout.Dimensions {
		parts := []layout.FlexChild{layout.Flexed(1, column(
			w.text(d.Name, label{size: 15, bold: true}), gap(2),
			w.text(d.Size+"   "+d.Digest, label{size: 12, color: soft}),
		))}
		if d.content != nil && (w.screen == asking || w.screen == pinning) {
			parts = append(parts, layout.Rigid(layout.Spacer{Width: 10}.Layout), layout.Rigid(w.toggle(d)))
		}
		return layout.Flex{Alignment: layout.Middle}.Layout(gtx, parts...)
	}
	if !d.open {
		return head
	}
	return column(head, gap(8), w.panel(d))
}

// toggle is the "View" button.
func (w *Window) toggle(d *document) layout.Widget {
	caption := "prompt.documents.view"
	if d.open {
		caption = "prompt.documents.hide"
	}
	return func(gtx layout.Context) layout.Dimensions {
		border := rule
		if gtx.Focused(&d.toggle) {
			border = w.accent()
		}
		return material.Clickable(gtx, &d.toggle, func(gtx layout.Context) layout.Dimensions {
			return widget.Border{Color: border, CornerRadius: 5, Width: 1}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
				return layout.Inset{Top: 5, Bottom: 5, Left: 10, Right: 10}.Layout(gtx,
					w.text(w.card.Say(caption), label{size: 13, color: w.accent(), bold: true, lines: 1}))
			})
		})
	}
}

// panel shows the content of a document, or why it cannot be shown.
func (w *Window) panel(d *document) layout.Widget {
	say := func(key string) layout.Widget { return w.text(w.card.Say(key), label{size: 13, color: soft}) }
	switch {
	case !d.read:
		return say("prompt.documents.reading")
	case d.failed:
		return say("prompt.documents.unreadable")
	case d.lines.Binary:
		return say("prompt.documents.binary")
	case len(d.lines.Text) == 0:
		return say("prompt.documents.empty")
	}
	body := box(ground, rule, 6, 10, func(gtx layout.Context) layout.Dimensions { return w.lines(gtx, d) })
	if d.lines.Cut {
		return column(body, gap(4), say("prompt.documents.cut"))
	}
	return body
}

// lines scrolls within a fixed height; few lines take less.
func (w *Window) lines(gtx layout.Context, d *document) layout.Dimensions {
	const shown, lineHeight = 10, 18
	height := gtx.Dp(lineHeight) * min(max(len(d.lines.Text), 2), shown)
	gtx.Constraints.Min.Y = height
	gtx.Constraints.Max = image.Pt(gtx.Constraints.Max.X, height)
	return material.List(w.theme, &d.list).Layout(gtx, len(d.lines.Text), func(gtx layout.Context, i int) layout.Dimensions {
		return w.text(d.lines.Text[i], label{size: 12, mono: true})(gtx)
	})
}
