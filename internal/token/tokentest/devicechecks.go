// SPDX-License-Identifier: GPL-3.0-or-later

package tokentest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"persten/internal/token"
)

// describe reads what people are shown of tokens and keys.
func describe(t *testing.T, f Fixture) {
	for _, k := range f.keys(t) {
		i := k.Token()
		for what, text := range map[string]string{"label": i.Label, "module or path": i.Module + i.Path} {
			if strings.TrimSpace(text) == "" || !utf8.ValidString(text) {
				t.Errorf("%s %q", what, text)
			}
		}
		if f.Label != "" && i.Label != f.Label {
			t.Errorf("label %q, want %q", i.Label, f.Label)
		}
		if c := k.Certificate(); c != nil {
			if c.Key.Describe() == "" || c.Subject().CommonName == "" {
				t.Errorf("key %q of %q", c.Key.Describe(), c.Subject().CommonName)
			}
		}
	}
	k := f.key(t)
	a := Answers(f.PIN)
	s, err := k.Open(t.Context(), a.PIN)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	for _, r := range a.Requests {
		if r.Token.Label != k.Token().Label || r.Token.Serial != k.Token().Serial || r.Wrong {
			t.Errorf("asked %+v about the token %+v", r, k.Token())
		}
	}
}

// twoTokens is logged in to two tokens at a time.
func twoTokens(t *testing.T, f Fixture) {
	first := f.key(t)
	var second token.Key
	for _, k := range f.keys(t) {
		i, j := k.Token(), first.Token()
		if (i.Serial != j.Serial || i.Slot != j.Slot || i.Path != j.Path) && len(k.Algorithms()) > 0 && k.Certificate() != nil {
			second = k
		}
	}
	if second == nil {
		t.Skip("not applicable: one token only")
	}
	open := []token.Session{f.open(t, first), f.open(t, second)}
	var wg sync.WaitGroup
	for n, k := range []token.Key{first, second} {
		wg.Go(func() {
			id := k.Algorithms()[0]
			in := Digest(id)
			for range 5 {
				sig, err := open[n].Sign(t.Context(), id, in)
				if err == nil {
					err = k.Certificate().Key.Verify(id, in, sig)
				}
				if err != nil {
					t.Errorf("token %d: %v", n+1, err)
				}
			}
		})
	}
	wg.Wait()
	if err := open[0].Close(); err != nil {
		t.Error(err)
	}
	id := second.Algorithms()[0]
	if _, err := open[1].Sign(t.Context(), id, Digest(id)); err != nil {
		t.Errorf("closing one token broke the other: %v", err)
	}
}

func (f Fixture) late() time.Duration {
	if f.Polled == 0 {
		return time.Second
	}
	return f.Polled
}

