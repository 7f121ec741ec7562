// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/algo"
	"persten/internal/journal"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// p256 is the demo token's quickest key.
func (b *bench) p256(t *testing.T) string {
	t.Helper()
	for _, k := range b.keys(t) {
		if k.Algorithms()[0] == algo.ECDSASHA256 {
			return k.ID()
		}
	}
	t.Fatal("no such key")
	return ""
}

// batch asks for signatures of texts.
func (b *bench) batch(t *testing.T, texts ...string) signing.BatchRequest {
	t.Helper()
	r := signing.BatchRequest{Certificate: b.p256(t)}
	for i, text := range texts {
		_, c, err := b.Store().Create(page.Channel, fmt.Sprintf("act %d.txt", i+1), "text/plain", func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Items = append(r.Items, signing.BatchItem{ID: fmt.Sprintf("id-%d", i), Content: c})
	}
	return r
}

// digests is a batch of ready digests.
func (b *bench) digests(t *testing.T, n int) signing.BatchRequest {
	t.Helper()
	r := signing.BatchRequest{Certificate: b.p256(t)}
	for i := range n {
		r.Items = append(r.Items, signing.BatchItem{Name: fmt.Sprintf("act %d", i+1), Digest: algo.SHA256.Sum([]byte{byte(i), byte(i >> 8)})})
	}
	return r
}

// taken collects what a batch gives.
type taken struct {
	list []signing.BatchSigned
	at   func(n int) // called with the number taken so far
}

func (g *taken) each(s signing.BatchSigned) {
	g.list = append(g.list, s)
	if g.at != nil {
		g.at(len(g.list))
	}
}

// account checks that states, what was given out and the journal tell the same.
func (b *bench) account(t *testing.T, r *signing.BatchResult, given []signing.BatchSigned) {
	t.Helper()
	seen := map[int]bool{}
	for _, s := range given {
		if seen[s.Index] {
			t.Errorf("item %d was given twice", s.Index)
		}
		seen[s.Index] = true
		if want := map[bool]signing.ItemState{true: signing.ItemSigned, false: signing.ItemFailed}[s.Err == nil]; r.States[s.Index] != want {
			t.Errorf("item %d is %s in the account", s.Index, r.States[s.Index])
		}
	}
	if n := r.Count(signing.ItemSigned) + r.Count(signing.ItemFailed); n != len(given) {
		t.Errorf("%d items in the account, %d given", n, len(given))
	}
	b.journalled(t, r.Count(signing.ItemSigned))
}

// journalled checks the journal's chain, that every intent has its end and that the ends tell of so many signatures.
func (b *bench) journalled(t *testing.T, signed int) {
	t.Helper()
	sum, err := journal.Verify(b.journal)
	if err != nil || !sum.OK() || sum.Unknown != 0 {
		t.Errorf("journal: %+v %v", sum, err)
	}
	lines, err := journal.List(b.journal, 0)
	if err != nil {
		t.Fatal(err)
	}
	announced, total := map[uint64]int{}, 0
	for _, l := range lines {
		switch {
		case l.Type == journal.TypeBegin && len(l.Documents) > 64:
			t.Errorf("line %d announces %d documents", l.Seq, len(l.Documents))
		case l.Type == journal.TypeBegin:
			announced[l.Seq] = len(l.Documents)
		case l.Type == journal.TypeEnd && l.Result == journal.OK:
			total += announced[l.Of]
		case l.Type == journal.TypeEnd:
			total += listed(t, l.Args["signed"])
		}
	}
	if total != signed {
		t.Errorf("the journal tells of %d signatures, %d were made", total, signed)
	}
}

// listed counts "1-12,14".
func listed(t *testing.T, s string) (n int) {
	t.Helper()
	if s == "" {
		return 0
	}
	for _, part := range strings.Split(s, ",") {
		var from, to int
		if k, _ := fmt.Sscanf(part, "%d-%d", &from, &to); k == 1 {
			to = from
		} else if k != 2 {
			t.Fatalf("ranges %q", s)
		}
		n += to - from + 1
	}
	return n
}

func TestBatch(t *testing.T) {
	for _, attached := range []bool{false, true} {
		b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
		var texts []string
		for i := range 20 {
			texts = append(texts, fmt.Sprintf("document %d", i))
		}
		texts[7] = strings.Repeat("large ", 60_000)
		r := b.batch(t, texts...)
		r.Attached = attached
		var got taken
		made, err := b.SignBatch(context.Background(), page, r, got.each)
		if err != nil || made.Stopped != nil || made.Count(signing.ItemSigned) != 20 {
			t.Fatalf("%+v %v", made, err)
		}
		b.account(t, made, got.list)
		if q := b.person.asked; len(q) != 1 || !q[0].Batch || len(q[0].Documents) != 20 || len(b.person.requests) != 1 {
			t.Fatalf("%d questions, %d PINs", len(q), len(b.person.requests))
		}
		for _, s := range got.list {
			if (s.Handle != "") != (attached && s.Index == 7) || s.ID != fmt.Sprintf("id-%d", s.Index) || s.Err != nil {
				t.Fatalf("item %d: %+v", s.Index, s.Err)
			}
			sig := io.Reader(bytes.NewReader(s.Signature))
			if s.Handle != "" {
				c, err := b.Store().Sealed(page.Channel, s.Handle)
				if err != nil {
					t.Fatal(err)
				}
				sig = c.Reader()
			}
			var content io.Reader
			if !attached {
				content = strings.NewReader(texts[s.Index])
			}
			if report, err := b.VerifyCMS(context.Background(), sig, content); err != nil || !report.Trusted() {
				t.Errorf("item %d: %v %+v", s.Index, err, report)
			}
		}
		if o := b.person.outcomes; len(o) != 1 || o[0].Code != "" || o[0].Batch == nil || o[0].Batch.Signed != 20 {
			t.Errorf("outcome %+v", o)
		}
		b.idle(t)
	}
}

// The person can open every document of the list, and a ready digest is told from one.
func TestBatchDocumentsOpen(t *testing.T) {
	var b *bench
	b = newBench(t, &person{pins: []string{keyfile.DemoPIN}, decide: func(ctx context.Context, q signing.Question) (signing.Decision, error) {
		f, err := q.Documents[1].Open(ctx)
		if err != nil {
			return signing.Decision{}, err
		}
		defer f.Close()
		text, _ := io.ReadAll(f)
		if string(text) != "two" || q.Documents[1].Name != "act 2.txt" || q.Documents[1].Size != 3 {
			t.Errorf("read %q of %+v", text, q.Documents[1])
		}
		if _, err := f.Write([]byte("x")); err == nil {
			t.Error("the prompt's descriptor can be written to")
		}
		if d := q.Documents[2]; !d.Hidden || d.Open != nil || d.Size != 0 {
			t.Errorf("a digest is shown as %+v", d)
		}
		return signing.Decision{Approved: true, Viewed: []bool{false, true}}, nil
	}})
	r := b.batch(t, "one", "two")
	r.Items = append(r.Items, signing.BatchItem{Digest: algo.SHA256.Sum([]byte("three"))})
	var got taken
	made, err := b.SignBatch(context.Background(), page, r, got.each)
	if err != nil || made.Count(signing.ItemSigned) != 3 {
		t.Fatalf("%+v %v", made, err)
	}
	for _, s := range got.list {
		text := []string{"one", "two", "three"}[s.Index]
		if report, err := b.VerifyCMS(context.Background(), bytes.NewReader(s.Signature), strings.NewReader(text)); err != nil || !report.Trusted() {
			t.Errorf("%s: %v", text, err)
		}
	}
	lines, _ := journal.List(b.journal, 0)
	if d := lines[0].Documents; len(d) != 3 || d[0].Viewed || !d[1].Viewed || d[2].Viewed {
		t.Errorf("journal: %+v", d)
	}
}

// A window that outlives its request gets no document any more.
func TestBatchDocumentsAreShut(t *testing.T) {
	p := &person{decide: no}
	b := newBench(t, p)
	c, done, err := b.Store().Inline(page.Channel, []byte("act"))
	if err != nil {
		t.Fatal(err)
	}
	r := signing.BatchRequest{Certificate: b.p256(t), Items: []signing.BatchItem{{Content: c}}}
	if _, err := b.SignBatch(t.Context(), page, r, nil); !errors.Is(err, proto.CodeUserRejected) {
		t.Fatal(err)
	}
	done()
	if _, err := p.asked[0].Documents[0].Open(t.Context()); !errors.Is(err, proto.CodeContentAbsent) {
		t.Errorf("opened after the request: %v", err)
	}
}

func TestBatchLimits(t *testing.T) {
	b := newBench(t, &person{decide: yes})
	for name, r := range map[string]signing.BatchRequest{
		"none":        b.digests(t, 0),
		"1001":        b.digests(t, signing.MaxBatch+1),
		"wrong size":  {Certificate: b.p256(t), Items: []signing.BatchItem{{Digest: make([]byte, 20)}}},
		"no digest":   {Certificate: b.p256(t), Items: []signing.BatchItem{{}}},
		"twice":       {Certificate: b.p256(t), Items: []signing.BatchItem{{ID: "a", Digest: make([]byte, 32)}, {ID: "a", Digest: make([]byte, 32)}}},
		"no document": {Certificate: b.p256(t), Attached: true, Items: []signing.BatchItem{{Digest: make([]byte, 32)}}},
	} {
		if _, err := b.SignBatch(context.Background(), page, r, nil); !errors.Is(err, proto.CodeRequestInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(b.person.asked) != 0 || len(b.records(t)) != 0 {
		t.Error("somebody was asked")
	}
}

// A thousand documents are 16 intents and their ends, one PIN, one question.
func TestBatchOfAThousand(t *testing.T) {
	b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
	var got taken
	var last [2]int
	ctx := signing.WithCount(context.Background(), func(done, total int) { last = [2]int{done, total} })
	made, err := b.SignBatch(ctx, page, b.digests(t, signing.MaxBatch), got.each)
	if err != nil || made.Count(signing.ItemSigned) != signing.MaxBatch || last != [2]int{1000, 1000} {
		t.Fatalf("%v, counted to %v", err, last)
	}
	b.account(t, made, got.list)
	if n := len(b.records(t)); n != 32 {
		t.Errorf("%d lines", n)
	}
	b.person.decide, b.person.pins = no, nil
	if _, err := b.SignBatch(ctx, page, b.digests(t, signing.MaxBatch), nil); !errors.Is(err, proto.CodeUserRejected) {
		t.Error(err)
	}
	if r := b.records(t); len(r) != 33 || r[32] != "note refused user_rejected" {
		t.Errorf("%d lines", len(r))
	}
}

// A document that changed under way is reported, and the others are signed.
func TestBatchItemFails(t *testing.T) {
	b := newBench(t, &person{pins: []string{keyfile.DemoPIN}})
	b.person.decide = func(ctx context.Context, q signing.Question) (signing.Decision, error) {
		f, err := q.Documents[1].Open(ctx)
		if err != nil {
			return signing.Decision{}, err
		}
		defer f.Close()
		return signing.Decision{Approved: true}, overwrite(f)
	}
	var got taken
	made, err := b.SignBatch(context.Background(), page, b.batch(t, "one", "two", "three"), got.each)
	if err != nil || made.Stopped != nil || made.Count(signing.ItemSigned) != 2 || made.States[1] != signing.ItemFailed {
		t.Fatalf("%+v %v", made, err)
	}
	for _, s := range got.list {
		if s.Index == 1 && (s.Err.Code != proto.CodeContentChanged || s.Signature != nil) {
			t.Errorf("%+v", s)
		}
	}
	b.account(t, made, got.list)
	if r := b.records(t); r[1] != "end sign content_changed" {
		t.Errorf("journal: %q", r)
	}
}

// overwrite changes a sealed content the way a process of the same user could.
func overwrite(f *os.File) error {
	w, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer w.Close()
	_, err = w.WriteAt([]byte("9"), 0)
	return err
}

// Stopped at any moment, a batch leaves an exact account.
func TestBatchAbort(t *testing.T) {
	b := newBench(t, &person{decide: yes})
	signed := 0
	for range 50 {
		b.person.pins = []string{keyfile.DemoPIN}
		at := rand.IntN(100)
		ctx, cancel := context.WithCancel(context.Background())
		got := taken{at: func(n int) {
			if n == at {
				cancel()
			}
		}}
		if at == 0 {
			go cancel()
		}
		made, err := b.SignBatch(ctx, page, b.digests(t, 100), got.each)
		cancel()
		if err != nil {
			if !errors.Is(err, context.Canceled) || len(got.list) > 0 {
				t.Fatalf("at %d: %v, %d given", at, err, len(got.list))
			}
			continue
		}
		if n := made.Count(signing.ItemSigned); n != len(got.list) || n < at || n > at+8 || at > 0 && !errors.Is(made.Stopped, context.Canceled) {
			t.Fatalf("at %d: %d signed, %d given, stopped by %v", at, n, len(got.list), made.Stopped)
		}
		signed += len(got.list)
	}
	b.journalled(t, signed)
	b.idle(t)
}

// Stopped by the person, a batch ends with that reason, and the account and the journal tell what was signed.
func TestBatchStopped(t *testing.T) {
	p := &person{decide: yes}
	b := newBench(t, p)
	signed := 0
	for _, at := range []int{1, 40, 64, 99, 150} {
		p.pins, p.stop = []string{keyfile.DemoPIN}, make(chan struct{})
		got := taken{at: func(n int) {
			if n == at {
				close(p.stop)
			}
		}}
		made, err := b.SignBatch(t.Context(), page, b.digests(t, 200), got.each)
		if err != nil || !errors.Is(made.Stopped, proto.CodeUserStopped) {
			t.Fatalf("at %d: %+v %v", at, made, err)
		}
		if n := made.Count(signing.ItemSigned); n != len(got.list) || n < at || n == 200 {
			t.Errorf("at %d: %d signed, %d given", at, n, len(got.list))
		}
		if o := p.outcomes[len(p.outcomes)-1]; o.Code != string(proto.CodeUserStopped) || o.Batch.Signed != len(got.list) {
			t.Errorf("at %d: the prompt says %+v", at, o)
		}
		signed += len(got.list)
	}
	p.pins, p.stop = []string{keyfile.DemoPIN}, make(chan struct{})
	close(p.stop)
	if _, err := b.SignBatch(t.Context(), page, b.digests(t, 3), (&taken{}).each); !errors.Is(err, proto.CodeUserStopped) {
		t.Errorf("stopped before the first: %v", err)
	}
	b.journalled(t, signed)
	b.idle(t)
}

// A stop that comes when the last item is done has stopped nothing: the batch is whole.
func TestBatchStoppedTooLate(t *testing.T) {
	p := &person{decide: yes, pins: []string{keyfile.DemoPIN}, stop: make(chan struct{})}
	b := newBench(t, p)
	got := taken{at: func(n int) {
		if n == 3 {
			close(p.stop)
			time.Sleep(50 * time.Millisecond) // until it is heard
		}
	}}
	made, err := b.SignBatch(t.Context(), page, b.digests(t, 3), got.each)
	if err != nil || made.Stopped != nil || made.Count(signing.ItemSigned) != 3 || p.outcomes[0].Code != "" {
		t.Errorf("%+v, %v; the prompt says %+v", made, err, p.outcomes)
	}
	b.journalled(t, 3)
}

// A caller who does not take signatures holds a batch up; when it goes, the account is exact, and the token is free for others.
func TestBatchNobodyTakes(t *testing.T) {
	b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN, keyfile.DemoPIN}})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stuck := make(chan struct{})
	got := taken{at: func(n int) {
		if n == 5 {
			close(stuck)
			<-ctx.Done()
		}
	}}
	go func() {
		<-stuck
		time.Sleep(50 * time.Millisecond)
		cancel()
	}()
	made, err := b.SignBatch(ctx, page, b.digests(t, 200), got.each)
	if err != nil || !errors.Is(made.Stopped, context.Canceled) || len(got.list) > 10 {
		t.Fatalf("%d given, %+v %v", len(got.list), made, err)
	}
	b.account(t, made, got.list)
	other := taken{}
	if made, err := b.SignBatch(t.Context(), page, b.digests(t, 3), other.each); err != nil || made.Stopped != nil || len(other.list) != 3 {
		t.Errorf("afterwards: %+v %v", made, err)
	}
	b.idle(t)
}

