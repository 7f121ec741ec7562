// SPDX-License-Identifier: GPL-3.0-or-later

package window

import "gioui.org/io/system"

// Shown is closed when the window has been drawn.
func (w *Window) Shown() <-chan struct{} { return w.shown }

// appeared notes the first frame. Only the goroutine that draws calls it.
func (w *Window) appeared() {
	select {
	case <-w.shown:
	default:
		close(w.shown)
	}
}

// InFront reports whether the window has the keyboard.
func (w *Window) InFront() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.focused
}

// Raise brings the window before the others.
func (w *Window) Raise() bool {
	select {
	case <-w.gone:
		return false
	case <-w.shown:
		w.win.Perform(system.ActionRaise)
		return true
	default:
		return false
	}
}
