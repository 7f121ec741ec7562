// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"image"

	"gioui.org/f32"
	"gioui.org/layout"
	"gioui.org/op/clip"
	"gioui.org/op/paint"

	"persten/internal/ui/look"
)

// outcome draws the end: a sign, the sentence, and what belongs to it.
func (w *Window) outcome(gtx layout.Context) layout.Dimensions {
	c := w.closing
	head := func(gtx layout.Context) layout.Dimensions {
		return layout.Flex{Alignment: layout.Middle}.Layout(gtx,
			layout.Rigid(w.outcomeSign),
			layout.Rigid(layout.Spacer{Width: 16}.Layout),
			layout.Flexed(1, w.look.Text(c.Title, look.Label{Size: 23, Bold: true, Color: w.accent()})),
		)
	}
	parts := []layout.Widget{head, look.Gap(16)}
	if c.Done {
		parts = append(parts, w.look.Box(w.table(c.Facts)))
		return look.Column(parts...)(gtx)
	}
	if c.Partly {
		parts = append(parts, w.look.Box(w.table(c.Facts)), look.Gap(14))
	}
	parts = append(parts, w.look.Text(c.What, look.Label{Size: 16}))
	if c.Next != "" {
		next := look.Column(w.look.Text(w.card.Say("prompt.closing.next"), look.Label{Size: 13, Color: w.look.Soft, Bold: true}), look.Gap(4),
			w.look.Text(c.Next, look.Label{Size: 15}))
		parts = append(parts, look.Gap(14), w.look.Box(next))
	}
	return look.Column(parts...)(gtx)
}

// outcomeSign is a disc with a tick or a cross.
func (w *Window) outcomeSign(gtx layout.Context) layout.Dimensions {
	d := gtx.Dp(44)
	s := float32(d)
	paint.FillShape(gtx.Ops, w.accent(), clip.Ellipse{Max: image.Pt(d, d)}.Op(gtx.Ops))
	if w.closing.Done {
		look.Stroke(gtx.Ops, w.look.OnAccent, s*0.09, f32.Pt(s*0.27, s*0.52), f32.Pt(s*0.44, s*0.69), f32.Pt(s*0.75, s*0.34))
	} else {
		look.Stroke(gtx.Ops, w.look.OnAccent, s*0.09, f32.Pt(s*0.33, s*0.33), f32.Pt(s*0.67, s*0.67))
		look.Stroke(gtx.Ops, w.look.OnAccent, s*0.09, f32.Pt(s*0.67, s*0.33), f32.Pt(s*0.33, s*0.67))
	}
	return layout.Dimensions{Size: image.Pt(d, d)}
}
