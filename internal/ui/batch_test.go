// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package ui

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/ipc"
	"persten/internal/signing"
)

// batchOf is a question about n documents, the last of which is a ready digest.
func batchOf(t *testing.T, n int) signing.Question {
	t.Helper()
	q := signing.Question{Kind: signing.KindSign, Origin: "https://a.example", Batch: true}
	for i := range n {
		d := signing.Document{Name: fmt.Sprintf("Акт %d.txt", i+1), Size: 1024, Digest: "aa", Alg: "sha256"}
		if d.Hidden = i == n-1; !d.Hidden {
			path := fmt.Sprintf("%s/%d", t.TempDir(), i)
			d.Open = func(context.Context) (*os.File, error) {
				if err := os.WriteFile(path, fmt.Append(nil, "text ", i+1), 0o600); err != nil {
					return nil, err
				}
				return os.Open(path)
			}
		}
		q.Documents = append(q.Documents, d)
	}
	return q
}

// Any document of a batch can be opened, over both ways; a ready digest cannot.
func TestBatchDocumentsAreLent(t *testing.T) {
	for name, way := range ways(t) {
		t.Run(name, func(t *testing.T) {
			p := &person{shown: make(chan signing.Outcome, 1)}
			p.decide = func(ctx context.Context, q signing.Question) (signing.Decision, error) {
				for _, i := range []int{998, 0, 500} {
					f, err := q.Documents[i].Open(ctx)
					if err != nil {
						t.Errorf("document %d: %v", i, err)
						continue
					}
					b, _ := io.ReadAll(f)
					f.Close()
					if string(b) != fmt.Sprint("text ", i+1) {
						t.Errorf("document %d is %q", i, b)
					}
				}
				if q.Documents[999].Open != nil || !q.Documents[999].Hidden {
					t.Error("a ready digest can be opened")
				}
				if _, err := q.Documents[500].Open(ctx); err == nil && name == "remote" {
					t.Error("a document was lent twice")
				}
				return signing.Decision{Approved: true, Viewed: []bool{true}}, nil
			}
			a, _ := way(p)
			prompt, err := a.Ask(t.Context(), batchOf(t, 1000))
			if err != nil {
				t.Fatal(err)
			}
			if d, err := prompt.Decide(t.Context()); err != nil || !d.Approved || !d.Viewed[0] {
				t.Fatal(d, err)
			}
			prompt.(signing.Counter).Count(3, 1000) // a body that shows no number is not told
			prompt.Close(signing.Outcome{Batch: &signing.BatchOutcome{Signed: 1000}})
			if o := <-p.shown; o.Batch == nil || o.Batch.Signed != 1000 {
				t.Errorf("outcome %+v", o)
			}
		})
	}
}

// stopper is a person who can stop a batch.
type stopper struct {
	*person
	stop chan struct{}
}

func (s stopper) Stopped() <-chan struct{} { return s.stop }

// The person's stop reaches the session over both ways; a prompt process that dies while the batch runs counts as one, since it
// could not be stopped any more. A request that ends by itself takes the prompt away and stops nothing.
func TestBatchStop(t *testing.T) {
	yes := func(context.Context, signing.Question) (signing.Decision, error) {
		return signing.Decision{Approved: true}, nil
	}
	ask := func(b Body, remote bool) (signing.Prompt, ipc.FileConn) {
		t.Helper()
		a, child := Local(func() Body { return b }), ipc.FileConn(nil)
		if remote {
			a = Remote(func(context.Context) (ipc.FileConn, func() error, error) {
				ours, theirs, err := ipc.Pair()
				if err != nil {
					t.Fatal(err)
				}
				if child, err = ipc.Adopt(theirs); err != nil {
					t.Fatal(err)
				}
				go Serve(context.Background(), child, b)
				return ours, func() error { return nil }, nil
			})
		}
		p, err := a.Ask(t.Context(), batchOf(t, 3))
		if err != nil {
			t.Fatal(err)
		}
		if d, err := p.Decide(t.Context()); err != nil || !d.Approved {
			t.Fatal(d, err)
		}
		return p, child
	}
	stopped := func(p signing.Prompt) bool {
		select {
		case <-p.(signing.Stopper).Stopped():
			return true
		case <-time.After(5 * time.Second):
			return false
		}
	}
	for _, remote := range []bool{false, true} {
		b := stopper{&person{decide: yes, shown: make(chan signing.Outcome, 1)}, make(chan struct{})}
		p, _ := ask(b, remote)
		select {
		case <-p.(signing.Stopper).Stopped():
			t.Errorf("remote %v: stopped by itself", remote)
		case <-time.After(50 * time.Millisecond):
		}
		close(b.stop)
		if !stopped(p) {
			t.Errorf("remote %v: not stopped", remote)
		}
		p.Close(signing.Outcome{Code: "user_stopped"})
		<-b.shown
	}
	p, child := ask(&person{decide: yes}, true)
	child.Close()
	if !stopped(p) {
		t.Error("nobody is there to stop it, and it runs on")
	}
	p, _ = ask(&person{decide: yes, shown: make(chan signing.Outcome, 1)}, true)
	p.Close(signing.Outcome{})
	time.Sleep(100 * time.Millisecond)
	select {
	case <-p.(signing.Stopper).Stopped():
		t.Error("an outcome counts as a stop")
	default:
	}
}

