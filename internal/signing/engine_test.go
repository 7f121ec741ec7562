// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"persten/internal/cert"
	"persten/internal/journal"
	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// person answers prompts as a test says; it is the one part of these tests that is not real.
type person struct {
	decide func(ctx context.Context, q signing.Question) (signing.Decision, error)
	pins   []string      // typed one after the other; none left: gives up
	stop   chan struct{} // closed: stops the batch

	mu       sync.Mutex
	asked    []signing.Question
	outcomes []signing.Outcome
	requests []token.PINRequest
}

func (p *person) Ask(_ context.Context, q signing.Question) (signing.Prompt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, q)
	return &answer{p, q}, nil
}

type answer struct {
	*person
	q signing.Question
}

func (a *answer) Decide(ctx context.Context) (signing.Decision, error) { return a.decide(ctx, a.q) }
func (a *answer) Progress(signing.Step)                                {}
func (a *answer) Stopped() <-chan struct{}                             { return a.stop }

func (a *answer) PIN(_ context.Context, r token.PINRequest) (secret.PIN, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, r)
	if len(a.pins) == 0 {
		return secret.PIN{}, signing.ErrRejected
	}
	typed := a.pins[0]
	a.pins = a.pins[1:]
	pin, w, err := secret.Pipe()
	if err != nil {
		return pin, err
	}
	defer w.Close()
	_, err = io.WriteString(w, typed)
	return pin, err
}

func (a *answer) Close(o signing.Outcome) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.outcomes = append(a.outcomes, o)
	return nil
}

func yes(context.Context, signing.Question) (signing.Decision, error) {
	return signing.Decision{Approved: true}, nil
}

func no(context.Context, signing.Question) (signing.Decision, error) {
	return signing.Decision{}, nil
}

// bench is an engine over the demo token.
type bench struct {
	*signing.Engine
	person  *person
	journal string
	demo    *keyfile.Demo
}

