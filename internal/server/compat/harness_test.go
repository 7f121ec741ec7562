// SPDX-License-Identifier: GPL-3.0-or-later

package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/config"
	"persten/internal/ipc"
	"persten/internal/journal"
	"persten/internal/secret"
	"persten/internal/server"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
)

const portal = "https://portal.example"

var (
	demo    *keyfile.Demo
	visitor = ipc.Peer{Via: ipc.ViaWebSocket, Origin: portal}
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	askEvery = 20 * time.Millisecond
	dir, err := os.MkdirTemp("", "compat-test-")
	if err == nil {
		demo, err = keyfile.OpenDemo(dir)
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// person answers every prompt; it is the one part of these tests that is not real.
type person struct {
	no     map[signing.Kind]bool // questions that are declined
	choose string                // part of the key's description that is chosen
	never  bool                  // does not answer

	mu    sync.Mutex
	asked []signing.Question
}

func (p *person) Ask(_ context.Context, q signing.Question) (signing.Prompt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, q)
	return prompt{p, q}, nil
}

// kinds are the questions so far.
func (p *person) kinds() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for _, q := range p.asked {
		list = append(list, string(q.Kind))
	}
	return strings.Join(list, " ")
}

type prompt struct {
	p *person
	q signing.Question
}

func (p prompt) Decide(ctx context.Context) (signing.Decision, error) {
	if p.p.never {
		<-ctx.Done()
		return signing.Decision{}, ctx.Err()
	}
	chosen := slices.IndexFunc(p.q.Choices, func(c signing.Choice) bool { return strings.Contains(c.Certificate.Key, p.p.choose) })
	return signing.Decision{Approved: !p.p.no[p.q.Kind], Chosen: max(chosen, 0)}, nil
}

func (p prompt) PIN(context.Context, token.PINRequest) (secret.PIN, error) {
	pin, w, err := secret.Pipe()
	if err != nil {
		return pin, err
	}
	defer w.Close()
	_, err = io.WriteString(w, keyfile.DemoPIN)
	return pin, err
}

func (prompt) Progress(signing.Step)       {}
func (prompt) Close(signing.Outcome) error { return nil }

// bench is an agent over the demo token, with portal allowed.
type bench struct {
	*server.Server
	engine *signing.Engine
}

func newBench(t testing.TB, p *person) *bench {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := signing.NewStore(filepath.Join(dir, "spool"), signing.BatchLimits)
	if err != nil {
		t.Fatal(err)
	}
	origins, err := config.OpenOrigins(filepath.Join(dir, "origins.json"), nil, portal)
	if err != nil {
		t.Fatal(err)
	}
	trust := func() cert.Trust { return cert.Trust{Roots: []*cert.Certificate{demo.CA()}} }
	b := &bench{engine: signing.New(demo, p, j, signing.Options{Store: store, Trust: trust})}
	b.Server = server.New(server.Options{Engine: b.engine, Origins: origins, Lang: "en"})
	return b
}

// nca is a page's end of an NCALayer connection.
type nca struct {
	ipc.Conn
	ended chan error
}

func (b *bench) nca(t testing.TB, peer ipc.Peer) *nca {
	t.Helper()
	far, near := ipc.Pipe()
	n := &nca{Conn: near, ended: make(chan error, 1)}
	go func() {
		defer far.Close() // as the listener does
		n.ended <- NCALayer(context.Background(), b.Server, far, peer, "en")
	}()
	t.Cleanup(func() { near.Close(); <-n.ended })
	if got := n.recv(t); got != ncaGreeting {
		t.Fatalf("greeted %s", got)
	}
	return n
}

func (n *nca) recv(t testing.TB) string {
	t.Helper()
	b, err := n.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ask sends a message and returns the answer.
func (n *nca) ask(t testing.TB, msg string) string {
	t.Helper()
	if err := n.Send([]byte(msg)); err != nil {
		t.Fatal(err)
	}
	return n.recv(t)
}

func decoded[T any](t testing.TB, s string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

// signed checks a CMS signature; content is nil for an attached one.
func (b *bench) signed(t testing.TB, der, content []byte) {
	t.Helper()
	var r io.Reader
	if content != nil {
		r = bytes.NewReader(content)
	}
	report, err := b.engine.VerifyCMS(t.Context(), bytes.NewReader(der), r)
	valid(t, report, err)
}

func (b *bench) signedXML(t testing.TB, doc string) {
	t.Helper()
	report, err := b.engine.VerifyXML(t.Context(), strings.NewReader(doc), nil)
	valid(t, report, err)
}

func valid(t testing.TB, report *cms.Report, err error) {
	t.Helper()
	if err != nil || len(report.Signers) != 1 || !report.Valid() {
		t.Errorf("signature: %+v, %v", report, err)
	}
}
