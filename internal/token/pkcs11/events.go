// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"errors"
	"sync"
	"time"

	"persten/internal/token"
)

// slowPoll is how often slots are looked at although the module tells when they change: what somebody else did to the
// token, a wrong PIN for one, is no event.
const slowPoll = 30 * time.Second

// A module that has begun to wait has to answer other calls too: it is asked this long after, and has so long to answer.
const (
	watchStart = 50 * time.Millisecond
	watchProbe = 2 * time.Second
)

// Events implements token.Inventory. Modules that can wait for a slot event are woken by it; the others are looked at
// every Poll, and only while somebody listens. Each module is followed by itself, so that one that hangs delays no other.
func (inv *Inventory) Events(ctx context.Context) <-chan token.Event {
	out := make(chan token.Event, 16)
	var wg sync.WaitGroup
	for _, k := range inv.keepers {
		wg.Go(func() { k.follow(ctx, inv.poll, out) })
	}
	go func() {
		wg.Wait()
		close(out)
	}()
	return out
}

// follow reports what changes in the slots of one module until ctx ends.
func (k *keeper) follow(ctx context.Context, poll time.Duration, out chan<- token.Event) {
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
	close(k.pulse)
	k.pulse = make(chan struct{})
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
