// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"image"
	"image/color"
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
	secret  *secret.Buffer
	foreign bool // the last character was not ASCII: most likely the wrong keyboard layout
}

// pinEvent is what a key in the field asks for.
type pinEvent int

const (
	pinNothing pinEvent = iota
	pinEdited
	pinDeaf // a key came while the field was deaf
	pinEnter
	pinNext // Tab
	pinBack // Shift+Tab
)

// take consumes waiting key events up to the first that asks for something: what follows may be meant for another field.
// more tells that there may be others. While deaf nothing is taken from them.
func (p *pinField) take(gtx layout.Context, deaf bool) (result pinEvent, more bool) {
	for result < pinEnter {
		e, ok := gtx.Event(
			key.FocusFilter{Target: p},
			key.Filter{Focus: p, Name: key.NameReturn}, key.Filter{Focus: p, Name: key.NameEnter},
			// The toolkit moves the focus by Tab only when no key before it waits to be drawn; a quick typist is faster.
			key.Filter{Focus: p, Name: key.NameTab, Optional: key.ModShift},
			key.Filter{Focus: p, Name: key.NameDeleteBackward, Optional: key.ModShift | key.ModCtrl},
			pointer.Filter{Target: p, Kinds: pointer.Press},
		)
		if !ok {
			return result, false
		}
		result = max(result, p.one(gtx, e, deaf))
	}
	return result, true
}

func (p *pinField) one(gtx layout.Context, e event.Event, deaf bool) pinEvent {
	switch e := e.(type) {
	case pointer.Event:
		gtx.Execute(key.FocusCmd{Tag: p})
	case key.EditEvent:
		if deaf {
			return pinDeaf
		}
		p.add(e.Text)
		return pinEdited
	case key.Event:
		switch {
		case e.State != key.Press:
			return pinNothing
		case e.Name == key.NameTab && e.Modifiers&key.ModShift != 0:
			return pinBack
		case e.Name == key.NameTab:
			return pinNext
		case deaf:
			return pinDeaf
		case e.Name != key.NameDeleteBackward:
			return pinEnter
		case p.secret != nil && e.Modifiers&key.ModCtrl != 0:
			p.clear()
		case p.secret != nil:
			p.secret.Backspace()
		}
		return pinEdited
	}
	return pinNothing
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
	p.foreign = s[0] >= 0x80
	for i := range len(s) {
		p.secret.Append(s[i])
	}
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
	p.secret, p.foreign = nil, false
}

// give hands the secret over; the field is empty afterwards.
func (p *pinField) give() *secret.Buffer {
	b := p.secret
	p.secret, p.foreign = nil, false
	return b
}

// layout draws the field. Keys must have been taken before.
func (p *pinField) layout(gtx layout.Context, t *look.Theme, accent color.NRGBA, deaf bool) layout.Dimensions {
	size := image.Pt(gtx.Constraints.Max.X, gtx.Dp(42))
	focused := gtx.Focused(p)
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
		x := p.drawDots(gtx, t.Ink, size)
		if focused && !deaf {
			caret(gtx, t.Ink, x, size.Y)
		}
		return layout.Dimensions{Size: size}
	})
}

func (p *pinField) drawDots(gtx layout.Context, ink color.NRGBA, size image.Point) int {
	x, r, step := gtx.Dp(16), gtx.Dp(5), gtx.Dp(16)
	room := (size.X - 2*x) / step
	for range min(p.dots(), room) {
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
