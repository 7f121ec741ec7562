// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
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
	// Hidden is the decision whether origin may ask for signatures of what the person cannot see; SetHidden keeps an answer.
	Hidden(origin string) (allowed, known bool)
	SetHidden(origin string, allowed bool) error
}

// askEvery is how often one unknown origin may raise the question "Allow SITE?".
const askEvery = time.Hour

// maxAsked bounds the memory of origins that were asked about.
const maxAsked = 1024

// After refusals in a row nobody is asked about any further site for a while: a page can have any number of names.
const (
	maxRefused = 3
	coolDown   = 10 * time.Minute
)

// gate lets allowed origins in and raises the question for unknown ones.
type gate struct {
	origins Origins
	engine  *signing.Engine
	paused  *atomic.Bool

	mu      sync.Mutex
	asked   map[string]time.Time
	asking  bool // one question is open; further sites are not asked about meanwhile
	refused int  // in a row
	last    time.Time
}

// check returns nil for a caller whose site, and the site around it, are allowed. One that nobody knows is refused now and
// asked about beside the request.
func (g *gate) check(who signing.Caller) error {
	err := g.decision(who)
	var e *proto.Error
	if errors.As(err, &e) && e.Code == proto.CodeOriginNotAllowed {
		g.raise(about(who, e.Args["origin"]), signing.KindOrigin)
	}
	return err
}

// sites are the caller's own site and, for a frame, the one around it.
func sites(who signing.Caller) []string {
	if who.Top == "" || who.Top == who.Origin {
		return []string{who.Origin}
	}
	return []string{who.Origin, who.Top}
}

// about is the caller as a question about one of its two sites shows it: the site around is no frame of anything.
func about(who signing.Caller, origin string) signing.Caller {
	if origin != who.Origin {
		who.Origin, who.Top = origin, ""
	}
	return who
}

// hidden returns nil for a caller that may ask for signatures of ready digests: a local one, and a page whose site, and the
// site around it, the person gave that right. Where nobody has said, the person is asked beside the request.
func (g *gate) hidden(who signing.Caller) error {
	if who.Local() {
		return nil
	}
	for _, origin := range sites(who) {
		switch allowed, known := g.origins.Hidden(origin); {
		case allowed:
		case known:
			return proto.E(proto.CodeContentHidden, nil)
		default:
			g.raise(about(who, origin), signing.KindHidden)
			return proto.E(proto.CodeHiddenNotAllowed, nil, "origin", origin)
		}
	}
	return nil
}

// decision is what is known about a caller now: a frame needs a yes for its own site and for the site around it, so that
// neither can borrow the other's. The error names the one without.
func (g *gate) decision(who signing.Caller) error {
	for _, origin := range sites(who) {
		switch allowed, known := g.origins.Decision(origin); {
		case !allowed && known:
			return proto.E(proto.CodeOriginDenied, nil, "origin", origin)
		case !allowed:
			return proto.E(proto.CodeOriginNotAllowed, nil, "origin", origin)
		}
	}
	return nil
}

// raise asks the person one question about an origin, at most once an hour.
func (g *gate) raise(who signing.Caller, kind signing.Kind) {
	if g.paused.Load() || !g.first(asked(who.Origin, kind), time.Now()) {
		return
	}
	go func() {
		ask := g.engine.AskOrigin
		if kind == signing.KindHidden {
			ask = g.engine.AskHidden
		}
		allowed, err := ask(context.Background(), who)
		g.answered(allowed)
		if err != nil {
			slog.Warn("origin question got no answer", "origin", who.Origin, "kind", kind, "cause", err)
			return
		}
		if err := g.keep(who.Origin, kind, allowed); err != nil {
			slog.Error("origin answer not kept", "origin", who.Origin, "cause", err)
			return
		}
		g.forget(asked(who.Origin, kind)) // the answer stands in its place, until somebody takes it back
	}()
}

func (g *gate) keep(origin string, kind signing.Kind, allowed bool) error {
	switch {
	case kind == signing.KindHidden:
		return g.origins.SetHidden(origin, allowed)
	case allowed:
		return g.origins.Allow(origin)
	}
	return g.origins.Deny(origin)
}

// asked names a question; that of KindOrigin is the origin itself.
func asked(origin string, kind signing.Kind) string {
	if kind == signing.KindOrigin {
		return origin
	}
	return string(kind) + " " + origin
}

func (g *gate) first(origin string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for o, at := range g.asked {
		if now.Sub(at) > askEvery {
			delete(g.asked, o)
		}
	}
	if g.refused >= maxRefused && now.Sub(g.last) > coolDown {
		g.refused = 0
	}
	_, again := g.asked[origin]
	if again || g.asking || g.refused >= maxRefused || len(g.asked) >= maxAsked {
		return false
	}
	g.asked[origin], g.asking = now, true
	return true
}

func (g *gate) answered(allowed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asking, g.last = false, time.Now()
	if g.refused++; allowed {
		g.refused = 0
	}
}

// forget lets questions be raised again at once.
func (g *gate) forget(questions ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, q := range questions {
		delete(g.asked, q)
	}
}

// AllowedOrigin is the WebSocket handshake's rule.
func (s *Server) AllowedOrigin(origin string) bool {
	allowed, _ := s.o.Origins.Decision(origin)
	return allowed
}

// UnknownOrigin hears of a handshake refused to a page of origin; it may raise the question.
func (s *Server) UnknownOrigin(origin string, p ipc.Peer) {
	if _, known := s.o.Origins.Decision(origin); known {
		return
	}
	p.Origin = origin
	s.gate.raise(s.callerOf(p), signing.KindOrigin)
}
