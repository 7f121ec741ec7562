// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"
)

// PageRequest is an HTTP request of an allowed page.
type PageRequest struct {
	Method, Path string
	Body         []byte
	Peer         Peer
}

// PageAnswer is what a page gets: JSON.
type PageAnswer struct {
	Status int
	JSON   []byte
}

// PageOptions say what an HTTP port answers, and to whom.
type PageOptions struct {
	SiteRules
	Methods map[string]string // by path: GET or POST; others are 404
	MaxBody int64
	// Answer answers one request. ctx ends when the page gives up.
	Answer func(ctx context.Context, r PageRequest) PageAnswer
}

// PagePort is a port of 127.0.0.1 that answers pages of other sites over plain HTTP, with the guard of the WebSocket: its
// Host is 127.0.0.1 or localhost, every request names exactly one origin, and only an allowed one is answered or gets CORS
// headers. One request a connection.
type PagePort struct {
	*port
	o PageOptions
}

// ListenPages opens an HTTP port at addr, 127.0.0.1 and a port number (0 picks one).
func ListenPages(addr string, o PageOptions) (*PagePort, error) {
	p, err := openPort(addr, listenOwn, o.SiteRules, "localhost")
	if err != nil {
		return nil, fmt.Errorf("http port: %w", err)
	}
	return &PagePort{port: p, o: o}, nil
}

// Addr is where it listens.
func (p *PagePort) Addr() net.Addr { return p.port.Addr() }

// Serve answers until ctx ends or the port is closed. It is called once.
func (p *PagePort) Serve(ctx context.Context) error { return p.serve(ctx, p, nil) }

// ServeHTTP is every request on the port.
func (p *PagePort) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rw.Header()["Date"] = nil
	origin, err := oneOrigin(r)
	if err != nil || p.guard.head(r) != nil {
		refuse(rw, http.StatusForbidden)
		return
	}
	method, known := p.o.Methods[r.RequestURI]
	preflight := r.Method == http.MethodOptions
	if !known || !preflight && r.Method != method {
		refuse(rw, http.StatusNotFound)
		return
	}
	peer, leave, ok := p.admit(rw, r, origin)
	if !ok {
		return
	}
	defer leave()
	cors(rw.Header(), origin)
	if preflight {
		p.preflight(rw, r, method)
		return
	}
	p.answer(rw, r, peer)
}

// cors lets the page of origin read the answer, and no other.
func cors(h http.Header, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Vary", "Origin")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
}

// preflight answers the browser's question whether the page may send a request of its own making.
func (p *PagePort) preflight(rw http.ResponseWriter, r *http.Request, method string) {
	if r.ContentLength != 0 || !slices.Equal(r.Header["Access-Control-Request-Method"], []string{method}) {
		refuse(rw, http.StatusForbidden)
		return
	}
	rw.Header().Set("Access-Control-Allow-Methods", method)
	rw.Header().Set("Access-Control-Allow-Headers", "Content-Type")
	for _, network := range []string{"Private", "Local"} { // Chromium asked for either, by version
		if r.Header.Get("Access-Control-Request-"+network+"-Network") == "true" {
			rw.Header().Set("Access-Control-Allow-"+network+"-Network", "true")
		}
	}
	rw.WriteHeader(http.StatusNoContent)
}

func (p *PagePort) answer(rw http.ResponseWriter, r *http.Request, peer Peer) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, p.o.MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(rw, http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		refuse(rw, http.StatusBadRequest)
		return
	}
	until := http.NewResponseController(rw) // a person is asked meanwhile
	if errors.Join(until.SetReadDeadline(time.Now().Add(handling)), until.SetWriteDeadline(time.Now().Add(handling))) != nil {
		refuse(rw, http.StatusInternalServerError)
		return
	}
	a := p.o.Answer(r.Context(), PageRequest{Method: r.Method, Path: r.RequestURI, Body: body, Peer: peer})
	rw.Header().Set("Content-Type", "application/json;charset=UTF-8")
	rw.WriteHeader(a.Status)
	_, _ = rw.Write(a.JSON)
}