// A prompt process asks for what is there and was not given yet, and gets nothing else.
func TestBatchLendsOnlyItsOwn(t *testing.T) {
	q := batchOf(t, 3)
	p := &remotePrompt{q: q}
	for _, c := range []struct {
		index int
		want  bool
	}{{-1, false}, {3, false}, {2, false}, {1, true}, {1, false}, {0, true}} {
		if got := p.mayLend(c.index); got != c.want {
			t.Errorf("document %d: %v", c.index, got)
		}
	}
	q.Batch = false
	if (&remotePrompt{q: q}).mayLend(0) {
		t.Error("lent to a question that is no batch")
	}
}

// All bodies say how many documents there are and how large they are together; those without a list name the first ones.
func TestBatchCard(t *testing.T) {
	c := NewCard(batchOf(t, 200), "ru")
	lines := strings.Join(c.Lines(), "\n")
	for _, want := range []string{"Вы подписываете 200 документов, всего 200,0 КБ", "Содержимое показать нельзя: 1", "Акт 1.txt", "Акт 5.txt", "и ещё 195"} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %q in\n%s", want, lines)
		}
	}
	if strings.Contains(lines, "Акт 6.txt") || len(c.Documents) != 200 || c.Title != "Подписать 200 документов?" {
		t.Errorf("%q\n%s", c.Title, lines)
	}
	if got := c.Found("акт 12"); len(got) != 11 { // 12, 120 ... 129
		t.Errorf("found %v", got)
	}
	if got := c.Found(" "); len(got) != 200 {
		t.Errorf("found %d", len(got))
	}
}

func TestBatchClosing(t *testing.T) {
	for name, c := range map[string]struct {
		o     signing.Outcome
		title string
		what  string
	}{
		"all":     {signing.Outcome{Batch: &signing.BatchOutcome{Signed: 3}}, "Signatures created", ""},
		"none":    {signing.Outcome{Code: "user_rejected", Batch: &signing.BatchOutcome{NotSigned: 3}}, "No signature was created", ""},
		"stopped": {signing.Outcome{Code: "token_removed", Batch: &signing.BatchOutcome{Signed: 1, NotSigned: 2}}, "Signed 1 of 3", "Documents not signed: 2. The token was taken out during the work."},
		"by hand": {signing.Outcome{Code: "user_stopped", Batch: &signing.BatchOutcome{Signed: 1, NotSigned: 2}}, "Signed 1 of 3", "Documents not signed: 2. You stopped the signing."},
		"failed":  {signing.Outcome{Batch: &signing.BatchOutcome{Signed: 1, Failed: 2}}, "Signed 1 of 3", "Documents that could not be signed: 2."},
	} {
		got := NewClosing(signing.KindSign, c.o, "en")
		if got.Title != c.title || c.what != "" && got.What != c.what || strings.Contains(got.What, "No signature") && c.o.Batch.Signed > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// frozen is a prompt process that takes messages and never answers.
type frozen struct {
	sent   atomic.Int64
	closed chan struct{}
	close  func()
}

func newFrozen() *frozen {
	f := &frozen{closed: make(chan struct{})}
	f.close = sync.OnceFunc(func() { close(f.closed) })
	return f
}

func (f *frozen) Send(b []byte) error {
	if strings.Contains(string(b), `"`+methodProgress+`"`) {
		f.sent.Add(1)
	}
	return nil
}
func (f *frozen) SendFiles(b []byte, _ ...*os.File) error { return f.Send(b) }
func (f *frozen) Recv() ([]byte, error)                   { <-f.closed; return nil, io.EOF }
func (f *frozen) RecvFiles() ([]byte, []*os.File, error)  { b, err := f.Recv(); return b, nil, err }
func (f *frozen) Close() error                            { f.close(); return nil }

// A prompt process that does not take a count in time is told no further one: a batch waits for it once.
func TestCountToFrozenPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		child := newFrozen()
		ctx, cancel := context.WithCancel(t.Context())
		p, err := Remote(func(context.Context) (ipc.FileConn, func() error, error) {
			return child, func() error { return nil }, nil
		}).Ask(ctx, batchOf(t, 3))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now() // of the bubble's clock
		for i := range 3 {
			p.(signing.Counter).Count(i+1, 3)
		}
		if d := time.Since(start); d != handOver || child.sent.Load() != 1 {
			t.Errorf("%d counts, waited %v", child.sent.Load(), d)
		}
		cancel()
	})
}
