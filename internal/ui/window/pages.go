// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"context"
	"errors"
	"image"
	"strconv"

	"gioui.org/layout"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
	"gioui.org/unit"
	"gioui.org/widget"
	"gioui.org/widget/material"

	"persten/internal/ui"
	"persten/internal/ui/look"
)

// How pages are shown.
const (
	pagesHeight unit.Dp = 440
	pageGap     unit.Dp = 8
	pagesKept           = 6 // drawn ones: a page takes up to 32 MB
)

// pages is a document of pages, drawn when they come into sight.
type pages struct {
	of      *ui.Pages
	width   int          // in pixels
	sight   [2]int       // the first and the last page on screen
	ready   map[int]page // around those in sight
	drawn   bool         // one has been on screen
	gone    bool         // the viewing process has failed
	wake    chan struct{}
	turning bool // a page is being drawn
}

// page is a drawn one, or why it is none.
type page struct {
	picture paint.ImageOp
	width   int
	bad     bool
	refusal ui.Refusal
}

func (p *pages) refused() bool { return p.of != nil && p.of.Refused || p.gone && !p.drawn }

// begin has pages drawn as they are wanted, until ctx ends or the pages are closed. The caller holds w.mu.
func (p *pages) begin(ctx context.Context, w *Window, of *ui.Pages) {
	p.of, p.ready, p.wake, p.gone = of, map[int]page{}, make(chan struct{}, 1), false
	if of.Refused {
		go of.Close()
		return
	}
	go p.turn(ctx, w, of, p.wake)
}

// close ends the viewing process. The caller holds the window's lock.
func (p *pages) close() {
	if p.wake != nil {
		close(p.wake)
	}
	p.wake, p.ready = nil, nil
}

// turn draws one page after the other. It runs beside the drawing of the window.
func (p *pages) turn(ctx context.Context, w *Window, of *ui.Pages, wake <-chan struct{}) {
	defer of.Close()
	for {
		select {
		case _, ok := <-wake:
			if !ok {
				return
			}
		case <-ctx.Done():
			return
		}
		for p.turnNext(w, of) {
		}
	}
}

// turnNext draws the next page that is wanted, and tells whether there was one.
func (p *pages) turnNext(w *Window, of *ui.Pages) bool {
	w.mu.Lock()
	i, width := p.wanted(), p.width
	w.mu.Unlock()
	if i < 0 {
		return false
	}
	m, err := of.Page(i, width)
	made := page{width: width}
	if refused, ok := errors.AsType[ui.RefusedPage](err); ok {
		made.bad, made.refusal = true, refused.Refusal
	} else if err == nil {
		made.picture = paint.NewImageOp(m)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.redraw()
	if p.of != of || p.ready == nil {
		return false // closed meanwhile
	}
	p.gone = err != nil && !made.bad
	p.ready[i], p.drawn = made, p.drawn || err == nil
	p.forget()
	return !p.gone
}

// wanted is the page to draw next: the first in sight that is not there, or the one after those in sight; -1: none.
func (p *pages) wanted() int {
	if p.ready == nil || p.gone || p.width == 0 {
		return -1
	}
	for i := p.sight[0]; i <= min(p.sight[1]+1, len(p.of.Sizes)-1); i++ {
		if r, ok := p.ready[i]; !ok || r.width != p.width {
			return i
		}
	}
	return -1
}

// forget drops the pages that are farthest from those in sight.
func (p *pages) forget() {
	for len(p.ready) > pagesKept {
		far, most := 0, -1
		for i := range p.ready {
			if away := max(p.sight[0]-i, i-p.sight[1]); away > most {
				far, most = i, away
			}
		}
		delete(p.ready, far)
	}
}

// place is where the person is in a document of pages.
func (w *Window) place(v *view) string {
	if v.form != ui.FormPages || !v.there || v.bad() {
		return ""
	}
	total := len(v.pages.of.Sizes)
	return w.card.Say("view.page", "n", strconv.Itoa(min(v.list.Position.First+1, total)), "total", strconv.Itoa(total))
}

// pagesPanel is a document as pages, and what is to be said about that.
func (w *Window) pagesPanel(v *view) (body layout.Widget, notice string) {
	p := &v.pages
	if p.of.Cut {
		notice = w.card.Say("prompt.documents.cut")
	}
	return look.Panel(w.look.Ground, w.look.Rule, 6, 6, func(gtx layout.Context) layout.Dimensions {
		room := gtx.Constraints.Max.X - gtx.Dp(barRoom)
		height := gtx.Dp(pagesHeight)
		if len(p.of.Sizes) == 1 {
			height = min(height, ui.FitPage(p.of.Sizes[0], room).Y+gtx.Dp(pageGap))
		}
		gtx.Constraints = layout.Exact(image.Pt(gtx.Constraints.Max.X, max(height, gtx.Dp(40))))
		list := material.List(w.look.Material, &v.list)
		list.AnchorStrategy = material.Occupy
		d := list.Layout(gtx, len(p.of.Sizes), func(gtx layout.Context, i int) layout.Dimensions { return w.page(gtx, p, i) })
		p.look(room, v.list.Position)
		return d
	}), notice
}

// look notes what is in sight and has it drawn.
func (p *pages) look(width int, at layout.Position) {
	p.width, p.sight = width, [2]int{at.First, at.First + max(at.Count, 1) - 1}
	if p.wake == nil || p.wanted() < 0 {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// page draws one, or an empty sheet of its shape that says why.
func (w *Window) page(gtx layout.Context, p *pages, i int) layout.Dimensions {
	size := ui.FitPage(p.of.Sizes[i], gtx.Constraints.Max.X)
	return layout.Inset{Bottom: pageGap}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
		gtx.Constraints = layout.Exact(size)
		r, ok := p.ready[i]
		if ok && !r.bad && r.picture.Size() != (image.Point{}) {
			return widget.Image{Src: r.picture, Fit: widget.Fill}.Layout(gtx)
		}
		paint.FillShape(gtx.Ops, w.look.Paper, clip.Rect{Max: size}.Op())
		return layout.Inset{Top: 40, Left: 20, Right: 20}.Layout(gtx, w.look.Text(w.whyNoPage(p, r, i), look.Label{Size: 13, Color: w.look.Soft}))
	})
}

func (w *Window) whyNoPage(p *pages, r page, i int) string {
	n := strconv.Itoa(i + 1)
	switch {
	case r.refusal != "":
		return w.card.Say("view.page.refused", "n", n, "reason", w.card.Say("view.refused."+string(r.refusal)))
	case r.bad, p.gone:
		return w.card.Say("view.page.refused", "n", n)
	}
	return w.card.Say("view.page.drawing", "n", n)
}
