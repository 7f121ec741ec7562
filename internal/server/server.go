// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"persten/internal/config"
	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/signing"
	"persten/proto"
)

// Journal is read by journal.list, journal.verify and journal.export.
type Journal interface {
	List(q proto.JournalListParams) (*proto.JournalListResult, error)
	Verify() (proto.JournalVerifyResult, error)
	// Export writes a file for other programs, in a language where it has words.
	Export(w io.Writer, lang string, q proto.JournalExportParams) error
}

// Settings are the person's.
type Settings interface {
	Get() proto.Settings
	Set(p proto.SettingsSetParams) (proto.Settings, error)
}

// KeyFiles are the files that are tokens.
type KeyFiles interface {
	List() []proto.KeyFile
	// Add asks the person for the file's password, reads the file and makes it a token.
	Add(ctx context.Context, who signing.Caller, path string) (proto.KeyFile, error)
	Remove(path string) error
}

// Identity shows pages that this is the agent they met before.
type Identity interface {
	Prove(origin, challenge string) (key, proof []byte, err error)
}

// Doctor answers the methods doctor in the caller's language.
type Doctor interface {
	Run(ctx context.Context, p proto.DoctorRunParams, lang string, ended func(check string, done, total int)) ([]proto.DoctorFinding, error)
	Fix(ctx context.Context, p proto.DoctorFixParams, lang string) ([]proto.DoctorFinding, error)
	Explain(query, lang string) []proto.DoctorAnswer
	Bundle(ctx context.Context, p proto.DoctorBundleParams, lang string, w io.Writer) (letter string, files []proto.BundleFile, err error)
}

// Options are the Server's partners.
type Options struct {
	Engine   *signing.Engine
	Origins  Origins
	Journal  Journal
	Settings Settings
	KeyFiles KeyFiles
	Identity Identity
	Doctor   Doctor
	Stop     func()         // ends the agent; called by agent.stop
	Watched  func(yes bool) // told when the first page or command comes and when the last one left; may be nil
	Version  string
	User     string // operating-system user the agent runs for
	Lang     string // of questions no caller named a language for

	Managed  bool          // there is a machine policy
	Withheld []proto.Right // by it, from the person

	// Page writes a report as a page for people in a language; nil: there are none.
	Page func(w io.Writer, form proto.PageForm, lang string, r *proto.Report) error
}

// Server answers any number of connections.
type Server struct {
	o      Options
	gate   gate
	rates  *rates
	opens  *rates
	paused atomic.Bool
	atwork atomic.Int64 // requests that wait for their answer

	respite respite
	windows windows

	mu       sync.Mutex
	conns    map[*client]bool
	window   *client                 // the main window, nil when none is open
	eager    int                     // of conns, without the agent's own children
	standing map[string]*proto.Error // problems by what has them
}

// New makes a server.
func New(o Options) *Server {
	s := &Server{o: o, conns: map[*client]bool{}, standing: map[string]*proto.Error{}}
	s.gate = gate{origins: o.Origins, engine: o.Engine, paused: &s.paused, asked: map[string]time.Time{}}
	s.rates, s.opens = newRates(requests), newRates(opens)
	s.windows.of = map[string]int{}
	return s
}

// client is one connection and implements proto.Server for it.
type client struct {
	*Server
	conn    *rpc.Conn
	streams streams
	child   bool // a process of the agent's own: the tray

	telling sync.Mutex // one notification of a state at a time, so that the last one sent is the last one true

	mu  sync.Mutex // guards who.Lang
	who signing.Caller
}

// Serve answers c until it ends or ctx does. When it ends, its open prompts close and its contents are freed.
func (s *Server) Serve(ctx context.Context, c ipc.Conn, p ipc.Peer) error {
	cl := &client{Server: s, who: s.callerOf(p), child: p.Via == ipc.ViaPair}
	s.o.Engine.Store().Bind(cl.who.Channel, cl.who.Owner())
	cl.conn = rpc.New(c, cl.handle)
	cl.conn.InOrder(proto.MethodContentAppend, proto.MethodContentClose)
	cl.streams = streams{c: cl, open: map[uint32]*stream{}, handles: map[string]*stream{}}
	cl.streams.enabled = cl.conn.OnBinary(cl.streams.take)
	s.enter(cl, !cl.child)
	defer s.leave(cl, !cl.child)
	return cl.conn.Serve(ctx)
}

