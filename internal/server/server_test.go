// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"persten/internal/cert"
	"persten/internal/config"
	"persten/internal/doctor"
	"persten/internal/ipc"
	"persten/internal/journal"
	"persten/internal/rpc"
	"persten/internal/secret"
	"persten/internal/server"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

const (
	portal = "https://portal.example"
	denied = "https://denied.example"
	other  = "https://other.example"
)

var (
	demo *keyfile.Demo

	local     = ipc.Peer{Via: ipc.ViaUnix, PID: 1}
	native    = ipc.Peer{Via: ipc.ViaNative, Origin: portal, Top: portal, Frame: "0", Extension: "x"}
	websocket = ipc.Peer{Via: ipc.ViaWebSocket, Origin: portal}
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	dir, err := os.MkdirTemp("", "server-test-")
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
	decide func(ctx context.Context, q signing.Question) (bool, error)
	pin    func(ctx context.Context) error                               // before the PIN is given; may be nil
	step   func(ctx context.Context, q signing.Question, s signing.Step) // shown each step; may be nil

	mu     sync.Mutex
	asked  []signing.Question
	closed int
}

func (p *person) Ask(ctx context.Context, q signing.Question) (signing.Prompt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, q)
	return prompt{p, q, ctx}, nil
}

func (p *person) questions() []signing.Question {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]signing.Question(nil), p.asked...)
}

type prompt struct {
	*person
	q   signing.Question
	ctx context.Context // of the request
}

func (p prompt) Decide(ctx context.Context) (signing.Decision, error) {
	ok, err := p.decide(ctx, p.q)
	return signing.Decision{Approved: ok}, err
}

func (p prompt) PIN(ctx context.Context, _ token.PINRequest) (secret.PIN, error) {
	if p.pin != nil {
		if err := p.pin(ctx); err != nil {
			return secret.PIN{}, err
		}
	}
	pin, w, err := secret.Pipe()
	if err != nil {
		return pin, err
	}
	defer w.Close()
	_, err = io.WriteString(w, keyfile.DemoPIN)
	return pin, err
}

func (p prompt) Progress(s signing.Step) {
	if p.step != nil {
		p.step(p.ctx, p.q, s)
	}
}

func (p prompt) Close(signing.Outcome) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed++
	return nil
}

func yes(context.Context, signing.Question) (bool, error) { return true, nil }
func no(context.Context, signing.Question) (bool, error)  { return false, nil }

func never(ctx context.Context, _ signing.Question) (bool, error) {
	<-ctx.Done()
	return true, ctx.Err()
}

// bench is a server over the demo token, with portal allowed, denied denied and every other site unknown.
type bench struct {
	*server.Server
	engine  *signing.Engine
	origins *config.Origins
	journal string
	person  *person
	stopped atomic.Bool
}

// errBroken is a cause no client may see.
var errBroken = errors.New("canary: /secret/path of a module")

func newBench(t testing.TB, p *person, keys token.Inventory) *bench {
	t.Helper()
	return newBenchIn(t, t.TempDir(), p, keys)
}

func newBenchIn(t testing.TB, dir string, p *person, keys token.Inventory) *bench {
	t.Helper()
	b := &bench{person: p, journal: filepath.Join(dir, "journal.jsonl")}
	j, err := journal.Open(b.journal)
	if err != nil {
		t.Fatal(err)
	}
	store, err := signing.NewStore(filepath.Join(dir, "spool"), signing.BatchLimits)
	if err != nil {
		t.Fatal(err)
	}
	if b.origins, err = config.OpenOrigins(filepath.Join(dir, "origins.json"), nil, portal); err != nil {
		t.Fatal(err)
	}
	if err := b.origins.Deny(denied); err != nil {
		t.Fatal(err)
	}
	trust := func() cert.Trust { return cert.Trust{Roots: []*cert.Certificate{demo.CA()}} }
	b.engine = signing.New(keys, p, j, signing.Options{
		Store: store, Trust: trust, Version: "0.1.0", Changed: func() { b.Server.Changed() },
	})
	identity, err := config.OpenIdentity(filepath.Join(dir, "agent.key"))
	if err != nil {
		t.Fatal(err)
	}
	b.Server = server.New(server.Options{
		Engine: b.engine, Origins: b.origins, Journal: journalFile(b.journal), Settings: config.OpenSettings(filepath.Join(dir, "settings.json"), &config.Config{}),
		KeyFiles: noFiles{}, Identity: identity, Version: "0.1.0", User: "u", Lang: "en",
		Doctor: doctor.New(&doctor.Machine{Socket: filepath.Join(dir, "session.sock"), Config: func() (*config.Config, error) { return config.Load(os.DevNull) }}),
		Stop:   func() { b.stopped.Store(true) },
		Page: func(w io.Writer, form proto.PageForm, lang string, _ *proto.Report) error {
			_, err := io.WriteString(w, string(form)+" "+lang)
			return err
		},
	})
	return b
}

type journalFile string

func (f journalFile) List(q proto.JournalListParams) (*proto.JournalListResult, error) {
	lines, more, err := journal.Find(string(f), q)
	out := &proto.JournalListResult{Records: []proto.JournalRecord{}, More: more}
	for _, l := range lines {
		out.Records = append(out.Records, l.Proto())
	}
	return out, err
}

