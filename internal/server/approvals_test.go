// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/ipc"
	"persten/internal/journal"
	"persten/internal/rpc"
	"persten/internal/signing"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// approvals is how many requests TestApprovals makes: few usually, the full count with PERSTEN_LONG=1.
func approvals() int {
	if os.Getenv("PERSTEN_LONG") != "" {
		return 10_000
	}
	return 300
}

// jury answers each request as its document says, and knows afterwards what was approved. A document it has seen before is a
// replay, which it refuses.
type jury struct {
	mu       sync.Mutex
	seen     map[string]bool // by digest
	approved map[string]bool
	slept    map[string]bool // by question
	yes, no  int
}

func (j *jury) decide(ctx context.Context, q signing.Question) (bool, error) {
	d := q.Documents[0]
	if strings.HasPrefix(d.Name, "leaves") { // the page goes away while the person thinks
		<-ctx.Done()
		return false, ctx.Err()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.seen[d.Digest] || strings.HasPrefix(d.Name, "no") {
		j.no++
		return false, nil
	}
	j.seen[d.Digest], j.approved[d.Digest] = true, true
	j.yes++
	return true, nil
}

// step lets the approvals of some documents grow too old: between the PIN and the key two minutes pass.
func (j *jury) step(_ context.Context, q signing.Question, s signing.Step) {
	if s != signing.StepSigning || !strings.HasPrefix(q.Documents[0].Name, "late") {
		return
	}
	j.mu.Lock()
	first := !j.slept[q.ID]
	j.slept[q.ID] = true
	j.mu.Unlock()
	if first {
		time.Sleep(121 * time.Second)
	}
}

// tally counts what the connections got.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tally) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what]++
}

// Approvals and denials interleaved on 20 connections: no signature over a digest nobody approved, none by an approval that
// has grown old, none by one that was used; and the journal holds every approval and nothing else.
func TestApprovals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const connections = 20
		j := &jury{seen: map[string]bool{}, approved: map[string]bool{}, slept: map[string]bool{}}
		now, err := keyfile.OpenDemo(t.TempDir()) // in time with the test's clock
		if err != nil {
			t.Fatal(err)
		}
		keys, err := now.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, &person{decide: j.decide, step: j.step}, now)
		got := &tally{counts: map[string]int{}}
		var wg sync.WaitGroup
		for n := range connections {
			c := &requester{bench: b, got: got, certificate: keys[1].ID(), rand: rand.New(rand.NewPCG(1, uint64(n))), name: fmt.Sprint(n)}
			wg.Go(func() { c.run(t, n, approvals()/connections) })
		}
		wg.Wait()
		j.hold(t, b, got)
	})
}

// requester is one connection: a site's, or a program's of the same user.
type requester struct {
	*bench
	got  *tally
	rand *rand.Rand
	name string

	certificate string
	c           *peer
	denied      int // in a row: three would be another matter
}

func (r *requester) run(t *testing.T, n, requests int) {
	who := local
	if n > 0 {
		origin := fmt.Sprintf("https://s%d.example", n)
		if err := r.origins.Allow(origin); err != nil {
			t.Error(err)
			return
		}
		who = ipc.Peer{Via: ipc.ViaNative, Origin: origin}
		if n%2 == 0 {
			who = ipc.Peer{Via: ipc.ViaWebSocket, Origin: origin}
		}
	}
	r.c = r.dialHearing(t, who, "stdio", func(context.Context, *rpc.Request) (any, error) { return nil, nil })
	for i := 0; i < requests; {
		kind := []string{"yes", "yes", "no", "late", "leaves", "replay"}[r.rand.IntN(6)]
		if r.denied == 2 && (kind == "no" || kind == "replay") {
			kind = "yes"
		}
		i += r.request(t, kind, fmt.Sprintf("%s %s %d", kind, r.name, i))
	}
	r.c.Close()
}

