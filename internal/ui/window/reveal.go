// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"image"
	"time"
	"unicode/utf8"

	"gioui.org/io/event"
	"gioui.org/io/key"
	"gioui.org/io/pointer"
	"gioui.org/io/semantic"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
	"gioui.org/unit"

	"persten/internal/ui/look"
)

// reveal is the eye: while it is held, by the mouse or by Space, the PIN is drawn. It is its own event tag.
type reveal struct {
	mouse, space bool
	until        time.Time // a held key repeats itself as let go and pressed
}

// update takes the events of the eye.
func (r *reveal) update(gtx layout.Context) {
	for {
		e, ok := gtx.Event(
			pointer.Filter{Target: r, Kinds: pointer.Press | pointer.Release | pointer.Cancel | pointer.Leave},
			key.Filter{Focus: r, Name: key.NameSpace}, key.Filter{Focus: r, Name: key.NameReturn},
		)
		if !ok {
			return
		}
		switch e := e.(type) {
		case pointer.Event:
			r.mouse = e.Kind == pointer.Press
		case key.Event:
			const repeats = 120 * time.Millisecond
			if r.space = e.State == key.Press; !r.space {
				r.until = gtx.Now.Add(repeats)
				gtx.Execute(op.InvalidateCmd{At: r.until})
			}
		}
	}
}

// close ends it, also while the eye is still held.
func (r *reveal) close() { *r = reveal{} }

// open tells whether the PIN is to be drawn.
func (r *reveal) open(gtx layout.Context) bool {
	return r.mouse || gtx.Focused(r) && (r.space || gtx.Now.Before(r.until))
}

// layout draws the eye.
func (r *reveal) layout(gtx layout.Context, t *look.Theme, name string) layout.Dimensions {
	side, pad := gtx.Dp(22), gtx.Dp(7)
	size := image.Pt(side+2*pad, side+2*pad)
	defer clip.UniformRRect(image.Rectangle{Max: size}, pad).Push(gtx.Ops).Pop()
	event.Op(gtx.Ops, r)
	semantic.Button.Add(gtx.Ops)
	semantic.DescriptionOp(name).Add(gtx.Ops)
	pointer.CursorPointer.Add(gtx.Ops)
	c := t.Soft
	if gtx.Focused(r) {
		c = t.Ink
		paint.Fill(gtx.Ops, t.Rule)
	}
	defer op.Offset(image.Pt(pad, pad)).Push(gtx.Ops).Pop()
	eye(r.open(gtx))(gtx.Ops, c, float32(side))
	return layout.Dimensions{Size: size}
}

// alphabet are the characters that can be shown; others are drawn as a box.
const alphabet = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~" +
	"АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюя№□"

// glyphs draws the characters of a PIN. The toolkit sets text from strings and remembers them; so every character of the
// alphabet is set once, in the order of the alphabet, and a PIN only says which of the drawings come where.
type glyphs struct {
	ops   op.Ops
	calls map[rune]op.CallOp
	scale unit.Metric
	step  int // the width of each, in pixels

	height int
}

// prepare sets the alphabet for the scale of the screen.
func (g *glyphs) prepare(gtx layout.Context, t *look.Theme) {
	if g.calls != nil && g.scale == gtx.Metric {
		return
	}
	g.ops.Reset()
	g.calls, g.scale = make(map[rune]op.CallOp, len(alphabet)), gtx.Metric
	gtx.Ops, gtx.Constraints.Min = &g.ops, image.Point{}
	for i, r := range alphabet {
		m := op.Record(gtx.Ops)
		size := t.Text(alphabet[i:i+utf8.RuneLen(r)], look.Label{Size: 18, Mono: true, Lines: 1})(gtx).Size
		g.calls[r], g.step, g.height = m.Stop(), max(g.step, size.X), max(g.height, size.Y)
	}
}

// draw draws the last characters of a PIN that fit into size, from x on, and returns where they end.
func (g *glyphs) draw(gtx layout.Context, pin []byte, x int, size image.Point) int {
	for skip := utf8.RuneCount(pin) - (size.X-2*x)/g.step; skip > 0; skip-- {
		_, n := utf8.DecodeRune(pin)
		pin = pin[n:]
	}
	for len(pin) > 0 {
		r, n := utf8.DecodeRune(pin)
		pin = pin[n:]
		call, ok := g.calls[r]
		if !ok {
			call = g.calls['□']
		}
		at := op.Offset(image.Pt(x, (size.Y-g.height)/2)).Push(gtx.Ops)
		call.Add(gtx.Ops)
		at.Pop()
		x += g.step
	}
	return x
}
