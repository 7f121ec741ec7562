// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"context"
	"slices"
	"sync"
	"time"

	"persten/internal/token"
)

// How often Events looks at the disk, while somebody watches and while nobody does. Who begins to watch has it looked at at once.
const (
	lookOften  = time.Second
	lookSeldom = 10 * time.Minute
)

// watch says how often to look.
type watch struct {
	mu    sync.Mutex
	every time.Duration
	woken chan struct{}
}

func newWatch() watch { return watch{every: lookOften, woken: make(chan struct{}, 1)} }

// Watched says whether anybody is there who wants to know soon that a file came or went.
func (f *Files) Watched(yes bool) {
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	if f.watch.every = lookSeldom; yes {
		f.watch.every = lookOften
	}
	select {
	case f.watch.woken <- struct{}{}:
	default:
	}
}

func (f *Files) pause() time.Duration {
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	return f.watch.every
}

// Events implements token.Inventory: files that come, go or become other ones. Where there are neither folders nor added files
// it sleeps.
func (f *Files) Events(ctx context.Context) <-chan token.Event {
	out := make(chan token.Event, 16)
	before, _ := f.Tokens(ctx)
	go func() {
		defer close(out)
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
				return
			case <-f.watch.woken:
			case <-time.After(f.pause()):
			}
			now, _ := f.Tokens(ctx)
			tell(out, token.Removed, before, now)
			tell(out, token.Inserted, now, before)
			before = now
		}
	}()
	return out
}

// tell sends an event of a kind for each token that is in a and not in b. A slow reader loses events.
func tell(out chan<- token.Event, kind string, a, b []token.Info) {
	for _, t := range a {
		if slices.ContainsFunc(b, func(o token.Info) bool { return o.Path == t.Path }) {
			continue
		}
		select {
		case out <- token.Event{Kind: kind, Token: t}:
		default:
		}
	}
}