// enter registers a connection. The tray, a child of the agent, is always there and does not count as watching.
func (s *Server) enter(cl *client, watching bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[cl] = true
	if watching {
		s.count(1)
	}
}

func (s *Server) leave(cl *client, watching bool) {
	s.mu.Lock()
	delete(s.conns, cl)
	if s.window == cl {
		s.window = nil
	}
	if watching {
		s.count(-1)
	}
	s.mu.Unlock()
	s.o.Engine.Store().DropChannel(cl.who.Channel)
	cl.streams.wg.Wait()
}

// count keeps track of who is watching. The caller holds s.mu, so that the last word is the true one.
func (s *Server) count(n int) {
	was := s.eager > 0
	s.eager += n
	if is := s.eager > 0; is != was && s.o.Watched != nil {
		s.o.Watched(is)
	}
}

func (s *Server) callerOf(p ipc.Peer) signing.Caller {
	top := p.Top
	if top == "" && p.Frame != "" && p.Frame != "0" {
		top = "null" // a frame in a page that nobody named: no site is allowed under that name
	}
	return signing.Caller{
		Channel: signing.NewChannel(), Origin: p.Origin, Top: top, Via: via(p),
		User: s.o.User, PID: p.PID, Program: p.Program, Lang: s.o.Lang,
	}
}

// via decides who is local: a program on the user socket or on a pair of ours, for which no browser named a page. Whoever
// came in another way has a page's rights at most.
func via(p ipc.Peer) signing.Via {
	switch {
	case (p.Via == ipc.ViaUnix || p.Via == ipc.ViaPair) && p.Origin == "" && p.Extension == "":
		return signing.ViaSocket
	case p.Via == ipc.ViaWebSocket:
		return signing.ViaWebSocket
	}
	return signing.ViaNative
}

// handle answers one request. A notification is none: nothing runs whose result nobody could get.
func (c *client) handle(ctx context.Context, r *rpc.Request) (result any, err error) {
	c.atwork.Add(1)
	defer c.atwork.Add(-1)
	for _, f := range r.Files {
		f.Close() // no method takes descriptors
	}
	if r.Notification {
		return nil, nil
	}
	defer func() {
		if p := recover(); p != nil {
			slog.Error("method panicked", "method", r.Method, "stack", string(debug.Stack()))
			result, err = nil, c.wire(proto.E(proto.CodeInternal, fmt.Errorf("panic: %T", p)))
		}
	}()
	if err := c.permit(r); err != nil {
		return nil, c.wire(err)
	}
	id := r.ID
	ctx = signing.WithProgress(ctx, func(step signing.Step) {
		c.conn.Notify(proto.NotifyProgress, proto.ProgressParams{Request: id, Step: proto.Step(step)})
	})
	result, err = proto.Dispatch(withRequest(ctx, r), c, r.Method, r.Params)
	if err != nil {
		return nil, c.wire(err)
	}
	return result, nil
}

// Idle reports whether nobody waits for an answer and no document lies here: the agent may end without anybody losing anything.
func (s *Server) Idle() bool { return s.atwork.Load() == 0 && s.o.Engine.Store().Empty() }

// permit decides whether this caller may call this method at all.
func (c *client) permit(r *rpc.Request) error {
	method := r.Method
	audience, _ := proto.Audience(method) // Dispatch refuses unknown ones, to those it answers at all
	if c.local() {
		return config.Permit(c.o.Withheld, rights[method])
	}
	if audience == proto.AudienceLocal {
		return proto.E(proto.CodeMethodLocalOnly, nil, "method", method)
	}
	if err := c.paced(method); err != nil {
		return err
	}
	if c.ownPage() {
		return c.permitOwnPage(method)
	}
	if err := c.admit(r); err != nil {
		return err
	}
	if c.paused.Load() && method != proto.MethodAgentHello && method != proto.MethodAgentStatus {
		return proto.E(proto.CodeAgentPaused, nil)
	}
	return nil
}

