// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/signing"
)

// The messages between session and prompt process. Answers carry what went wrong by name, so no error text crosses.
const (
	methodAsk      = "ask"
	methodPIN      = "pin"
	methodProgress = "progress"
	methodRaise    = "raise"
	methodFront    = "front"
	methodClose    = "close"
	methodShown    = "shown" // from the child: the question is on screen
)

type answer struct {
	Decision signing.Decision `json:"decision"`
	Fault    string           `json:"fault,omitempty"`
}

type progress struct {
	Step  signing.Step `json:"step,omitempty"`
	Done  int          `json:"done,omitempty"` // of a batch
	Total int          `json:"total,omitempty"`
}

type raised struct {
	Raised bool `json:"raised"`
}

type front struct {
	InFront bool `json:"inFront"`
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

// link is the session's end of one prompt process.
type link struct {
	way  Front
	conn *rpc.Conn
	stop func() error
	life context.Context // ends with Ask's context, the connection, or Close
	end  context.CancelFunc

	shown chan struct{} // closed by show
	show  func()
}

func newLink(ctx context.Context, way Front, stop func() error) *link {
	l := &link{way: way, stop: stop, shown: make(chan struct{})}
	l.show = sync.OnceFunc(func() { close(l.shown) })
	l.life, l.end = context.WithCancel(ctx)
	if !way.Tells {
		l.show()
	}
	return l
}

// serve answers the process until either side closes.
func (l *link) serve(ctx context.Context, conn ipc.FileConn, lend func(context.Context, *link, *rpc.Request) (any, error)) {
	l.conn = rpc.New(conn, func(ctx context.Context, r *rpc.Request) (any, error) { return lend(ctx, l, r) })
	go func() {
		l.conn.Serve(context.WithoutCancel(ctx))
		l.end()
	}()
}

// seen reports whether the question was on screen, as far as is known.
func (l *link) seen() bool {
	select {
	case <-l.shown:
		return true
	default:
		return false
	}
}

// mustAppear ends a process that shows nothing for so long, unless forget is called before.
func (l *link) mustAppear(limit time.Duration) (forget func() bool) {
	return time.AfterFunc(limit, func() {
		if !l.seen() {
			l.end()
		}
	}).Stop
}

// call is one exchange with the child. It tells a lost child from a lost caller.
func (l *link) call(ctx context.Context, method string, params any, files ...*os.File) (answer, error) {
	var a answer
	if l.life.Err() != nil && ctx.Err() == nil {
		return a, fmt.Errorf("%w: it is closed", signing.ErrPromptLost)
	}
	err := l.conn.Call(ctx, method, params, &a, files...)
	switch {
	case ctx.Err() != nil:
		l.end()
		return answer{}, ctx.Err()
	case err != nil:
		l.end()
		return answer{}, fmt.Errorf("%w: %w", signing.ErrPromptLost, err)
	}
	return a, a.err()
}
