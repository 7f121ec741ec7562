// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/websocket"
)

// guard decides about a request by its head alone, before anything is upgraded. gorilla's own check would pass a missing
// Origin, reads only the first of several, and compares it with Host, which a rebound name makes equal.
type guard struct {
	hosts []string // the Hosts that are ours
}

// plain accepts what a browser sends to our WebSocket port and nothing else: a head as it should be, GET, no body.
func (g guard) plain(r *http.Request) error {
	switch {
	case r.Method != http.MethodGet:
		return fmt.Errorf("%w: method", ErrProtocol)
	case r.ContentLength != 0:
		return fmt.Errorf("%w: body", ErrProtocol)
	}
	return g.head(r)
}

// head accepts HTTP/1.1, origin-form, our Host, no body of unknown length, no proxy.
func (g guard) head(r *http.Request) error {
	switch {
	case r.ProtoMajor != 1 || r.ProtoMinor != 1:
		return fmt.Errorf("%w: %s", ErrProtocol, r.Proto)
	case !strings.HasPrefix(r.RequestURI, "/"):
		return fmt.Errorf("%w: target is not in origin form", ErrProtocol)
	case !slices.Contains(g.hosts, r.Host):
		return fmt.Errorf("%w: host", ErrProtocol)
	case r.ContentLength < 0 || len(r.TransferEncoding) > 0 || len(r.Trailer) > 0:
		return fmt.Errorf("%w: body", ErrProtocol)
	}
	for name := range r.Header {
		if proxied(name) {
			return fmt.Errorf("%w: proxied", ErrProtocol)
		}
	}
	return nil
}

// proxied names headers that no browser sends to loopback; a proxy would lend its address to others.
func proxied(name string) bool {
	return name == "Forwarded" || name == "Via" || name == "Transfer-Encoding" || strings.HasPrefix(name, "X-Forwarded-")
}

// upgradeOrigin returns the origin of a WebSocket handshake that names exactly one valid origin and our subprotocol, or none
// where pages are foreign.
func upgradeOrigin(r *http.Request, foreign bool) (string, error) {
	protocols := r.Header["Sec-Websocket-Protocol"]
	ours := len(protocols) == 1 && slices.Contains(websocket.Subprotocols(r), subprotocol)
	switch {
	case !websocket.IsWebSocketUpgrade(r):
		return "", fmt.Errorf("%w: no upgrade", ErrProtocol)
	case foreign && len(protocols) > 0, !foreign && !ours:
		return "", fmt.Errorf("%w: subprotocol", ErrProtocol)
	case len(r.Header["Sec-Websocket-Key"]) != 1 || len(r.Header["Sec-Websocket-Version"]) != 1:
		return "", fmt.Errorf("%w: handshake", ErrProtocol)
	}
	return oneOrigin(r)
}

// oneOrigin is the origin of a request that names exactly one, a valid one.
func oneOrigin(r *http.Request) (string, error) {
	origins := r.Header["Origin"]
	if len(origins) != 1 || !ValidOrigin(origins[0]) {
		return "", fmt.Errorf("%w: origin", ErrProtocol)
	}
	return origins[0], nil
}

// extensionOf is the id in an extension's origin, else empty.
func extensionOf(origin string) string {
	scheme, id, _ := strings.Cut(origin, "://")
	if strings.HasSuffix(scheme, "-extension") {
		return id
	}
	return ""
}