// Batches that want one token at the same time are signed one after the other, each with its own account and PIN.
func TestBatchesAtOnce(t *testing.T) {
	const batches, size = 4, 100
	b := newBench(t, &person{decide: yes, pins: slices.Repeat([]string{keyfile.DemoPIN}, batches)})
	var all sync.WaitGroup
	for i := range batches {
		r := b.digests(t, size)
		all.Go(func() {
			who, got := page, taken{}
			who.Channel, who.Origin = fmt.Sprint("channel ", i), fmt.Sprintf("https://%d.example", i)
			made, err := b.SignBatch(t.Context(), who, r, got.each)
			if err != nil || made.Stopped != nil || len(got.list) != size || made.Count(signing.ItemSigned) != size {
				t.Errorf("batch %d: %d given, %+v %v", i, len(got.list), made, err)
			}
		})
	}
	all.Wait()
	b.journalled(t, batches*size)
	b.idle(t)
}

// faulty is an inventory whose sessions break at some signature, and that may sign for several at once.
type faulty struct {
	token.Inventory
	at       int
	err      error
	parallel int
	wait     time.Duration
}

type faultyKey struct {
	token.Key
	f *faulty
}

type faultySession struct {
	token.Session
	f *faulty

	mu sync.Mutex
	n  int
}

