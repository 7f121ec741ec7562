// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"context"
	"image"
	"strings"
	"time"

	"gioui.org/io/event"
	"gioui.org/io/key"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
	"gioui.org/widget/material"

	"persten/internal/signing"
	"persten/internal/ui"
	"persten/internal/ui/look"
	"persten/proto"
)

// frame takes what the person did since the last one and draws the screen.
func (w *Window) frame(viewing context.Context, gtx layout.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.drawn {
		w.drawn = true
		w.deafTo = time.Now().Add(deafness)
	}
	deaf := w.deaf(gtx)
	w.browse(viewing, gtx) // before keys: a document that is scrolled keeps the window where it is
	w.keys(gtx, deaf)
	w.choose(gtx, deaf)
	w.press(gtx, deaf)

	paint.Fill(gtx.Ops, w.look.Ground)
	layout.Flex{Axis: layout.Vertical}.Layout(gtx,
		layout.Flexed(1, func(gtx layout.Context) layout.Dimensions {
			s := material.List(w.look.Material, &w.list)
			s.AnchorStrategy = material.Overlay
			return s.Layout(gtx, 1, func(gtx layout.Context, _ int) layout.Dimensions { return w.content(gtx) })
		}),
		layout.Rigid(w.footer),
	)
	w.revealChosen(gtx)
	w.focus(gtx)
}

// deaf tells whether orders are ignored now, and has the window drawn again when that ends.
func (w *Window) deaf(gtx layout.Context) bool {
	left := time.Until(w.deafTo)
	if left <= 0 {
		return false
	}
	gtx.Execute(op.InvalidateCmd{At: gtx.Now.Add(left + time.Millisecond)})
	return true
}

// focus puts the keyboard where the screen starts: the PIN field, the first certificate to choose (Tab goes on from there), else the
// button that changes nothing.
func (w *Window) focus(gtx layout.Context) {
	if !w.refocus {
		return
	}
	w.refocus = false
	switch {
	case w.typing():
		gtx.Execute(key.FocusCmd{Tag: &w.field})
	case w.screen == asking && w.chooser.begun && w.chooser.chosen >= 0:
		gtx.Execute(key.FocusCmd{Tag: &w.yes})
	case w.screen == asking && len(w.choosable()) > 0:
		w.chooser.begun = true
		gtx.Execute(key.FocusCmd{Tag: w.chooser.first(w.choosable())})
	case w.screen != working:
		gtx.Execute(key.FocusCmd{Tag: &w.no})
	}
}

// typing tells whether the screen has a PIN field.
func (w *Window) typing() bool {
	return (w.screen == asking || w.screen == pinning) && w.wantPIN && !w.pin.Token.Locked
}

// keys handles the keys that mean the same everywhere.
func (w *Window) keys(gtx layout.Context, deaf bool) {
	event.Op(gtx.Ops, w)
	for {
		e, ok := gtx.Event(key.Filter{Name: key.NameEscape}, key.Filter{Name: key.NamePageDown}, key.Filter{Name: key.NamePageUp})
		if !ok {
			return
		}
		k, ok := e.(key.Event)
		if !ok || k.State != key.Press {
			continue
		}
		switch k.Name {
		case key.NamePageDown:
			w.list.Position.Offset += gtx.Constraints.Max.Y / 2
			w.list.Position.BeforeEnd = true
		case key.NamePageUp:
			w.list.Position.Offset = max(0, w.list.Position.Offset-gtx.Constraints.Max.Y/2)
			w.list.Position.BeforeEnd = true
		case key.NameEscape:
			if !deaf {
				w.refuse()
			}
		}
	}
}

// press handles the PIN field and the two buttons.
func (w *Window) press(gtx layout.Context, deaf bool) {
	if w.typing() {
		w.pinKeys(gtx, deaf)
	}
	for w.no.Clicked(gtx) {
		if !deaf {
			w.refuse()
		}
	}
	for w.yes.Clicked(gtx) {
		if !deaf {
			w.accept()
		}
	}
	for w.stop.Clicked(gtx) {
		if !deaf && w.screen == working {
			w.refuse()
		}
	}
}

