// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package ui

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/ipc"
	"persten/internal/signing"
	"persten/internal/token"
)

// person is a Body that answers as told.
type person struct {
	decide func(ctx context.Context, q signing.Question) (signing.Decision, error)
	pin    string
	pinErr error

	mu    sync.Mutex
	seen  []string // what was read of the documents
	steps []signing.Step
	shown chan signing.Outcome
	asked token.PINRequest
}

func (p *person) Decide(ctx context.Context, q signing.Question) (signing.Decision, error) {
	for _, d := range q.Documents {
		if d.Content == nil {
			continue
		}
		b, _ := io.ReadAll(io.NewSectionReader(d.Content, 0, 100))
		p.mu.Lock()
		p.seen = append(p.seen, d.Name+"="+string(b))
		p.mu.Unlock()
	}
	return p.decide(ctx, q)
}

// read is what it saw of the documents. It ran in the other process's place, of which the answer alone does not tell the race detector.
func (p *person) read() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.seen, " ")
}

func (p *person) PIN(_ context.Context, r token.PINRequest, to *os.File) error {
	defer to.Close()
	p.mu.Lock()
	p.asked = r
	p.mu.Unlock()
	if p.pinErr == nil {
		io.WriteString(to, p.pin)
	}
	return p.pinErr
}

func (p *person) Progress(s signing.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps = append(p.steps, s)
}

func (p *person) Close(_ context.Context, o signing.Outcome) error {
	p.shown <- o
	return nil
}

func yes(context.Context, signing.Question) (signing.Decision, error) {
	return signing.Decision{Approved: true, Viewed: []bool{true}}, nil
}

// ways are the two paths from a question to a Body; stopped counts prompt processes ended by force.
func ways(t *testing.T) map[string]func(p *person) (a signing.Approver, stopped func() int) {
	return map[string]func(p *person) (signing.Approver, func() int){
		"local": func(p *person) (signing.Approver, func() int) {
			return Local(func() Body { return p }), func() int { return 1 }
		},
		"remote": func(p *person) (signing.Approver, func() int) {
			var mu sync.Mutex
			n := 0
			start := func(ctx context.Context) (ipc.FileConn, func() error, error) {
				ours, theirs, err := ipc.Pair()
				if err != nil {
					return nil, nil, err
				}
				child, err := ipc.Adopt(theirs)
				if err != nil {
					return nil, nil, err
				}
				go func() { Serve(context.Background(), child, p); child.Close() }()
				return ours, func() error { mu.Lock(); n++; mu.Unlock(); return nil }, nil
			}
			return Remote(start), func() int { mu.Lock(); defer mu.Unlock(); return n }
		},
	}
}

