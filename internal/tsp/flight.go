// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"context"
	"sync"
)

// flights lets callers that want the same thing share one fetch. It ends when the last of them has gone.
type flights struct {
	mu  sync.Mutex
	all map[string]*flight
}

type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int
	value   *entry
	err     error
	panic   any // of the work
}

func (f *flights) do(ctx context.Context, key string, work func(context.Context) (*entry, error)) (*entry, error) {
	one := f.join(ctx, key, work)
	select {
	case <-one.done:
		f.leave(key, one)
		if one.panic != nil {
			panic(one.panic) // where the caller's border is
		}
		return one.value, one.err
	case <-ctx.Done():
		f.leave(key, one)
		return nil, ctx.Err()
	}
}

func (f *flights) join(ctx context.Context, key string, work func(context.Context) (*entry, error)) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one := f.all[key]; one != nil {
		one.waiting++
		return one
	}
	if f.all == nil {
		f.all = map[string]*flight{}
	}
	shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
	one := &flight{done: make(chan struct{}), cancel: cancel, waiting: 1}
	f.all[key] = one
	go func() {
		defer f.land(key, one)
		defer func() { one.panic = recover() }()
		one.value, one.err = work(shared)
	}()
	return one
}

func (f *flights) land(key string, one *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all[key] == one {
		delete(f.all, key)
	}
	one.cancel()
	close(one.done)
}

// leave is called once by each who joined. A flight nobody waits for is given up, and nobody joins it any more.
func (f *flights) leave(key string, one *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one.waiting--; one.waiting == 0 {
		one.cancel()
		if f.all[key] == one {
			delete(f.all, key)
		}
	}
}
