// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// SiteRules decide which pages may use a loopback port.
type SiteRules struct {
	// Allowed reports whether pages of origin may connect. It is asked at each handshake, with a valid serialised origin.
	Allowed func(origin string) bool
	// Unknown, if set, hears of each web origin that was refused for not being allowed. It runs in a goroutine of its own;
	// when several are still running, further ones are not started.
	Unknown func(origin string, p Peer)
}

// port is a port of 127.0.0.1 for browsers. Whoever gets past admit is a page of an allowed site in a program of this user,
// one of a limited number.
type port struct {
	l     net.Listener
	rules SiteRules
	guard guard

	unknown chan struct{}

	mu        sync.Mutex
	perOrigin map[string]int
	total     int
}

// openPort makes a port of what listen opens at addr, which must be 127.0.0.1 and a port (0 picks one). Other addresses, names
// included, are refused. Names are further names of ours that the Host header may hold.
func openPort(addr string, listen func(addr string) (net.Listener, error), rules SiteRules, names ...string) (*port, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil || ap.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
		return nil, fmt.Errorf("listen on %s: only 127.0.0.1 is allowed", addr)
	}
	l, err := listen(addr)
	if err != nil {
		return nil, err
	}
	p := &port{l: l, rules: rules, unknown: make(chan struct{}, maxUnknown), perOrigin: map[string]int{}}
	_, number, _ := net.SplitHostPort(l.Addr().String())
	p.guard.hosts = []string{l.Addr().String()}
	for _, name := range names {
		p.guard.hosts = append(p.guard.hosts, net.JoinHostPort(name, number))
	}
	return p, nil
}

func (p *port) Addr() net.Addr { return p.l.Addr() }
func (p *port) Close() error   { return p.l.Close() }

// serve has h answer requests until ctx ends or the port is closed; over TLS when secure is not nil.
func (p *port) serve(ctx context.Context, h http.Handler, secure *tls.Config) error {
	s := &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            helloTimeout,
		ReadTimeout:                  helloTimeout,
		WriteTimeout:                 helloTimeout,
		IdleTimeout:                  helloTimeout,
		MaxHeaderBytes:               maxHeaders,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(io.Discard, "", 0), // a line per forged handshake would fill the journal
	}
	s.ConnState = func(c net.Conn, state http.ConnState) {
		if p, ok := plainConn(c).(*pendingConn); ok && state == http.StateHijacked {
			p.free()
		}
	}
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, plainConn(c))
	}
	s.SetKeepAlivesEnabled(false)
	stop := context.AfterFunc(ctx, func() { s.Close() })
	var l net.Listener = &pendingLimit{Listener: p.l, slots: make(chan struct{}, maxPending)}
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	err := s.Serve(l)
	stop()
	s.Close()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, http.ErrServerClosed), errors.Is(err, net.ErrClosed):
		return nil
	}
	return err
}

// admit lets a request of origin in, or answers it 403 or 503 and tells nobody why. leave gives its place back.
func (p *port) admit(rw http.ResponseWriter, r *http.Request, origin string) (peer Peer, leave func(), ok bool) {
	peer = Peer{Via: ViaWebSocket, Origin: origin, Extension: extensionOf(origin)}
	var err error
	if peer.UID, peer.PID, err = owner(r); err != nil {
		warnRefused("loopback port: refused", "origin", origin, "err", err)
		refuse(rw, http.StatusForbidden)
		return peer, nil, false
	}
	if p.rules.Allowed == nil || !p.rules.Allowed(origin) {
		if !slices.Contains(websocket.Subprotocols(r), quietly) {
			p.tell(origin, peer)
		}
		refuse(rw, http.StatusForbidden)
		return peer, nil, false
	}
	if !p.enter(origin) {
		warnRefused("loopback port: too many connections", "origin", origin)
		refuse(rw, http.StatusServiceUnavailable)
		return peer, nil, false
	}
	peer.Program = tcpProgram(peer.PID)
	return peer, sync.OnceFunc(func() { p.leave(origin) }), true
}

// connKey is where a request's context has its connection.
type connKey struct{}

// plainConn is the connection below TLS.
func plainConn(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c
}

// owner is whose process sent a request; another user's is an error.
func owner(r *http.Request) (uid, pid int, err error) {
	c, ok := r.Context().Value(connKey{}).(net.Conn)
	if !ok {
		return 0, 0, fmt.Errorf("%w: no connection", ErrProtocol)
	}
	server, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		return 0, 0, err
	}
	client, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return 0, 0, err
	}
	if uid, pid, err = tcpOwner(client, server); err == nil {
		err = standing(c)
	}
	return uid, pid, err
}

// tell reports an origin that is not allowed, without making the handshake wait.
func (p *port) tell(origin string, peer Peer) {
	if p.rules.Unknown == nil || !webOrigin(origin) {
		return
	}
	select {
	case p.unknown <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-p.unknown }()
		peer.Program = tcpProgram(peer.PID)
		p.rules.Unknown(origin, peer)
	}()
}

func (p *port) enter(origin string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.total >= MaxWebSockets || p.perOrigin[origin] >= MaxPerOrigin {
		return false
	}
	p.total++
	p.perOrigin[origin]++
	return true
}

func (p *port) leave(origin string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total--
	if p.perOrigin[origin]--; p.perOrigin[origin] == 0 {
		delete(p.perOrigin, origin)
	}
}

func refuse(rw http.ResponseWriter, status int) {
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	rw.WriteHeader(status)
	_, _ = io.WriteString(rw, http.StatusText(status)+"\n")
}

// pendingLimit bounds connections in their handshake: a slot is held from accept until the HTTP server closes the connection,
// which its timeouts force, or hands it over.
type pendingLimit struct {
	net.Listener
	slots chan struct{}
}

func (l *pendingLimit) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &pendingConn{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
		default:
			c.Close()
		}
	}
}

type pendingConn struct {
	net.Conn
	free func()
}

// SyscallConn is the socket's.
func (c *pendingConn) SyscallConn() (syscall.RawConn, error) {
	s, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, ErrUnsupported
	}
	return s.SyscallConn()
}

func (c *pendingConn) Close() error {
	c.free()
	return c.Conn.Close()
}

// handling is how long a page's HTTP request may take: as long as a person may think, and a little.
const handling = 35 * time.Minute
