// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"image"
	"image/color"

	"gioui.org/f32"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
	"gioui.org/unit"
	"gioui.org/widget"
	"gioui.org/widget/material"
)

// Gap is empty height.
func Gap(h unit.Dp) layout.Widget { return layout.Spacer{Height: h}.Layout }

// Column stacks widgets.
func Column(parts ...layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		children := make([]layout.FlexChild, len(parts))
		for i, p := range parts {
			children[i] = layout.Rigid(p)
		}
		return layout.Flex{Axis: layout.Vertical}.Layout(gtx, children...)
	}
}

// Bar fills a rectangle of the full width.
func Bar(c color.NRGBA, height unit.Dp) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		size := image.Pt(gtx.Constraints.Max.X, gtx.Dp(height))
		paint.FillShape(gtx.Ops, c, clip.Rect{Max: size}.Op())
		return layout.Dimensions{Size: size}
	}
}

// Line is a thin line of the full width.
func (t *Theme) Line() layout.Widget { return Bar(t.Rule, 1) }

// Plate draws a filled, rounded, framed bed as large as content.
func Plate(fill, frame color.NRGBA, radius unit.Dp, content layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		return widget.Border{Color: frame, CornerRadius: radius, Width: 1}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			return layout.Background{}.Layout(gtx,
				func(gtx layout.Context) layout.Dimensions {
					bed := clip.UniformRRect(image.Rectangle{Max: gtx.Constraints.Min}, gtx.Dp(radius))
					paint.FillShape(gtx.Ops, fill, bed.Op(gtx.Ops))
					return layout.Dimensions{Size: gtx.Constraints.Min}
				}, content)
		})
	}
}

// Panel is a plate of the full width with pad around content.
func Panel(fill, frame color.NRGBA, radius, pad unit.Dp, content layout.Widget) layout.Widget {
	return Plate(fill, frame, radius, func(gtx layout.Context) layout.Dimensions {
		gtx.Constraints.Min.X = gtx.Constraints.Max.X
		return layout.UniformInset(pad).Layout(gtx, content)
	})
}

// Box is the usual panel.
func (t *Theme) Box(content layout.Widget) layout.Widget {
	return Panel(t.Paper, t.Rule, 8, 12, content)
}

// Banner is a warning: a sign and a sentence on a bed of their own.
func (t *Theme) Banner(s string) layout.Widget {
	return Panel(t.AmberBed, Mix(t.Amber, t.Paper, 0.6), 8, 12, func(gtx layout.Context) layout.Dimensions {
		return layout.Flex{}.Layout(gtx,
			layout.Rigid(t.warningSign),
			layout.Rigid(layout.Spacer{Width: 10}.Layout),
			layout.Flexed(1, t.Text(s, Label{Color: t.Amber})),
		)
	})
}

// warningSign is a triangle with a stroke and a dot.
func (t *Theme) warningSign(gtx layout.Context) layout.Dimensions {
	s := float32(gtx.Dp(18))
	var p clip.Path
	p.Begin(gtx.Ops)
	p.MoveTo(f32.Pt(s/2, 0))
	p.LineTo(f32.Pt(s, s*0.9))
	p.LineTo(f32.Pt(0, s*0.9))
	p.Close()
	paint.FillShape(gtx.Ops, t.Amber, clip.Outline{Path: p.End()}.Op())
	stroke := image.Rect(int(s*0.46), int(s*0.32), int(s*0.56)+1, int(s*0.6))
	dot := image.Rect(int(s*0.46), int(s*0.68), int(s*0.56)+1, int(s*0.78))
	paint.FillShape(gtx.Ops, t.AmberBed, clip.Rect(stroke).Op())
	paint.FillShape(gtx.Ops, t.AmberBed, clip.Rect(dot).Op())
	return layout.Dimensions{Size: image.Pt(int(s), int(s))}
}

// Row is one labelled value of a table.
type Row struct {
	Label, Value string
	Warn         bool
}

// Table sets rows in two columns.
func (t *Theme) Table(rows []Row) layout.Widget {
	parts := make([]layout.Widget, 0, 2*len(rows))
	for i, r := range rows {
		if i > 0 {
			parts = append(parts, Gap(2))
		}
		parts = append(parts, t.row(r))
	}
	return Column(parts...)
}

func (t *Theme) row(r Row) layout.Widget {
	value := Label{}
	if r.Warn {
		value.Color, value.Bold = t.Amber, true
	}
	return func(gtx layout.Context) layout.Dimensions {
		return layout.Flex{Alignment: layout.Baseline}.Layout(gtx,
			layout.Rigid(func(gtx layout.Context) layout.Dimensions {
				gtx.Constraints.Min.X = gtx.Dp(132)
				gtx.Constraints.Max.X = gtx.Constraints.Min.X
				return t.Text(r.Label, Label{Color: t.Soft})(gtx)
			}),
			layout.Flexed(1, t.Text(r.Value, value)),
		)
	}
}

// Field is a line for text that is no secret; its frame shows accent while it has the keyboard.
func (t *Theme) Field(e *widget.Editor, hint string, accent color.NRGBA) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		e.SingleLine = true
		frame := t.Rule
		if gtx.Focused(e) {
			frame = accent
		}
		m := material.Editor(t.Material, e, hint)
		m.TextSize, m.HintColor = 14, t.Soft
		return Plate(t.Paper, frame, 5, func(gtx layout.Context) layout.Dimensions {
			return layout.Inset{Top: 6, Bottom: 6, Left: 10, Right: 10}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
				gtx.Constraints.Min.X = gtx.Constraints.Max.X
				return m.Layout(gtx)
			})
		})(gtx)
	}
}

// Meter is a bar of which a part is done.
func (t *Theme) Meter(done, total int, accent color.NRGBA) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		size := image.Pt(gtx.Constraints.Max.X, gtx.Dp(6))
		paint.FillShape(gtx.Ops, t.Rule, clip.UniformRRect(image.Rectangle{Max: size}, size.Y/2).Op(gtx.Ops))
		if total > 0 && done > 0 {
			part := image.Rect(0, 0, max(size.X*done/total, size.Y), size.Y)
			paint.FillShape(gtx.Ops, accent, clip.UniformRRect(part, size.Y/2).Op(gtx.Ops))
		}
		return layout.Dimensions{Size: size}
	}
}

// Stroke draws a line through points.
func Stroke(ops *op.Ops, c color.NRGBA, width float32, points ...f32.Point) {
	var p clip.Path
	p.Begin(ops)
	p.MoveTo(points[0])
	for _, to := range points[1:] {
		p.LineTo(to)
	}
	paint.FillShape(ops, c, clip.Stroke{Path: p.End(), Width: width}.Op())
}

// Badge is a word in a frame of its colour.
func (t *Theme) Badge(s string, c color.NRGBA) layout.Widget {
	return Plate(t.Paper, Mix(c, t.Paper, 0.6), 4, func(gtx layout.Context) layout.Dimensions {
		return layout.Inset{Top: 2, Bottom: 2, Left: 6, Right: 6}.Layout(gtx, t.Text(s, Label{Size: 12, Color: c, Bold: true, Lines: 1}))
	})
}
