// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"slices"
	"sync"
	"time"

	"persten/internal/signing"
	"persten/proto"
)

// The methods below are for the tray and the main window.

// respite is when a pause ends by itself.
type respite struct {
	mu    sync.Mutex
	end   time.Time // zero: not before somebody says so
	timer *time.Timer
}

// look is how often the wall clock is asked: a timer stands still while the machine sleeps.
const look = time.Minute

// set has over called at end, unless another end is set before. The zero time means never.
func (r *respite) set(end time.Time, over func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	if r.end = end; !end.IsZero() {
		r.arm(end, over)
	}
}

// arm waits for a piece of the time that is left. The caller holds mu.
func (r *respite) arm(end time.Time, over func()) {
	r.timer = time.AfterFunc(max(0, min(time.Until(end), look)), func() {
		r.mu.Lock()
		current := r.end.Equal(end)
		if left := time.Until(end.Round(0)); current && left > 0 { // by the wall clock
			r.arm(end, over)
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		if current {
			over()
		}
	})
}

func (r *respite) until() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.end
}

// AgentPause stops and resumes serving pages, and signing without a person for anybody.
func (c *client) AgentPause(_ context.Context, p proto.AgentPauseParams) (*proto.AgentPauseResult, error) {
	var end time.Time
	if p.Paused && p.Minutes > 0 {
		end = time.Now().Add(time.Duration(p.Minutes) * time.Minute).Round(0)
	}
	c.respite.set(end, func() { c.respite.set(time.Time{}, nil); c.setPaused(false) })
	c.setPaused(p.Paused)
	return &proto.AgentPauseResult{}, nil
}

func (s *Server) setPaused(paused bool) {
	s.paused.Store(paused)
	s.o.Engine.Pause(paused)
	s.Changed()
}

// atWork tells a person who is waited for from a key in use.
func (s *Server) atWork() proto.State {
	open := s.o.Engine.OpenRequests()
	if len(open) == 0 || slices.ContainsFunc(open, func(o signing.Open) bool { return !o.Decided }) {
		return proto.StateWaiting
	}
	return proto.StateBusy
}

func (s *Server) openRequests() (list []proto.OpenRequest) {
	for _, o := range s.o.Engine.OpenRequests() {
		list = append(list, proto.OpenRequest{
			ID: proto.RequestRef(o.ID), Kind: proto.RequestKind(o.Kind), Origin: o.Origin, Documents: o.Documents,
			Since: o.Since, Decided: o.Decided,
		})
	}
	return list
}

// RequestsShow raises the window of a request.
func (c *client) RequestsShow(_ context.Context, p proto.RequestsShowParams) (*proto.RequestsShowResult, error) {
	return &proto.RequestsShowResult{Shown: c.o.Engine.Raise(string(p.ID))}, nil
}

// WindowShow raises the main window, if there is one.
func (c *client) WindowShow(_ context.Context, p proto.WindowShowParams) (*proto.WindowShowResult, error) {
	c.Server.mu.Lock()
	w := c.window
	c.Server.mu.Unlock()
	if w == nil {
		return &proto.WindowShowResult{}, nil
	}
	err := w.conn.Notify(proto.NotifyWindowPage, proto.WindowPageParams{Page: p.Page})
	return &proto.WindowShowResult{Shown: err == nil}, nil
}

// WindowServe makes the caller the main window until it leaves.
func (c *client) WindowServe(context.Context, proto.WindowServeParams) (*proto.WindowServeResult, error) {
	c.Server.mu.Lock()
	defer c.Server.mu.Unlock()
	c.window = c
	return &proto.WindowServeResult{}, nil
}

// Notice tells the person something by way of the tray. It reports whether there is a tray to tell it.
func (s *Server) Notice(n proto.AgentNoticeParams) (heard bool) {
	s.mu.Lock()
	for c := range s.conns {
		heard = heard || c.child
	}
	s.mu.Unlock()
	s.notify((*client).local, proto.NotifyAgentNotice, func() any { return n })
	return heard
}
