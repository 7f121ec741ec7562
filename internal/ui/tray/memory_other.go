// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package tray

import "runtime/debug"

// shrink gives back what only the start needed.
func shrink() { debug.FreeOSMemory() }
