// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"persten/internal/rpc"
	"persten/internal/signing"
)

// A batch has more documents than descriptors fit beside one message. The prompt process asks for a document when the person
// opens it: "open" from the child, upon which the session calls "document" with the descriptor and then answers. Each document
// is lent once; the child keeps what it got.
const (
	methodOpen     = "open"
	methodDocument = "document"
	methodStop     = "stop" // from the child: the person has stopped the batch
)

var errNoDocument = errors.New("no such document, or it was given before")

type which struct {
	Index int `json:"index"`
}

// lend is the session's side: it answers a prompt process that asks for a document of its question, and nothing else.
func (p *remotePrompt) lend(ctx context.Context, l *link, r *rpc.Request) (any, error) {
	closeAll(r.Files)
	switch {
	case r.Method == methodStop && !r.Notification:
		p.halt()
		return nil, nil
	case r.Method == methodShown:
		l.show()
		return nil, nil
	}
	if r.Method == methodSystem && !r.Notification {
		return nil, p.showInSystem(ctx, r)
	}
	if r.Method != methodOpen || r.Notification {
		return nil, &rpc.Error{Code: -32601, Message: "method not found"}
	}
	var w which
	if err := json.Unmarshal(r.Params, &w); err != nil || !p.mayLend(w.Index) {
		return nil, &rpc.Error{Code: -32602, Message: errNoDocument.Error()}
	}
	f, err := p.q.Documents[w.Index].Open(ctx)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return nil, l.conn.Call(ctx, methodDocument, w, nil, f)
}

func (p *remotePrompt) mayLend(i int) bool {
	if !p.q.Batch || i < 0 || i >= len(p.q.Documents) || p.q.Documents[i].Open == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lent[i] {
		return false
	}
	if p.lent == nil {
		p.lent = map[int]bool{}
	}
	p.lent[i] = true
	return true
}

// Stopped is closed when the person stops the batch, and when the window is gone in which they could have.
func (p *remotePrompt) Stopped() <-chan struct{} { return p.stopped }

// Stopped passes on what a Body says that can be stopped.
func (p *localPrompt) Stopped() <-chan struct{} {
	if s, ok := p.body.(signing.Stopper); ok {
		return s.Stopped()
	}
	return nil
}

// hear tells the session when the person stops the batch.
func (s *stage) hear(ctx context.Context) {
	b, ok := s.body.(signing.Stopper)
	if !ok {
		return
	}
	select {
	case <-b.Stopped():
		s.conn.Call(ctx, methodStop, nil, nil)
	case <-ctx.Done():
	}
}

// Count tells the child how far a batch has come, unless it is one that does not listen: the batch would wait for it each time.
func (p *remotePrompt) Count(done, total int) {
	if p.deaf.Load() {
		return
	}
	l := p.current()
	ctx, cancel := context.WithTimeout(l.life, handOver)
	defer cancel()
	l.conn.Call(ctx, methodProgress, progress{Done: done, Total: total}, nil) // a child that is gone is noticed by the next call
	p.deaf.Store(errors.Is(ctx.Err(), context.DeadlineExceeded))
}

// Count passes the number on to a Body that shows it.
func (p *localPrompt) Count(done, total int) {
	if c, ok := p.body.(signing.Counter); ok {
		c.Count(done, total)
	}
}

// Shower is a Body that can tell when the question is on screen.
type Shower interface{ Shown() <-chan struct{} }

// announce tells the session when the question is on screen.
func (s *stage) announce(ctx context.Context) {
	b, ok := s.body.(Shower)
	if !ok {
		return
	}
	select {
	case <-b.Shown():
		s.conn.Notify(methodShown, nil)
	case <-ctx.Done():
	}
}

// borrow lets the documents of a batch be got from the session.
func (s *stage) borrow(q *signing.Question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given = map[int]chan *os.File{}
	for i := range q.Documents {
		if q.Documents[i].Hidden {
			continue
		}
		s.given[i] = make(chan *os.File, 1)
		q.Documents[i].Open = func(ctx context.Context) (*os.File, error) { return s.fetch(ctx, i) }
	}
}

// fetch asks the session for a document and waits for it.
func (s *stage) fetch(ctx context.Context, i int) (*os.File, error) {
	if err := s.conn.Call(ctx, methodOpen, which{i}, nil); err != nil {
		return nil, err
	}
	select {
	case f := <-s.given[i]: // it came before the answer
		return f, nil
	default:
		return nil, errNoDocument
	}
}

// take accepts a document that was asked for.
func (s *stage) take(r *rpc.Request) error {
	var w which
	s.mu.Lock()
	defer s.mu.Unlock()
	if json.Unmarshal(r.Params, &w) != nil || len(r.Files) != 1 || s.given[w.Index] == nil {
		closeAll(r.Files)
		return errOutOfTurn
	}
	select {
	case s.given[w.Index] <- r.Files[0]:
		return nil
	default:
		closeAll(r.Files)
		return errOutOfTurn
	}
}
