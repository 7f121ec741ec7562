// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"context"
	"image"
	"image/color"
	"log/slog"

	"gioui.org/io/event"
	"gioui.org/io/key"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
	"gioui.org/widget/material"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/ui"
	"persten/internal/ui/look"
)

// frame takes what the person did since the last one and draws the screen. It tells whether this is the first.
func (w *Window) frame(viewing context.Context, gtx layout.Context) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if first = !w.drawn; first {
		w.drawn, w.refit = true, true
	}
	w.metric = gtx.Metric
	w.take(viewing, gtx)
	w.listen(gtx)
	if w.typing() {
		w.keyboard = w.desk.Keyboard()
	}
	paint.Fill(gtx.Ops, w.look.Ground)
	layout.Flex{Axis: layout.Vertical}.Layout(gtx,
		layout.Rigid(w.header),
		layout.Flexed(1, func(gtx layout.Context) layout.Dimensions {
			s := material.List(w.look.Material, &w.list)
			s.AnchorStrategy = material.Overlay
			return s.Layout(gtx, 1, func(gtx layout.Context, _ int) layout.Dimensions { return w.content(gtx) })
		}),
		layout.Rigid(w.footer),
	)
	w.revealChosen(gtx)
	if !w.live {
		w.overhear(gtx)
	}
	w.focus(gtx)
	return first
}

// take handles what the person did.
func (w *Window) take(viewing context.Context, gtx layout.Context) {
	w.bounced(gtx)
	w.browse(viewing, gtx) // before keys: a document that is scrolled keeps the window where it is
	w.keys(gtx)
	if w.typing() {
		w.reveal.update(gtx)
		w.pinKeys(gtx)
	}
	if w.deaf() {
		w.overhear(gtx) // before the buttons are laid out, which would take what is pressed on them
		return
	}
	w.choose(gtx)
	w.press(gtx)
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

// keys handles the keys that mean the same everywhere.
func (w *Window) keys(gtx layout.Context) {
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
			if !w.deaf() {
				w.refuse()
			}
		}
	}
}

// press handles the buttons.
func (w *Window) press(gtx layout.Context) {
	for !w.deaf() && w.no.Clicked(gtx) {
		w.refuse()
	}
	for !w.deaf() && w.yes.Clicked(gtx) {
		w.accept()
	}
	for !w.deaf() && w.stop.Clicked(gtx) {
		if w.screen == working {
			w.refuse()
		}
	}
	for w.help.Clicked(gtx) {
		go w.diagnose()
	}
}

// diagnose opens the doctor, which looks for what went wrong.
func (w *Window) diagnose() {
	if err := w.doctor(); err != nil {
		slog.Warn("the doctor cannot be shown", "cause", err)
	}
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
	if w.typing() && !w.meant && (w.field.foreign() || w.again.foreign()) {
		w.meant = true
		w.refit, w.refocus = true, true
		w.settle()
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

// header says in one line and one colour what the window is about.
func (w *Window) header(gtx layout.Context) layout.Dimensions {
	title := w.card.Title
	if w.screen == ended {
		title = w.closing.Title
	}
	bed, ink := w.look.Band(w.accent())
	m := op.Record(gtx.Ops)
	gtx.Constraints.Min.Y = 0
	dims := layout.Inset{Top: 16, Bottom: 16, Left: 24, Right: 24}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
		return layout.Flex{Alignment: layout.Middle}.Layout(gtx,
			layout.Rigid(drawn(w.icon(), ink, gtx.Dp(28))),
			layout.Rigid(layout.Spacer{Width: 16}.Layout),
			layout.Flexed(1, look.Column(w.look.Text(title, look.Label{Size: 21, Bold: true, Color: ink}), w.reminder(gtx, ink))),
		)
	})
	call := m.Stop()
	dims.Size.X = gtx.Constraints.Max.X
	paint.FillShape(gtx.Ops, bed, clip.Rect{Max: dims.Size}.Op())
	call.Add(gtx.Ops)
	return dims
}

// reminder repeats who asks as soon as that has been scrolled out of sight. Of a long name the end stays, which says whose it is.
func (w *Window) reminder(gtx layout.Context, ink color.NRGBA) layout.Widget {
	const askerHeight = 72
	if w.screen == ended || w.list.Position.Offset < gtx.Dp(askerHeight) {
		return look.Gap(0)
	}
	lead, name := "", w.card.Asker
	if s := w.card.Site; s != nil {
		lead, name = s.Scheme+s.Before, s.Domain+s.After
	}
	return func(gtx layout.Context) layout.Dimensions {
		return layout.Flex{Alignment: layout.Baseline}.Layout(gtx,
			layout.Flexed(1, func(gtx layout.Context) layout.Dimensions {
				gtx.Constraints.Min.X = 0
				return w.look.Text(lead, look.Label{Size: 14, Color: ink, Lines: 1})(gtx)
			}),
			layout.Rigid(w.look.Text(name, look.Label{Size: 14, Bold: true, Color: ink, Lines: 1})),
		)
	}
}

