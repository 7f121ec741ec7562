// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"persten/internal/algo"
	"persten/internal/journal"
	"persten/internal/token"
	"persten/proto"
)

const (
	intentSize = 64              // items one line of the journal announces
	lastWords  = 3 * time.Second // for signatures under way when a batch is stopped
	countEvery = 200 * time.Millisecond
)

// approved runs the batch under the person's approval. It returns what ended it before its last item.
func (b *batch) approved(ctx context.Context) error {
	progress(ctx, StepWaiting)
	b.q.by = approvedBy(b.prompt)
	d, err := b.e.desk.decide(ctx, b.q, b.prompt)
	if err == nil {
		err = b.e.rules.use(b.q)
	}
	if err != nil {
		return b.e.refused(b.who, b.noted(), fault(err))
	}
	b.e.desk.agreed(b.q.ID)
	b.approval, b.decision = newItemApproval(len(b.r.Items)), d
	first, err := b.intend(ctx, 0)
	if err != nil {
		return err
	}
	run := &batchRun{batch: b, entries: map[int]*journal.Entry{0: first}, halted: make(chan struct{})}
	err = b.e.unlocked(ctx, b.key, b.prompt, b.approval.approval, b.e.wrongPIN(b.who, b.noted()), func(s token.Session) error {
		defer collectLess()()
		run.run(ctx, s)
		return run.reason()
	})
	run.halt(fault(err))
	run.endAll()
	err = run.reason()
	if errors.Is(err, proto.CodeUserStopped) && !slices.Contains(b.states, ItemNotSigned) {
		return nil // it came when the last item was done: it stopped nothing
	}
	return err
}

// noted is the question as it is journalled when no key was used: with the first documents alone.
func (b *batch) noted() Question {
	q := b.q
	q.Documents = q.Documents[:min(len(q.Documents), intentSize)]
	return q
}

// intend journals that the items of a group are about to be signed.
func (b *batch) intend(ctx context.Context, group int) (*journal.Entry, error) {
	from, to := b.bounds(group)
	q := b.q
	q.Documents = q.Documents[from:to]
	r := b.e.record(b.who, q, "sign")
	r.Approval = b.approval.id
	r.Args = map[string]string{"items": ranges(from, to, func(int) bool { return true }), "of": strconv.Itoa(len(b.states))}
	b.decision.mark(r.Documents, from)
	entry, err := b.e.log.Begin(ctx, r)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, proto.E(proto.CodeJournalUnwritable, err)
	}
	return entry, nil
}

func (b *batch) bounds(group int) (from, to int) {
	return group * intentSize, min((group+1)*intentSize, len(b.states))
}

func (b *batch) groups() int { return (len(b.states) + intentSize - 1) / intentSize }

// batchRun is the part of a batch that has the token. A feeder gives out the items, group by group, each after its line in
// the journal; workers sign and encode; the collector, which is run itself, takes what they made and keeps the account.
type batchRun struct {
	*batch
	ending sync.WaitGroup
	done   atomic.Int64 // items collected

	mu      sync.Mutex
	entries map[int]*journal.Entry // begun and not ended, by group
	err     error                  // what ended the batch
	over    bool
	halted  chan struct{} // closed with err
}

// halt ends the batch, for the first reason given. nil ends it too, if nothing did.
func (r *batchRun) halt(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.over, r.err = true, err
		close(r.halted)
	}
}

// reason is what ended the batch before its last item, or nil.
func (r *batchRun) reason() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// made is what a worker has to tell of an item.
type made struct {
	BatchSigned
	err error
}

func (r *batchRun) run(ctx context.Context, session token.Session) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { r.halt(ctx.Err()) })()
	r.listen(ctx, work)
	begin, stop := context.WithCancel(work)
	defer stop()
	go func() { // what the token is making when the batch is stopped is still taken and encoded
		select {
		case <-r.halted:
			stop()
			time.AfterFunc(lastWords, cancel)
		case <-work.Done():
		}
	}()
	stopCounting := r.count(ctx)
	defer stopCounting()

	items, results := make(chan int), make(chan made)
	go r.feed(ctx, items)
	workers := 1
	if p, ok := session.(token.Parallel); ok {
		workers = max(1, p.Parallel())
	}
	var busy sync.WaitGroup
	for range workers {
		busy.Go(func() {
			for i := range items {
				results <- r.made(work, within{session, begin}, i)
			}
		})
	}
	go func() { busy.Wait(); close(results) }()
	left := map[int]int{} // items of a group to come
	for g := range r.groups() {
		from, to := r.bounds(g)
		left[g] = to - from
	}
	for m := range results {
		if r.collect(m) {
			if g := m.Index / intentSize; left[g] == 1 {
				r.ending.Go(func() { r.end(g) })
			} else {
				left[g]--
			}
		}
	}
	r.ending.Wait()
}

// made makes item i. A panic over one document is not the end of everybody's agent.
func (r *batchRun) made(ctx context.Context, session token.Session, i int) (m made) {
	defer func() {
		if p := recover(); p != nil {
			slog.Error("batch item panicked", "stack", string(debug.Stack()))
			m = made{BatchSigned{Index: i}, proto.E(proto.CodeInternal, fmt.Errorf("panic: %T", p))}
		}
	}()
	m.BatchSigned, m.err = r.make(ctx, session, i)
	return m
}

