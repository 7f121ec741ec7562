// SPDX-License-Identifier: GPL-3.0-or-later

// Package tokentest is the conformance suite that every token implementation passes, and the maker of SoftHSM tokens for
// tests and demonstrations.
//
// [Run] checks what package token promises: listing without login, signatures that verify, one question per attempt,
// a second caller that never rides on the first one's login, leases that come back. An implementation calls it from its
// own tests with a function that opens a fresh token; the token's attempt counter is left full.
package tokentest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/secret"
	"persten/internal/token"
)

// Fixture is a token to test.
type Fixture struct {
	Inventory token.Inventory
	PIN       string
	Wrong     string // a PIN the token refuses
	Want      []algo.ID
	Counted   bool // the token tells how many attempts are left
}

// Run runs the suite. open is called once per check.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	for _, c := range []struct {
		name  string
		check func(t *testing.T, f Fixture)
	}{
		{"list", list},
		{"sign", sign},
		{"wrong then right", wrongThenRight},
		{"wrong twice", wrongTwice},
		{"attempts", attempts},
		{"second caller", secondCaller},
		{"person cancels", personCancels},
		{"caller cancels while asked", callerCancels},
		{"cancelled sign", cancelledSign},
		{"two at once", twoAtOnce},
		{"close", closeFrees},
		{"unknown algorithm", unknownAlgorithm},
		{"digest length", digestLength},
		{"empty PIN", emptyPIN},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := open(t)
			c.check(t, f)
			f.signs(t, f.key(t)) // whatever happened, the token still works
		})
	}
}

// Answer is a person who types pins one after the other, the last one for ever.
type Answer struct {
	mu       sync.Mutex
	pins     []string
	Requests []token.PINRequest // what was asked
}

// Answers makes an Answer.
func Answers(pins ...string) *Answer { return &Answer{pins: pins} }

// PIN is the token.PINFunc.
func (a *Answer) PIN(_ context.Context, r token.PINRequest) (secret.PIN, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	pin := a.pins[min(len(a.Requests), len(a.pins)-1)]
	a.Requests = append(a.Requests, r)
	return PIN(pin)
}

// PIN makes a handle of a PIN that a test knows.
func PIN(digits string) (secret.PIN, error) {
	p, w, err := secret.Pipe()
	if err != nil {
		return secret.PIN{}, err
	}
	defer w.Close()
	_, err = w.WriteString(digits)
	return p, err
}

// Digest is some digest of the right length for id.
func Digest(id algo.ID) algo.Input {
	a, ok := algo.Lookup(id)
	if !ok {
		return algo.Input{Digest: make([]byte, 32)}
	}
	h := a.Digest.New()
	h.Write([]byte("content to be signed"))
	return algo.Input{Digest: h.Sum(nil)}
}

func (f Fixture) keys(t *testing.T) []token.Key {
	t.Helper()
	keys, err := f.Inventory.Keys(t.Context())
	if err != nil {
		t.Fatalf("Keys: %v", err)
	}
	return keys
}

// key is one that can sign.
func (f Fixture) key(t *testing.T) token.Key {
	t.Helper()
	for _, k := range f.keys(t) {
		if len(k.Algorithms()) > 0 {
			return k
		}
	}
	t.Fatal("no key that can sign")
	return nil
}

