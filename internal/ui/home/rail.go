// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"image"
	"image/color"
	"math"

	"gioui.org/f32"
	"gioui.org/io/semantic"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
	"gioui.org/unit"
	"gioui.org/widget"

	"persten/internal/ui"
	"persten/internal/ui/look"
	"persten/proto"
)

// railWidth is how wide the rail is; its labels are one or two words.
const railWidth unit.Dp = 208

// rail is the column of pages at the left.
type rail struct {
	pages [6]widget.Clickable
	start widget.Clickable
}

func (h *Home) drawRail(gtx layout.Context) layout.Dimensions {
	for i, p := range Pages {
		if clicked(gtx, &h.rail.pages[i]) {
			h.open(p)
		}
	}
	gtx.Constraints = layout.Exact(image.Pt(gtx.Dp(railWidth), gtx.Constraints.Max.Y))
	paint.FillShape(gtx.Ops, h.Paper, clip.Rect{Max: gtx.Constraints.Max}.Op())
	edge := image.Rect(gtx.Constraints.Max.X-gtx.Dp(1), 0, gtx.Constraints.Max.X, gtx.Constraints.Max.Y)
	paint.FillShape(gtx.Ops, h.Rule, clip.Rect(edge).Op())
	items := []layout.Widget{layoutInset(20, 22, 10, 16, row(10, h.seal, h.Text("Persten", look.Label{Size: 19, Bold: true})))}
	for i, p := range Pages {
		items = append(items, layoutInset(10, 1, 10, 1, h.railItem(i, p)))
	}
	return layout.Flex{Axis: layout.Vertical}.Layout(gtx,
		layout.Rigid(look.Column(items...)),
		layout.Flexed(1, layout.Spacer{}.Layout),
		layout.Rigid(layoutInset(20, 0, 12, 18, h.railStatus)),
	)
}

func (h *Home) railItem(i int, p Page) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		c := &h.rail.pages[i]
		here := p == h.page
		fill, ink := h.Paper, h.Ink
		switch {
		case here:
			fill, ink = look.Mix(h.Blue, h.Paper, 0.86), h.Blue
		case c.Hovered():
			fill = look.Mix(h.Rule, h.Paper, 0.5)
		}
		frame := fill
		if gtx.Focused(c) {
			frame = h.Blue
		}
		return c.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			semantic.Button.Add(gtx.Ops)
			semantic.SelectedOp(here).Add(gtx.Ops)
			return look.Panel(fill, frame, 7, 9, row2(icon(p, ink), h.Text(h.say("home."+string(p)+".rail"), look.Label{Size: 15, Color: ink, Bold: here, Lines: 1})))(gtx)
		})
	}
}

// railStatus says how the session is.
func (h *Home) railStatus(gtx layout.Context) layout.Dimensions {
	t, words := h.railWords()
	dot := func(gtx layout.Context) layout.Dimensions {
		d := gtx.Dp(9)
		paint.FillShape(gtx.Ops, h.tone(t), clip.Ellipse{Max: image.Pt(d, d)}.Op(gtx.Ops))
		return layout.Dimensions{Size: image.Pt(d, d)}
	}
	version := ""
	if h.session != nil {
		version = ui.Safe(h.session.Hello.Version, 24)
	}
	return spaced(4, row2(dot, h.Text(words, look.Label{Size: 13, Color: h.Soft})),
		h.Text(version, look.Label{Size: 12, Color: h.Soft, Lines: 1}))(gtx)
}

func (h *Home) railWords() (Tone, string) {
	switch {
	case h.session == nil && !h.waited:
		return Warn, h.say("home.state.connecting")
	case h.session == nil:
		return Bad, h.say("home.state.absent")
	}
	switch h.status.State {
	case proto.StateWaiting:
		return Warn, h.say("home.state.waiting")
	case proto.StateProblem:
		return Bad, h.say("home.state.problem")
	case proto.StatePaused:
		return Warn, h.say("home.state.paused")
	}
	return Good, h.say("home.state.ready")
}

