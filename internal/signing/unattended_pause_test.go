// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package signing_test

import (
	"context"
	"errors"
	"testing"

	"persten/internal/algo"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// A person who pauses Persten stops signatures without a person too, of programs as of pages.
func TestUnattendedPause(t *testing.T) {
	p := &person{}
	s := newServer(t, p, keyfile.DemoPIN)
	for _, paused := range []bool{true, false, true, false} {
		s.Pause(paused)
		if err := s.signs(t, context.Background(), page); paused != errors.Is(err, proto.CodeAgentPaused) || !paused && err != nil {
			t.Errorf("paused %v: %v", paused, err)
		}
		if n := s.Unattended(); (n == 0) != paused {
			t.Errorf("paused %v: %d rules can be used", paused, n)
		}
	}
	if len(p.asked) > 0 {
		t.Error("somebody was asked")
	}
}

// Who waited for a turn when the person paused gets no PIN.
func TestUnattendedPauseOfWaiting(t *testing.T) {
	p := &person{}
	s := newServer(t, p, keyfile.DemoPIN)
	u := signing.NewUnattended(p, []signing.Grant{s.grant}, s.journal, s.state)
	q := signing.Question{Kind: signing.KindSign, Via: page.Via, Origin: page.Origin, Certificate: &signing.Certificate{ID: s.id}}
	ask := func() signing.Prompt {
		t.Helper()
		prompt, err := u.Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := prompt.Decide(t.Context()); err != nil || !d.Approved {
			t.Fatal(d, err)
		}
		return prompt
	}
	first, second := ask(), ask()
	pin, err := first.PIN(t.Context(), token.PINRequest{Attempts: -1})
	if err != nil {
		t.Fatal(err)
	}
	pin.Close()
	waited := make(chan error)
	go func() {
		pin, err := second.PIN(t.Context(), token.PINRequest{Attempts: -1})
		pin.Close()
		waited <- err
	}()
	u.Pause(true)
	first.Close(signing.Outcome{})
	if err := <-waited; !errors.Is(err, proto.CodeAgentPaused) {
		t.Errorf("after the pause: %v", err)
	}
	second.Close(signing.Outcome{})
}

// A pause ends a batch that policy approved, with its account, and lets no request go on that waited for the token.
func TestUnattendedPauseUnderWay(t *testing.T) {
	s := newServer(t, &person{}, keyfile.DemoPIN)
	s.grant.PerHour = 10000
	s.restart(t)
	r := s.digests(t, 400)
	r.Certificate = s.id
	for i := range r.Items {
		r.Items[i].Digest = make([]byte, digestSize(t, s))
	}
	got := taken{at: func(n int) {
		if n == 5 {
			s.Pause(true)
		}
	}}
	made, err := s.SignBatch(t.Context(), page, r, got.each)
	if err != nil || !errors.Is(made.Stopped, proto.CodeUserStopped) || made.Count(signing.ItemNotSigned) == 0 {
		t.Fatalf("%+v, %v", made, err)
	}
	s.account(t, made, got.list)
	s.Pause(false)
	s.keys = opening{s.demo, func() { s.Pause(true) }}
	s.restart(t)
	if err := s.signs(t, t.Context(), page); !errors.Is(err, proto.CodeAgentPaused) {
		t.Errorf("paused while the key was opened: %v", err)
	}
	s.Pause(false)
	s.keys = s.demo
	s.restart(t)
	if err := s.signs(t, t.Context(), page); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// digestSize is how long the digests are that the server's key signs.
func digestSize(t *testing.T, s *server) int {
	t.Helper()
	for _, k := range s.bench.keys(t) {
		if a, ok := algo.Lookup(k.Algorithms()[0]); ok && k.ID() == s.id {
			return a.Digest.Size()
		}
	}
	t.Fatal("no such key")
	return 0
}

// opening keys tell when they are opened.
type opening struct {
	token.Inventory
	opened func()
}

type openingKey struct {
	token.Key
	opened func()
}

func (o opening) Keys(ctx context.Context) ([]token.Key, error) {
	list, err := o.Inventory.Keys(ctx)
	out := make([]token.Key, len(list))
	for i, k := range list {
		out[i] = openingKey{k, o.opened}
	}
	return out, err
}

func (k openingKey) Open(ctx context.Context, pin token.PINFunc) (token.Session, error) {
	s, err := k.Key.Open(ctx, pin)
	k.opened()
	return s, err
}