func (f Fixture) open(t *testing.T, k token.Key) token.Session {
	t.Helper()
	s, err := k.Open(t.Context(), Answers(f.PIN).PIN)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (f Fixture) signs(t *testing.T, k token.Key) {
	t.Helper()
	s := f.open(t, k)
	defer s.Close()
	for _, id := range k.Algorithms() {
		in := Digest(id)
		sig, err := s.Sign(t.Context(), id, in)
		if err != nil {
			t.Fatalf("Sign %s: %v", id, err)
		}
		if err := k.Certificate().Key.Verify(id, in, sig); err != nil {
			t.Fatalf("%s: signature does not verify: %v", id, err)
		}
	}
}

func list(t *testing.T, f Fixture) {
	missing := map[algo.ID]bool{}
	for _, id := range f.Want {
		missing[id] = true
	}
	for _, k := range f.keys(t) {
		if k.ID() != k.Certificate().ID() || len(k.ID()) != 64 {
			t.Errorf("key id %q, certificate id %q", k.ID(), k.Certificate().ID())
		}
		if k.Token().Label == "" {
			t.Error("token without a label")
		}
		for _, id := range k.Algorithms() {
			delete(missing, id)
		}
	}
	for id := range missing {
		t.Errorf("no key for %s", id)
	}
	tokens, err := f.Inventory.Tokens(t.Context())
	if err != nil || len(tokens) == 0 {
		t.Errorf("Tokens: %d, %v", len(tokens), err)
	}
	for _, i := range tokens {
		if i.Locked || i.Final || i.Low {
			t.Errorf("fresh token: %+v", i)
		}
	}
}

func sign(t *testing.T, f Fixture) {
	for _, k := range f.keys(t) {
		f.signs(t, k)
	}
}

func wrongThenRight(t *testing.T, f Fixture) {
	k := f.key(t)
	a := Answers(f.Wrong, f.PIN)
	s, err := k.Open(t.Context(), a.PIN)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer s.Close()
	if len(a.Requests) != 2 || a.Requests[0].Wrong || !a.Requests[1].Wrong {
		t.Errorf("asked %+v", a.Requests)
	}
}

func wrongTwice(t *testing.T, f Fixture) {
	a := Answers(f.Wrong)
	_, err := f.key(t).Open(t.Context(), a.PIN)
	var bad *token.PINError
	if !errors.As(err, &bad) {
		t.Fatalf("Open with a wrong PIN: %v", err)
	}
	if len(a.Requests) != 2 {
		t.Errorf("asked %d times, want 2", len(a.Requests))
	}
}

func attempts(t *testing.T, f Fixture) {
	k := f.key(t)
	a := Answers(f.Wrong, f.PIN)
	s, err := k.Open(t.Context(), a.PIN)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	first, second := a.Requests[0].Attempts, a.Requests[1].Attempts
	switch {
	case f.Counted && second != first-1:
		t.Errorf("attempts left %d, then %d", first, second)
	case !f.Counted && first != -1:
		t.Errorf("attempts left %d, want unknown", first)
	}
	again := Answers(f.PIN)
	if s, err = k.Open(t.Context(), again.PIN); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if again.Requests[0].Attempts != first {
		t.Errorf("a right PIN left %d attempts, want %d", again.Requests[0].Attempts, first)
	}
}

// secondCaller is the measured trap: in PKCS#11 whoever opens a session while another is logged in can sign.
func secondCaller(t *testing.T, f Fixture) {
	k := f.key(t)
	first := f.open(t, k)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	for _, pin := range []string{f.Wrong, f.PIN} {
		if s, err := k.Open(ctx, Answers(pin).PIN); err == nil {
			s.Close()
			t.Fatal("a second caller got in while the first was logged in")
		}
	}
	id := k.Algorithms()[0]
	if _, err := first.Sign(t.Context(), id, Digest(id)); err != nil {
		t.Errorf("the first caller lost the token: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		s, err := k.Open(t.Context(), Answers(f.Wrong).PIN)
		if err == nil {
			s.Close()
		}
		done <- err
	}()
	time.Sleep(100 * time.Millisecond)
	first.Close()
	var bad *token.PINError
	if err := <-done; !errors.As(err, &bad) {
		t.Errorf("the waiting caller with a wrong PIN: %v", err)
	}
}

func personCancels(t *testing.T, f Fixture) {
	gaveUp := errors.New("gave up")
	_, err := f.key(t).Open(t.Context(), func(context.Context, token.PINRequest) (secret.PIN, error) {
		return secret.PIN{}, gaveUp
	})
	if !errors.Is(err, gaveUp) {
		t.Errorf("Open: %v, want the person's error", err)
	}
}

func callerCancels(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := f.key(t).Open(ctx, func(ctx context.Context, _ token.PINRequest) (secret.PIN, error) {
		cancel()
		return PIN(f.PIN) // typed a moment too late
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v", err)
	}
}

func cancelledSign(t *testing.T, f Fixture) {
	k := f.key(t)
	s := f.open(t, k)
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	id := k.Algorithms()[0]
	if _, err := s.Sign(ctx, id, Digest(id)); !errors.Is(err, context.Canceled) {
		t.Errorf("Sign: %v", err)
	}
}

func twoAtOnce(t *testing.T, f Fixture) {
	k := f.key(t)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 3 {
				s, err := k.Open(t.Context(), Answers(f.PIN).PIN)
				if err != nil {
					t.Errorf("Open: %v", err)
					return
				}
				id := k.Algorithms()[0]
				if _, err := s.Sign(t.Context(), id, Digest(id)); err != nil {
					t.Errorf("Sign: %v", err)
				}
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func closeFrees(t *testing.T, f Fixture) {
	k := f.key(t)
	s := f.open(t, k)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	id := k.Algorithms()[0]
	if _, err := s.Sign(t.Context(), id, Digest(id)); !errors.Is(err, token.ErrClosed) {
		t.Errorf("Sign after Close: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	next, err := k.Open(ctx, Answers(f.PIN).PIN)
	if err != nil {
		t.Fatalf("Open after Close: %v", err)
	}
	next.Close()
}

func unknownAlgorithm(t *testing.T, f Fixture) {
	k := f.key(t)
	s := f.open(t, k)
	defer s.Close()
	own := map[algo.ID]bool{}
	for _, id := range k.Algorithms() {
		own[id] = true
	}
	ids := []algo.ID{"", "rsa-md5"}
	for _, a := range algo.All() {
		if !own[a.ID] {
			ids = append(ids, a.ID)
		}
	}
	for _, id := range ids {
		if _, err := s.Sign(t.Context(), id, Digest(id)); !errors.Is(err, token.ErrUnsupported) {
			t.Errorf("Sign %q: %v", id, err)
		}
	}
}

func digestLength(t *testing.T, f Fixture) {
	for _, k := range f.keys(t) {
		if len(k.Algorithms()) == 0 {
			continue
		}
		s := f.open(t, k)
		for _, id := range k.Algorithms() {
			right := len(Digest(id).Digest)
			for _, n := range []int{0, 1, right - 1, right + 1, 2 * right} {
				if _, err := s.Sign(t.Context(), id, algo.Input{Digest: make([]byte, n)}); !errors.Is(err, algo.ErrInput) {
					t.Errorf("%s with %d bytes: %v", id, n, err)
				}
			}
		}
		s.Close()
	}
}

func emptyPIN(t *testing.T, f Fixture) {
	s, err := f.key(t).Open(t.Context(), Answers("").PIN)
	if err == nil {
		s.Close()
		t.Fatal("Open with an empty PIN succeeded")
	}
}
