// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"runtime/debug"
	"sync"
)

// busyGC is the collector's percentage while batches run. A batch makes much garbage on a small heap: at the usual 100 a tenth
// of its processor time was collecting. Some tens of MiB more, for seconds, are the price.
const busyGC = 400

var busy struct {
	sync.Mutex
	batches int
	before  int // the percentage to go back to
}

// collectLess makes garbage collection rarer until done is called.
func collectLess() (done func()) {
	busy.Lock()
	defer busy.Unlock()
	if busy.batches++; busy.batches == 1 {
		busy.before = debug.SetGCPercent(busyGC)
	}
	return sync.OnceFunc(func() {
		busy.Lock()
		defer busy.Unlock()
		if busy.batches--; busy.batches == 0 {
			debug.SetGCPercent(busy.before)
		}
	})
}