// listen halts the batch when the person stops it, until over ends.
func (r *batchRun) listen(ctx, over context.Context) {
	s, ok := r.prompt.(Stopper)
	if !ok {
		return
	}
	stop := func() {
		if ctx.Err() == nil { // else the prompt is gone with the request
			r.halt(proto.E(proto.CodeUserStopped, nil))
		}
	}
	stopped := s.Stopped()
	select {
	case <-stopped: // before the first item
		stop()
		return
	default:
	}
	go func() {
		select {
		case <-stopped:
			stop()
		case <-over.Done():
		}
	}()
}

// within is a session whose signatures belong to a context of their own.
type within struct {
	token.Session
	ctx context.Context
}

func (s within) Sign(_ context.Context, id algo.ID, in algo.Input) ([]byte, error) {
	return s.Session.Sign(s.ctx, id, in)
}

// feed gives out the items. While a group is signed, the line of the next one is written.
func (r *batchRun) feed(ctx context.Context, items chan<- int) {
	defer close(items)
	for g := range r.groups() {
		next := make(chan error, 1)
		if g+1 < r.groups() {
			go func() { next <- r.begin(ctx, g+1) }()
		} else {
			next <- nil
		}
		from, to := r.bounds(g)
		for i := from; i < to; i++ {
			if err := ctx.Err(); err != nil {
				r.halt(err) // now, not when the one who watches ctx gets a turn
			}
			select {
			case <-r.halted:
				<-next
				return
			default:
			}
			select {
			case items <- i:
			case <-r.halted:
				<-next
				return
			}
		}
		if err := <-next; err != nil {
			r.halt(err)
			return
		}
	}
}

func (r *batchRun) begin(ctx context.Context, group int) error {
	entry, err := r.intend(ctx, group)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[group] = entry
	return nil
}

// collect enters what became of an item into the account, and reports whether the item is settled.
func (r *batchRun) collect(m made) bool {
	switch {
	case m.err == nil:
		r.states[m.Index] = ItemSigned
	case own(m.err):
		r.states[m.Index] = ItemFailed
		m.Err = proto.AsError(fault(m.err))
		m.Signature, m.Handle = nil, ""
		logFault("batch item", m.Err)
	default:
		r.halt(fault(m.err))
		return false
	}
	r.done.Add(1)
	r.each(m.BatchSigned)
	return true
}

// end writes how a group ended. A journal that cannot be written ends the batch.
func (r *batchRun) end(group int) {
	r.mu.Lock()
	entry, stopped := r.entries[group], r.err
	delete(r.entries, group)
	r.mu.Unlock()
	if entry == nil {
		return
	}
	from, to := r.bounds(group)
	result, args := journal.OK, map[string]string(nil)
	if signed := ranges(from, to, func(i int) bool { return r.states[i] == ItemSigned }); signed != ranges(from, to, func(int) bool { return true }) {
		o := outcome(stopped)
		if result = o.Code; stopped == nil {
			result = string(proto.CodeContentChanged)
		}
		args = map[string]string{"signed": signed}
		for k, v := range o.Args {
			args[k] = v
		}
	}
	if err := entry.End(result, args); err != nil {
		r.halt(proto.E(proto.CodeJournalUnwritable, err))
		logFault("journal", proto.E(proto.CodeJournalUnwritable, err))
	}
}

// endAll ends what was announced and not carried out to its last item.
func (r *batchRun) endAll() {
	for g := range r.groups() {
		r.end(g)
	}
}

// ranges writes the numbers, counted from 1, of the items that fit: "1-12,14".
func ranges(from, to int, fits func(int) bool) string {
	var out []string
	for i := from; i < to; i++ {
		if !fits(i) {
			continue
		}
		first := i
		for i+1 < to && fits(i+1) {
			i++
		}
		one := strconv.Itoa(first + 1)
		if i > first {
			one += "-" + strconv.Itoa(i+1)
		}
		out = append(out, one)
	}
	return strings.Join(out, ",")
}

// Stopper is a Prompt, or a Body of one, at which the person can stop the batch they approved. The channel is closed when they
// do; a nil one says that they cannot.
type Stopper interface{ Stopped() <-chan struct{} }

// Counter is a Prompt, or a Body of one, that shows how far a batch has come.
type Counter interface{ Count(done, total int) }

// count tells prompt and caller from time to time how many items are done; the returned function tells it a last time.
func (r *batchRun) count(ctx context.Context) (stop func()) {
	told := -1
	tell := func() {
		n := int(r.done.Load())
		if n == told {
			return
		}
		told = n
		counted(ctx, n, len(r.states))
		if c, ok := r.prompt.(Counter); ok {
			c.Count(n, len(r.states))
		}
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(countEvery)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				tell()
			case <-over:
				tell()
				return
			}
		}
	}()
	return func() { close(over); <-ended }
}

type countKey struct{}

// WithCount lets f see how many items of the batches run under the returned context are done.
func WithCount(ctx context.Context, f func(done, total int)) context.Context {
	return context.WithValue(ctx, countKey{}, f)
}

func counted(ctx context.Context, done, total int) {
	if f, ok := ctx.Value(countKey{}).(func(int, int)); ok {
		f(done, total)
	}
}
