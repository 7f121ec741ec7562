// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
)

// Start makes one prompt process and returns the connection to it and a function that ends it at once. The function may be
// called more than once, also after the process has ended by itself; reaping is Start's business.
type Start func(ctx context.Context) (conn ipc.FileConn, stop func() error, err error)

// Remote asks in a child process, one for each question. When Start fails the question ends with signing.ErrNoPrompt.
// Close of its prompts returns at once and leaves the child to show the outcome for as long as the person likes.
func Remote(start func(ctx context.Context) (ipc.FileConn, func() error, error)) signing.Approver {
	return remote{start}
}

type remote struct{ start Start }

// The messages between session and prompt process. Answers carry what went wrong by name, so no error text crosses.
const (
	methodAsk      = "ask"
	methodPIN      = "pin"
	methodProgress = "progress"
	methodClose    = "close"
)

// handOver is the time a prompt process has to take the outcome.
const handOver = 5 * time.Second

type answer struct {
	Decision signing.Decision `json:"decision"`
	Fault    string           `json:"fault,omitempty"`
}

// faults are the errors of a Body that mean something to the session.
var faults = map[string]error{"rejected": signing.ErrRejected, "no_prompt": signing.ErrNoPrompt}

var errPrompt = errors.New("the prompt failed")

func faultName(err error) string {
	for name, e := range faults {
		if errors.Is(err, e) {
			return name
		}
	}
	if err != nil {
		return "failed"
	}
	return ""
}

func (a answer) err() error {
	if a.Fault == "" {
		return nil
	}
	if e, ok := faults[a.Fault]; ok {
		return e
	}
	return errPrompt
}

func (r remote) Ask(ctx context.Context, q signing.Question) (signing.Prompt, error) {
	conn, stop, err := r.start(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", signing.ErrNoPrompt, err)
	}
	p := &remotePrompt{q: q, stop: stop, stopped: make(chan struct{})}
	p.halt = sync.OnceFunc(func() { close(p.stopped) })
	p.life, p.end = context.WithCancel(ctx)
	p.conn = rpc.New(conn, p.lend)
	go func() {
		p.conn.Serve(context.WithoutCancel(ctx)) // until either side closes
		p.end()
	}()
	context.AfterFunc(p.life, p.vanish)
	return p, nil
}

type remotePrompt struct {
	q    signing.Question
	conn *rpc.Conn
	stop func() error
	life context.Context // ends with Ask's context, the connection, or Close
	end  context.CancelFunc

	stopped chan struct{} // closed by halt
	halt    func()

	mu   sync.Mutex
	told bool // the outcome is on screen; the child may live on
	lent map[int]bool

	deaf atomic.Bool // it did not take a count in time
}

// vanish ends a prompt whose question is gone.
func (p *remotePrompt) vanish() {
	p.mu.Lock()
	told := p.told
	p.mu.Unlock()
	if told {
		return // Close hangs up when the child has the outcome, also after the request is over
	}
	p.halt()
	p.conn.Close()
	p.stop()
}

// call is one exchange with the child. It tells a lost child from a lost caller.
func (p *remotePrompt) call(ctx context.Context, method string, params any, files ...*os.File) (answer, error) {
	var a answer
	if p.life.Err() != nil && ctx.Err() == nil {
		return a, fmt.Errorf("%w: the prompt is closed", signing.ErrNoPrompt)
	}
	err := p.conn.Call(ctx, method, params, &a, files...)
	switch {
	case ctx.Err() != nil:
		p.end()
		return answer{}, ctx.Err()
	case err != nil:
		p.end()
		return answer{}, fmt.Errorf("%w: %w", signing.ErrNoPrompt, err)
	}
	return a, a.err()
}

func (p *remotePrompt) Decide(ctx context.Context) (signing.Decision, error) {
	files := make([]*os.File, 0, len(p.q.Documents))
	for _, d := range p.q.Documents {
		if d.Content != nil {
			files = append(files, d.Content)
		}
	}
	if len(files) != len(p.q.Documents) || p.q.Batch {
		files = nil // some content is not visible: send none rather than match them by guess
	}
	a, err := p.call(ctx, methodAsk, p.q, files...)
	if err != nil {
		return signing.Decision{}, err
	}
	if len(a.Decision.Viewed) > len(p.q.Documents) {
		return signing.Decision{}, errPrompt
	}
	return a.Decision, nil
}

func (p *remotePrompt) PIN(ctx context.Context, r token.PINRequest) (secret.PIN, error) {
	pin, to, err := secret.Pipe()
	if err != nil {
		return secret.PIN{}, err
	}
	_, err = p.call(ctx, methodPIN, r, to)
	to.Close()
	if err != nil {
		pin.Close()
		return secret.PIN{}, err
	}
	return pin, nil
}

// Progress waits until the child has taken the step: a notification could overtake, or be overtaken by, the next PIN.
func (p *remotePrompt) Progress(s signing.Step) {
	ctx, cancel := context.WithTimeout(p.life, handOver)
	defer cancel()
	p.conn.Call(ctx, methodProgress, progress{Step: s}, nil) // a child that is gone is noticed by the next call
}

type progress struct {
	Step  signing.Step `json:"step,omitempty"`
	Done  int          `json:"done,omitempty"` // of a batch
	Total int          `json:"total,omitempty"`
}

// Close hands the outcome over and returns; the connection ends when the child has it.
func (p *remotePrompt) Close(o signing.Outcome) error {
	if p.life.Err() != nil {
		return nil // vanished, or the person has closed it
	}
	p.mu.Lock()
	p.told = true
	p.mu.Unlock()
	go func() {
		defer p.end()
		defer p.conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), handOver)
		defer cancel()
		p.conn.Call(ctx, methodClose, o, nil) // a child that does not take it sees the connection end
	}()
	return nil
}
