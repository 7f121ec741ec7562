// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"sync"
	"time"
)

const (
	ratePerSecond = 20 // requests of one site, sustained; ten seconds' worth may come at once
	rateBurst     = 10 * ratePerSecond
	rateText      = "20"
)

// rates limits sites, over however many connections they come.
type rates struct {
	mu    sync.Mutex
	sites map[string]*bucket
}

// bucket is a token bucket.
type bucket struct {
	level float64
	last  time.Time
}

// take spends one request of a site, if it has one.
func (r *rates) take(origin string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.sites[origin]
	if b == nil {
		r.forgetIdle(now)
		b = &bucket{level: rateBurst, last: now}
		r.sites[origin] = b
	}
	b.fill(now)
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}

// forgetIdle drops sites whose bucket is full again: a new one would be no different.
func (r *rates) forgetIdle(now time.Time) {
	for origin, b := range r.sites {
		if b.fill(now); b.level == rateBurst {
			delete(r.sites, origin)
		}
	}
}

func (b *bucket) fill(now time.Time) {
	b.level = min(rateBurst, b.level+now.Sub(b.last).Seconds()*ratePerSecond)
	b.last = now
}
