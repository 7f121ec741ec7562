// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"persten/internal/ipc"
	"persten/internal/signing"
	"persten/proto"
)

// Origins is what the agent knows of web sites: machine policy, configuration and the person's own answers.
type Origins interface {
	// Decision tells whether origin may use the agent; known is false when nobody has said yet.
	Decision(origin string) (allowed, known bool)
	// Allow, Deny and Forget change the person's answer; policy cannot be changed.
	Allow(origin string) error
	Deny(origin string) error
	Forget(origin string) error
	List() ([]proto.Origin, error)
}

// askEvery is how often one unknown origin may raise the question "Allow SITE?".
const askEvery = time.Hour

// maxAsked bounds the memory of origins that were asked about.
const maxAsked = 1024

// gate lets allowed origins in and raises the question for unknown ones.
type gate struct {
	origins Origins
	engine  *signing.Engine

	mu    sync.Mutex
	asked map[string]time.Time
}

// check returns nil for an allowed origin. An unknown one is refused now and asked about beside the request.
func (g *gate) check(who signing.Caller) error {
	allowed, known := g.origins.Decision(who.Origin)
	if allowed && (who.Top == "" || who.Top == who.Origin) {
		return nil
	}
	if allowed {
		return g.checkTop(who)
	}
	if known {
		return proto.E(proto.CodeOriginDenied, nil, "origin", who.Origin)
	}
	g.raise(who)
	return proto.E(proto.CodeOriginNotAllowed, nil, "origin", who.Origin)
}

// checkTop refuses an allowed frame inside a page that is not allowed.
func (g *gate) checkTop(who signing.Caller) error {
	if allowed, _ := g.origins.Decision(who.Top); allowed {
		return nil
	}
	return proto.E(proto.CodeOriginNotAllowed, nil, "origin", who.Top)
}

// raise asks the person about an origin, at most once an hour.
func (g *gate) raise(who signing.Caller) {
	if !g.first(who.Origin, time.Now()) {
		return
	}
	go func() {
		allowed, err := g.engine.AskOrigin(context.Background(), who)
		switch {
		case err != nil:
			slog.Warn("origin question got no answer", "origin", who.Origin, "cause", err)
		case allowed:
			err = g.origins.Allow(who.Origin)
		default:
			err = g.origins.Deny(who.Origin)
		}
		if err != nil {
			slog.Error("origin answer not kept", "origin", who.Origin, "cause", err)
		}
	}()
}

func (g *gate) first(origin string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for o, at := range g.asked {
		if now.Sub(at) > askEvery {
			delete(g.asked, o)
		}
	}
	if _, again := g.asked[origin]; again || len(g.asked) >= maxAsked {
		return false
	}
	g.asked[origin] = now
	return true
}

// forget lets the question be raised again at once: the person took their answer back.
func (g *gate) forget(origin string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.asked, origin)
}

// AllowedOrigin is the WebSocket handshake's rule.
func (s *Server) AllowedOrigin(origin string) bool {
	allowed, _ := s.o.Origins.Decision(origin)
	return allowed
}

// UnknownOrigin hears of a handshake refused to a page of origin; it may raise the question.
func (s *Server) UnknownOrigin(origin string, p ipc.Peer) {
	if _, known := s.o.Origins.Decision(origin); known || s.paused.Load() {
		return
	}
	p.Origin = origin
	s.gate.raise(s.callerOf(p))
}
