// SPDX-License-Identifier: GPL-3.0-or-later

// Package tsp is the one network client of signatures: time-stamps (RFC 3161), OCSP (RFC 6960), revocation lists and
// issuers' certificates (RFC 5280 sections 4.2.1.13 and 4.2.2.1). No other package that makes or checks signatures opens a
// connection. The description of updates is fetched by it, too ([Client.Document]), so that one set of rules holds for all.
//
// # Where it connects
//
// Addresses come from the configuration or from a certificate somebody chose, so they are data from outside. Only http and
// https are spoken. A name is resolved here and the address that was checked is the one that is dialled, so that a name that
// changes its answer gains nothing. Refused are all addresses that are not public: loopback, private, link-local, carrier
// and documentation ranges, multicast, the metadata services of clouds, and IPv6 forms that carry an IPv4 address, unless
// [Options].Allow names the range or the host, or a person named the very address, see [Stamper.Named]. The same holds for each
// of at most three redirects, which nobody named; https never becomes http. Ports below 1024 other than 80 and 443 are refused.
// Nothing is sent beside the request: no cookies, no credentials, no referrer.
//
// When a proxy dials, the address it will connect to cannot be seen here. The check then moves to the URL: a literal address
// and the special names are refused as above, and so is a name that resolves, here, to refused addresses alone. A name that
// does not resolve here is left to the proxy.
//
// # Limits
//
// One fetch, redirects and all, takes at most [Options].Deadline, 15 s unless told otherwise. An answer is at most
// 1 MiB (time-stamp, OCSP), 30 MiB (revocation list) or 256 KiB (issuers), and it is given up at its first byte when it is
// not what was asked for, at its DER header when it says that it is larger. Compressed answers are refused.
//
// # Cache
//
// OCSP answers and revocation lists are kept in [Options].Dir until their nextUpdate, lists being asked for again after a day
// (If-None-Match, If-Modified-Since); issuers are kept for a week. A file is written whole or not at all, mode 0600, and
// one that was damaged is dropped. What was imported is never evicted. Several processes may share the folder.
//
// Offline the client makes no connection at all: it answers from cache and imported files, however old, and leaves it to
// package cert what they still prove.
//
// # What is checked
//
// A time-stamp leaves this package checked in full. Revocation answers are checked for form, freshness, nonce and that they
// speak of the certificate; whether the right authority signed them is judged in package cert, with the path. Answers that
// the issuer's own key did not sign are passed on and not kept.
//
// # Concurrency
//
// A [Client] may be used from many goroutines. Those that want the same thing at the same time share one fetch.
package tsp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// What went wrong. A [Failure] wraps one of them, or the context's error when the caller gave up.
var (
	ErrRefused     = errors.New("the address is not one this program connects to")
	ErrOffline     = errors.New("offline: no connection is made")
	ErrUnreachable = errors.New("the server cannot be reached")
	ErrIdentity    = errors.New("the server's certificate is not trusted by the system")
	ErrTimeout     = errors.New("the server took too long")
	ErrTooLarge    = errors.New("the answer is too large")
	ErrStatus      = errors.New("the server answered with an error")
	ErrAnswer      = errors.New("the answer is not what was asked for")
	ErrOutdated    = errors.New("the answer is out of date")
	ErrProxy       = errors.New("the proxy cannot be used")
	ErrProxyAuth   = errors.New("the proxy asks for a name and a password")
	ErrPAC         = errors.New("the system's proxy is chosen by a PAC script, which this program does not run")
)

// Failure is one fetch that did not succeed.
type Failure struct {
	URL string // as asked for; the last redirect's when it was one of them that failed
	Err error
}

func (f *Failure) Error() string { return f.URL + ": " + f.Err.Error() }

func (f *Failure) Unwrap() error { return f.Err }

// Host is the name or address of the server, for texts that people read; empty when the URL has none.
func (f *Failure) Host() string {
	if u, err := url.Parse(f.URL); err == nil {
		return u.Hostname()
	}
	return ""
}

// Options are how a client connects. The zero value is online, through the system's proxy, without a cache.
type Options struct {
	Offline bool
	// Proxy is "system" or empty, "none", or http://HOST:PORT. System is the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY)
	// and, on Windows when that is empty, what is set for the user.
	Proxy string
	// Allow names what is not refused although it is not public: ranges such as 10.0.0.0/8, addresses, and names of hosts,
	// which are then good whatever their addresses.
	Allow []string
	// Dir is the folder of the cache. It is made when missing; empty for none.
	Dir string
	// CacheSize bounds the cache in bytes, imported files apart; 0 is 256 MiB.
	CacheSize int64
	// NoOCSP leaves OCSP servers alone, which learn whose certificate is looked at. Revocation lists remain.
	NoOCSP bool
	// Deadline bounds one fetch; 0 is 15 s.
	Deadline time.Duration
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

const (
	defaultDeadline  = 15 * time.Second
	defaultCacheSize = 256 << 20
)

// Client fetches. It implements cert.Source.
type Client struct {
	offline  bool
	noOCSP   bool
	deadline time.Duration
	now      func() time.Time
	rules    rules
	proxy    proxyFunc
	cache    cache
	flights  flights
	failed   failed

	direct, named, proxied *http.Transport

	resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	connect func(ctx context.Context, to netip.AddrPort) (net.Conn, error) // to an address that passed the rules
}

// New makes a client. It connects to nothing. The error tells which entry of o cannot be used.
func New(o Options) (*Client, error) {
	r, err := parseRules(o.Allow)
	if err != nil {
		return nil, err
	}
	proxy, err := chooseProxy(o.Proxy)
	if err != nil {
		return nil, err
	}
	c := &Client{offline: o.Offline, noOCSP: o.NoOCSP, deadline: o.Deadline, now: o.Now, rules: r, proxy: proxy}
	c.cache = cache{dir: o.Dir, size: o.CacheSize}
	if c.deadline == 0 {
		c.deadline = defaultDeadline
	}
	if c.cache.size == 0 {
		c.cache.size = defaultCacheSize
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.resolve, c.connect = lookup, connect
	c.direct, c.named, c.proxied = c.transport(nil, c.dial), c.transport(nil, c.dialNamed), c.transport(proxyOf, c.dialProxy)
	c.named.DisableKeepAlives = true
	return c, nil
}

// Offline reports whether the client never connects.
func (c *Client) Offline() bool { return c.offline }

// Close closes idle connections. The client can still be used.
func (c *Client) Close() {
	c.direct.CloseIdleConnections()
	c.named.CloseIdleConnections()
	c.proxied.CloseIdleConnections()
}

func failure(url string, err error) error {
	var f *Failure
	if err == nil || errors.As(err, &f) {
		return err
	}
	return &Failure{url, err}
}

func wrong(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrAnswer, fmt.Sprintf(format, a...))
}
