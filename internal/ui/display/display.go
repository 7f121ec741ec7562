// SPDX-License-Identifier: GPL-3.0-or-later

// Package display asks the display server what the toolkit does not tell: how the keyboard stands, and how much room a
// window has.
//
// # Contract
//
// [Open] never fails: what cannot be asked is answered with "not known". X11 and Windows answer; Wayland tells a program
// neither, so there a window must do with what typed characters give away.
//
// # Concurrency
//
// A Display belongs to one goroutine; on Windows it must be the one that runs the window's messages.
package display

import "image"

// Keyboard is how the keyboard of the person stands.
type Keyboard struct {
	Known  bool
	Layout string // two lower-case letters, such as "ru"; "" when it has no name
	Caps   bool   // Caps Lock is on
}

// Latin tells whether the layout, if it is known, types the letters of ASCII.
func (k Keyboard) Latin() bool {
	switch k.Layout {
	case "ru", "ua", "uk", "by", "be", "bg", "kz", "kk", "rs", "sr", "mk", "mn", "kg", "ky", "tj", "tg", "gr", "el", "am", "hy", "ge", "ka", "il", "he", "ar", "ara":
		return false
	}
	return true
}

// Room is the size in pixels a window may have on the smallest screen; zero when it is not known.
type Room = image.Point
