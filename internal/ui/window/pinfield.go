// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"image"
	"image/color"
	"slices"
	"time"

	"gioui.org/io/event"
	"gioui.org/io/key"
	"gioui.org/io/pointer"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
	"gioui.org/unit"
	"gioui.org/widget"

	"persten/internal/secret"
	"persten/internal/ui/look"
)

// maxPIN is longer than any token's PIN; what goes beyond is not taken.
const maxPIN = 64

// pinField takes a PIN key by key. It is its own event tag.
type pinField struct {
	secret *secret.Buffer
	shift  bool // with the last key
	had    bool // the keyboard, when the field was drawn last
	caps   bool // the last letter was one that Caps Lock types
}

// pinEvent is what a key in the field asks for.
type pinEvent int

const (
	pinNothing pinEvent = iota
	pinEdited
	pinDeaf // a key came while the field was deaf
	pinLost // a character did
	pinEnter
	pinNext // Tab
	pinBack // Shift+Tab
	pinAway // the keyboard was elsewhere since the last frame
)

// take consumes waiting key events up to the first that asks for something: what follows may be meant for another field.
// more tells that there may be others. While deaf no order is taken from them, and while that is lossy no character.
func (p *pinField) take(gtx layout.Context, deaf, lossy bool) (result pinEvent, more bool) {
	for result < pinEnter {
		e, ok := gtx.Event(
			key.FocusFilter{Target: p},
			key.Filter{Focus: p, Name: key.NameReturn}, key.Filter{Focus: p, Name: key.NameEnter},
			// The toolkit moves the focus by Tab only when no key before it waits to be drawn; a quick typist is faster.
			key.Filter{Focus: p, Name: key.NameTab, Optional: key.ModShift},
			key.Filter{Focus: p, Name: key.NameDeleteBackward, Optional: key.ModShift | key.ModCtrl},
			key.Filter{Focus: p, Optional: key.ModShift | key.ModCtrl | key.ModAlt | key.ModSuper}, // after all that are named
			pointer.Filter{Target: p, Kinds: pointer.Press},
		)
		if !ok {
			return result, false
		}
		result = max(result, p.one(gtx, e, deaf, deaf && lossy))
	}
	return result, true
}

func (p *pinField) one(gtx layout.Context, e event.Event, deaf, lost bool) pinEvent {
	switch e := e.(type) {
	case key.FocusEvent:
		if e.Focus && p.had {
			return pinAway
		}
		p.had = p.had || e.Focus
	case pointer.Event:
		gtx.Execute(key.FocusCmd{Tag: p})
	case key.EditEvent:
		if lost {
			return pinLost
		}
		p.add(e.Text)
		return pinEdited
	case key.Event:
		return p.pressed(e, deaf, lost)
	}
	return pinNothing
}

// pressed is a key that types no character.
func (p *pinField) pressed(e key.Event, deaf, lost bool) pinEvent {
	back := e.Name == key.NameDeleteBackward
	switch {
	case e.State != key.Press:
		return pinNothing
	case e.Name == key.NameTab && e.Modifiers&key.ModShift != 0:
		return pinBack
	case e.Name == key.NameTab:
		return pinNext
	case e.Name == key.NameReturn, e.Name == key.NameEnter, back:
	default:
		p.shift = e.Modifiers&key.ModShift != 0
		return pinNothing
	}
	switch {
	case lost && back && p.len() > 0:
		return pinLost
	case deaf && !back || lost:
		return pinDeaf
	case !back:
		return pinEnter
	case p.secret != nil && e.Modifiers&key.ModCtrl != 0:
		p.clear()
	case p.secret != nil:
		p.secret.Backspace()
	}
	return pinEdited
}

// add puts one typed character in. An input method that sends more at once is not a person at a keyboard.
func (p *pinField) add(s string) {
	if len(s) == 0 || len(s) > 4 {
		return
	}
	if p.secret == nil {
		b, err := secret.NewBuffer(maxPIN)
		if err != nil {
			return
		}
		p.secret = b
	}
	if p.secret.Len()+len(s) > maxPIN {
		return
	}
	if c := s[0]; c|0x20 >= 'a' && c|0x20 <= 'z' {
		p.caps = (c < 'a') != p.shift
	}
	for i := range len(s) {
		p.secret.Append(s[i])
	}
}

