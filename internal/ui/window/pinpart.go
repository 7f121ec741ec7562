// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"image"
	"image/color"
	"strings"

	"gioui.org/io/event"
	"gioui.org/io/key"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"
	"gioui.org/op/paint"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/token"
	"persten/internal/ui"
	"persten/internal/ui/look"
	"persten/proto"
)

// typing tells whether the screen has a PIN field.
func (w *Window) typing() bool {
	return (w.screen == asking || w.screen == pinning) && w.wantPIN && !w.pin.Token.Locked
}

// pinKeys lets the fields take their keys in the order they came, and acts on each Enter.
func (w *Window) pinKeys(gtx layout.Context) {
	for _, p := range []*pinField{&w.field, &w.again} {
		for more := p == &w.field || w.twice; more && w.typing(); {
			var e pinEvent
			e, more = p.take(gtx, w.deaf(), w.lossy)
			w.pinKey(gtx, p, e)
		}
	}
}

func (w *Window) pinKey(gtx layout.Context, p *pinField, e pinEvent) {
	switch e {
	case pinDeaf:
		w.settle()
	case pinAway:
		w.hush()
		w.reveal.close()
	case pinLost: // what is left of the PIN would be wrong, and cost an attempt
		w.hush()
		w.field.clear()
		w.again.clear()
		w.lost, w.refit, w.refocus = true, true, true
	case pinEnter:
		switch {
		case w.twice && p == &w.field && p.len() > 0:
			gtx.Execute(key.FocusCmd{Tag: &w.again})
		case w.ready():
			w.accept()
		default:
			gtx.Execute(key.FocusCmd{Tag: &w.no})
		}
	case pinNext:
		gtx.Execute(key.FocusCmd{Tag: w.after(p)})
	case pinBack:
		gtx.Execute(key.FocusCmd{Tag: w.before(p)})
	case pinEdited:
		w.lost, w.meant = false, false
		gtx.Execute(op.InvalidateCmd{})
	}
}

// after is where Tab goes from a PIN field.
func (w *Window) after(p *pinField) event.Tag {
	if p == &w.field && w.twice {
		return &w.again
	}
	return &w.no
}

// before is where Shift+Tab goes from a PIN field: up to the documents, or round to the buttons.
func (w *Window) before(p *pinField) event.Tag {
	if p == &w.again {
		return &w.field
	}
	for i := len(w.docs) - 1; i >= 0; i-- {
		if len(w.docs[i].views) > 0 {
			return &w.docs[i].toggle
		}
	}
	if w.ready() {
		return &w.yes
	}
	return &w.no
}

// pinPart is the PIN field with all that should be known before typing.
func (w *Window) pinPart(gtx layout.Context) layout.Dimensions {
	if w.screen == working || w.screen == ended || w.card.Kind.Keyless() {
		return layout.Dimensions{}
	}
	if !w.typing() && w.card.Insert != "" {
		return layout.Dimensions{} // insertPart has it
	}
	if !w.typing() {
		return look.Column(w.look.Text(w.pinless()), look.Gap(10))(gtx)
	}
	parts := []layout.Widget{w.pinLabel, look.Gap(6), w.pinField(&w.field)}
	if w.twice {
		parts = append(parts, look.Gap(8), w.look.Text(w.card.Say("prompt.pin.again"), look.Label{Bold: true}), look.Gap(6), w.pinField(&w.again))
	}
	return look.Column(append(parts, look.Gap(6), w.look.Text(w.hint()), look.Gap(12))...)(gtx)
}

// pinLabel names the token, and tells how many attempts are left.
func (w *Window) pinLabel(gtx layout.Context) layout.Dimensions {
	return layout.Flex{Alignment: layout.Middle}.Layout(gtx,
		layout.Flexed(1, w.look.Text(ui.PINLabel(w.card.Lang, w.pin), look.Label{Bold: true})),
		layout.Rigid(w.attempts),
	)
}

// attempts draws a dot for each one that is left.
func (w *Window) attempts(gtx layout.Context) layout.Dimensions {
	const few, drawable = 3, 10
	n := w.pin.Attempts
	if n <= 0 {
		return layout.Dimensions{}
	}
	l := look.Label{Size: 13, Color: w.look.Soft}
	switch {
	case n == 1:
		l.Color, l.Bold = w.look.Red, true
	case n <= few:
		l.Color, l.Bold = w.look.Amber, true
	}
	dots := layout.Spacer{}.Layout
	if n <= drawable {
		dots = row(n, l.Color)
	}
	return layout.Flex{Alignment: layout.Middle}.Layout(gtx, layout.Rigid(dots), layout.Rigid(layout.Spacer{Width: 6}.Layout),
		layout.Rigid(w.look.Text(text.Plural(w.card.Lang, "window.attempts", n), l)))
}

