// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"sync"
	"time"
)

const (
	ratePerSecond = 20 // requests of one page, sustained; ten seconds' worth may come at once
	rateText      = "20"
)

// bucket is a token bucket that holds ten seconds' worth of requests.
type bucket struct {
	mu    sync.Mutex
	rate  float64
	level float64
	last  time.Time
}

func newBucket(perSecond float64) bucket { return bucket{rate: perSecond, level: perSecond * 10} }

func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.last.IsZero() {
		b.level = min(b.rate*10, b.level+now.Sub(b.last).Seconds()*b.rate)
	}
	b.last = now
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}
