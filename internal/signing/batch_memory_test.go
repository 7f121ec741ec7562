// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"runtime/debug"
	"testing"
)

// TestCollectLess: the percentage comes back with the last batch, and once.
func TestCollectLess(t *testing.T) {
	before := debug.SetGCPercent(90)
	defer debug.SetGCPercent(before)
	percent := func() int {
		now := debug.SetGCPercent(-1)
		debug.SetGCPercent(now)
		return now
	}
	first, second := collectLess(), collectLess()
	first()
	first()
	if got := percent(); got != busyGC {
		t.Errorf("%d %% with a batch running, want %d", got, busyGC)
	}
	second()
	if got := percent(); got != 90 {
		t.Errorf("%d %% afterwards, want 90", got)
	}
}
