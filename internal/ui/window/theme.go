// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"image"
	"image/color"

	"gioui.org/font"
	"gioui.org/font/gofont"
	"gioui.org/layout"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
	"gioui.org/text"
	"gioui.org/unit"
	"gioui.org/widget"
	"gioui.org/widget/material"
)

// The colours: dark ink on paper, one accent a kind of question.
var (
	ink      = rgb(0x1c2430)
	soft     = rgb(0x5b6675)
	faint    = rgb(0x8a94a3)
	paper    = rgb(0xffffff)
	ground   = rgb(0xf4f6f9)
	rule     = rgb(0xdde2ea)
	blue     = rgb(0x1f5fbf) // signing
	teal     = rgb(0x0f7173) // logging in
	violet   = rgb(0x7a3fb0) // access of a site
	green    = rgb(0x1d7f4e)
	red      = rgb(0xb3261e)
	amber    = rgb(0x8a5a00)
	amberBed = rgb(0xfff4d6)
	redBed   = rgb(0xfdecea)
)

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xff}
}

// mix is a of the way from x to y.
func mix(x, y color.NRGBA, a float32) color.NRGBA {
	f := func(x, y uint8) uint8 { return uint8(float32(x) + (float32(y)-float32(x))*a) }
	return color.NRGBA{R: f(x.R, y.R), G: f(x.G, y.G), B: f(x.B, y.B), A: 0xff}
}

// newTheme embeds the fonts: a fresh machine, a thin client and Windows all draw Cyrillic the same way.
func newTheme() *material.Theme {
	th := material.NewTheme()
	th.Shaper = text.NewShaper(text.NoSystemFonts(), text.WithCollection(gofont.Collection()))
	th.Palette = material.Palette{Bg: paper, Fg: ink, ContrastBg: blue, ContrastFg: paper}
	return th
}

// label draws text; zero means the theme's.
type label struct {
	size   unit.Sp
	color  color.NRGBA
	bold   bool
	mono   bool
	lines  int
	middle bool
}

func (w *Window) text(s string, l label) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		if l.size == 0 {
			l.size = 14
		}
		m := material.Label(w.theme, l.size, s)
		if l.color != (color.NRGBA{}) {
			m.Color = l.color
		}
		if l.bold {
			m.Font.Weight = font.Bold
		}
		if l.mono {
			m.Font.Typeface = "Go Mono"
		}
		m.MaxLines = l.lines
		if l.middle {
			m.Alignment = text.Middle
		}
		m.LineHeightScale = 1.25
		return m.Layout(gtx)
	}
}

// box draws a filled, rounded, bordered panel behind content.
func box(fill, border color.NRGBA, radius, pad unit.Dp, content layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		return widget.Border{Color: border, CornerRadius: radius, Width: 1}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			return layout.Background{}.Layout(gtx,
				func(gtx layout.Context) layout.Dimensions {
					r := gtx.Dp(radius)
					defer clip.UniformRRect(image.Rectangle{Max: gtx.Constraints.Min}, r).Push(gtx.Ops).Pop()
					paint.Fill(gtx.Ops, fill)
					return layout.Dimensions{Size: gtx.Constraints.Min}
				},
				func(gtx layout.Context) layout.Dimensions {
					gtx.Constraints.Min.X = gtx.Constraints.Max.X
					return layout.UniformInset(pad).Layout(gtx, content)
				})
		})
	}
}

// bar fills a rectangle of the full width.
func bar(c color.NRGBA, height unit.Dp) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		size := image.Pt(gtx.Constraints.Max.X, gtx.Dp(height))
		defer clip.Rect{Max: size}.Push(gtx.Ops).Pop()
		paint.Fill(gtx.Ops, c)
		return layout.Dimensions{Size: size}
	}
}

func gap(h unit.Dp) layout.Widget { return layout.Spacer{Height: h}.Layout }

// column stacks widgets.
func column(parts ...layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		children := make([]layout.FlexChild, len(parts))
		for i, p := range parts {
			children[i] = layout.Rigid(p)
		}
		return layout.Flex{Axis: layout.Vertical}.Layout(gtx, children...)
	}
}

// button is a push button; primary ones are filled with c.
func (w *Window) button(b *widget.Clickable, caption string, c color.NRGBA, primary, enabled bool) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		if !enabled {
			gtx = gtx.Disabled()
		}
		fill, border, ink := paper, rule, ink
		if primary {
			fill, border, ink = c, c, paper
		}
		switch {
		case !enabled && primary:
			fill = mix(c, paper, 0.55)
			border = fill
		case !enabled:
			ink = faint
		case b.Pressed():
			fill = mix(fill, rgb(0), 0.12)
		case b.Hovered():
			fill = mix(fill, rgb(0), 0.05)
		}
		if gtx.Focused(b) {
			border = mix(c, rgb(0), 0.35)
		}
		return w.plate(gtx, b, caption, fill, border, ink, gtx.Focused(b))
	}
}

// plate draws a button's face and, around a focused one, a ring.
func (w *Window) plate(gtx layout.Context, b *widget.Clickable, caption string, fill, border, ink color.NRGBA, focused bool) layout.Dimensions {
	ring := mix(border, paper, 0.6)
	if !focused {
		ring = ground
	}
	return widget.Border{Color: ring, CornerRadius: 9, Width: 3}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
		return layout.UniformInset(3).Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			return material.Clickable(gtx, b, func(gtx layout.Context) layout.Dimensions {
				return face(gtx, fill, border, w.text(caption, label{size: 15, color: ink, bold: true, middle: true, lines: 1}))
			})
		})
	})
}

func face(gtx layout.Context, fill, border color.NRGBA, content layout.Widget) layout.Dimensions {
	return widget.Border{Color: border, CornerRadius: 6, Width: 1}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
		return layout.Background{}.Layout(gtx,
			func(gtx layout.Context) layout.Dimensions {
				defer clip.UniformRRect(image.Rectangle{Max: gtx.Constraints.Min}, gtx.Dp(6)).Push(gtx.Ops).Pop()
				paint.Fill(gtx.Ops, fill)
				return layout.Dimensions{Size: gtx.Constraints.Min}
			},
			func(gtx layout.Context) layout.Dimensions {
				return layout.Inset{Top: 10, Bottom: 10, Left: 18, Right: 18}.Layout(gtx, content)
			})
	})
}
