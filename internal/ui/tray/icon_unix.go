// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package tray

// iconBytes is the icon of a state in the form the panel takes: PNG.
func iconBytes(state string) []byte { return picture(state) }
