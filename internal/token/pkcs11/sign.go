// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"persten/internal/algo"
	"persten/internal/token"
)

// Sign implements token.Session. The first signature is made alone: it finds the key among the candidates.
func (s *lease) Sign(ctx context.Context, id algo.ID, in algo.Input) ([]byte, error) {
	s.mu.RLock()
	if s.settled {
		defer s.mu.RUnlock()
		return s.sign(ctx, id, in)
	}
	s.mu.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	sig, err := s.sign(ctx, id, in)
	s.settled = s.settled || err == nil
	return sig, err
}

// SignLast implements token.Finisher. The child logs out in the same call if nothing can be left to try: the key has signed so
// before.
func (s *lease) SignLast(ctx context.Context, id algo.ID, in algo.Input) ([]byte, error) {
	proved := &s.key.entry.proved
	s.mu.Lock()
	defer s.mu.Unlock()
	was := proved.Load()
	s.last = s.candidates == 1 && was != nil && *was == id
	sig, err := s.sign(ctx, id, in)
	s.settled = s.settled || err == nil
	switch {
	case err != nil:
		proved.Store(nil)
	case !s.last:
		proved.Store(&id)
	}
	return sig, err
}

// sign makes one signature. The caller holds s.mu, shared if the key is settled.
func (s *lease) sign(ctx context.Context, id algo.ID, in algo.Input) ([]byte, error) {
	if err := s.over(); err != nil {
		return nil, err
	}
	d, err := s.does(id)
	if err != nil {
		return nil, err
	}
	data, err := d.w.prepare(d.a, d.most, in)
	if errors.Is(err, algo.ErrUnsupported) {
		return nil, fmt.Errorf("%w: %w", token.ErrUnsupported, err)
	}
	if err != nil {
		return nil, err
	}
	j := work{a: d.a, w: d.w, in: in, data: data}
	if s.settled {
		return s.signed(ctx, j)
	}
	return s.try(ctx, j)
}

// doing is how the key makes signatures of one algorithm.
type doing struct {
	a    algo.Algorithm
	w    way
	most int // bytes of the digest that count
}

// does finds out how, once for many signatures.
func (s *lease) does(id algo.ID) (*doing, error) {
	if d := s.doing.Load(); d != nil && d.a.ID == id {
		return d, nil
	}
	a, ok := algo.Lookup(id)
	if !ok || !slices.Contains(s.key.algorithms, id) {
		return nil, fmt.Errorf("%s: %w", id, token.ErrUnsupported)
	}
	w, ok := wayOn(a, s.key.mechanisms, s.key.entry.object.Type)
	if !ok {
		return nil, fmt.Errorf("%s: %w", id, token.ErrUnsupported)
	}
	d := &doing{a, w, orderSize(s.key.entry.public)}
	s.doing.Store(d)
	return d, nil
}

// work is one signature to be made.
type work struct {
	a    algo.Algorithm
	w    way
	in   algo.Input
	data []byte // what the mechanism takes of it
}

// try signs with the key, or with each of those it may be until one proves to be the certificate's. Nothing is signed on
// the way but what was asked for.
func (s *lease) try(ctx context.Context, j work) ([]byte, error) {
	first := s.candidate
	var last error
	for n := range s.candidates {
		s.candidate = (first + n) % s.candidates
		sig, err := s.signed(ctx, j)
		var failed *token.ModuleError
		switch {
		case err == nil:
			return sig, nil
		case s.candidates == 1:
			return nil, err
		case errors.As(err, &failed) && failed.Reason == token.ReasonSelfCheck, errors.Is(err, token.ErrUnsupported):
			last = err // another's signature, or another kind of key
		default:
			return nil, err
		}
	}
	s.candidate = first
	return nil, fmt.Errorf("none of %d private keys is the certificate's: %w: %w", s.candidates, token.ErrAbsent, last)
}

// signed makes one signature with the current candidate and brings it to the standard's layout, which is remembered for
// the module.
func (s *lease) signed(ctx context.Context, j work) ([]byte, error) {
	k, public := s.key.k, s.key.entry.public
	was := k.layout(j.a.ID)
	if !turnable(j.a.ID, j.w) {
		was.reversed = false
	}
	raw, err := s.raw(ctx, j, was.reversed)
	if err != nil {
		return nil, err
	}
	sig, now, err := check(public, j.a.ID, j.in, raw, was)
	if err != nil && turnable(j.a.ID, j.w) && s.readTurned(j, raw, was) {
		now = layout{order: was.order, reversed: !was.reversed}
		if raw, err = s.raw(ctx, j, now.reversed); err != nil {
			return nil, err
		}
		sig, now, err = check(public, j.a.ID, j.in, raw, now)
	}
	if err != nil {
		return nil, k.error(token.ReasonSelfCheck, err)
	}
	if now != was {
		k.o.Log.Info("module's signature layout", "module", k.m.Name, "algorithm", j.a.ID, "order", now.order, "reversed", now.reversed)
		k.learn(j.a.ID, now)
	}
	return sig, nil
}

// readTurned reports whether the library signed the digest read from the other end than we thought.
func (s *lease) readTurned(j work, raw []byte, was layout) bool {
	digest := j.in.Digest
	if digest == nil {
		digest = j.a.Digest.Sum(j.in.Message)
	}
	_, _, err := check(s.key.entry.public, j.a.ID, algo.Input{Digest: reverse(digest)}, raw, was)
	return err == nil
}

// raw is one C_Sign. Of several, what the token is making when ctx ends gets a moment to come back: it counts as signed.
func (s *lease) raw(ctx context.Context, j work, reversed bool) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // before anything is asked of the token
	}
	data := j.data
	if reversed {
		data = reverse(data)
	}
	k := s.key.k
	p := signParams{Session: s.session, Key: s.candidate, Mechanism: j.w.mechanism, Data: data}
	if s.settled {
		return s.bundled(ctx, p)
	}
	p.Last = s.last
	var reply signReply
	r := request{method: methodSign, deadline: k.o.SignTimeout, reply: &reply, params: p}
	if s.several.Load() {
		r.grace = closeTimeout
	}
	start := time.Now()
	if err := k.callOn(ctx, s.child, r); err != nil {
		s.lost(ctx, err)
		return nil, err
	}
	s.bundles.took(time.Since(start))
	s.loggedOut = reply.Closed
	return reply.Signature, nil
}

// lost notes a call that did not come back, or found no token: nothing more is asked of this login.
func (s *lease) lost(ctx context.Context, err error) {
	if ctx.Err() != nil || errors.Is(err, token.ErrRemoved) {
		s.broken.CompareAndSwap(nil, &err)
	}
}

// over is why nothing more can be asked of this login, or nil. Of several signatures at once each learns the reason.
func (s *lease) over() error {
	switch why := s.broken.Load(); {
	case why != nil:
		return fmt.Errorf("%w: %w", token.ErrClosed, *why)
	case s.closed:
		return token.ErrClosed
	}
	return nil
}

// layout is what is known of the module's byte order for an algorithm.
func (k *keeper) layout(id algo.ID) layout {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.layouts[id]
}

func (k *keeper) learn(id algo.ID, l layout) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.layouts == nil {
		k.layouts = map[algo.ID]layout{}
	}
	k.layouts[id] = l
}
