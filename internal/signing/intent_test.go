// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package signing_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/journal"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// order of what happens to a key and to its record.
type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) add(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, what)
}

func (e *events) at(what string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Index(e.list, what)
}

// watchedKeys are keys of which every use is noted.
type watchedKeys struct {
	token.Inventory
	e *events
}

type watchedKey struct {
	token.Key
	e *events
}

type watchedSession struct {
	token.Session
	e *events
}

func (w watchedKeys) Keys(ctx context.Context) ([]token.Key, error) {
	list, err := w.Inventory.Keys(ctx)
	out := make([]token.Key, len(list))
	for i, k := range list {
		out[i] = watchedKey{k, w.e}
	}
	return out, err
}

func (k watchedKey) Open(ctx context.Context, pin token.PINFunc) (token.Session, error) {
	s, err := k.Key.Open(ctx, pin)
	k.e.add("open")
	return watchedSession{s, k.e}, err
}

func (s watchedSession) Sign(ctx context.Context, id algo.ID, in algo.Input) ([]byte, error) {
	s.e.add("sign")
	return s.Session.Sign(ctx, id, in)
}

func (s watchedSession) Close() error {
	s.e.add("close")
	return s.Session.Close()
}

// slowDisk is a journal whose disk is not done before the key has long been opened.
type slowDisk struct {
	signing.Journal
	e   *events
	err error
}

func (d slowDisk) Begin(ctx context.Context, r journal.Record) (*journal.Entry, error) {
	for range 200 {
		if d.e.at("open") >= 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	if d.err != nil {
		return nil, d.err
	}
	entry, err := d.Journal.Begin(ctx, r)
	d.e.add("on disk")
	return entry, err
}

// TestIntentBeforeUse: where policy answers, the key is opened while the intent is written, and used only when it is on disk; if
// it never is, the key is not used and closed again.
func TestIntentBeforeUse(t *testing.T) {
	for _, c := range []struct {
		name string
		disk error
		want []string
		err  proto.Code
	}{
		{"written late", nil, []string{"open", "on disk", "sign", "close"}, ""},
		{"not written", journal.ErrUnwritable, []string{"open", "close"}, proto.CodeJournalUnwritable},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, &person{}, keyfile.DemoPIN)
			e := &events{}
			u := signing.NewUnattended(s.person, []signing.Grant{s.grant}, s.journal, s.state)
			s.Engine = signing.New(watchedKeys{s.demo, e}, u, slowDisk{reopened(t, s.bench), e, c.disk}, signing.Options{Store: s.Store()})
			err := s.signs(t, context.Background(), page)
			if (c.err == "") != (err == nil) || c.err != "" && !errors.Is(err, c.err) {
				t.Errorf("%v, want %q", err, c.err)
			}
			if !slices.Equal(e.list, c.want) {
				t.Errorf("%q, want %q", e.list, c.want)
			}
		})
	}
}

// A person types no PIN for a signature that cannot be recorded.
func TestIntentBeforePIN(t *testing.T) {
	p := &person{decide: yes, pins: []string{keyfile.DemoPIN}}
	b := newBench(t, p)
	e := &events{}
	b.Engine = signing.New(watchedKeys{b.demo, e}, p, slowDisk{reopened(t, b), e, journal.ErrUnwritable}, signing.Options{Store: b.Store()})
	s := &server{bench: b, id: b.keys(t)[0].ID()}
	if err := s.signs(t, context.Background(), page); !errors.Is(err, proto.CodeJournalUnwritable) || len(p.requests) > 0 || len(e.list) > 0 {
		t.Errorf("%v, %d PINs asked for, %q", err, len(p.requests), e.list)
	}
}

// panicking panics where a signature is made.
type panicking struct{ watchedKeys }

type panickingKey struct{ watchedKey }

type panickingSession struct{ watchedSession }

func (p panicking) Keys(ctx context.Context) ([]token.Key, error) {
	list, err := p.watchedKeys.Keys(ctx)
	for i, k := range list {
		list[i] = panickingKey{k.(watchedKey)}
	}
	return list, err
}

func (k panickingKey) Open(ctx context.Context, pin token.PINFunc) (token.Session, error) {
	s, err := k.watchedKey.Open(ctx, pin)
	if err != nil {
		return nil, err
	}
	return panickingSession{s.(watchedSession)}, nil
}

func (panickingSession) Sign(context.Context, algo.ID, algo.Input) ([]byte, error) { panic("no") }

// A panic while a document is signed leaves nobody logged in and the token to the next request; one document of a batch that
// panics ends the batch, not the agent.
func TestPanicLogsOut(t *testing.T) {
	p := &person{decide: yes, pins: []string{keyfile.DemoPIN, keyfile.DemoPIN}}
	b := newBench(t, p)
	e := &events{}
	plain := b.Engine
	b.Engine = signing.New(panicking{watchedKeys{b.demo, e}}, p, reopened(t, b), signing.Options{Store: b.Store()})
	s := &server{bench: b, id: b.keys(t)[0].ID()}
	func() {
		defer func() { recover() }()
		t.Errorf("no panic: %v", s.signs(t, context.Background(), page))
	}()
	if !slices.Equal(e.list, []string{"open", "close"}) {
		t.Fatalf("%q", e.list)
	}
	r, err := b.SignBatch(t.Context(), page, b.digests(t, 3), func(signing.BatchSigned) { t.Error("signed") })
	if r != nil || !errors.Is(err, proto.CodeInternal) {
		t.Errorf("batch: %+v, %v", r, err)
	}
	if !slices.Equal(e.list, []string{"open", "close", "open", "close"}) {
		t.Errorf("%q", e.list)
	}
	b.Engine, p.pins = plain, []string{keyfile.DemoPIN}
	if err := s.signs(t, t.Context(), page); err != nil {
		t.Errorf("the next request: %v", err)
	}
}