// rights are what local methods need that machine policy may keep to some. Those of pages are the engine's and the origins' matter.
var rights = map[string]proto.Right{
	proto.MethodOriginsAllow: proto.RightSites, proto.MethodOriginsDeny: proto.RightSites, proto.MethodOriginsForget: proto.RightSites,
	proto.MethodKeyfilesAdd: proto.RightKeys, proto.MethodKeyfilesRemove: proto.RightKeys,
	proto.MethodJournalList: proto.RightJournal, proto.MethodJournalVerify: proto.RightJournal, proto.MethodJournalExport: proto.RightJournal,
}

// admit lets an allowed site in. One that only looks raises no question.
func (c *client) admit(r *rpc.Request) error {
	var look struct{ Quiet bool }
	if r.Method == proto.MethodAgentHello && json.Unmarshal(r.Params, &look) == nil && look.Quiet {
		return c.gate.decision(c.caller())
	}
	return c.gate.check(c.caller())
}

// ownPage reports whether our extension's own page, its popup, is calling: ipc lets no other extension's page through.
func (c *client) ownPage() bool {
	return c.who.Via == signing.ViaNative && strings.Contains(c.who.Origin, "-extension://")
}

// permitOwnPage permits what the popup shows: that the agent is there and how it is. It is no site, so nobody is asked.
func (c *client) permitOwnPage(method string) error {
	if method == proto.MethodAgentHello || method == proto.MethodAgentStatus {
		return nil
	}
	return proto.E(proto.CodeOriginDenied, nil, "origin", c.who.Origin)
}

// paced says no to a site that asks too often.
func (c *client) paced(method string) error {
	switch {
	case method == proto.MethodContentOpen:
		return c.opens.take(c.who.Origin, time.Now())
	case bulk[method]:
		return nil
	}
	return c.rates.take(c.who.Origin, time.Now())
}

// bulk methods carry contents that were opened; quotas bound them, not the request rate.
var bulk = map[string]bool{
	proto.MethodContentAppend: true, proto.MethodContentRead: true, proto.MethodContentClose: true, proto.MethodContentDrop: true,
}

func (c *client) local() bool { return c.who.Via == signing.ViaSocket }

// wire makes the answer of an error: code, arguments and a sentence in the caller's language.
func (c *client) wire(err error) *rpc.Error {
	pe := c.public(err)
	data, err := json.Marshal(pe.Data(c.lang()))
	if err != nil {
		slog.Error("error without data", "code", pe.Code, "cause", err)
	}
	return &rpc.Error{Code: proto.Number(pe.Code), Message: proto.Text(pe.Code, "en", pe.Args).What, Data: data}
}

// public makes an error the caller may see. Causes stay in the log.
func (c *client) public(err error) *proto.Error {
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
	return pe
}

// Problem has agent.status name the problem of some part of the agent to local callers, in place of the one it had; nil: it has
// none any more.
func (s *Server) Problem(of string, e *proto.Error) {
	s.mu.Lock()
	_, had := s.standing[of]
	if e == nil {
		delete(s.standing, of)
	} else {
		s.standing[of] = e
	}
	s.mu.Unlock()
	if had || e != nil {
		s.Changed()
	}
}

func (s *Server) problemsStanding() (list []*proto.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range slices.Sorted(maps.Keys(s.standing)) {
		list = append(list, s.standing[of])
	}
	return list
}

// TokensChanged tells every client that may list to list again.
func (s *Server) TokensChanged() {
	s.notify((*client).admitted, proto.NotifyTokensChanged, func() any { return proto.TokensChangedParams{} })
}

// admitted reports whether the client may call methods now: a site nobody allowed hears of nothing.
func (c *client) admitted() bool {
	return c.local() || !c.paused.Load() && c.gate.decision(c.caller()) == nil
}

// Changed tells local clients, such as the tray, that the agent's state is another.
func (s *Server) Changed() {
	s.notify((*client).local, proto.NotifyAgentChanged, func() any {
		return proto.AgentChangedParams{State: s.state(nil, 0), Prompts: s.o.Engine.Prompts()}
	})
}

// notify sends without waiting for slow readers; params are made when they are sent.
func (s *Server) notify(to func(*client) bool, method string, params func() any) {
	s.mu.Lock()
	clients := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range clients {
		go func() {
			if to(c) {
				c.telling.Lock()
				defer c.telling.Unlock()
				c.conn.Notify(method, params())
			}
		}()
	}
}
