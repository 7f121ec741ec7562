// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"context"
	"image"
	"strconv"
	"time"

	"gioui.org/layout"
	"gioui.org/unit"
	"gioui.org/widget"
	"gioui.org/widget/material"

	"persten/internal/ui"
	"persten/internal/ui/look"
)

// The list of a batch.
const (
	batchRow  = 34 // dp
	batchRows = 5  // in sight at a time
)

// batch is the list of many documents: searched by name, scrolled, one document open at a time.
type batch struct {
	search      widget.Editor
	list        widget.List
	found       []int  // documents that fit, in order
	sought      string // what found is of
	filled      bool
	done, total int
	since       time.Time // when the first number came
	first       int       // which it was
	stopped     chan struct{}
	halted      bool // stopped is closed
}

// many tells that the documents are drawn as the list of a batch.
func (w *Window) many() bool { return w.card.Summary != "" }

// find brings the list up to date with the search field.
func (w *Window) find(gtx layout.Context) {
	b := &w.batch
	for {
		if _, ok := b.search.Update(gtx); !ok {
			break
		}
	}
	if what := b.search.Text(); !b.filled || what != b.sought {
		b.filled, b.sought, b.found = true, what, w.card.Found(what)
		b.list.Position = layout.Position{BeforeEnd: true}
	}
}

// onlyOpen closes every other document.
func (w *Window) onlyOpen(ctx context.Context, d *document) {
	for i := range w.docs {
		if other := &w.docs[i]; other != d {
			other.open = false
			w.want(ctx, other)
		}
	}
}

// borrow gets the content of a document of a batch, and then has it read. It runs beside the drawing.
func (w *Window) borrow(ctx context.Context, d *document) {
	f, err := d.source(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if d.lost = err != nil; !d.lost {
		d.asked.Content = f // kept until the process ends: the session lends it once
		d.views = newViews(d.asked)
	}
	w.want(ctx, d)
	w.refit = true
	w.redraw()
}

// batchList draws the search field, the rows that fit, and below them the open document.
func (w *Window) batchList(gtx layout.Context) layout.Dimensions {
	w.find(gtx)
	b := &w.batch
	parts := []layout.Widget{}
	for _, warning := range w.card.Warnings() {
		parts = append(parts, w.look.Banner(warning), look.Gap(8))
	}
	if len(w.docs) > batchRows {
		parts = append(parts, w.searchField, look.Gap(6))
	}
	parts = append(parts, w.batchRows)
	if len(b.found) != len(w.docs) {
		found := w.card.Say("prompt.batch.found", "n", strconv.Itoa(len(b.found)), "total", strconv.Itoa(len(w.docs)))
		parts = append(parts, look.Gap(6), w.look.Text(found, look.Label{Size: 13, Color: w.look.Soft}))
	}
	for i := range w.docs {
		if d := &w.docs[i]; d.open {
			parts = append(parts, look.Gap(10), w.look.Line(), look.Gap(10), w.document(d))
		}
	}
	return w.look.Box(look.Column(parts...))(gtx)
}

func (w *Window) searchField(gtx layout.Context) layout.Dimensions {
	return w.look.Field(&w.batch.search, w.card.Say("prompt.batch.search"), w.accent())(gtx)
}

func (w *Window) batchRows(gtx layout.Context) layout.Dimensions {
	b := &w.batch
	b.list.Axis = layout.Vertical
	height := gtx.Dp(unit.Dp(batchRow * min(len(b.found), batchRows)))
	gtx.Constraints.Min.Y, gtx.Constraints.Max = height, image.Pt(gtx.Constraints.Max.X, height)
	return material.List(w.look.Material, &b.list).Layout(gtx, len(b.found), func(gtx layout.Context, i int) layout.Dimensions {
		gtx.Constraints.Min.Y, gtx.Constraints.Max.Y = gtx.Dp(batchRow), gtx.Dp(batchRow)
		return layout.W.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			gtx.Constraints.Min = image.Pt(gtx.Constraints.Max.X, 0)
			return w.batchRow(&w.docs[b.found[i]])(gtx)
		})
	})
}

// batchRow is one document: name, size, and the button that opens it. The open one is drawn below the list, with its button
// there.
func (w *Window) batchRow(d *document) layout.Widget {
	size := look.Label{Size: 13, Color: w.look.Soft, Lines: 1}
	if d.Hidden {
		size.Color = w.look.Amber
	}
	return func(gtx layout.Context) layout.Dimensions {
		cells := []layout.FlexChild{
			layout.Flexed(1, w.look.Text(d.Name, look.Label{Size: 14, Lines: 1, Bold: d.open})),
			layout.Rigid(layout.Spacer{Width: 8}.Layout),
			layout.Rigid(w.look.Text(d.Size, size)),
		}
		if !d.open {
			cells = append(cells, w.handles(d)...)
		}
		return layout.Flex{Alignment: layout.Middle}.Layout(gtx, append(cells, layout.Rigid(layout.Spacer{Width: 12}.Layout))...)
	}
}

// Count shows how far a batch has come.
func (w *Window) Count(done, total int) {
	w.mu.Lock()
	b := &w.batch
	if b.total == 0 {
		b.since, b.first = time.Now(), done
	}
	b.done, b.total = done, total
	w.mu.Unlock()
	w.redraw()
}

// Stopped implements signing.Stopper.
func (w *Window) Stopped() <-chan struct{} { return w.batch.stopped }

// halt ends the batch that is under way. The caller holds mu.
func (w *Window) halt() {
	if !w.batch.halted {
		w.batch.halted = true
		close(w.batch.stopped)
	}
}

// stoppable tells whether there is something to stop.
func (w *Window) stoppable() bool {
	return !w.batch.halted && (w.inserting() || w.screen == working && w.batch.total > 0 && w.batch.done < w.batch.total)
}

// left is about how long the batch will take; 0 when there is no telling.
func (b *batch) left(now time.Time) time.Duration {
	took, made := now.Sub(b.since), b.done-b.first
	if made <= 0 || took < time.Second {
		return 0
	}
	return (took / time.Duration(made) * time.Duration(b.total-b.done)).Round(time.Second)
}

// batchStatus says how far a batch is that is under way.
func (w *Window) batchStatus() string {
	b := &w.batch
	if b.halted {
		return w.card.Say("prompt.batch.stopping")
	}
	args := []string{"n", strconv.Itoa(b.done), "total", strconv.Itoa(b.total)}
	if left := b.left(time.Now()); left >= time.Second {
		args = append(args, "left", ui.Clock(left))
	}
	return w.card.Say("prompt.batch.step", args...)
}

// meter is a bar as long as the batch has come.
func (w *Window) meter(gtx layout.Context) layout.Dimensions {
	b := &w.batch
	if w.screen != working || b.total == 0 {
		return layout.Dimensions{}
	}
	return look.Column(w.look.Meter(b.done, b.total, w.accent()), look.Gap(10))(gtx)
}
