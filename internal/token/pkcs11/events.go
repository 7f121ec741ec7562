// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"persten/internal/token"
)

// slowPoll is how often slots are looked at although the module tells when they change: what somebody else did to the
// token, a wrong PIN for one, is no event. idlePoll is how often while nobody is watching.
const (
	slowPoll = 30 * time.Second
	idlePoll = 10 * time.Minute
)

// A module that has begun to wait has to answer other calls too: it is asked this long after, and has so long to answer.
const (
	watchStart = 50 * time.Millisecond
	watchProbe = 2 * time.Second
)

// Events implements token.Inventory. Modules that can wait for a slot event are woken by it; the others are looked at
// every Poll while somebody is watching, see Watched. Each module is followed by itself, so that one that hangs delays
// no other.
func (inv *Inventory) Events(ctx context.Context) <-chan token.Event {
	out := make(chan token.Event, 16)
	var wg sync.WaitGroup
	for _, k := range inv.keepers {
		wg.Go(func() { k.follow(ctx, inv.poll, &inv.idle, out) })
	}
	go func() {
		wg.Wait()
		close(out)
	}()
	return out
}

// Watched tells whether somebody wants to hear of tokens at once. It is so until told otherwise. While it is not, slots are
// hardly looked at, so that an idle machine sleeps; modules that tell of changes are heard all the same.
func (inv *Inventory) Watched(yes bool) {
	if inv.idle.Swap(!yes) == !yes {
		return
	}
	for _, k := range inv.keepers {
		k.ring()
	}
}

// follow reports what changes in the slots of one module until ctx ends.
func (k *keeper) follow(ctx context.Context, poll time.Duration, idle *atomic.Bool, out chan<- token.Event) {
	var known map[string]token.Info // nil until the module answered once
	for {
		pulse := k.listen()
		if now, err := k.snapshot(ctx); err == nil {
			if known != nil {
				report(out, known, now)
			}
			known = now
		}
		wait, gone := poll, (<-chan struct{})(nil)
		if c := k.watch(ctx); c != nil {
			wait, gone = max(poll, slowPoll), c.gone
		}
		if idle.Load() {
			wait = idlePoll
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-pulse:
		case <-gone:
		case <-t.C:
		}
		t.Stop()
	}
}

// snapshot is the tokens by place.
func (k *keeper) snapshot(ctx context.Context) (map[string]token.Info, error) {
	infos, err := k.tokens(ctx)
	if err != nil {
		return nil, err
	}
	now := map[string]token.Info{}
	for _, i := range infos {
		now[i.Slot+"#"+i.Serial] = i
	}
	return now, nil
}

func report(out chan<- token.Event, before, now map[string]token.Info) {
	send := func(kind string, i token.Info) {
		select {
		case out <- token.Event{Kind: kind, Token: i}:
		default: // a slow reader loses events, not the token
		}
	}
	for at, i := range before {
		if _, still := now[at]; !still {
			send(token.Removed, i)
		}
	}
	for at, i := range now {
		switch was, known := before[at]; {
		case !known:
			send(token.Inserted, i)
		case was != i:
			send(token.Changed, i)
		}
	}
}

// listen returns a channel that is closed at the next slot event.
func (k *keeper) listen() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pulse
}

// watch has the running child wait for slot events and returns it, or nil when slots have to be looked at. A module that
// stops answering once it waits is one that cannot do both; it is not asked to again.
func (k *keeper) watch(ctx context.Context) *child {
	k.mu.Lock()
	c, on, blind := k.child, k.watched, k.blind
	k.mu.Unlock()
	switch {
	case c == nil || c.dead() || blind:
		return nil
	case c == on:
		return c
	case k.inUse(): // not now, in case the module stops
		return nil
	}
	var r watchReply
	err := k.callOn(ctx, c, request{method: methodWatch, params: nothing{}, reply: &r, deadline: k.o.ListTimeout, spare: true})
	if err == nil && r.Waits {
		time.Sleep(watchStart)
		err = k.callOn(ctx, c, request{
			method: methodSlots, params: nothing{}, reply: &slotsReply{}, deadline: min(watchProbe, k.o.ListTimeout), spare: true,
		})
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil && r.Waits && !k.blind:
		k.watched = c
		return c
	default:
		var failed *token.ModuleError
		k.blind = k.blind || err == nil || errors.As(err, &failed) && failed.Reason == token.ReasonTimeout
	}
	return nil
}

// noted takes a notification from child c.
func (k *keeper) noted(c *child, method string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.child != c {
		return
	}
	switch method {
	case noteSlots:
		k.entries = nil
	case noteBlinded:
		k.blind, k.watched = true, nil
	default:
		return
	}
	k.beat()
}

// beat wakes whoever follows the module. The caller holds k.mu.
func (k *keeper) beat() {
	close(k.pulse)
	k.pulse = make(chan struct{})
}

func (k *keeper) ring() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.beat()
}

// dropPINs has the child forget the PINs it keeps, with the child when it does not answer.
func (k *keeper) dropPINs(ctx context.Context) {
	k.mu.Lock()
	c := k.child
	k.mu.Unlock()
	if c == nil || c.dead() || k.o.PINCache.Sliding == 0 {
		return
	}
	k.callOn(ctx, c, request{method: methodForget, params: nothing{}, reply: &nothing{}, deadline: closeTimeout})
}