func (f *faulty) Keys(ctx context.Context) ([]token.Key, error) {
	keys, err := f.Inventory.Keys(ctx)
	out := make([]token.Key, len(keys))
	for i, k := range keys {
		out[i] = faultyKey{k, f}
	}
	return out, err
}

func (k faultyKey) Open(ctx context.Context, pin token.PINFunc) (token.Session, error) {
	s, err := k.Key.Open(ctx, pin)
	return &faultySession{Session: s, f: k.f}, err
}

func (s *faultySession) Parallel() int { return s.f.parallel }

func (s *faultySession) Sign(ctx context.Context, id algo.ID, in algo.Input) ([]byte, error) {
	s.mu.Lock()
	s.n++
	n := s.n
	s.mu.Unlock()
	time.Sleep(s.f.wait)
	if s.f.err != nil && n > s.f.at {
		return nil, s.f.err
	}
	return s.Session.Sign(ctx, id, in)
}

// The first failure of the token ends the batch; what was signed before stays signed.
func TestBatchTokenFails(t *testing.T) {
	for _, bad := range []struct {
		err  error
		want proto.Code
	}{{token.ErrRemoved, proto.CodeTokenRemoved}, {&token.PINError{Attempts: 2}, proto.CodePINIncorrect}, {token.ErrLocked, proto.CodePINLocked}} {
		for _, parallel := range []int{1, 4} {
			b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
			e := b.over(t, &faulty{Inventory: b.demo, at: 77, err: bad.err, parallel: parallel})
			var got taken
			made, err := e.SignBatch(context.Background(), page, b.digests(t, 200), got.each)
			if err != nil || !errors.Is(made.Stopped, bad.want) {
				t.Fatalf("%s, %d at once: %+v %v", bad.want, parallel, made, err)
			}
			n := made.Count(signing.ItemSigned)
			if n > 77 || n <= 77-parallel { // beside the one that failed others had begun
				t.Fatalf("%s, %d at once: %d signed", bad.want, parallel, n)
			}
			e.account(t, made, got.list)
			if o := b.person.outcomes[0]; o.Code != string(bad.want) || o.Batch.Signed != n || o.Batch.NotSigned != 200-n {
				t.Errorf("outcome %+v", o)
			}
			b.idle(t)
		}
	}
}

