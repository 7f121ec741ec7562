// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/cert"
	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// drawer is an inventory whose token can be pulled and plugged in. Its keys are the demonstration token's, which here counts as a
// device.
type drawer struct {
	token.Inventory
	mu      sync.Mutex
	present bool
	serials []string // of the tokens that hold the keys
	events  chan token.Event
}

type deviceKey struct {
	token.Key
	serial string
}

func (k deviceKey) Token() token.Info {
	i := k.Key.Token()
	i.Demo, i.Module, i.Path, i.Serial = false, "test", "", k.serial
	return i
}

func (k deviceKey) Open(ctx context.Context, ask token.PINFunc) (token.Session, error) {
	return k.Key.Open(ctx, func(ctx context.Context, r token.PINRequest) (secret.PIN, error) {
		r.Token = k.Token()
		return ask(ctx, r)
	})
}

const seenSerial = "0a1b2c"

func (d *drawer) Keys(ctx context.Context) ([]token.Key, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.present {
		return nil, nil
	}
	keys, err := d.Inventory.Keys(ctx)
	var held []token.Key
	for _, serial := range d.serials {
		for _, k := range keys {
			held = append(held, deviceKey{k, serial})
		}
	}
	return held, err
}

func (d *drawer) Events(context.Context) <-chan token.Event { return d.events }

func (d *drawer) plug(in bool) {
	d.mu.Lock()
	d.present = in
	d.mu.Unlock()
	select {
	case d.events <- token.Event{Kind: token.Inserted}:
	default:
	}
}

// remembering is a bench over a drawer whose token was seen and then pulled, with the id of a certificate on it.
func remembering(t *testing.T, p *person) (b *bench, d *drawer, id string) {
	t.Helper()
	b = newBench(t, p)
	d = &drawer{Inventory: b.demo, present: true, serials: []string{seenSerial}, events: make(chan token.Event, 1)}
	known := filepath.Join(t.TempDir(), "known.json")
	b.Engine = signing.New(d, p, reopened(t, b), signing.Options{Store: b.Store(), Known: signing.NewKnown(known), Trust: func() cert.Trust { return cert.Trust{} }})
	id = b.keys(t)[0].ID()
	d.plug(false)
	<-d.events
	if i, err := os.Stat(known); err != nil || i.Mode().Perm() != 0o600 {
		t.Fatal(i, err)
	}
	b.Engine = signing.New(d, p, reopened(t, b), signing.Options{Store: b.Store(), Known: signing.NewKnown(known)}) // as after a restart
	return b, d, id
}

// The question says which token is wanted; the yes waits for it, the PIN is asked for then, and the signature is of the certificate
// that was approved.
func TestInsert(t *testing.T) {
	var d *drawer
	var steps []signing.Step
	p := &person{pins: []string{keyfile.DemoPIN}}
	p.decide = func(_ context.Context, q signing.Question) (signing.Decision, error) {
		if !q.Absent || q.Token.Serial != "0a1b2c" || q.Token.LoginRequired || len(p.requests) != 0 {
			t.Errorf("%+v", q)
		}
		time.AfterFunc(200*time.Millisecond, func() { d.plug(true) })
		return signing.Decision{Approved: true}, nil
	}
	b, drawer, id := remembering(t, p)
	d = drawer
	ctx := signing.WithProgress(t.Context(), func(s signing.Step) { steps = append(steps, s) })
	var out bytes.Buffer
	made, err := b.SignCMS(ctx, page, signing.CMSRequest{Certificate: id, Content: b.content(t, "x")}, &out)
	if err != nil || made.Certificate.ID() != id || out.Len() == 0 {
		t.Fatal(err)
	}
	if len(p.requests) != 1 || p.outcomes[0].Code != "" || !slices.Contains(steps, signing.StepInsert) || slices.Index(steps, signing.StepInsert) > slices.Index(steps, signing.StepToken) {
		t.Errorf("%+v %+v %v", p.requests, p.outcomes, steps)
	}
	if got := b.records(t); !slices.Equal(got, []string{"begin sign ", "end sign ok"}) {
		t.Errorf("%q", got)
	}
}

// A batch and a login wait in the same way.
func TestInsertOthers(t *testing.T) {
	p := &person{pins: []string{keyfile.DemoPIN, keyfile.DemoPIN}, decide: yes}
	b, d, id := remembering(t, p)
	time.AfterFunc(100*time.Millisecond, func() { d.plug(true) })
	items := []signing.BatchItem{{ID: "a", Content: b.content(t, "a")}, {ID: "b", Content: b.content(t, "b")}}
	got, err := b.SignBatch(t.Context(), page, signing.BatchRequest{Certificate: id, Items: items}, func(signing.BatchSigned) {})
	if err != nil || got.Count(signing.ItemSigned) != 2 {
		t.Fatal(got, err)
	}
	d.plug(false)
	<-d.events
	time.AfterFunc(100*time.Millisecond, func() { d.plug(true) })
	if _, err := b.Login(t.Context(), page, signing.LoginRequest{Certificate: id, Nonce: nonce}); err != nil {
		t.Fatal(err)
	}
	if len(p.asked) != 2 || !p.asked[0].Absent || !p.asked[1].Absent {
		t.Errorf("%+v", p.asked)
	}
}

