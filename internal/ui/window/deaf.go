// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"time"

	"gioui.org/io/event"
	"gioui.org/io/key"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/widget"
)

// deafness is how long the window takes no orders after it appeared, changed or got the keyboard.
const deafness = 700 * time.Millisecond

// hush makes the window deaf. What was begun before, such as a button pressed and not yet let go, does not count any more.
// The caller holds mu.
func (w *Window) hush() {
	w.deafTo, w.waking, w.live, w.lossy = time.Now().Add(deafness), false, false, true
	w.yes, w.no, w.stop = widget.Clickable{}, widget.Clickable{}, widget.Clickable{}
	for i := range w.chooser.cards {
		w.chooser.cards[i] = widget.Clickable{}
	}
}

// settle makes the window deaf after a change that came from the person's own hand in it: characters of a PIN are theirs and go on
// being taken.
func (w *Window) settle() {
	lossy := w.deaf() && w.lossy
	w.hush()
	w.lossy = lossy
}

// deaf tells whether orders that wait now are ignored. An order counts only when the window was on screen as listening
// before it came: the time alone would let through what waited for a slow frame.
func (w *Window) deaf() bool { return !w.live || time.Now().Before(w.deafTo) }

// bounced makes the window deaf when the keyboard was away between two frames. The toolkit then says nothing of the window; only the
// widget that has the keyboard hears that it comes. The PIN fields, which get their characters the same way, look for themselves.
func (w *Window) bounced(gtx layout.Context) {
	tags := []event.Tag{&w.no, &w.yes, &w.stop, &w.reveal}
	for i := range w.docs {
		tags = append(tags, &w.docs[i].toggle)
		for _, v := range w.docs[i].views {
			tags = append(tags, &v.tab, &v.system, &v.seen)
		}
	}
	for i := range w.chooser.cards {
		tags = append(tags, &w.chooser.cards[i])
	}
	had := w.had
	w.had = nil
	for _, tag := range tags {
		for e, ok := gtx.Event(key.FocusFilter{Target: tag}); ok; e, ok = gtx.Event(key.FocusFilter{Target: tag}) {
			f, is := e.(key.FocusEvent)
			if is && f.Focus && tag == had {
				w.hush()
				w.reveal.close()
			}
			if is && f.Focus {
				had = tag
			}
		}
		if gtx.Focused(tag) {
			w.had = tag
		}
	}
}

// listen notes how the window is about to be drawn, and has it drawn again when the deafness ends.
func (w *Window) listen(gtx layout.Context) {
	left := time.Until(w.deafTo)
	switch {
	case left > 0:
		gtx.Execute(op.InvalidateCmd{At: gtx.Now.Add(left + time.Millisecond)})
	case !w.waking: // with this frame the toolkit drops the presses that no button has taken
		w.waking = true
		gtx.Execute(op.InvalidateCmd{})
	default:
		w.live = true
	}
}

// overhear takes the keys nobody took. One pressed while the window is deaf starts the time again. While it listens nobody
// overhears: the toolkit moves the focus by Shift+Tab only when nobody wants to hear of Shift.
func (w *Window) overhear(gtx layout.Context) {
	const modifiers = key.ModCtrl | key.ModCommand | key.ModShift | key.ModAlt | key.ModSuper
	for {
		e, ok := gtx.Event(key.Filter{Optional: modifiers})
		if !ok {
			return
		}
		if k, is := e.(key.Event); is && k.State == key.Press && !modifier(k.Name) && w.deaf() {
			w.settle()
		}
	}
}

func modifier(n key.Name) bool {
	switch n {
	case key.NameShift, key.NameCtrl, key.NameAlt, key.NameSuper, key.NameCommand:
		return true
	}
	return false
}
