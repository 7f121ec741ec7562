// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package tray

// format puts a PNG into the form the panel takes, which is PNG.
func format(png []byte) []byte { return png }

// label is a text as menus take it.
func label(s string) string { return s }
