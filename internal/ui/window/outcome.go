// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"image"

	"gioui.org/f32"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
)

// outcome draws the end: a sign, the sentence, and what belongs to it.
func (w *Window) outcome(gtx layout.Context) layout.Dimensions {
	c := w.closing
	head := func(gtx layout.Context) layout.Dimensions {
		return layout.Flex{Alignment: layout.Middle}.Layout(gtx,
			layout.Rigid(w.outcomeSign),
			layout.Rigid(layout.Spacer{Width: 16}.Layout),
			layout.Flexed(1, w.text(c.Title, label{size: 23, bold: true, color: w.accent()})),
		)
	}
	parts := []layout.Widget{head, gap(16)}
	if c.Done {
		parts = append(parts, box(paper, rule, 8, 14, w.table(c.Facts)))
		return column(parts...)(gtx)
	}
	if c.Partly {
		parts = append(parts, box(paper, rule, 8, 14, w.table(c.Facts)), gap(14))
	}
	parts = append(parts, w.text(c.What, label{size: 16}))
	if c.Next != "" {
		next := column(w.text(w.card.Say("prompt.closing.next"), label{size: 13, color: soft, bold: true}), gap(4),
			w.text(c.Next, label{size: 15}))
		parts = append(parts, gap(14), box(paper, rule, 8, 14, next))
	}
	return column(parts...)(gtx)
}

// outcomeSign is a disc with a tick or a cross.
func (w *Window) outcomeSign(gtx layout.Context) layout.Dimensions {
	d := gtx.Dp(44)
	s := float32(d)
	paint.FillShape(gtx.Ops, w.accent(), clip.Ellipse{Max: image.Pt(d, d)}.Op(gtx.Ops))
	if w.closing.Done {
		stroke(gtx.Ops, s*0.09, f32.Pt(s*0.27, s*0.52), f32.Pt(s*0.44, s*0.69), f32.Pt(s*0.75, s*0.34))
	} else {
		stroke(gtx.Ops, s*0.09, f32.Pt(s*0.33, s*0.33), f32.Pt(s*0.67, s*0.67))
		stroke(gtx.Ops, s*0.09, f32.Pt(s*0.67, s*0.33), f32.Pt(s*0.33, s*0.67))
	}
	return layout.Dimensions{Size: image.Pt(d, d)}
}

func stroke(ops *op.Ops, width float32, points ...f32.Point) {
	var p clip.Path
	p.Begin(ops)
	p.MoveTo(points[0])
	for _, to := range points[1:] {
		p.LineTo(to)
	}
	paint.FillShape(ops, paper, clip.Stroke{Path: p.End(), Width: width}.Op())
}