// noticed waits until the token of a serial is listed, or is no longer.
func (f Fixture) noticed(t *testing.T, serial string, there bool) {
	t.Helper()
	deadline := time.Now().Add(f.late())
	for {
		found := false
		tokens, err := f.Inventory.Tokens(t.Context())
		for _, i := range tokens {
			found = found || i.Serial == serial
		}
		if found == there {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("token %s listed: %v after %v (%v)", serial, found, f.late(), err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// pulled removes the token until the end of the check.
func (f Fixture) pulled(t *testing.T) {
	f.Remove(t)
	t.Cleanup(func() { f.Insert(t) })
}

func gone(err error) bool { return errors.Is(err, token.ErrRemoved) || errors.Is(err, token.ErrAbsent) }

// removal tells who listens, and says what happened to who comes too late.
func removal(t *testing.T, f Fixture) {
	k := f.key(t)
	serial := k.Token().Serial
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events := f.Inventory.Events(ctx)
	time.Sleep(300 * time.Millisecond) // until what is there now is known
	f.pulled(t)
	f.hears(t, events, token.Removed, serial)
	f.noticed(t, serial, false)
	asked := Answers(f.PIN)
	if _, err := k.Open(t.Context(), asked.PIN); !gone(err) {
		t.Errorf("Open of a token that was pulled: %v", err)
	}
	if len(asked.Requests) > 0 {
		t.Error("the PIN of a token that was pulled was asked for")
	}
	f.Insert(t)
	f.hears(t, events, token.Inserted, serial)
	f.noticed(t, serial, true)
}

// hears waits for an event.
func (f Fixture) hears(t *testing.T, events <-chan token.Event, kind, serial string) {
	t.Helper()
	start := time.Now()
	for {
		select {
		case e := <-events:
			if e.Kind == kind && e.Token.Serial == serial {
				return
			}
		case <-time.After(f.late() + time.Second): // a busy machine is not the token's fault
			t.Fatalf("no event %q in %v", kind, time.Since(start))
		}
	}
}

func removalInSession(t *testing.T, f Fixture) {
	k := f.key(t)
	s := f.open(t, k)
	f.pulled(t)
	id := k.Algorithms()[0]
	if _, err := s.Sign(t.Context(), id, Digest(id)); !gone(err) {
		t.Errorf("Sign on a token that was pulled: %v", err)
	}
	s.Close()
	f.Insert(t)
	f.noticed(t, k.Token().Serial, true)
	if _, err := s.Sign(t.Context(), id, Digest(id)); err == nil {
		t.Error("a session outlived its token")
	}
}

// reinsertion asks for the PIN again: what was logged in left with the token.
func reinsertion(t *testing.T, f Fixture) {
	k := f.key(t)
	s := f.open(t, k)
	f.pulled(t)
	f.noticed(t, k.Token().Serial, false)
	f.Insert(t)
	f.noticed(t, k.Token().Serial, true)
	s.Close()
	for _, again := range f.keys(t) {
		if again.ID() != k.ID() {
			continue
		}
		a := Answers(f.PIN)
		s, err := again.Open(t.Context(), a.PIN)
		if err != nil {
			t.Fatalf("Open after re-insertion: %v", err)
		}
		s.Close()
		if again.Token().LoginRequired && !again.Token().PINPad && len(a.Requests) != 1 {
			t.Errorf("asked %d times", len(a.Requests))
		}
		return
	}
	t.Error("the key is not listed again")
}

// broken opens the fixture that goes wrong and logs in.
func (f Fixture) broken(t *testing.T, fault string) (*Fixture, token.Key, token.Session) {
	t.Helper()
	b := f.Broken(t, fault)
	if b == nil {
		t.Skip("not applicable: would take the test with it")
	}
	k := b.key(t)
	return b, k, b.open(t, k)
}

func crash(t *testing.T, f Fixture) {
	b, k, s := f.broken(t, Crash)
	id := k.Algorithms()[0]
	_, err := s.Sign(t.Context(), id, Digest(id))
	var failed *token.ModuleError
	if !errors.As(err, &failed) || failed.Reason != "crashed" {
		t.Errorf("Sign in a library that crashed: %v", err)
	}
	s.Close()
	b.signs(t, b.key(t))
}

func hang(t *testing.T, f Fixture) {
	b, k, s := f.broken(t, Hang)
	id := k.Algorithms()[0]
	start := time.Now()
	_, err := s.Sign(t.Context(), id, Digest(id))
	var failed *token.ModuleError
	if !errors.As(err, &failed) || failed.Reason != "timeout" {
		t.Errorf("Sign in a library that hangs: %v", err)
	}
	if took := time.Since(start); took > HangDeadline+2*time.Second {
		t.Errorf("took %v with a deadline of %v", took, HangDeadline)
	}
	s.Close()
	b.signs(t, b.key(t))
}

func slow(t *testing.T, f Fixture) {
	_, k, s := f.broken(t, Slow)
	id := k.Algorithms()[0]
	in := Digest(id)
	start := time.Now()
	sig, err := s.Sign(t.Context(), id, in)
	if err == nil {
		err = k.Certificate().Key.Verify(id, in, sig)
	}
	if err != nil {
		t.Errorf("a slow signature: %v", err)
	}
	if took := time.Since(start); took < SlowBy {
		t.Errorf("took %v: it was not slow", took)
	}
	s.Close()
}

func cancelSlow(t *testing.T, f Fixture) {
	b, k, s := f.broken(t, Slow)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	id := k.Algorithms()[0]
	start := time.Now()
	if _, err := s.Sign(ctx, id, Digest(id)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Sign given up: %v", err)
	}
	if took := time.Since(start); took > SlowBy {
		t.Errorf("giving up took %v", took)
	}
	s.Close()
	b.signs(t, b.key(t))
}
