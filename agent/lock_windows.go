// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"log/slog"

	"persten/internal/logon"
)

// watchLock calls away whenever the desktop is locked or left, or the machine is about to sleep, until ctx ends.
func watchLock(ctx context.Context, away func()) {
	if err := logon.Away(ctx, away); err != nil {
		slog.Warn("locking and sleep go unnoticed: kept PINs end by time alone", "cause", err)
	}
}
