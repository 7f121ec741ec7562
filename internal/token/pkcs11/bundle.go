// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"persten/internal/token"
)

// The measures of signing many at once. A call of the child costs as much as a quick signature, so quick ones share calls;
// slow ones do not, so that a batch can be stopped and tells how far it is.
const (
	inParallel = 96 // signatures under way: on the token, on the way there, and being checked and encoded
	maxBundle  = 32 // signatures of one call
	bundleTime = 10 * time.Millisecond
	slowToken  = 100 * time.Millisecond // a signature; such tokens make one at a time, whatever they are asked
	slowCalls  = 2
	quickToken = time.Millisecond // a signature; made by this machine's processors, for which checking and encoding wait too
)

// Parallel implements token.Parallel.
func (s *lease) Parallel() int {
	s.several.Store(true)
	return inParallel
}

// bundles collects signatures that several goroutines want at once into calls of the child.
type bundles struct {
	mu    sync.Mutex
	queue []*wanted
	calls int           // under way
	each  time.Duration // a signature took lately; 0: not known
}

// wanted is one signature on its way.
type wanted struct {
	ctx    context.Context
	params signParams
	sent   bool // guarded by bundles.mu
	done   chan struct{}
	sig    []byte
	err    error
}

// bundled makes one raw signature beside others. When ctx ends, what has not been sent is given up; what the token is making
// gets a moment to come back.
func (s *lease) bundled(ctx context.Context, p signParams) ([]byte, error) {
	b := &s.bundles
	x := &wanted{ctx: ctx, params: p, done: make(chan struct{})}
	b.mu.Lock()
	b.queue = append(b.queue, x)
	if b.calls < b.room() {
		b.calls++
		go s.carry()
	}
	b.mu.Unlock()
	select {
	case <-x.done:
		return x.sig, x.err
	case <-ctx.Done():
	}
	b.mu.Lock()
	sent := x.sent
	b.queue = slices.DeleteFunc(b.queue, func(w *wanted) bool { return w == x })
	b.mu.Unlock()
	if !sent {
		return nil, ctx.Err()
	}
	select {
	case <-x.done:
		return x.sig, x.err
	case <-time.After(closeTimeout):
		s.lost(ctx, ctx.Err())
		return nil, ctx.Err()
	}
}

// room is how many calls may be under way. The caller holds b.mu.
func (b *bundles) room() int {
	switch {
	case b.each > slowToken:
		return slowCalls
	case b.each > 0 && b.each < quickToken:
		return min(maxSeats, max(2, runtime.NumCPU()))
	}
	return maxSeats
}

// next takes what the next call is to carry; nothing when the queue is empty.
func (b *bundles) next() []*wanted {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 1
	if b.each > 0 {
		n = int(min(max(bundleTime/b.each, 1), maxBundle))
	}
	n = min(n, len(b.queue))
	list := slices.Clone(b.queue[:n])
	b.queue = slices.Delete(b.queue, 0, n)
	for _, x := range list {
		x.sent = true
	}
	if n == 0 || b.calls > b.room() {
		b.calls--
	}
	return list
}

// carry makes calls until nothing is wanted.
func (s *lease) carry() {
	for {
		list := s.bundles.next()
		if len(list) == 0 {
			return
		}
		for len(list) > 0 {
			list = list[s.carryOnce(list):]
		}
	}
}

// carryOnce makes one call and settles those at the beginning of list that it answers: all of them after an error, which is
// theirs in common, else as many as there are signatures.
func (s *lease) carryOnce(list []*wanted) (settled int) {
	k := s.key.k
	p := list[0].params
	for _, x := range list[1:] {
		p.More = append(p.More, x.params.Data)
	}
	start := time.Now()
	var reply signReply
	var err error
	if why := s.broken.Load(); why != nil {
		err = *why
	} else {
		err = k.callOn(context.WithoutCancel(list[0].ctx), s.child, request{
			method: methodSign, deadline: time.Duration(maxSeats*len(list)) * k.o.SignTimeout, reply: &reply, params: p,
		})
	}
	if err == nil && len(reply.More) > len(p.More) {
		err = k.drop(s.child, k.error(token.ReasonReply, errReply))
	}
	if err != nil {
		s.lost(context.Background(), err)
		for _, x := range list {
			x.err = err
			close(x.done)
		}
		return len(list)
	}
	sigs := append([][]byte{reply.Signature}, reply.More...)
	s.bundles.took(time.Since(start) / time.Duration(len(sigs)))
	for i, sig := range sigs {
		list[i].sig = sig
		close(list[i].done)
	}
	return len(sigs)
}

// took remembers how long signatures take, as the mean of this and what was before.
func (b *bundles) took(each time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.each > 0 {
		each = (b.each + each) / 2
	}
	b.each = max(each, 1)
}
