// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !unix || darwin

package home

import "gioui.org/io/event"

// xWindow finds nothing: there is no X11 here.
func xWindow(event.Event) (uint32, bool) { return 0, false }
