// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Limits of the WebSocket listener.
const (
	MaxPerOrigin  = 16  // connections of one origin
	MaxWebSockets = 512 // connections of all origins

	maxPending   = 128 // TCP connections that have not finished their handshake
	maxUnknown   = 8   // Unknown callbacks at a time
	maxHeaders   = 8 << 10
	pingPeriod   = 30 * time.Second
	pongTimeout  = 75 * time.Second
	subprotocol  = "persten.v1"
	quietly      = "persten.quiet" // offered beside subprotocol by a page that only looks: Unknown does not hear of it
	healthBody   = "persten\n"
	foreignBody  = "another user's persten\n"
	closeTimeout = time.Second
)

// WebSocketOptions decide who may connect.
type WebSocketOptions struct {
	// Allowed reports whether pages of origin may connect. It is asked at each handshake, with a valid serialised origin.
	Allowed func(origin string) bool
	// Unknown, if set, hears of each web origin that was refused for not being allowed. It runs in a goroutine of its own;
	// when several are still running, further ones are not started.
	Unknown func(origin string, p Peer)
}

// ListenWebSocket opens the second transport at addr, which must be 127.0.0.1 and a port (0 picks one). Other addresses,
// names included, are refused.
func ListenWebSocket(addr string, o WebSocketOptions) (Listener, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil || ap.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
		return nil, fmt.Errorf("listen on %s: only 127.0.0.1 is allowed", addr)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp4", addr)
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	return &webListener{l: l, o: o, unknown: make(chan struct{}, maxUnknown), perOrigin: map[string]int{}}, nil
}

// webListener accepts pages.
type webListener struct {
	l       net.Listener
	o       WebSocketOptions
	accept  func(Conn, Peer)
	conns   *connSet
	unknown chan struct{}

	mu        sync.Mutex
	perOrigin map[string]int
	total     int
}

func (w *webListener) Addr() net.Addr { return w.l.Addr() }
func (w *webListener) Close() error   { return w.l.Close() }

// Serve answers handshakes until ctx ends or the listener is closed. It is called once.
func (w *webListener) Serve(ctx context.Context, accept func(Conn, Peer)) error {
	w.accept, w.conns = accept, newConnSet(MaxWebSockets)
	s := &http.Server{
		Handler:                      w,
		ReadHeaderTimeout:            helloTimeout,
		ReadTimeout:                  helloTimeout,
		WriteTimeout:                 helloTimeout,
		IdleTimeout:                  helloTimeout,
		MaxHeaderBytes:               maxHeaders,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(io.Discard, "", 0), // a line per forged handshake would fill the journal
	}
	s.ConnState = func(c net.Conn, state http.ConnState) {
		if p, ok := c.(*pendingConn); ok && state == http.StateHijacked {
			p.free()
		}
	}
	s.SetKeepAlivesEnabled(false)
	stop := context.AfterFunc(ctx, func() { s.Close() })
	err := s.Serve(&pendingLimit{Listener: w.l, slots: make(chan struct{}, maxPending)})
	stop()
	s.Close()
	w.conns.closeAndWait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// ServeHTTP is every request on the port.
func (w *webListener) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rw.Header()["Date"] = nil // the same bytes always
	g := guard{host: w.l.Addr().String()}
	switch err := g.plain(r); {
	case err != nil:
		refuse(rw, http.StatusForbidden)
	case r.RequestURI == "/health":
		health(rw, r)
	case r.RequestURI != "/":
		refuse(rw, http.StatusNotFound)
	default:
		w.handshake(rw, r)
	}
}

// health tells every page that Persten answers here, and whether it is that of the browser's own user; nothing else. Pages
// may read it, so that they can tell Persten from another program on its port.
func health(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	rw.Header().Set("Access-Control-Allow-Origin", "*")
	rw.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	if _, _, err := owner(r); err != nil {
		rw.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(rw, foreignBody)
		return
	}
	_, _ = io.WriteString(rw, healthBody)
}

func refuse(rw http.ResponseWriter, status int) {
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	rw.WriteHeader(status)
	_, _ = io.WriteString(rw, http.StatusText(status)+"\n")
}

// handshake lets a connection through or answers 403. Who is told nothing about why.
func (w *webListener) handshake(rw http.ResponseWriter, r *http.Request) {
	origin, err := upgradeOrigin(r)
	if err != nil {
		refuse(rw, http.StatusForbidden)
		return
	}
	p := Peer{Via: ViaWebSocket, Origin: origin, Extension: extensionOf(origin)}
	if p.UID, p.PID, err = owner(r); err != nil {
		warnRefused("websocket: refused", "origin", origin, "err", err)
		refuse(rw, http.StatusForbidden)
		return
	}
	if w.o.Allowed == nil || !w.o.Allowed(origin) {
		if !slices.Contains(websocket.Subprotocols(r), quietly) {
			w.tell(origin, p)
		}
		refuse(rw, http.StatusForbidden)
		return
	}
	if !w.enter(origin) {
		warnRefused("websocket: too many connections", "origin", origin)
		refuse(rw, http.StatusServiceUnavailable)
		return
	}
	c, err := upgrader.Upgrade(rw, r, nil)
	if err != nil { // gorilla has answered
		w.leave(origin)
		return
	}
	p.Program = tcpProgram(p.PID)
	if !w.conns.start(c, func() { w.serve(c, p) }) {
		c.Close()
		w.leave(origin)
	}
}

var upgrader = websocket.Upgrader{
	HandshakeTimeout: helloTimeout,
	ReadBufferSize:   4 << 10,
	WriteBufferSize:  4 << 10,
	WriteBufferPool:  &sync.Pool{},
	Subprotocols:     []string{subprotocol},
	CheckOrigin:      func(*http.Request) bool { return true }, // the guard has decided, by stricter rules
}

// owner is whose process sent a request; another user's is an error.
func owner(r *http.Request) (uid, pid int, err error) {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return 0, 0, fmt.Errorf("%w: no local address", ErrProtocol)
	}
	server, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return 0, 0, err
	}
	client, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return 0, 0, err
	}
	return tcpOwner(client, server)
}

// tell reports an origin that is not allowed, without making the handshake wait.
func (w *webListener) tell(origin string, p Peer) {
	if w.o.Unknown == nil || !webOrigin(origin) {
		return
	}
	select {
	case w.unknown <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-w.unknown }()
		p.Program = tcpProgram(p.PID)
		w.o.Unknown(origin, p)
	}()
}

func (w *webListener) enter(origin string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.total >= MaxWebSockets || w.perOrigin[origin] >= MaxPerOrigin {
		return false
	}
	w.total++
	w.perOrigin[origin]++
	return true
}

func (w *webListener) leave(origin string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total--
	if w.perOrigin[origin]--; w.perOrigin[origin] == 0 {
		delete(w.perOrigin, origin)
	}
}

func (w *webListener) serve(c *websocket.Conn, p Peer) {
	defer w.leave(p.Origin)
	s := newSocket(c)
	defer s.Close()
	w.accept(s, p)
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

func (c *pendingConn) Close() error {
	c.free()
	return c.Conn.Close()
}
