// SPDX-License-Identifier: GPL-3.0-or-later

package main

import "context"

// trayShown: the taskbar of Windows always has a place.
func trayShown(context.Context) (bool, error) { return true, nil }
