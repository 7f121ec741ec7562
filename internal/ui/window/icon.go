// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"image"
	"image/color"
	"math"

	"gioui.org/f32"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"
	"gioui.org/op/paint"

	"persten/internal/signing"
	"persten/internal/ui/look"
)

// picture draws a sign of one colour within a square of side s.
type picture func(ops *op.Ops, c color.NRGBA, s float32)

// icon is the picture of what the window shows.
func (w *Window) icon() picture {
	switch {
	case w.screen == ended && w.closing.Done:
		return tick
	case w.screen == ended:
		return cross
	case w.card.Kind.Site():
		return globe
	case w.card.Kind == signing.KindLogin, w.card.Login != "":
		return door
	case w.card.Kind == signing.KindDecrypt:
		return openLock
	case w.card.Kind == signing.KindKey, w.card.Kind == signing.KindPIN:
		return keyPicture
	case w.card.Kind == signing.KindSelect:
		return cards
	}
	return pen
}

// drawn sets a picture in a square of side dp.
func drawn(p picture, c color.NRGBA, side int) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		p(gtx.Ops, c, float32(side))
		return layout.Dimensions{Size: image.Pt(side, side)}
	}
}

// at scales points of the unit square.
func at(s float32, points ...float32) []f32.Point {
	list := make([]f32.Point, len(points)/2)
	for i := range list {
		list[i] = f32.Pt(points[2*i]*s, points[2*i+1]*s)
	}
	return list
}

// ring is an arc around a point: from and sweep are parts of a full turn.
func ring(ops *op.Ops, c color.NRGBA, s, x, y, radius, from, sweep float32) {
	const steps = 32
	points := make([]f32.Point, steps+1)
	for i := range points {
		a := 2 * math.Pi * float64(from+sweep*float32(i)/steps)
		points[i] = f32.Pt(s*(x+radius*float32(math.Cos(a))), s*(y+radius*float32(math.Sin(a))))
	}
	look.Stroke(ops, c, s*0.08, points...)
}

func tick(ops *op.Ops, c color.NRGBA, s float32) {
	look.Stroke(ops, c, s*0.12, at(s, 0.18, 0.54, 0.42, 0.78, 0.84, 0.26)...)
}

func cross(ops *op.Ops, c color.NRGBA, s float32) {
	look.Stroke(ops, c, s*0.12, at(s, 0.24, 0.24, 0.76, 0.76)...)
	look.Stroke(ops, c, s*0.12, at(s, 0.76, 0.24, 0.24, 0.76)...)
}

// pen is a pen above the line it signs on.
func pen(ops *op.Ops, c color.NRGBA, s float32) {
	look.Stroke(ops, c, s*0.08, at(s, 0.24, 0.76, 0.28, 0.56, 0.72, 0.12, 0.88, 0.28, 0.44, 0.72, 0.24, 0.76)...)
	look.Stroke(ops, c, s*0.08, at(s, 0.14, 0.93, 0.86, 0.93)...)
}

// door is an arrow into a room.
func door(ops *op.Ops, c color.NRGBA, s float32) {
	look.Stroke(ops, c, s*0.08, at(s, 0.52, 0.12, 0.86, 0.12, 0.86, 0.88, 0.52, 0.88)...)
	look.Stroke(ops, c, s*0.08, at(s, 0.10, 0.50, 0.62, 0.50)...)
	look.Stroke(ops, c, s*0.08, at(s, 0.44, 0.30, 0.64, 0.50, 0.44, 0.70)...)
}

func globe(ops *op.Ops, c color.NRGBA, s float32) {
	ring(ops, c, s, 0.5, 0.5, 0.40, 0, 1)
	look.Stroke(ops, c, s*0.06, at(s, 0.10, 0.5, 0.90, 0.5)...)
	look.Stroke(ops, c, s*0.06, at(s, 0.5, 0.10, 0.36, 0.3, 0.33, 0.5, 0.36, 0.7, 0.5, 0.90)...)
	look.Stroke(ops, c, s*0.06, at(s, 0.5, 0.10, 0.64, 0.3, 0.67, 0.5, 0.64, 0.7, 0.5, 0.90)...)
}

func openLock(ops *op.Ops, c color.NRGBA, s float32) {
	body := image.Rect(int(s*0.18), int(s*0.46), int(s*0.82), int(s*0.92))
	paint.FillShape(ops, c, clip.UniformRRect(body, int(s*0.08)).Op(ops))
	ring(ops, c, s, 0.5, 0.30, 0.20, 0.5, 0.5)
	look.Stroke(ops, c, s*0.08, at(s, 0.30, 0.29, 0.30, 0.46)...)
}

func keyPicture(ops *op.Ops, c color.NRGBA, s float32) {
	ring(ops, c, s, 0.30, 0.5, 0.20, 0, 1)
	look.Stroke(ops, c, s*0.09, at(s, 0.50, 0.5, 0.94, 0.5)...)
	look.Stroke(ops, c, s*0.09, at(s, 0.74, 0.5, 0.74, 0.68)...)
	look.Stroke(ops, c, s*0.09, at(s, 0.90, 0.5, 0.90, 0.68)...)
}

// cards is two certificates, one above the other.
func cards(ops *op.Ops, c color.NRGBA, s float32) {
	look.Stroke(ops, c, s*0.08, at(s, 0.10, 0.34, 0.74, 0.34, 0.74, 0.86, 0.10, 0.86, 0.10, 0.30)...)
	look.Stroke(ops, c, s*0.08, at(s, 0.26, 0.18, 0.90, 0.18, 0.90, 0.70)...)
	look.Stroke(ops, c, s*0.06, at(s, 0.22, 0.52, 0.62, 0.52)...)
	look.Stroke(ops, c, s*0.06, at(s, 0.22, 0.68, 0.48, 0.68)...)
}

// finger is a touch: a dot within two rings.
func finger(ops *op.Ops, c color.NRGBA, s float32) {
	dot := image.Rect(int(s*0.38), int(s*0.38), int(s*0.62), int(s*0.62))
	paint.FillShape(ops, c, clip.Ellipse(dot).Op(ops))
	ring(ops, c, s, 0.5, 0.5, 0.26, 0, 1)
	ring(ops, c, s, 0.5, 0.5, 0.42, 0, 1)
}

// eye is open while what it stands for is shown.
func eye(open bool) picture {
	return func(ops *op.Ops, c color.NRGBA, s float32) {
		ring(ops, c, s, 0.5, 0.78, 0.48, 0.58, 0.34)
		ring(ops, c, s, 0.5, 0.22, 0.48, 0.08, 0.34)
		dot := image.Rect(int(s*0.37), int(s*0.37), int(s*0.63), int(s*0.63))
		paint.FillShape(ops, c, clip.Ellipse(dot).Op(ops))
		if !open {
			look.Stroke(ops, c, s*0.08, at(s, 0.14, 0.86, 0.86, 0.14)...)
		}
	}
}
