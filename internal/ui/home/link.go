// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"gioui.org/io/system"

	"persten/internal/client"
	"persten/internal/rpc"
	"persten/internal/text"
	"persten/proto"
)

// retry is how long the window waits between two tries to reach a session. A try looks for a file.
const retry = time.Second

// follow keeps a connection to the session.
func (h *Home) follow(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		s, err := h.o.Dial(ctx, h.tongue(), h.hear)
		h.post(func() { h.reached(s, err) })
		if err == nil {
			select {
			case <-s.Lost():
			case <-ctx.Done():
			}
			s.Close()
			h.post(func() { h.session = nil })
			if time.Since(began) > retry {
				continue // it may be there again already
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
}

// tongue is the window's language, for other goroutines.
func (h *Home) tongue() text.Lang {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.spoken
}

// reached takes a new connection, or the word that there is none.
func (h *Home) reached(s *client.Client, err error) {
	h.waited = true
	if err != nil {
		if e := proto.AsError(err); e.Code != proto.CodeAgentNotRunning && e.Code != proto.CodeAgentLost {
			h.start.fault = h.faultOf(err)
		}
		return
	}
	h.session, h.start = s, job{}
	h.askStatus()
	h.askSettings()
	if h.has(proto.MethodWindowServe) {
		h.ask(&job{}, proto.MethodWindowServe, proto.WindowServeParams{}, nil)
	}
	h.pages[h.page].enter()
}

// has tells whether the session offers a method.
func (h *Home) has(method string) bool {
	return h.session != nil && slices.Contains(h.session.Hello.Capabilities, method)
}

// hear takes the session's notifications.
func (h *Home) hear(ctx context.Context, r *rpc.Request) (any, error) {
	switch r.Method {
	case proto.NotifyTokensChanged:
		h.post(func() {
			for _, p := range h.pages {
				p.tokens()
			}
		})
	case proto.NotifyAgentChanged:
		h.post(h.askStatus)
	case proto.NotifyWindowPage:
		var p proto.WindowPageParams
		if json.Unmarshal(r.Params, &p) == nil {
			h.post(func() { h.open(p.Page) })
			h.win.Perform(system.ActionRaise)
		}
	case proto.NotifyProgress:
		h.heard(r.Params)
	}
	return client.ListenOnly(ctx, r)
}

// askStatus brings the state in the rail up to date.
func (h *Home) askStatus() {
	ask(h, &job{}, proto.MethodAgentStatus, proto.AgentStatusParams{}, func(s *proto.AgentStatusResult) { h.status = *s })
}

// fault is what went wrong and what to do now, in words.
type fault struct{ code, what, next string }

func (h *Home) faultOf(err error) *fault {
	e := proto.AsError(err)
	what, next := text.Error(h.lang, e.Code, e.Args)
	return &fault{string(e.Code), what, next}
}

// job is one piece of work beside the drawing, as the page sees it.
type job struct {
	running bool
	since   time.Time
	done    float32 // of 1; 0 where it cannot be told
	stage   string  // what is being done, in words
	fault   *fault
	cancel  context.CancelFunc
	n       int // which one of this job's runs
}

// stop gives the work up.
func (j *job) stop() {
	if j.cancel != nil {
		j.cancel()
	}
	j.running = false
	j.n++
}

// begin has work done beside the drawing. What it returns is called on the drawing goroutine, unless the job was stopped or
// begun anew meanwhile.
func (h *Home) begin(j *job, stage string, work func(ctx context.Context) (func(), error)) {
	j.stop()
	ctx, cancel := context.WithCancel(h.ctx)
	n := j.n
	*j = job{running: true, since: time.Now(), stage: stage, cancel: cancel, n: n}
	go func() {
		then, err := work(ctx)
		cancel()
		h.post(func() {
			if j.n != n {
				return
			}
			j.running = false
			switch {
			case errors.Is(err, context.Canceled):
			case err != nil:
				j.fault = h.faultOf(err)
			case then != nil:
				then()
			}
		})
	}()
}

// stage changes what a running job says of itself; from any goroutine.
func (h *Home) stage(j *job, words string, done float32) {
	h.post(func() { j.stage, j.done = words, done })
}

// ask calls one method and hands the answer to then, on the drawing goroutine.
func ask[R any](h *Home, j *job, method string, params any, then func(*R)) {
	s := h.session
	h.begin(j, "", func(ctx context.Context) (func(), error) {
		if s == nil {
			return nil, proto.E(proto.CodeAgentNotRunning, nil)
		}
		r, err := client.Ask[R](ctx, s, method, params)
		return func() {
			if then != nil {
				then(r)
			}
		}, err
	})
}

// ask is for methods whose answer says nothing.
func (h *Home) ask(j *job, method string, params any, then func()) {
	ask(h, j, method, params, func(*json.RawMessage) {
		if then != nil {
			then()
		}
	})
}
