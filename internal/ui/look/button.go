// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"image/color"

	"gioui.org/io/input"
	"gioui.org/io/semantic"
	"gioui.org/layout"
	"gioui.org/widget"
	"gioui.org/widget/material"
)

// Button is how a push button looks.
type Button struct {
	Caption  string
	Accent   color.NRGBA
	Primary  bool // filled with the accent
	Disabled bool
}

// Button is a push button of the usual size, with a ring around the one that has the keyboard.
func (t *Theme) Button(c *widget.Clickable, b Button) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		if b.Disabled {
			gtx, gtx.Source = gtx.Disabled(), input.Source{} // a Clickable takes the mouse past Disabled alone
		}
		focused := gtx.Focused(c)
		fill, frame, ink := t.buttonColors(c, b)
		ring := t.Ground
		if focused {
			frame = Mix(b.Accent, t.Ink, 0.35)
			ring = Mix(frame, t.Paper, 0.4)
		}
		return widget.Border{Color: ring, CornerRadius: 9, Width: 3}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			return layout.UniformInset(3).Layout(gtx, func(gtx layout.Context) layout.Dimensions {
				return material.Clickable(gtx, c, t.face(b.Caption, fill, frame, ink))
			})
		})
	}
}

func (t *Theme) buttonColors(c *widget.Clickable, b Button) (fill, frame, ink color.NRGBA) {
	fill, frame, ink = t.Paper, t.Rule, t.Ink
	if b.Primary {
		fill, frame, ink = b.Accent, b.Accent, t.OnAccent
	}
	switch {
	case b.Disabled && b.Primary:
		fill = Mix(b.Accent, t.Paper, 0.55)
		frame = fill
	case b.Disabled:
		ink = t.Faint
	case c.Pressed():
		fill = Mix(fill, t.Ink, 0.12)
	case c.Hovered():
		fill = Mix(fill, t.Ink, 0.05)
	}
	return fill, frame, ink
}

func (t *Theme) face(caption string, fill, frame, ink color.NRGBA) layout.Widget {
	return Plate(fill, frame, 6, func(gtx layout.Context) layout.Dimensions {
		return layout.Inset{Top: 10, Bottom: 10, Left: 18, Right: 18}.Layout(gtx,
			t.Text(caption, Label{Size: 15, Color: ink, Bold: true, Middle: true, Lines: 1}))
	})
}

// Small is a button within a list. It shows no ripple when pressed: while that moves, the toolkit drops Tab.
func (t *Theme) Small(c *widget.Clickable, caption string, accent color.NRGBA) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		frame, fill := t.Rule, t.Paper
		if c.Hovered() || gtx.Focused(c) {
			fill = t.tint()
		}
		if gtx.Focused(c) {
			frame = accent
		}
		return c.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			semantic.Button.Add(gtx.Ops)
			return Plate(fill, frame, 5, func(gtx layout.Context) layout.Dimensions {
				return layout.Inset{Top: 5, Bottom: 5, Left: 10, Right: 10}.Layout(gtx,
					t.Text(caption, Label{Size: 13, Color: accent, Bold: true, Lines: 1}))
			})(gtx)
		})
	}
}
