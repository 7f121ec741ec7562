// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
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

// WebSocketOptions say who may connect, and how.
type WebSocketOptions struct {
	SiteRules
	TLS        *tls.Config // nil: ws, else wss
	Foreign    bool        // pages written for another program: their handshakes name no subprotocol
	MaxMessage int         // of one message, when not [MaxFrame]; a foreign answer may have [Grown] times that

	// Service is the socket of a service that may share the port between users, such as [PortSocket]; empty for none. Where nobody
	// shares it, the port is our own.
	Service string
	// Trouble, if set, hears when no connections come any more because Service is gone, and nil when they come again.
	Trouble func(error)
}

// Grown is how many times as long as a foreign request its answer may be: it holds the documents again, in base64, and signatures.
const Grown = 3

// ListenWebSocket opens a WebSocket at addr, which must be 127.0.0.1 and a port (0 picks one). Other addresses, names
// included, are refused. A port that another user has is [ErrForeignUser].
func ListenWebSocket(addr string, o WebSocketOptions) (Listener, error) {
	listen := func(addr string) (net.Listener, error) { return listenShared(o.Service, addr, o.Trouble) }
	p, err := openPort(addr, listen, o.SiteRules)
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = MaxFrame
	}
	return &webListener{port: p, o: o}, nil
}

// webListener accepts pages.
type webListener struct {
	*port
	o      WebSocketOptions
	accept func(Conn, Peer)
	conns  *connSet
}

// Serve answers handshakes until ctx ends or the listener is closed. It is called once.
func (w *webListener) Serve(ctx context.Context, accept func(Conn, Peer)) error {
	w.accept, w.conns = accept, newConnSet(MaxWebSockets)
	defer w.conns.closeAndWait()
	return w.serve(ctx, w, w.o.TLS)
}

// ServeHTTP is every request on the port.
func (w *webListener) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rw.Header()["Date"] = nil // the same bytes always
	switch err := w.guard.plain(r); {
	case err != nil:
		refuse(rw, http.StatusForbidden)
	case r.RequestURI == "/health" && !w.o.Foreign:
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

// handshake lets a connection through or answers 403. Who is told nothing about why.
func (w *webListener) handshake(rw http.ResponseWriter, r *http.Request) {
	origin, err := upgradeOrigin(r, w.o.Foreign)
	if err != nil {
		refuse(rw, http.StatusForbidden)
		return
	}
	p, leave, ok := w.admit(rw, r, origin)
	if !ok {
		return
	}
	u, most := upgrader, w.o.MaxMessage
	if w.o.Foreign {
		u.Subprotocols, most = nil, Grown*most
	}
	c, err := u.Upgrade(rw, r, nil)
	if err != nil { // gorilla has answered
		leave()
		return
	}
	serve := func() {
		defer leave()
		s := newSocket(c, w.o.MaxMessage, most)
		defer s.Close()
		w.accept(s, p)
	}
	if !w.conns.start(c, serve) {
		c.Close()
		leave()
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
