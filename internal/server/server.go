// SPDX-License-Identifier: GPL-3.0-or-later

// Package server is the agent's API over rpc: it decodes strictly, checks who may call what, calls the engine and turns
// errors into their wire form. It is the last room that knows JSON and the first that knows methods.
//
// Every connection (a page's channel, a command, the tray) is served by one value that holds its Caller; the audience is
// decided by how the connection came in, never by what it says. A page needs its origin allowed for every method; methods
// marked x-audience local are refused to pages whatever way they come. A Server is safe for concurrent use.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/signing"
	"persten/proto"
)

// Journal is read by journal.list and journal.verify.
type Journal interface {
	List(limit int) ([]proto.JournalRecord, error)
	Verify() (proto.JournalVerifyResult, error)
}

// Options are the Server's partners.
type Options struct {
	Engine  *signing.Engine
	Origins Origins
	Journal Journal
	Stop    func() // ends the agent; called by agent.stop
	Version string
	User    string // operating-system user the agent runs for
	Lang    string // of questions no caller named a language for
}

// Server answers any number of connections.
type Server struct {
	o      Options
	gate   gate
	paused atomic.Bool

	mu    sync.Mutex
	conns map[*client]bool
}

// New makes a server.
func New(o Options) *Server {
	s := &Server{o: o, conns: map[*client]bool{}}
	s.gate = gate{origins: o.Origins, engine: o.Engine, asked: map[string]time.Time{}}
	return s
}

// client is one connection and implements proto.Server for it.
type client struct {
	*Server
	conn *rpc.Conn
	rate bucket

	mu  sync.Mutex // guards who.Lang
	who signing.Caller
}

// Serve answers c until it ends or ctx does. When it ends, its open prompts close and its contents are freed.
func (s *Server) Serve(ctx context.Context, c ipc.Conn, p ipc.Peer) error {
	cl := &client{Server: s, who: s.callerOf(p), rate: newBucket(ratePerSecond)}
	cl.conn = rpc.New(c, cl.handle)
	s.mu.Lock()
	s.conns[cl] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, cl)
		s.mu.Unlock()
		s.o.Engine.Store().DropChannel(cl.who.Channel)
	}()
	return cl.conn.Serve(ctx)
}

func (s *Server) callerOf(p ipc.Peer) signing.Caller {
	return signing.Caller{
		Channel: signing.NewChannel(), Origin: p.Origin, Top: p.Top, Via: via(p.Via),
		User: s.o.User, PID: p.PID, Program: p.Program, Lang: s.o.Lang,
	}
}

func via(s string) signing.Via {
	switch s {
	case "native":
		return signing.ViaNative
	case "websocket":
		return signing.ViaWebSocket
	}
	return signing.ViaSocket
}

// handle answers one request.
func (c *client) handle(ctx context.Context, r *rpc.Request) (any, error) {
	for _, f := range r.Files {
		f.Close() // no method takes descriptors
	}
	if err := c.permit(r.Method, r.Params); err != nil {
		return nil, c.wire(err)
	}
	id := r.ID
	ctx = signing.WithProgress(ctx, func(step signing.Step) {
		c.conn.Notify(proto.NotifyProgress, proto.ProgressParams{Request: id, Step: proto.Step(step)})
	})
	result, err := proto.Dispatch(ctx, c, r.Method, r.Params)
	if err != nil {
		return nil, c.wire(err)
	}
	return result, nil
}

// permit decides whether this caller may call this method at all.
func (c *client) permit(method string, params []byte) error {
	audience, known := proto.Audience(method)
	if !known {
		return proto.E(proto.CodeRequestUnknownMethod, nil, "method", method)
	}
	if field, found := proto.SecretMember(params); found {
		return proto.E(proto.CodeRequestSecret, nil, "field", field)
	}
	if c.local() {
		return nil
	}
	if audience == proto.AudienceLocal {
		return proto.E(proto.CodeMethodLocalOnly, nil, "method", method)
	}
	if !bulk[method] && !c.rate.take(time.Now()) {
		return proto.E(proto.CodeRequestLimit, nil, "limit", rateText)
	}
	if err := c.gate.check(c.caller()); err != nil {
		return err
	}
	if c.paused.Load() && method != proto.MethodAgentHello && method != proto.MethodAgentStatus {
		return proto.E(proto.CodeAgentPaused, nil)
	}
	return nil
}

// bulk methods carry contents in pieces; quotas bound them, not the request rate.
var bulk = map[string]bool{proto.MethodContentAppend: true, proto.MethodContentRead: true}

func (c *client) local() bool { return c.who.Via == signing.ViaSocket }

// wire makes the answer of an error: code, arguments and a sentence in the caller's language. Causes stay in the log.
func (c *client) wire(err error) *rpc.Error {
	var pe *proto.Error
	switch {
	case errors.As(err, &pe):
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		pe = proto.E(proto.CodeRequestCancelled, err)
	default:
		pe = proto.E(proto.CodeInternal, err)
	}
	if pe.Code == proto.CodeInternal {
		ref := signing.NewChannel()[:8]
		slog.Error("internal error", "ref", ref, "cause", pe.Unwrap())
		pe = proto.E(proto.CodeInternal, pe.Unwrap(), "ref", ref)
	}
	data, err := json.Marshal(pe.Data(c.lang()))
	if err != nil {
		slog.Error("error without data", "code", pe.Code, "cause", err)
	}
	return &rpc.Error{Code: proto.Number(pe.Code), Message: proto.Text(pe.Code, "en", pe.Args).What, Data: data}
}

// TokensChanged tells every client to list again.
func (s *Server) TokensChanged() {
	s.notify(proto.NotifyTokensChanged, proto.TokensChangedParams{}, func(*client) bool { return true })
}

// Changed tells local clients, such as the tray, that the agent's state is another.
func (s *Server) Changed() {
	state := proto.AgentChangedParams{State: s.state(nil), Prompts: s.o.Engine.Prompts()}
	s.notify(proto.NotifyAgentChanged, state, (*client).local)
}

func (s *Server) notify(method string, params any, to func(*client) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if to(c) {
			go c.conn.Notify(method, params)
		}
	}
}