// The approval has to be used soon, and then lasts as long as the batch does.
func TestBatchApprovalAge(t *testing.T) {
	for wait, want := range map[time.Duration]error{121 * time.Second: proto.CodeUserTimeout, 40 * time.Second: nil} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
			f := &faulty{Inventory: b.demo, parallel: 1, wait: wait}
			keys := token.Inventory(f)
			if want != nil {
				keys, f.wait = slow{f, wait}, 0
			}
			e := b.over(t, keys)
			var got taken
			made, err := e.SignBatch(context.Background(), page, b.digests(t, 10), got.each)
			if !errors.Is(err, want) || want == nil && made.Count(signing.ItemSigned) != 10 {
				t.Errorf("after %v: %v", wait, err)
			}
		})
	}
}

// A journal that cannot be written ends the batch at the group it cannot announce.
func TestBatchJournalFails(t *testing.T) {
	b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	e := signing.New(b.demo, b.person, &fullJournal{Journal: j, left: 2}, signing.Options{Store: b.Store()})
	var got taken
	made, err := e.SignBatch(context.Background(), page, b.digests(t, 300), got.each)
	if err != nil || !errors.Is(made.Stopped, proto.CodeJournalUnwritable) || made.Count(signing.ItemSigned) > 128 {
		t.Fatalf("%v: %+v", err, made)
	}
}

// fullJournal is a journal whose disk is full after a few lines.
type fullJournal struct {
	*journal.Journal
	left int
}

func (f *fullJournal) Begin(ctx context.Context, r journal.Record) (*journal.Entry, error) {
	if f.left--; f.left < 0 {
		return nil, journal.ErrUnwritable
	}
	return f.Journal.Begin(ctx, r)
}