func document(t *testing.T, name, content string) signing.Document {
	f, err := os.CreateTemp(t.TempDir(), "doc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	io.WriteString(f, content)
	return signing.Document{Name: name, Size: int64(len(content)), Digest: "aa", Alg: "sha256", Content: f}
}

func TestConformance(t *testing.T) {
	for name, way := range ways(t) {
		t.Run(name, func(t *testing.T) { conformance(t, way) })
	}
}

func conformance(t *testing.T, way func(*person) (signing.Approver, func() int)) {
	newPerson := func() *person { return &person{decide: yes, shown: make(chan signing.Outcome, 1)} }
	ask := func(t *testing.T, ctx context.Context, p *person, q signing.Question) signing.Prompt {
		a, _ := way(p)
		prompt, err := a.Ask(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		return prompt
	}
	t.Run("signs", func(t *testing.T) {
		p := newPerson()
		p.pin = "12345678"
		q := signing.Question{Kind: signing.KindSign, Origin: "https://a.example", Documents: []signing.Document{document(t, "a", "one"), document(t, "b", "two")}}
		prompt := ask(t, t.Context(), p, q)
		d, err := prompt.Decide(t.Context())
		if err != nil || !d.Approved || len(d.Viewed) != 1 || p.read() != "a=one b=two" {
			t.Fatalf("decision %+v, %v, read %q", d, err, p.read())
		}
		prompt.Progress(signing.StepToken)
		pin, err := prompt.PIN(t.Context(), token.PINRequest{Attempts: 3, Final: true})
		if err != nil {
			t.Fatal(err)
		}
		b, err := pin.Read()
		if err != nil || string(b.Bytes()) != "12345678" {
			t.Fatalf("PIN read: %v", err)
		}
		b.Wipe()
		if p.asked.Attempts != 3 || !p.asked.Final {
			t.Errorf("asked with %+v", p.asked)
		}
		if err := prompt.Close(signing.Outcome{Signed: []string{"a"}}); err != nil {
			t.Fatal(err)
		}
		if o := <-p.shown; o.Code != "" || o.Signed[0] != "a" {
			t.Errorf("outcome %+v", o)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.steps) != 1 || p.steps[0] != signing.StepToken {
			t.Errorf("steps %v", p.steps)
		}
	})
	t.Run("what of an XML document is signed", func(t *testing.T) {
		p := newPerson()
		var got signing.Question
		p.decide = func(_ context.Context, q signing.Question) (signing.Decision, error) {
			got = q
			return signing.Decision{}, nil
		}
		d := document(t, "a.xml", "<a><b Id='1'/></a>")
		d.Covered = []signing.Span{{Begin: 3, End: 14, Element: "b", ID: "1"}}
		q := signing.Question{Kind: signing.KindSign, XML: &signing.XMLForm{Mode: "detached", Profile: "xmldsig"}, Documents: []signing.Document{d}}
		if _, err := ask(t, t.Context(), p, q).Decide(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(got.Documents) != 1 || got.XML == nil || got.XML.Mode != "detached" {
			t.Fatalf("question %+v", got)
		}
		if g := got.Documents[0]; g.Whole || !slices.Equal(g.Covered, d.Covered) || !ShowsTree(g) {
			t.Errorf("document %+v", g)
		}
		if said := NewCard(got, "ru").Documents[0].Signed; !strings.Contains(said, "только часть документа: b (1)") {
			t.Errorf("says %q", said)
		}
	})
	t.Run("rejection and its outcome", func(t *testing.T) {
		p := newPerson()
		p.decide = func(context.Context, signing.Question) (signing.Decision, error) { return signing.Decision{}, nil }
		prompt := ask(t, t.Context(), p, signing.Question{})
		if d, err := prompt.Decide(t.Context()); err != nil || d.Approved {
			t.Fatalf("%+v, %v", d, err)
		}
		prompt.Close(signing.Outcome{Code: "user_rejected"})
		if o := <-p.shown; o.Code != "user_rejected" {
			t.Errorf("outcome %+v", o)
		}
	})
	t.Run("no PIN", func(t *testing.T) {
		p := newPerson()
		p.pinErr = signing.ErrRejected
		prompt := ask(t, t.Context(), p, signing.Question{})
		prompt.Decide(t.Context())
		if _, err := prompt.PIN(t.Context(), token.PINRequest{}); !errors.Is(err, signing.ErrRejected) {
			t.Errorf("error %v", err)
		}
		prompt.Close(signing.Outcome{Code: "user_rejected"})
	})
	t.Run("no way to ask", func(t *testing.T) {
		p := newPerson()
		p.decide = func(context.Context, signing.Question) (signing.Decision, error) {
			return signing.Decision{Approved: true}, signing.ErrNoPrompt
		}
		d, err := ask(t, t.Context(), p, signing.Question{}).Decide(t.Context())
		if !errors.Is(err, signing.ErrNoPrompt) {
			t.Errorf("error %v, decision %+v", err, d)
		}
	})
	t.Run("cancel while deciding", func(t *testing.T) {
		p := newPerson()
		vanished := make(chan struct{})
		p.decide = func(ctx context.Context, _ signing.Question) (signing.Decision, error) {
			<-ctx.Done()
			close(vanished)
			return signing.Decision{Approved: true}, ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		prompt := ask(t, ctx, p, signing.Question{})
		time.AfterFunc(20*time.Millisecond, cancel)
		d, err := prompt.Decide(ctx)
		if !errors.Is(err, context.Canceled) || d.Approved {
			t.Errorf("%+v, %v", d, err)
		}
		select {
		case <-vanished:
		case <-time.After(5 * time.Second):
			t.Error("the body was not told")
		}
		if err := prompt.Close(signing.Outcome{Code: "request_cancelled"}); err != nil {
			t.Error(err)
		}
	})
}

// serve starts Serve over a pair with the session's end left raw.
func serve(t *testing.T, p *person) (ipc.FileConn, chan error) {
	ours, theirs, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	child, err := ipc.Adopt(theirs)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Serve(context.Background(), child, p) }()
	t.Cleanup(func() { ours.Close() })
	return ours, done
}

func TestSessionGoneAfterYesIsTold(t *testing.T) {
	p := &person{decide: yes, shown: make(chan signing.Outcome, 1)}
	conn, done := serve(t, p)
	conn.Send([]byte(`{"jsonrpc":"2.0","id":1,"method":"ask","params":{"id":"1","kind":"sign"}}`))
	if _, err := conn.Recv(); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if o := <-p.shown; o.Code != codeLost {
		t.Errorf("outcome %+v", o)
	}
	<-done
}

func TestMessagesOutOfTurn(t *testing.T) {
	p := &person{decide: yes, pin: "1", shown: make(chan signing.Outcome, 1)}
	conn, _ := serve(t, p)
	exchange := func(msg string, files ...*os.File) string {
		if err := conn.SendFiles([]byte(msg), files...); err != nil {
			t.Fatal(err)
		}
		b, err := conn.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	const ask = `{"jsonrpc":"2.0","id":1,"method":"ask","params":{"id":"1","kind":"sign"}}`
	const pin = `{"jsonrpc":"2.0","id":2,"method":"pin","params":{}}`
	for _, c := range []struct {
		msg   string
		files []*os.File
		ok    bool
	}{
		{pin, []*os.File{null}, false},       // before the yes
		{ask, []*os.File{null, null}, false}, // more descriptors than documents
		{ask, nil, true},
		{ask, nil, false}, // twice
		{pin, nil, false}, // nowhere to write
		{pin, []*os.File{null, null}, false},
		{pin, []*os.File{null}, true},
		{`{"jsonrpc":"2.0","id":3,"method":"else","params":{}}`, []*os.File{null}, false},
	} {
		if got := exchange(c.msg, c.files...); strings.Contains(got, `"result"`) != c.ok {
			t.Errorf("%s with %d files: %s", c.msg, len(c.files), got)
		}
	}
}

func TestStartFailureIsNoPrompt(t *testing.T) {
	boom := errors.New("no display")
	a := Remote(func(context.Context) (ipc.FileConn, func() error, error) { return nil, nil, boom })
	if _, err := a.Ask(t.Context(), signing.Question{}); !errors.Is(err, signing.ErrNoPrompt) || !errors.Is(err, boom) {
		t.Errorf("error %v", err)
	}
}
