// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"persten/internal/ipc"
	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
)

// Start makes one prompt process and returns the connection to it and a function that ends it at once. The function may be
// called more than once, also after the process has ended by itself; reaping is Start's business.
type Start func(ctx context.Context) (conn ipc.FileConn, stop func() error, err error)

// Front is one way to ask: the window, or a program in its place.
type Front struct {
	Name  string // for the log
	Start Start
	Tells bool // its process says when the question is on screen, as a Body that is a Shower does
}

// Fronts asks in a child process, one for each question, by the first of Ways that can. One that does not start, cannot
// reach a person, or dies before anything was on screen, makes room for the next, with a line in the log; when none is left
// the question ends with signing.ErrNoPrompt. A process that dies with the question on screen is started once more, and
// dying again it ends the question with signing.ErrPromptLost. After the person's answer nothing is asked twice.
//
// Close of its prompts returns at once and leaves the child to show the outcome for as long as the person likes.
type Fronts struct {
	Ways []Front
	// Closed is told how each question ended, and whether the person had the window before them; may be nil.
	Closed func(q signing.Question, o signing.Outcome, inFront bool)
	Show   Show // opens the system's viewer; may be nil
}

// Remote asks in a child process that start makes.
func Remote(start Start) signing.Approver {
	return Fronts{Ways: []Front{{Name: "prompt", Start: start}}}
}

// handOver is the time a prompt process has to take the outcome; appear the time to be on screen.
const (
	handOver = 5 * time.Second
	appear   = 30 * time.Second
)

// Ask starts the first prompt process that starts.
func (f Fronts) Ask(ctx context.Context, q signing.Question) (signing.Prompt, error) {
	p := &remotePrompt{fronts: f, q: q, ctx: ctx, stopped: make(chan struct{})}
	p.halt = sync.OnceFunc(func() { close(p.stopped) })
	return p, p.next()
}

type remotePrompt struct {
	fronts Fronts
	q      signing.Question
	ctx    context.Context // Ask's

	stopped chan struct{} // closed by halt
	halt    func()

	mu     sync.Mutex
	link   *link
	used   int  // of fronts.Ways
	agreed bool // the person has said yes
	told   bool // the outcome is on screen; the child may live on
	lent   map[int]bool

	deaf  atomic.Bool  // it did not take a count in time
	shows atomic.Int32 // of the system's viewer
}

// next goes on with the next front end that starts.
func (p *remotePrompt) next() error {
	failed := signing.ErrNoPrompt
	for p.used < len(p.fronts.Ways) {
		way := p.fronts.Ways[p.used]
		p.used++
		err := p.start(way)
		if err == nil {
			return nil
		}
		slog.Info("a prompt cannot be started", "front", way.Name, "cause", err)
		failed = fmt.Errorf("%w: %w", failed, err)
	}
	return failed
}

// start begins a link to a new process.
func (p *remotePrompt) start(way Front) error {
	conn, stop, err := way.Start(p.ctx)
	if err != nil {
		return err
	}
	l := newLink(p.ctx, way, stop)
	p.mu.Lock()
	p.link, p.lent = l, nil
	p.mu.Unlock()
	l.serve(p.ctx, conn, p.lend)
	context.AfterFunc(l.life, func() { p.vanish(l) })
	return nil
}

func (p *remotePrompt) current() *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.link
}

// vanish ends a prompt process whose question is gone, or that has lost its connection.
func (p *remotePrompt) vanish(l *link) {
	p.mu.Lock()
	told, halt := p.told, p.agreed && p.link == l
	p.mu.Unlock()
	if told {
		return // Close hangs up when the child has the outcome, also after the request is over
	}
	if halt {
		p.halt() // what runs on unseen could not be stopped any more
	}
	l.conn.Close()
	l.stop()
}

// Decide asks, elsewhere or again if need be.
func (p *remotePrompt) Decide(ctx context.Context) (signing.Decision, error) {
	for again := true; ; {
		l := p.current()
		d, err := p.ask(ctx, l)
		lost, unable := errors.Is(err, signing.ErrPromptLost), errors.Is(err, signing.ErrNoPrompt)
		switch {
		case err == nil, ctx.Err() != nil, !lost && !unable:
			return d, err
		case lost && l.seen() && !again:
			return d, err
		case lost && l.seen():
			slog.Warn("a prompt was ended from outside; the question is shown once more", "front", l.way.Name, "cause", err)
			again = false
			if startErr := p.start(l.way); startErr != nil {
				return d, errors.Join(err, startErr)
			}
		default:
			slog.Warn("a prompt cannot ask", "front", l.way.Name, "cause", err)
			if p.next() != nil {
				return d, fmt.Errorf("%w: %v", signing.ErrNoPrompt, err)
			}
		}
	}
}

// ask puts the question to one process.
func (p *remotePrompt) ask(ctx context.Context, l *link) (signing.Decision, error) {
	files := make([]*os.File, 0, len(p.q.Documents))
	for _, d := range p.q.Documents {
		if d.Content != nil {
			files = append(files, d.Content)
		}
	}
	if len(files) != len(p.q.Documents) || p.q.Batch {
		files = nil // some content is not visible: send none rather than match them by guess
	}
	defer l.mustAppear(appear)()
	a, err := l.call(ctx, methodAsk, p.q, files...)
	if err != nil {
		return signing.Decision{}, err
	}
	if len(a.Decision.Viewed) > len(p.q.Documents) {
		return signing.Decision{}, errPrompt
	}
	p.mu.Lock()
	p.agreed = a.Decision.Approved
	p.mu.Unlock()
	if a.Decision.Approved && l.life.Err() != nil {
		p.halt() // it died with the yes
	}
	return a.Decision, nil
}

func (p *remotePrompt) PIN(ctx context.Context, r token.PINRequest) (secret.PIN, error) {
	pin, to, err := secret.Pipe()
	if err != nil {
		return secret.PIN{}, err
	}
	_, err = p.current().call(ctx, methodPIN, r, to)
	to.Close()
	if err != nil {
		pin.Close()
		return secret.PIN{}, err
	}
	return pin, nil
}

// Raise brings the window to the front.
func (p *remotePrompt) Raise() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var a raised
	return p.current().conn.Call(ctx, methodRaise, nil, &a) == nil && a.Raised
}

// InFront reports whether the person has the window before them.
func (p *remotePrompt) InFront() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var f front
	return p.current().conn.Call(ctx, methodFront, nil, &f) == nil && f.InFront
}

// Progress waits until the child has taken the step: a notification could overtake, or be overtaken by, the next PIN.
func (p *remotePrompt) Progress(s signing.Step) {
	l := p.current()
	ctx, cancel := context.WithTimeout(l.life, handOver)
	defer cancel()
	l.conn.Call(ctx, methodProgress, progress{Step: s}, nil) // a child that is gone is noticed by the next call
}

// Close hands the outcome over and returns; the connection ends when the child has it.
func (p *remotePrompt) Close(o signing.Outcome) error {
	p.mu.Lock()
	l := p.link
	p.told = l.life.Err() == nil // else it vanished, or the person has closed it
	told := p.told
	p.mu.Unlock()
	go func() {
		var seen front
		if told {
			defer l.end()
			defer l.conn.Close()
			ctx, cancel := context.WithTimeout(context.Background(), handOver)
			defer cancel()
			l.conn.Call(ctx, methodClose, o, &seen) // a child that does not take it sees the connection end
		}
		if p.fronts.Closed != nil {
			p.fronts.Closed(p.q, o, seen.InFront)
		}
	}()
	return nil
}