// content is the part that scrolls.
func (w *Window) content(gtx layout.Context) layout.Dimensions {
	body := w.question
	if w.screen == ended {
		body = w.outcome
	}
	return layout.Inset{Top: 16, Bottom: 12, Left: 24, Right: 24}.Layout(gtx, body)
}

// footer is the part that is always in sight: the PIN and the buttons.
func (w *Window) footer(gtx layout.Context) layout.Dimensions {
	m := op.Record(gtx.Ops)
	gtx.Constraints.Min.Y = 0
	dims := layout.Inset{Top: 12, Bottom: 16, Left: 24, Right: 21}.Layout(gtx, look.Column(inset(w.insertPart), inset(w.pinPart), inset(w.meter), w.buttons))
	call := m.Stop()
	dims.Size.X = gtx.Constraints.Max.X
	paint.FillShape(gtx.Ops, w.look.Ground, clip.Rect{Max: dims.Size}.Op())
	paint.FillShape(gtx.Ops, w.look.Rule, clip.Rect{Max: image.Pt(dims.Size.X, gtx.Dp(1))}.Op())
	call.Add(gtx.Ops)
	return dims
}

// inset ends where the buttons end, whose rings stand out.
func inset(content layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions { return layout.Inset{Right: 3}.Layout(gtx, content) }
}

func (w *Window) buttons(gtx layout.Context) layout.Dimensions {
	no := w.card.Reject
	if w.screen == ended {
		no = w.card.Say("prompt.closing.close")
	}
	parts := []layout.FlexChild{layout.Flexed(1, w.status)}
	if w.screen == ended && w.closing.Failed() && w.doctor != nil {
		help := look.Button{Caption: w.card.Say("prompt.closing.doctor"), Accent: w.accent()}
		parts = append(parts, layout.Rigid(w.look.Button(&w.help, help)), layout.Rigid(layout.Spacer{Width: 6}.Layout))
	}
	switch {
	case w.screen != working:
		parts = append(parts, layout.Rigid(w.look.Button(&w.no, look.Button{Caption: no, Accent: w.accent()})))
	case w.stoppable():
		stop := "prompt.batch.stop"
		if w.inserting() {
			stop = "insert.cancel"
		}
		parts = append(parts, layout.Rigid(w.look.Button(&w.stop, look.Button{Caption: w.card.Say(stop), Accent: w.accent(), Disabled: !w.live})))
	}
	if (w.screen == asking || w.screen == pinning) && w.card.Accept != "" {
		yes := look.Button{Caption: w.card.Accept, Accent: w.accent(), Primary: true, Disabled: !w.live || !w.ready()}
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
	sign, line := w.loader, look.Label{Size: 15}
	if w.step == signing.StepTouch || w.step == signing.StepKeypad {
		line = look.Label{Size: 17, Bold: true, Color: w.accent()}
	}
	if w.step == signing.StepTouch {
		sign = func(gtx layout.Context) layout.Dimensions { return drawn(finger, w.accent(), gtx.Dp(36))(gtx) }
	}
	return layout.Flex{Alignment: layout.Middle}.Layout(gtx,
		layout.Rigid(sign),
		layout.Rigid(layout.Spacer{Width: 12, Height: 44}.Layout),
		layout.Flexed(1, w.look.Text(w.doing(), line)),
	)
}

func (w *Window) loader(gtx layout.Context) layout.Dimensions {
	gtx.Constraints = layout.Exact(image.Pt(gtx.Dp(22), gtx.Dp(22)))
	l := material.Loader(w.look.Material)
	l.Color = w.accent()
	return l.Layout(gtx)
}

// doing is the line that says what the window waits for: of a batch that is under way, how far it is.
func (w *Window) doing() string {
	key := "prompt.step." + string(w.step)
	switch {
	case w.batch.total > 0 && w.step != signing.StepTouch:
		return w.batchStatus()
	case w.step == signing.StepWaiting, !text.Has(key):
		key = "prompt.step.working"
	}
	return w.card.Say(key)
}
