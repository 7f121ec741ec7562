// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"log/slog"
	"sync"
	"time"
)

const warnPeriod = 10 * time.Second

// refusals is the log of what strangers caused: each kind of line once a period, so that nobody can fill the log.
var refusals = struct {
	sync.Mutex
	last    map[string]time.Time
	dropped map[string]int
}{last: map[string]time.Time{}, dropped: map[string]int{}}

// warnRefused logs text, which is a constant, unless it was logged within the period; how often it was not is said next time.
func warnRefused(text string, args ...any) {
	refusals.Lock()
	if time.Since(refusals.last[text]) < warnPeriod {
		refusals.dropped[text]++
		refusals.Unlock()
		return
	}
	more := refusals.dropped[text]
	refusals.last[text], refusals.dropped[text] = time.Now(), 0
	refusals.Unlock()
	slog.Warn(text, append(args, "more", more)...)
}
