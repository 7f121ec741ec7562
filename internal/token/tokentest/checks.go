// SPDX-License-Identifier: GPL-3.0-or-later

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

func list(t *testing.T, f Fixture) {
	missing := map[algo.ID]bool{}
	for _, id := range f.Want {
		missing[id] = true
	}
	for _, k := range f.keys(t) {
		if k.Certificate() == nil {
			continue // a key that nobody has certified yet
		}
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
		if len(k.Algorithms()) > 0 && k.Certificate() != nil {
			f.signs(t, k)
		}
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
	for _, pin := range []string{f.Wrong, f.PIN} {
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
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
		if len(k.Algorithms()) == 0 || k.Certificate() == nil {
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