func (f journalFile) Export(w io.Writer, lang string, q proto.JournalExportParams) error {
	_, err := io.WriteString(w, string(q.Format)+" "+lang)
	return err
}

// noFiles has no key files and finds none.
type noFiles struct{}

func (noFiles) List() []proto.KeyFile { return []proto.KeyFile{} }
func (noFiles) Remove(string) error   { return nil }
func (noFiles) Add(_ context.Context, _ signing.Caller, path string) (proto.KeyFile, error) {
	return proto.KeyFile{}, proto.E(proto.CodeFileUnreadable, nil, "file", path)
}

func (f journalFile) Verify() (proto.JournalVerifyResult, error) {
	s, err := journal.Verify(string(f))
	return s.Proto(), err
}

// note is a notification a client got.
type note struct {
	method string
	params json.RawMessage
}

// peer is one client of a bench.
type peer struct {
	*rpc.Conn
	raw   ipc.Conn
	page  *webPage // raw, of the transport "websocket"
	notes chan note

	binary func(stream int, offset int64, data []byte) error // nil where none are carried
	ended  chan struct{}                                     // the server has let the connection go
}

// transports are the ways a connection may be carried.
var transports = map[string]func(t testing.TB) (server, client ipc.Conn){
	"pair": func(t testing.TB) (ipc.Conn, ipc.Conn) {
		ours, file, err := ipc.Pair()
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := ipc.Adopt(file)
		if err != nil {
			t.Fatal(err)
		}
		return ours, theirs
	},
	"stdio": func(t testing.TB) (ipc.Conn, ipc.Conn) {
		r1, w1 := io.Pipe()
		r2, w2 := io.Pipe()
		return ipc.Stdio(r1, w2, ipc.MaxFrame), ipc.Stdio(r2, w1, ipc.MaxFrame)
	},
	"websocket": webTransport,
	"socket":    socketTransport,
	"host":      hostTransport,
}

// dial connects a client that is who says it is; the connection ends with the test.
func (b *bench) dial(t testing.TB, who ipc.Peer) *peer { return b.dialOver(t, who, "stdio") }

func (b *bench) dialOver(t testing.TB, who ipc.Peer, transport string) *peer {
	t.Helper()
	notes := make(chan note, 1000)
	c := b.dialHearing(t, who, transport, func(_ context.Context, r *rpc.Request) (any, error) {
		notes <- note{r.Method, r.Params}
		return nil, nil
	})
	c.notes = notes
	return c
}

// dialHearing connects a client that does with notifications what it likes.
func (b *bench) dialHearing(t testing.TB, who ipc.Peer, transport string, hear rpc.Handler) *peer {
	t.Helper()
	ours, theirs := transports[transport](t)
	c := &peer{ended: make(chan struct{})}
	c.Conn = rpc.New(theirs, hear)
	c.raw = theirs
	c.page, _ = theirs.(*webPage)
	c.binary = binarySender(theirs)
	go c.Serve(context.Background())
	go func() {
		defer close(c.ended)
		b.Serve(context.Background(), ours, who)
	}()
	t.Cleanup(func() { c.Close(); <-c.ended })
	return c
}

// call calls a method and returns the result or the error's data.
func call[R any](t testing.TB, c *peer, method string, params any) (*R, *proto.ErrorData) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var r R
	err := c.Call(ctx, method, params, &r)
	var re *rpc.Error
	if err != nil && !errors.As(err, &re) {
		t.Fatalf("%s: %v", method, err)
	}
	if re == nil {
		return &r, nil
	}
	return nil, wellFormed(t, method, re)
}

// wellFormed checks the form every error has on the wire.
func wellFormed(t testing.TB, method string, e *rpc.Error) *proto.ErrorData {
	t.Helper()
	var d proto.ErrorData
	if err := json.Unmarshal(e.Data, &d); err != nil {
		t.Fatalf("%s: %v: %s", method, err, e.Data)
	}
	if err := d.Validate(); err != nil {
		t.Errorf("%s: %v: %s", method, err, e.Data)
	}
	entry, known := proto.Lookup(d.Code)
	if !known || e.Code != entry.RPC || d.Text == "" || d.Next == "" {
		t.Errorf("%s: %d %+v", method, e.Code, d)
	}
	if e.Message != proto.Text(d.Code, "en", d.Args).What {
		t.Errorf("%s: message %q", method, e.Message)
	}
	for _, name := range entry.Args {
		if _, ok := d.Args[name]; !ok && d.Code != proto.CodeAlgorithmUnsupported {
			t.Errorf("%s: %s without %q", method, d.Code, name)
		}
	}
	return &d
}

// code calls and returns the code of the answer, "" for a result.
func code(t testing.TB, c *peer, method string, params any) proto.Code {
	t.Helper()
	if _, e := call[any](t, c, method, params); e != nil {
		return e.Code
	}
	return ""
}

// certificate is one the demo token signs with.
func certificate(t testing.TB) string {
	t.Helper()
	keys, err := demo.Keys(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return keys[0].ID()
}

// eventually waits for something another goroutine does.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// spooled counts the descriptors of this process on files in the spool folder below dir.
func spooled(t testing.TB, dir string) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range list {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.Contains(to, dir+"/spool/content-") {
			n++
		}
	}
	return n
}