// pinKeys lets the fields take their keys in the order they came, and acts on each Enter.
func (w *Window) pinKeys(gtx layout.Context, deaf bool) {
	for _, p := range []*pinField{&w.field, &w.again} {
		for more := p == &w.field || w.twice; more && w.typing(); {
			var e pinEvent
			e, more = p.take(gtx, deaf || time.Now().Before(w.deafTo))
			w.pinKey(gtx, p, e)
		}
	}
}

func (w *Window) pinKey(gtx layout.Context, p *pinField, e pinEvent) {
	switch e {
	case pinDeaf:
		w.deafTo = time.Now().Add(deafness)
		gtx.Execute(op.InvalidateCmd{At: w.deafTo})
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

// ready tells whether "Sign" can be pressed, apart from deafness.
func (w *Window) ready() bool {
	switch {
	case w.screen != asking && w.screen != pinning, w.pin.Token.Locked && !w.card.Kind.Keyless(), len(w.chooser.cards) > 0 && w.chooser.chosen < 0:
		return false
	case !w.typing():
		return true
	}
	return w.field.len() > 0 && (!w.twice || w.again.len() > 0)
}

// accept is a press of "Sign".
func (w *Window) accept() {
	if !w.ready() {
		return
	}
	if w.typing() && w.twice && !ui.SamePIN(w.field.secret, w.again.secret) {
		w.differ = true
		w.turn(w.screen)
		return
	}
	w.answer(answer{yes: true, pin: w.field.give()})
}

// refuse is a press of "Reject", of "Stop" while a batch is under way, or of "Close" at the end.
func (w *Window) refuse() {
	switch w.screen {
	case asking, pinning:
		w.answer(answer{})
	case ended:
		w.leave = true
	case working:
		if w.stoppable() {
			w.halt()
		}
	}
}

func (w *Window) answer(a answer) {
	w.turn(working)
	w.step = ""
	select {
	case w.answers <- a:
	default:
		a.pin.Wipe()
	}
}

// content is the part that scrolls.
func (w *Window) content(gtx layout.Context) layout.Dimensions {
	body := w.question
	if w.screen == ended {
		body = w.outcome
	}
	return look.Column(look.Bar(w.accent(), 4), func(gtx layout.Context) layout.Dimensions {
		return layout.Inset{Top: 14, Bottom: 10, Left: 24, Right: 24}.Layout(gtx, body)
	})(gtx)
}

// footer is the part that is always in sight: the PIN and the buttons.
func (w *Window) footer(gtx layout.Context) layout.Dimensions {
	m := op.Record(gtx.Ops)
	gtx.Constraints.Min.Y = 0
	dims := layout.Inset{Top: 12, Bottom: 16, Left: 24, Right: 21}.Layout(gtx, look.Column(w.insertPart, w.pinPart, w.meter, w.buttons))
	call := m.Stop()
	dims.Size.X = gtx.Constraints.Max.X
	paint.FillShape(gtx.Ops, w.look.Ground, clip.Rect{Max: dims.Size}.Op())
	paint.FillShape(gtx.Ops, w.look.Rule, clip.Rect{Max: image.Pt(dims.Size.X, gtx.Dp(1))}.Op())
	call.Add(gtx.Ops)
	return dims
}

func (w *Window) buttons(gtx layout.Context) layout.Dimensions {
	deaf := time.Now().Before(w.deafTo)
	no := w.card.Reject
	if w.screen == ended {
		no = w.card.Say("prompt.closing.close")
	}
	parts := []layout.FlexChild{layout.Flexed(1, w.status)}
	switch {
	case w.screen != working:
		parts = append(parts, layout.Rigid(w.look.Button(&w.no, look.Button{Caption: no, Accent: w.accent()})))
	case w.stoppable():
		stop := "prompt.batch.stop"
		if w.inserting() {
			stop = "insert.cancel"
		}
		parts = append(parts, layout.Rigid(w.look.Button(&w.stop, look.Button{Caption: w.card.Say(stop), Accent: w.accent(), Disabled: deaf})))
	}
	if (w.screen == asking || w.screen == pinning) && w.card.Accept != "" {
		yes := look.Button{Caption: w.card.Accept, Accent: w.accent(), Primary: true, Disabled: deaf || !w.ready()}
		parts = append(parts, layout.Rigid(layout.Spacer{Width: 6}.Layout),
			layout.Rigid(w.look.Button(&w.yes, yes)))
	}
	return layout.Flex{Alignment: layout.Middle}.Layout(gtx, parts...)
}

// status is the line beside the buttons: what the window waits for.
func (w *Window) status(gtx layout.Context) layout.Dimensions {
	if w.screen != working {
		return layout.Dimensions{Size: image.Pt(gtx.Constraints.Max.X, 0)}
	}
	key := "prompt.step.working"
	switch w.step {
	case signing.StepInsert, signing.StepToken, signing.StepSigning, signing.StepKeypad, signing.StepStamp:
		key = "prompt.step." + string(w.step)
	}
	return layout.Flex{Alignment: layout.Middle}.Layout(gtx,
		layout.Rigid(func(gtx layout.Context) layout.Dimensions {
			gtx.Constraints.Max = image.Pt(gtx.Dp(22), gtx.Dp(22))
			gtx.Constraints.Min = gtx.Constraints.Max
			return material.Loader(w.look.Material).Layout(gtx)
		}),
		layout.Rigid(layout.Spacer{Width: 12, Height: 44}.Layout),
		layout.Rigid(w.look.Text(w.doing(key), look.Label{Size: 15})),
	)
}

// doing is the line that says what the window waits for: of a batch that is under way, how far it is.
func (w *Window) doing(key string) string {
	if w.batch.total > 0 {
		return w.batchStatus()
	}
	return w.card.Say(key)
}

// pinPart is the PIN field with all that should be known before typing.
func (w *Window) pinPart(gtx layout.Context) layout.Dimensions {
	if w.screen == working || w.screen == ended || w.card.Kind.Keyless() {
		return layout.Dimensions{}
	}
	if !w.typing() {
		if w.card.Insert != "" {
			return layout.Dimensions{} // insertPart has it
		}
		return w.look.Text(w.pinless(), look.Label{Color: w.look.Soft})(gtx)
	}
	deaf := time.Now().Before(w.deafTo)
	frame := w.accent()
	if (w.differ || w.pin.Wrong) && w.field.len() == 0 {
		frame = w.look.Red
	}
	parts := []layout.Widget{w.look.Text(ui.PINLabel(w.card.Lang, w.pin), look.Label{Bold: true}), look.Gap(6)}
	field := func(p *pinField) layout.Widget {
		return func(gtx layout.Context) layout.Dimensions { return p.layout(gtx, w.look, frame, deaf) }
	}
	parts = append(parts, field(&w.field))
	if w.twice {
		parts = append(parts, look.Gap(8), w.look.Text(w.card.Say("prompt.pin.again"), look.Label{Bold: true}), look.Gap(6), field(&w.again))
	}
	hint, alarm := w.hint()
	l := look.Label{Size: 13, Color: w.look.Soft}
	if alarm {
		l.Color, l.Bold = w.look.Red, true
	}
	return look.Column(append(parts, look.Gap(6), w.look.Text(hint, l), look.Gap(12))...)(gtx)
}

func (w *Window) pinless() string {
	switch {
	case w.pin.Token.Locked:
		return w.card.Say("prompt.pin.locked")
	case w.pin.Token.PINPad:
		return w.card.Say("prompt.pin.pinpad")
	}
	return w.card.Say("prompt.pin.none")
}

// hint is the line under the field; alarm when it must not be overlooked.
func (w *Window) hint() (line string, alarm bool) {
	parts := w.warnings()
	alarm = len(parts) > 0
	if w.field.foreign || w.again.foreign {
		parts = append(parts, w.card.Say("prompt.pin.cyrillic"))
	}
	switch {
	case len(parts) == 0 && signing.Place(w.pin.Token) == proto.KeyPlaceSoftware:
		return w.card.Say("prompt.pin.page"), false // there is no token to keep it from the rest of Persten
	case len(parts) == 0:
		return w.card.Say("prompt.pin.keep"), false
	}
	return strings.Join(parts, " "), alarm
}