// request makes one request, or two where an approved one is played again.
func (r *requester) request(t *testing.T, kind, text string) (made int) {
	if r.rand.IntN(20) == 0 {
		time.Sleep(time.Duration(r.rand.IntN(3000)) * time.Millisecond)
	}
	want := map[string]proto.Code{"no": proto.CodeUserRejected, "late": proto.CodeUserTimeout, "leaves": proto.CodeRequestCancelled}[kind]
	r.expect(t, kind, text, want)
	if kind != "replay" {
		return 1
	}
	r.expect(t, "no", text, proto.CodeUserRejected)
	return 2
}

func (r *requester) expect(t *testing.T, kind, text string, want proto.Code) {
	time.Sleep(100 * time.Millisecond) // twenty a second are the limit
	if kind == "no" {
		r.denied++
	} else if kind != "leaves" {
		r.denied = 0
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if kind == "leaves" {
		time.AfterFunc(time.Duration(1+r.rand.IntN(500))*time.Millisecond, cancel)
	}
	var made proto.SignCMSResult
	err := r.c.Call(ctx, proto.MethodSignCMS, proto.SignCMSParams{
		Certificate: r.certificate, Name: text, Content: &proto.Content{Inline: []byte(text)},
	}, &made)
	switch code := wireCode(err); {
	case code != want:
		t.Errorf("%s: %q, want %q", text, code, want)
	case code == "":
		r.got.add("signed")
		report, err := r.engine.VerifyCMS(t.Context(), strings.NewReader(string(made.Signature.Inline)), strings.NewReader(text))
		if err != nil || !report.Valid() {
			t.Errorf("%s: signature over something else: %v", text, err)
		}
	default:
		r.got.add(string(code))
	}
}

// hold holds the journal against what the jury approved and the connections got.
func (j *jury) hold(t *testing.T, b *bench, got *tally) {
	lines, err := journal.List(b.journal, 0)
	if err != nil {
		t.Fatal(err)
	}
	begun, ended, ids := map[string]int{}, map[string]int{}, map[string]bool{}
	refused := 0
	for _, l := range lines {
		switch {
		case l.Type == journal.TypeBegin:
			begun[l.Documents[0].Digest]++
			ids[l.Approval] = true
		case l.Type == journal.TypeEnd:
			ended[l.Result]++
		case l.Kind == "refused" && l.Result == string(proto.CodeUserRejected):
			refused++
		}
	}
	for digest, n := range begun {
		if raw, err := hex.DecodeString(digest); err != nil || len(raw) == 0 || !j.approved[digest] || n != 1 {
			t.Errorf("digest %s: used %d times, approved: %v", digest, n, j.approved[digest])
		}
	}
	late := got.counts[string(proto.CodeUserTimeout)]
	if len(ids) != j.yes || len(begun) != j.yes || ended[journal.OK] != got.counts["signed"] || ended[string(proto.CodeUserTimeout)] != late || j.yes != got.counts["signed"]+late {
		t.Errorf("%d approvals, %d in the journal; %v; %v", j.yes, len(ids), ended, got.counts)
	}
	if refused != j.no || j.no != got.counts[string(proto.CodeUserRejected)] {
		t.Errorf("%d denials, %d in the journal; %v", j.no, refused, got.counts)
	}
	if s, err := journal.Verify(b.journal); err != nil || !s.OK() || s.Unknown != 0 {
		t.Errorf("journal: %+v %v", s, err)
	}
	t.Logf("%d approvals, %d denials, %v; journal: %d begun, ended %v, %d refused", j.yes, j.no, got.counts, len(begun), ended, refused)
}

// wireCode is the code of an answer, request_cancelled for one that the caller did not wait for, "" for a result.
func wireCode(err error) proto.Code {
	var re *rpc.Error
	var d proto.ErrorData
	switch {
	case err == nil:
		return ""
	case errors.As(err, &re) && json.Unmarshal(re.Data, &d) == nil:
		return d.Code
	}
	return proto.CodeRequestCancelled
}
