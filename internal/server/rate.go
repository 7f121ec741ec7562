// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"strconv"
	"sync"
	"time"

	"persten/internal/signing"
	"persten/proto"
)

// pace is how often a site may do something: so many a second, sustained, and so many at once.
type pace struct{ perSecond, burst float64 }

var (
	requests = pace{20, 200}
	opens    = pace{200, 2 * signing.MaxBatch} // of contents: each makes a file, and a batch needs many
)

// rates limits sites, over however many connections they come.
type rates struct {
	pace
	mu    sync.Mutex
	sites map[string]*bucket
}

func newRates(p pace) *rates { return &rates{pace: p, sites: map[string]*bucket{}} }

// bucket is a token bucket.
type bucket struct {
	level float64
	last  time.Time
}

// take spends one of what a site may do, if it has one.
func (r *rates) take(origin string, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.sites[origin]
	if b == nil {
		r.forgetIdle(now)
		b = &bucket{level: r.burst, last: now}
		r.sites[origin] = b
	}
	b.fill(r.pace, now)
	if b.level < 1 {
		return proto.E(proto.CodeRequestLimit, nil, "limit", strconv.FormatFloat(r.perSecond, 'f', 0, 64))
	}
	b.level--
	return nil
}

// forgetIdle drops sites whose bucket is full again: a new one would be no different.
func (r *rates) forgetIdle(now time.Time) {
	for origin, b := range r.sites {
		if b.fill(r.pace, now); b.level == r.burst {
			delete(r.sites, origin)
		}
	}
}

func (b *bucket) fill(p pace, now time.Time) {
	b.level = min(p.burst, b.level+now.Sub(b.last).Seconds()*p.perSecond)
	b.last = now
}