// foreign tells whether there are characters that are not ASCII: most likely the wrong keyboard layout.
func (p *pinField) foreign() bool {
	return p.secret != nil && slices.ContainsFunc(p.secret.Bytes(), func(b byte) bool { return b >= 0x80 })
}

func (p *pinField) len() int {
	if p.secret == nil {
		return 0
	}
	return p.secret.Len()
}

// dots is the number of characters.
func (p *pinField) dots() int {
	n := 0
	if p.secret != nil {
		for _, b := range p.secret.Bytes() {
			if b&0xC0 != 0x80 {
				n++
			}
		}
	}
	return n
}

// clear wipes what was typed.
func (p *pinField) clear() {
	p.secret.Wipe()
	p.secret, p.caps = nil, false
}

// give hands the secret over; the field is empty afterwards.
func (p *pinField) give() *secret.Buffer {
	b := p.secret
	p.secret, p.caps = nil, false
	return b
}

// layout draws the field, its characters by shown when that is not nil, and end at its right end. Keys must have been taken before.
func (p *pinField) layout(gtx layout.Context, t *look.Theme, accent color.NRGBA, deaf bool, shown *glyphs, end layout.Widget) layout.Dimensions {
	size := image.Pt(gtx.Constraints.Max.X, gtx.Dp(42))
	focused := gtx.Focused(p)
	if gtx.Enabled() { // not only measured
		p.had = focused
	}
	border, wide, fill := t.Rule, unit.Dp(1), t.Paper
	if focused {
		border, wide = accent, 2
	}
	if deaf {
		fill = t.Ground
	}
	return widget.Border{Color: border, CornerRadius: 6, Width: wide}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
		defer clip.UniformRRect(image.Rectangle{Max: size}, gtx.Dp(6)).Push(gtx.Ops).Pop()
		paint.Fill(gtx.Ops, fill)
		event.Op(gtx.Ops, p)
		key.InputHintOp{Tag: p, Hint: key.HintPassword}.Add(gtx.Ops)
		pointer.CursorText.Add(gtx.Ops)
		m := op.Record(gtx.Ops)
		gtx.Constraints = layout.Constraints{Max: size}
		dims := end(gtx)
		call := m.Stop()
		x := p.draw(gtx, t.Ink, shown, image.Pt(size.X-dims.Size.X, size.Y))
		if focused && !deaf {
			caret(gtx, t.Ink, x, size.Y)
		}
		defer op.Offset(size.Sub(dims.Size).Sub(image.Pt(0, (size.Y-dims.Size.Y)/2))).Push(gtx.Ops).Pop()
		call.Add(gtx.Ops)
		return layout.Dimensions{Size: size}
	})
}

// draw draws what is typed, and returns where the next character goes.
func (p *pinField) draw(gtx layout.Context, ink color.NRGBA, shown *glyphs, size image.Point) int {
	x, r, step := gtx.Dp(16), gtx.Dp(5), gtx.Dp(16)
	if shown != nil && p.len() > 0 {
		return shown.draw(gtx, p.secret.Bytes(), x, size)
	}
	for range min(p.dots(), (size.X-2*x)/step) {
		dot := image.Rect(x, size.Y/2-r, x+2*r, size.Y/2+r)
		paint.FillShape(gtx.Ops, ink, clip.Ellipse(dot).Op(gtx.Ops))
		x += step
	}
	return x
}

// caret blinks where the next character goes.
func caret(gtx layout.Context, ink color.NRGBA, x, height int) {
	const period = 530 * time.Millisecond
	gtx.Execute(op.InvalidateCmd{At: gtx.Now.Truncate(period).Add(period)})
	if gtx.Now.UnixMilli()/period.Milliseconds()%2 == 0 {
		line := image.Rect(x, height/4, x+gtx.Dp(1)+1, height-height/4)
		paint.FillShape(gtx.Ops, ink, clip.Rect(line).Op())
	}
}
