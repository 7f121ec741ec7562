// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"sync"
	"time"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/signing"
	"persten/internal/token"
)

// maxShown is how long an outcome stays on screen at most.
const maxShown = 60 * time.Second

// codeLost ends a prompt whose session went away after a yes: whether anything was signed is not known here.
const codeLost = "agent_lost"

// errOutOfTurn is a session that calls twice, or in the wrong order.
var errOutOfTurn = errors.New("message out of turn")

// Serve is the prompt process: it answers the session at the other end of c with what b brings from the person, and returns
// when the prompt is over. If the session goes away before the person has decided, the prompt vanishes; afterwards the
// body still says that the signature was lost sight of.
func Serve(ctx context.Context, c ipc.FileConn, b Body) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &stage{body: b, outcome: make(chan signing.Outcome, 1), decided: make(chan struct{})}
	conn := rpc.New(c, s.handle)
	s.conn = conn
	defer conn.Close()
	lost := make(chan error, 1)
	go func() { lost <- conn.Serve(ctx) }()
	go s.hear(ctx)
	go s.announce(ctx)

	var err error
	select {
	case o := <-s.outcome:
		return s.show(ctx, o)
	case <-ctx.Done():
		return ctx.Err()
	case err = <-lost:
	}
	select {
	case o := <-s.outcome: // came just before the end of the connection
		return s.show(ctx, o)
	case <-time.After(200 * time.Millisecond):
	}
	if s.approved() {
		return s.show(ctx, signing.Outcome{Code: codeLost, Time: time.Now()})
	}
	return err
}

// Fronted is a Body that knows whether the person has it before them.
type Fronted interface{ InFront() bool }

// stage is one question on its way through a Body.
type stage struct {
	body    Body
	outcome chan signing.Outcome
	decided chan struct{} // closed by a yes

	conn *rpc.Conn

	turn  sync.Mutex // ask and pin, one at a time
	mu    sync.Mutex
	asked bool
	given map[int]chan *os.File // documents of a batch on their way here
}

func (s *stage) show(ctx context.Context, o signing.Outcome) error {
	ctx, cancel := context.WithTimeout(ctx, maxShown)
	defer cancel()
	if err := s.body.Close(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (s *stage) front() front {
	f, ok := s.body.(Fronted)
	return front{InFront: ok && f.InFront()}
}

func (s *stage) approved() bool {
	select {
	case <-s.decided:
		return true
	default:
		return false
	}
}

func (s *stage) handle(ctx context.Context, r *rpc.Request) (any, error) {
	switch r.Method {
	case methodAsk:
		return s.ask(ctx, r)
	case methodPIN:
		return s.pin(ctx, r)
	case methodProgress:
		var p progress
		if json.Unmarshal(r.Params, &p) != nil {
			return nil, nil
		}
		if c, ok := s.body.(signing.Counter); ok && p.Total > 0 {
			c.Count(p.Done, p.Total)
		} else if p.Total == 0 {
			s.body.Progress(p.Step)
		}
		return nil, nil
	case methodDocument:
		return nil, s.take(r)
	case methodClose:
		var o signing.Outcome
		if err := json.Unmarshal(r.Params, &o); err != nil {
			return nil, err
		}
		select {
		case s.outcome <- o:
		default:
		}
		return s.front(), nil
	case methodFront:
		return s.front(), nil
	case methodRaise:
		b, ok := s.body.(signing.Raiser)
		return raised{Raised: ok && b.Raise()}, nil
	}
	closeAll(r.Files)
	return nil, &rpc.Error{Code: -32601, Message: "method not found"}
}

func (s *stage) ask(ctx context.Context, r *rpc.Request) (any, error) {
	defer closeAll(r.Files)
	var q signing.Question
	if err := json.Unmarshal(r.Params, &q); err != nil {
		return nil, err
	}
	if len(r.Files) != 0 && len(r.Files) != len(q.Documents) {
		return nil, errOutOfTurn
	}
	for i := range r.Files {
		q.Documents[i].Content = r.Files[i]
	}
	if q.Batch {
		s.borrow(&q)
	}
	s.offer(&q)
	if !s.begin() {
		return nil, errOutOfTurn
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	d, err := s.body.Decide(ctx, q)
	if err == nil && d.Approved {
		close(s.decided)
	}
	return answer{Decision: d, Fault: faultName(err)}, nil
}

// begin lets one question in.
func (s *stage) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked {
		return false
	}
	s.asked = true
	return true
}

func (s *stage) pin(ctx context.Context, r *rpc.Request) (any, error) {
	var p token.PINRequest
	if len(r.Files) != 1 || !s.approved() || json.Unmarshal(r.Params, &p) != nil {
		closeAll(r.Files)
		return nil, errOutOfTurn
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	err := s.body.PIN(ctx, p, r.Files[0])
	return answer{Fault: faultName(err)}, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
