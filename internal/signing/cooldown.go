// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"strconv"
	"sync"
	"time"

	"persten/proto"
)

// A site whose requests the person refuses one after the other is not shown for a while: a window that comes back until it
// is clicked away wins by patience. Programs of the person's own are exempt.
const (
	refusals     = 3                // in a row
	refusedSpan  = 10 * time.Minute // refusals further apart than this are not in a row
	cooldown     = time.Minute
	maxCountedAt = 1024 // sites that are remembered
)

// patience counts refusals by site. After a cool-down one more refusal starts the next.
type patience struct {
	mu    sync.Mutex
	sites map[string]refused
}

func newPatience() patience { return patience{sites: map[string]refused{}} }

type refused struct {
	count int
	last  time.Time
}

// left is how long a site still has to wait.
func (p *patience) left(origin string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.sites[origin]; r.count >= refusals {
		return max(0, cooldown-now.Sub(r.last))
	}
	return 0
}

// check is the error of a site that has to wait.
func (p *patience) check(origin string) error {
	left := p.left(origin, time.Now())
	if left == 0 {
		return nil
	}
	return proto.E(proto.CodeOriginCooldown, nil, "origin", origin, "seconds", seconds(left))
}

// seconds rounds up, so that nobody comes back too soon.
func seconds(d time.Duration) string { return strconv.Itoa(int((d + time.Second - 1) / time.Second)) }

// answered counts an answer of the person, and reports whether it makes the site wait.
func (p *patience) answered(origin string, yes bool, now time.Time) bool {
	if origin == "" {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if yes {
		delete(p.sites, origin)
		return false
	}
	p.forget(now)
	r := p.sites[origin]
	if now.Sub(r.last) > refusedSpan {
		r.count = 0
	}
	p.sites[origin] = refused{r.count + 1, now}
	return r.count+1 >= refusals
}

// forget makes room: an old refusal counts for nothing any more.
func (p *patience) forget(now time.Time) {
	for origin, r := range p.sites {
		if now.Sub(r.last) > refusedSpan || len(p.sites) >= maxCountedAt {
			delete(p.sites, origin)
		}
	}
}