// row is n dots.
func row(n int, c color.NRGBA) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		d, step := gtx.Dp(6), gtx.Dp(9)
		for i := range n {
			paint.FillShape(gtx.Ops, c, clip.Ellipse{Min: image.Pt(i*step, 0), Max: image.Pt(i*step+d, d)}.Op(gtx.Ops))
		}
		return layout.Dimensions{Size: image.Pt(n*step, d)}
	}
}

// pinField is a field with what belongs to it at its right end: how the keyboard stands, and the eye.
func (w *Window) pinField(p *pinField) layout.Widget {
	frame := w.accent()
	if (w.differ || w.pin.Wrong) && w.field.len() == 0 {
		frame = w.look.Red
	}
	return func(gtx layout.Context) layout.Dimensions {
		var shown *glyphs
		if w.reveal.open(gtx) {
			w.glyphs.prepare(gtx, w.look)
			shown = &w.glyphs
		}
		end := layout.Widget(layout.Spacer{}.Layout)
		if p == &w.field {
			end = w.fieldEnd
		}
		return p.layout(gtx, w.look, frame, !w.live, shown, end)
	}
}

func (w *Window) fieldEnd(gtx layout.Context) layout.Dimensions {
	parts := []layout.FlexChild{}
	badge := func(s string, c color.NRGBA) {
		parts = append(parts, layout.Rigid(w.look.Badge(s, c)), layout.Rigid(layout.Spacer{Width: 4}.Layout))
	}
	if w.keyboard.Caps {
		badge("Caps Lock", w.look.Amber)
	}
	if name := strings.ToUpper(w.keyboard.Layout); name != "" {
		c := w.look.Soft
		if !w.keyboard.Latin() {
			c = w.look.Amber
		}
		badge(name, c)
	}
	parts = append(parts, layout.Rigid(func(gtx layout.Context) layout.Dimensions {
		return w.reveal.layout(gtx, w.look, w.card.Say("window.pin.show"))
	}), layout.Rigid(layout.Spacer{Width: 4}.Layout))
	return layout.Flex{Alignment: layout.Middle}.Layout(gtx, parts...)
}

// pinless says why there is no field.
func (w *Window) pinless() (string, look.Label) {
	switch {
	case w.pin.Token.Locked:
		return w.card.Say("prompt.pin.locked"), look.Label{Color: w.look.Red, Bold: true}
	case w.pin.Token.PINPad:
		return w.card.Say("prompt.pin.pinpad"), look.Label{Bold: true}
	case w.pin.Token.Module == token.WindowsStore:
		return w.card.Say("prompt.pin.provider"), look.Label{Color: w.look.Soft}
	}
	return w.card.Say("prompt.pin.none"), look.Label{Color: w.look.Soft}
}

// hint is the line under the field: what must not be overlooked in red, what may be so in amber, else where the PIN goes.
func (w *Window) hint() (string, look.Label) {
	parts, l := w.warnings(), look.Label{Size: 13, Color: w.look.Red, Bold: true}
	if len(parts) > 0 && !w.meant && !w.lost {
		return strings.Join(parts, " "), l
	}
	if key := w.doubt(); key != "" {
		return w.card.Say(key), look.Label{Size: 13, Color: w.look.Amber, Bold: true}
	}
	key := "prompt.pin.keep"
	switch {
	case w.card.Kind == signing.KindPIN:
		key = "prompt.pin.keep.file" // no site is in it
	case signing.Place(w.pin.Token) == proto.KeyPlaceSoftware:
		key = "prompt.pin.page" // there is no token to keep it from the rest of Persten
	}
	return w.card.Say(key), look.Label{Size: 13, Color: w.look.Soft}
}

// doubt is what may be wrong with what is typed.
func (w *Window) doubt() string {
	switch {
	case w.meant:
		return "window.pin.foreign"
	case w.lost:
		return "window.pin.lost"
	case w.keyboard.Caps:
		return "window.pin.caps"
	case !w.keyboard.Known && (w.field.caps || w.again.caps):
		return "window.pin.caps.maybe"
	case !w.keyboard.Latin(), w.field.foreign(), w.again.foreign():
		return "prompt.pin.cyrillic"
	}
	return ""
}

// warnings says what the person should know about earlier tries.
func (w *Window) warnings() []string {
	list := ui.PINWarnings(w.card.Lang, w.pin)
	if w.differ {
		list = append([]string{w.card.Say("prompt.pin.differ")}, list...)
	}
	return list
}