// A token that is not the one the window names is not taken for it, though it holds the same certificate and key: the person would
// type the PIN of theirs into it.
func TestInsertAnotherToken(t *testing.T) {
	p := &person{pins: []string{keyfile.DemoPIN}, decide: yes}
	b, d, id := remembering(t, p)
	hold := func(serials ...string) {
		d.mu.Lock()
		d.serials = serials
		d.mu.Unlock()
		d.plug(true)
	}
	time.AfterFunc(50*time.Millisecond, func() { hold("clone") })
	time.AfterFunc(200*time.Millisecond, func() { hold("clone", seenSerial) })
	if _, err := b.SignCMS(t.Context(), page, signing.CMSRequest{Certificate: id, Content: b.content(t, "x")}, io.Discard); err != nil {
		t.Fatal(err)
	}
	if len(p.requests) != 1 || p.requests[0].Token.Serial != seenSerial {
		t.Errorf("%+v", p.requests)
	}
}

// Whoever gives up, or goes away, waits no longer.
func TestInsertEnds(t *testing.T) {
	p := &person{decide: yes, stop: make(chan struct{})}
	b, _, id := remembering(t, p)
	sign := func(ctx context.Context) error {
		_, err := b.SignCMS(ctx, page, signing.CMSRequest{Certificate: id, Content: b.content(t, "x")}, io.Discard)
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := sign(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { close(p.stop) })
	if err := sign(t.Context()); !errors.Is(err, proto.CodeUserRejected) {
		t.Error(err)
	}
	p.decide = no
	if err := sign(t.Context()); !errors.Is(err, proto.CodeUserRejected) {
		t.Error(err)
	}
	want := []string{"begin sign ", "end sign request_cancelled", "begin sign ", "end sign user_rejected", "note refused user_rejected"}
	if got := b.records(t); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// After half an hour the answer is that there is no token.
func TestInsertTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, id := remembering(t, &person{decide: yes})
		start := time.Now()
		_, err := b.SignCMS(t.Context(), page, signing.CMSRequest{Certificate: id, Content: b.content(t, "x")}, io.Discard)
		if !errors.Is(err, proto.CodeTokenAbsent) || time.Since(start) != 30*time.Minute {
			t.Error(err, time.Since(start))
		}
	})
}

// Where nobody can be told which token to plug in, the answer is at once that the certificate is not there; so it is when it was
// never seen, or was forgotten.
func TestNotWaitedFor(t *testing.T) {
	b, d, id := remembering(t, &person{decide: yes})
	sign := func(e *signing.Engine, id string) error {
		_, err := e.SignCMS(t.Context(), page, signing.CMSRequest{Certificate: id, Content: b.content(t, "x")}, io.Discard)
		return err
	}
	none := b.asking(t, approver(func() (signing.Prompt, error) { return nil, signing.ErrNoPrompt }))
	if err := sign(signing.New(d, approver(func() (signing.Prompt, error) { return nil, signing.ErrNoPrompt }), nil, signing.Options{Store: none.Store()}), id); !errors.Is(err, proto.CodeCertificateAbsent) {
		t.Error(err)
	}
	if err := sign(b.Engine, "00ff"); !errors.Is(err, proto.CodeCertificateAbsent) {
		t.Error(err)
	}
	if known := b.Known(); len(known) == 0 || known[0].Serial != "0a1b2c" {
		t.Errorf("%+v", known)
	}
	if err := b.Forget(id); err != nil {
		t.Error(err)
	}
	if err := b.Forget(id); !errors.Is(err, proto.CodeCertificateAbsent) {
		t.Error(err)
	}
	if err := sign(b.Engine, id); !errors.Is(err, proto.CodeCertificateAbsent) || len(b.person.asked) != 0 {
		t.Error(err, b.person.asked)
	}
	if err := b.Forget(""); err != nil || len(b.Known()) != 0 {
		t.Error(err, b.Known())
	}
}

// A certificate whose token is not here stands among those that cannot be chosen, when it would fit otherwise.
func TestUnpluggedIsNamed(t *testing.T) {
	p := &person{decide: no}
	b, d, _ := remembering(t, p)
	_, err := b.Select(t.Context(), page, signing.SelectRequest{Purpose: signing.KindSign})
	var pe *proto.Error
	if !errors.As(err, &pe) || pe.Args["reasons"] != "token_absent" || p.asked[0].Choices[0].Refusal.Args["serial"] != "0a1b2c" {
		t.Errorf("%v %+v", err, p.asked)
	}
	_, err = b.Select(t.Context(), page, signing.SelectRequest{Purpose: signing.KindSign, Filter: proto.CertificateFilter{INN: "000000000001"}})
	if !errors.As(err, &pe) || pe.Args["reasons"] != "" || len(p.asked) != 1 {
		t.Errorf("%v %v", err, pe.Args)
	}
	d.plug(true)
	if _, err = b.Select(t.Context(), page, signing.SelectRequest{Purpose: signing.KindSign}); !errors.Is(err, proto.CodeUserRejected) {
		t.Error(err)
	}
	for _, c := range p.asked[1].Choices {
		if c.Refusal != nil {
			t.Errorf("%+v", c.Refusal)
		}
	}
}