// absent is in the place of a page when no session answers.
func (h *Home) absent(gtx layout.Context) layout.Dimensions {
	if !h.waited {
		return layout.Center.Layout(gtx, h.loader)
	}
	if clicked(gtx, &h.rail.start) {
		h.launch()
	}
	parts := []layout.Widget{h.empty(h.say("home.absent.title"), h.say("home.absent.next"),
		h.primary(&h.rail.start, h.say("home.absent.start"), !h.start.running))}
	if w := h.working(&h.start, nil, h.say("home.absent.starting")); w != nil {
		parts = append(parts, w)
	}
	return layoutInset(24, 24, 24, 24, spaced(12, parts...))(gtx)
}

// seal is the signet ring of the icon.
func (h *Home) seal(gtx layout.Context) layout.Dimensions {
	s := float32(gtx.Dp(26)) / 26
	circle(gtx.Ops, h.Blue, 13*s, 16*s, 7.5*s, 3.2*s)
	paint.FillShape(gtx.Ops, h.Blue, clip.UniformRRect(image.Rect(int(6*s), int(1*s), int(20*s), int(12*s)), int(2*s)).Op(gtx.Ops))
	circle(gtx.Ops, h.Paper, 13*s, 6.5*s, 2.6*s, 1.3*s)
	return layout.Dimensions{Size: image.Pt(gtx.Dp(26), gtx.Dp(26))}
}

// circle draws a ring around a point.
func circle(ops *op.Ops, c color.NRGBA, x, y, r, width float32) {
	points := make([]f32.Point, 33)
	for i := range points {
		a := 2 * math.Pi * float64(i) / 32
		points[i] = f32.Pt(x+r*float32(math.Cos(a)), y+r*float32(math.Sin(a)))
	}
	look.Stroke(ops, c, width, points...)
}

// drawings are the icons of the pages: lines through points on a grid of 20 by 20.
var drawings = map[Page][][]float32{
	Tokens:   {{4, 8, 4, 17, 11, 17, 11, 8, 4, 8}, {5.5, 8, 5.5, 3.5, 9.5, 3.5, 9.5, 8}, {13.5, 6, 17, 6}, {13.5, 10, 17, 10}, {13.5, 14, 17, 14}},
	Sign:     {{3, 17, 4, 13, 13.5, 3.5, 16.5, 6.5, 7, 16, 3, 17}, {11.5, 5.5, 14.5, 8.5}, {11, 17, 17, 17}},
	Journal:  {{4, 3, 16, 3, 16, 17, 4, 17, 4, 3}, {7, 7, 13, 7}, {7, 10, 13, 10}, {7, 13, 11, 13}},
	Sites:    {{2.5, 10, 17.5, 10}, {4, 6, 16, 6}, {4, 14, 16, 14}, {10, 2.5, 10, 17.5}},
	Settings: {{3, 5.5, 17, 5.5}, {3, 10, 17, 10}, {3, 14.5, 17, 14.5}, {12, 3.5, 12, 7.5}, {7, 8, 7, 12}, {13, 12.5, 13, 16.5}},
	Doctor:   {{2, 11, 6, 11, 8, 5, 11.5, 16, 14, 9, 15, 11, 18, 11}},
}

// icon is a page's picture.
func icon(p Page, c color.NRGBA) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		size := gtx.Dp(20)
		s := float32(size) / 20
		for _, line := range drawings[p] {
			points := make([]f32.Point, len(line)/2)
			for i := range points {
				points[i] = f32.Pt(line[2*i]*s, line[2*i+1]*s)
			}
			look.Stroke(gtx.Ops, c, 1.6*s, points...)
		}
		if p == Sites {
			circle(gtx.Ops, c, 10*s, 10*s, 7.5*s, 1.6*s)
		}
		return layout.Dimensions{Size: image.Pt(size, size)}
	}
}
