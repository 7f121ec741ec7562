// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix && !darwin

package home

import (
	"gioui.org/app"
	"gioui.org/io/event"
)

// xWindow is the number of the window that e tells of, under X11.
func xWindow(e event.Event) (uint32, bool) {
	v, ok := e.(app.X11ViewEvent)
	return uint32(v.Window), ok && v.Valid()
}