func newBench(t *testing.T, p *person) *bench {
	t.Helper()
	dir := t.TempDir()
	demo, err := keyfile.OpenDemo(filepath.Join(dir, "token"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal.jsonl")
	j, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	store, err := signing.NewStore(filepath.Join(dir, "spool"), signing.BatchLimits)
	if err != nil {
		t.Fatal(err)
	}
	trust := func() cert.Trust { return cert.Trust{Roots: []*cert.Certificate{demo.CA()}} }
	e := signing.New(demo, p, j, signing.Options{Store: store, Trust: trust, Version: "test"})
	return &bench{Engine: e, person: p, journal: path, demo: demo}
}

func (b *bench) keys(t *testing.T) []token.Key {
	t.Helper()
	keys, problems, err := b.Keys(context.Background())
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	return keys
}

var page = signing.Caller{Channel: "ch", Origin: "https://portal.example", Via: signing.ViaNative, User: "u", Lang: "en"}

func (b *bench) content(t *testing.T, text string) *signing.Content {
	t.Helper()
	_, c, err := b.Store().Create(page.Channel, "letter.txt", "text/plain", func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// records returns the journal's lines of one kind as "type kind result".
func (b *bench) records(t *testing.T) []string {
	t.Helper()
	lines, err := journal.List(b.journal, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range lines {
		out = append(out, fmt.Sprintf("%s %s %s", l.Type, l.Kind, l.Result))
	}
	return out
}

func TestSignEveryKey(t *testing.T) {
	b := newBench(t, &person{decide: yes})
	for _, k := range b.keys(t) {
		for _, attached := range []bool{false, true} {
			b.person.pins = []string{keyfile.DemoPIN}
			var out bytes.Buffer
			c := b.content(t, "hello")
			if _, err := b.SignCMS(context.Background(), page, signing.CMSRequest{Certificate: k.ID(), Content: c, Attached: attached}, &out); err != nil {
				t.Fatalf("%s: %v", k.Certificate().Key.Describe(), err)
			}
			var content io.Reader
			if !attached {
				content = c.Reader()
			}
			report, err := b.VerifyCMS(context.Background(), &out, content)
			if err != nil || !report.Trusted() {
				t.Fatalf("%s attached=%v: %v %+v", k.Certificate().Key.Describe(), attached, err, report)
			}
		}
	}
	if n := len(b.records(t)); n != 16 {
		t.Errorf("%d journal lines for 8 signatures, want 16", n)
	}
}

func TestRejectSignsNothing(t *testing.T) {
	b := newBench(t, &person{decide: no})
	var out bytes.Buffer
	_, err := b.SignCMS(context.Background(), page, signing.CMSRequest{Certificate: b.keys(t)[0].ID(), Content: b.content(t, "x")}, &out)
	if !errors.Is(err, proto.CodeUserRejected) || out.Len() != 0 {
		t.Fatalf("%v, %d bytes", err, out.Len())
	}
	if got := b.records(t); len(got) != 1 || got[0] != "note refused user_rejected" {
		t.Errorf("journal: %q", got)
	}
	if o := b.person.outcomes; len(o) != 1 || o[0].Code != "user_rejected" {
		t.Errorf("outcomes: %+v", o)
	}
}

func TestWrongPIN(t *testing.T) {
	b := newBench(t, &person{decide: yes, pins: []string{"0000", keyfile.DemoPIN}})
	var out bytes.Buffer
	if _, err := b.SignCMS(context.Background(), page, signing.CMSRequest{Certificate: b.keys(t)[0].ID(), Content: b.content(t, "x")}, &out); err != nil {
		t.Fatal(err)
	}
	r := b.person.requests
	if len(r) != 2 || r[0].Wrong || !r[1].Wrong || r[1].Attempts != keyfile.DemoAttempts-1 {
		t.Errorf("requests: %+v", r)
	}
	if got := b.records(t); len(got) != 3 || got[1] != "note pin pin_incorrect" {
		t.Errorf("journal: %q", got)
	}
}

func TestTwoWrongPINsEndTheRequest(t *testing.T) {
	b := newBench(t, &person{decide: yes, pins: []string{"0000", "1111", keyfile.DemoPIN}})
	var out bytes.Buffer
	_, err := b.SignCMS(context.Background(), page, signing.CMSRequest{Certificate: b.keys(t)[0].ID(), Content: b.content(t, "x")}, &out)
	if !errors.Is(err, proto.CodePINIncorrect) || out.Len() != 0 || len(b.person.pins) != 1 {
		t.Fatalf("%v, %d bytes, %d PINs left", err, out.Len(), len(b.person.pins))
	}
}

func TestClosedTabClosesThePrompt(t *testing.T) {
	shown := make(chan struct{})
	b := newBench(t, &person{decide: func(ctx context.Context, _ signing.Question) (signing.Decision, error) {
		close(shown)
		<-ctx.Done()
		return signing.Decision{}, ctx.Err()
	}})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-shown; cancel() }()
	var out bytes.Buffer
	_, err := b.SignCMS(ctx, page, signing.CMSRequest{Certificate: b.keys(t)[0].ID(), Content: b.content(t, "x")}, &out)
	if !errors.Is(err, context.Canceled) || out.Len() != 0 {
		t.Fatalf("%v, %d bytes", err, out.Len())
	}
	if got := b.records(t); len(got) != 1 || got[0] != "note refused request_cancelled" {
		t.Errorf("journal: %q", got)
	}
}

func TestOnePromptForEachOrigin(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b := newBench(t, &person{decide: func(ctx context.Context, _ signing.Question) (signing.Decision, error) {
		<-ctx.Done()
		return signing.Decision{}, ctx.Err()
	}})
	id := b.keys(t)[0].ID()
	var wg sync.WaitGroup
	results := make(chan error, 100)
	c := b.content(t, "x")
	for range 100 {
		wg.Go(func() {
			_, err := b.SignCMS(ctx, page, signing.CMSRequest{Certificate: id, Content: c}, io.Discard)
			results <- err
		})
	}
	limited := 0
	for limited < 83 { // 1 asking, 16 waiting
		if err := <-results; !errors.Is(err, proto.CodeRequestLimit) {
			t.Fatal(err)
		}
		limited++
	}
	if n := b.Prompts(); n != 1 {
		t.Errorf("%d prompts open", n)
	}
	cancel()
	wg.Wait()
	if n := b.Prompts(); n != 0 {
		t.Errorf("%d prompts left", n)
	}
	if len(b.person.asked) != 1 {
		t.Errorf("%d questions", len(b.person.asked))
	}
}

func TestJournalThatCannotBeWritten(t *testing.T) {
	p := &person{decide: yes, pins: []string{keyfile.DemoPIN}}
	b := newBench(t, p)
	store, err := signing.NewStore(t.TempDir(), signing.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	e := signing.New(b.demo, p, broken{}, signing.Options{Store: store})
	var out bytes.Buffer
	_, err = e.SignCMS(context.Background(), page, signing.CMSRequest{Certificate: b.keys(t)[0].ID(), Content: b.content(t, "x")}, &out)
	if !errors.Is(err, proto.CodeJournalUnwritable) || len(p.pins) != 1 || out.Len() != 0 {
		t.Fatalf("%v, %d PINs left, %d bytes", err, len(p.pins), out.Len())
	}
}

type broken struct{}

func (broken) Begin(context.Context, journal.Record) (*journal.Entry, error) {
	return nil, journal.ErrUnwritable
}
func (broken) Note(journal.Record) error { return journal.ErrUnwritable }

func TestAskOrigin(t *testing.T) {
	for _, allow := range []bool{true, false} {
		p := &person{decide: func(context.Context, signing.Question) (signing.Decision, error) {
			return signing.Decision{Approved: allow}, nil
		}}
		b := newBench(t, p)
		got, err := b.AskOrigin(context.Background(), page)
		if err != nil || got != allow {
			t.Fatalf("allow=%v: %v %v", allow, got, err)
		}
		want := map[bool]string{true: "note origin ok", false: "note origin user_rejected"}[allow]
		if r := b.records(t); len(r) != 1 || r[0] != want {
			t.Errorf("journal: %q, want %q", r, want)
		}
	}
}

func TestStore(t *testing.T) {
	s, err := signing.NewStore(t.TempDir(), signing.Limits{Content: 10, Channel: 15, Handles: 2, Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	open := func(ch string) string {
		t.Helper()
		h, err := s.Open(ch, "n", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	a := open("one")
	if n, err := s.Append("one", a, []byte("12345678")); err != nil || n != 8 {
		t.Fatal(n, err)
	}
	want := func(err error, code proto.Code) {
		t.Helper()
		if !errors.Is(err, code) {
			t.Errorf("%v, want %s", err, code)
		}
	}
	_, err = s.Append("one", a, []byte("345"))
	want(err, proto.CodeContentTooLarge)
	_, _, err = s.Read("one", a, 0, 5)
	want(err, proto.CodeContentNotSealed)
	_, err = s.Append("two", a, nil)
	want(err, proto.CodeContentAbsent)
	if n, err := s.Seal("one", a); n != 8 || err != nil {
		t.Fatal(n, err)
	}
	_, err = s.Append("one", a, []byte("x"))
	want(err, proto.CodeContentSealed)
	if data, eof, err := s.Read("one", a, 5, 10); string(data) != "678" || !eof || err != nil {
		t.Errorf("%q %v %v", data, eof, err)
	}
	b := open("one")
	_, err = s.Append("one", b, []byte("12345678"))
	want(err, proto.CodeContentQuota)
	_, err = s.Open("one", "n", "", 0)
	want(err, proto.CodeContentQuota)
	_, err = s.Open("two", "n", "", 11)
	want(err, proto.CodeContentTooLarge)
	s.DropChannel("one")
	_, err = s.Sealed("one", a)
	want(err, proto.CodeContentAbsent)
}

// failing is an inventory without keys whose listing fails.
type failing struct {
	token.Inventory
	err error
}

func (f failing) Keys(context.Context) ([]token.Key, error) { return nil, f.err }

func TestAbsentCertificate(t *testing.T) {
	b := newBench(t, &person{decide: yes})
	c := b.content(t, "x")
	for _, tt := range []struct {
		reason string
		want   proto.Code
	}{
		{token.ReasonInitialise, proto.CodeCertificateAbsent}, // it never showed a certificate
		{"crashed", proto.CodeModuleFailed},                   // the certificate may be behind it
		{token.ReasonLicence, proto.CodeModuleLicence},
	} {
		broken := failing{err: &token.ModuleError{Module: "m", Reason: tt.reason}}
		store, err := signing.NewStore(t.TempDir(), signing.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		e := signing.New(token.Join(b.demo, broken), b.person, nil, signing.Options{Store: store})
		_, err = e.SignCMS(context.Background(), page, signing.CMSRequest{Certificate: "00ff", Content: c}, io.Discard)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %s", tt.reason, err, tt.want)
		}
	}
}

// Where no certificate fits, a module that failed may hold the one that does.
func TestSelectBehindAFailure(t *testing.T) {
	for reason, want := range map[string]proto.Code{token.ReasonInitialise: proto.CodeCertificateNone, "crashed": proto.CodeModuleFailed} {
		b := newBench(t, &person{decide: yes}).over(t, failing{err: &token.ModuleError{Module: "m", Reason: reason}})
		if _, err := b.Select(t.Context(), page, signing.SelectRequest{Purpose: signing.KindLogin}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %s", reason, err, want)
		}
	}
}

// TestNoSoftware: where policy forbids software keys, the demo token's neither sign nor are listed as usable.
func TestNoSoftware(t *testing.T) {
	b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
	store, err := signing.NewStore(t.TempDir(), signing.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	e := signing.New(b.demo, b.person, nil, signing.Options{Store: store, NoSoftware: true})
	keys := b.keys(t)
	_, err = e.SignCMS(context.Background(), page, signing.CMSRequest{Certificate: keys[0].ID(), Content: b.content(t, "x")}, io.Discard)
	if !errors.Is(err, proto.CodePolicyForbids) || len(b.person.asked) != 0 {
		t.Errorf("%v, %d questions", err, len(b.person.asked))
	}
	for _, c := range e.Listed(keys, true, time.Now()) {
		if c.Usable || c.Reason != proto.CodePolicyForbids {
			t.Errorf("%s: usable %v, reason %s", c.Key, c.Usable, c.Reason)
		}
	}
}

// TestHinders: a driver nobody needs does not make the whole agent look broken.
func TestHinders(t *testing.T) {
	idle := proto.E(proto.CodeModuleNotStarted, nil, "module", "opensc", "reason", token.ReasonInitialise)
	dead := proto.E(proto.CodeModuleFailed, nil, "module", "rutoken", "reason", "crashed")
	taken := proto.E(proto.CodePortTaken, nil, "port", "13579", "name", "NCALayer")
	for _, c := range []struct {
		problem *proto.Error
		tokens  int
		want    bool
	}{{idle, 1, false}, {idle, 0, true}, {dead, 1, true}, {taken, 1, true}} {
		if got := signing.Hinders(c.problem, c.tokens); got != c.want {
			t.Errorf("%v with %d tokens: %v", c.problem, c.tokens, got)
		}
	}
}
