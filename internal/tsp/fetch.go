// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	maxRedirects = 3
	maxHeader    = 64 << 10
)

// kind is what is fetched.
type kind struct {
	name    string
	limit   int64    // bytes of an answer
	ask     string   // media type of the request; empty for GET
	answers []string // media types of the answer; empty for all but HTML
	text    bool     // an answer may be PEM
	plain   bool     // an answer is neither PEM nor DER
}

var (
	kindStamp  = kind{name: "tsp", limit: 1 << 20, ask: "application/timestamp-query", answers: []string{"application/timestamp-reply"}}
	kindOCSP   = kind{name: "ocsp", limit: 1 << 20, ask: "application/ocsp-request", answers: []string{"application/ocsp-response"}}
	kindCRL    = kind{name: "crl", limit: 30 << 20, text: true}
	kindIssuer = kind{name: "issuer", limit: 256 << 10, text: true}
)

// question is one request; etag and modified make it conditional. until ends it before the usual deadline, unless it is zero.
// What is named may be called wherever it is; redirects from it may not.
type question struct {
	kind           kind
	url            string
	body           []byte
	etag, modified string
	until          time.Time
	named          bool
}

// answer is what came. body is nil when the server said that it has not changed.
type answer struct {
	body           []byte
	etag, modified string
}

func (c *Client) transport(proxy func(*http.Request) (*url.URL, error), dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12}, // the system's roots
		TLSHandshakeTimeout:    c.deadline,
		ResponseHeaderTimeout:  c.deadline,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
		MaxIdleConns:           8,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        30 * time.Second,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
			return proxyStatus(r.StatusCode)
		},
	}
}

func proxyStatus(code int) error {
	switch {
	case code == http.StatusProxyAuthRequired:
		return ErrProxyAuth
	case code != http.StatusOK:
		return fmt.Errorf("%w: it answered %d", ErrProxy, code)
	}
	return nil
}

// fetch asks and reads the answer, redirects followed. The error is a *Failure, or the caller's own context error.
func (c *Client) fetch(ctx context.Context, q question) (*answer, error) {
	until := time.Now().Add(c.deadline)
	if !q.until.IsZero() && q.until.Before(until) {
		until = q.until
	}
	limited, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	at := q.url
	a, err := c.follow(limited, q, &at)
	switch {
	case err == nil:
		return a, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil, timedOut(err):
		err = ErrTimeout
	}
	return nil, failure(at, err)
}

// Document fetches a file of at most limit bytes that is neither a certificate nor a signature, as the description of updates. It
// is not kept. named: somebody wrote this very address down, see [Stamper.Named].
func (c *Client) Document(ctx context.Context, address string, limit int64, named bool) ([]byte, error) {
	a, err := c.fetch(ctx, question{kind: kind{name: "document", limit: limit, plain: true}, url: address, named: named})
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// Reach asks for an address and returns the server's clock, zero when it does not tell. Any answer will do but that the server is
// broken. named: somebody wrote this very address down, see [Stamper.Named].
func (c *Client) Reach(ctx context.Context, address string, named bool) (time.Time, error) {
	limited, cancel := context.WithTimeout(ctx, c.deadline)
	defer cancel()
	clock, err := c.reach(limited, address, named)
	if err != nil && ctx.Err() == nil && (limited.Err() != nil || timedOut(err)) {
		err = ErrTimeout
	}
	return clock, failure(address, err)
}

func (c *Client) reach(ctx context.Context, address string, named bool) (time.Time, error) {
	if c.offline {
		return time.Time{}, ErrOffline
	}
	t, err := c.target(address, named)
	if err != nil {
		return time.Time{}, err
	}
	r, err := c.send(ctx, question{url: address}, t)
	if err != nil {
		return time.Time{}, err
	}
	r.Body.Close()
	if r.StatusCode >= http.StatusInternalServerError {
		return time.Time{}, fmt.Errorf("%w: HTTP %d", ErrStatus, r.StatusCode)
	}
	clock, _ := http.ParseTime(r.Header.Get("Date")) // no Date is no clock
	return clock, nil
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// follow makes the request and those it is redirected to. at is the address of the last one.
func (c *Client) follow(ctx context.Context, q question, at *string) (*answer, error) {
	if c.offline {
		return nil, ErrOffline
	}
	for hop := range maxRedirects + 1 {
		t, err := c.target(*at, q.named && hop == 0)
		if err != nil {
			return nil, err
		}
		r, err := c.send(ctx, q, t)
		if err != nil {
			return nil, err
		}
		next, err := redirect(r, t.url, q.body != nil)
		if err != nil || next == "" {
			defer r.Body.Close()
			if err != nil {
				return nil, err
			}
			return q.read(r)
		}
		r.Body.Close()
		*at = next
	}
	return nil, wrong("more than %d redirects", maxRedirects)
}

// target checks an address, one somebody named by rules that include its host.
func (c *Client) target(raw string, named bool) (target, error) {
	r := c.rules
	if u, err := parseURL(raw); named && err == nil {
		r = r.including(u.Hostname())
	}
	t, err := r.target(raw)
	t.named = named
	return t, err
}

// redirect is where an answer sends us, or "".
func redirect(r *http.Response, from *url.URL, post bool) (string, error) {
	switch r.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	case http.StatusSeeOther:
		if post {
			return "", wrong("a redirect that drops the request")
		}
	default:
		return "", nil
	}
	to, err := from.Parse(r.Header.Get("Location"))
	if err != nil || r.Header.Get("Location") == "" {
		return "", refused("a redirect to nowhere")
	}
	if from.Scheme == "https" && to.Scheme != "https" {
		return "", refused("a redirect from https to %s", to.Scheme)
	}
	return to.String(), nil
}

// send makes one request, directly or through the proxy. A method of POST is kept by every redirect that follows (RFC 9110
// section 15.4 lets the client choose): what is sent are digests and serial numbers.
func (c *Client) send(ctx context.Context, q question, t target) (*http.Response, error) {
	proxy, err := c.proxy(t.url)
	if err != nil {
		return nil, err
	}
	transport := c.direct
	if t.named {
		transport = c.named
	}
	if proxy != nil {
		if err := c.checkProxied(ctx, t); err != nil {
			return nil, err
		}
		transport, ctx = c.proxied, withProxy(ctx, proxy)
	}
	r, err := q.request(ctx, t.url)
	if err != nil {
		return nil, refused("%v", err)
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		return nil, unreachable(err)
	}
	if proxy != nil && res.StatusCode == http.StatusProxyAuthRequired {
		res.Body.Close()
		return nil, ErrProxyAuth
	}
	return res, nil
}

func (q question) request(ctx context.Context, u *url.URL) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if q.body != nil {
		method, body = http.MethodPost, bytes.NewReader(q.body)
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "persten")
	for name, value := range map[string]string{
		"Content-Type": q.kind.ask, "Accept": strings.Join(q.kind.answers, ", "), "If-None-Match": q.etag, "If-Modified-Since": q.modified,
	} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	return r, nil
}

func (q question) read(r *http.Response) (*answer, error) {
	a := &answer{etag: validator(r.Header.Get("ETag")), modified: validator(r.Header.Get("Last-Modified"))}
	if r.StatusCode == http.StatusNotModified && (q.etag != "" || q.modified != "") {
		return a, nil
	}
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: HTTP %d", ErrStatus, r.StatusCode)
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, wrong("compressed")
	}
	if err := q.kind.media(r.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	if r.ContentLength > q.kind.limit {
		return nil, tooLarge(q.kind.limit)
	}
	body, err := collect(r.Body, q.kind)
	a.body = body
	return a, err
}

// validator passes on what may be sent back in a header.
func validator(s string) string {
	if len(s) > 256 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return ""
	}
	return s
}

func (k kind) media(header string) error {
	media, _, err := mime.ParseMediaType(header)
	switch {
	case err != nil && len(k.answers) > 0:
		return wrong("no media type")
	case len(k.answers) > 0 && !slices.Contains(k.answers, media):
		return wrong("media type %.60q", media)
	case media == "text/html" || media == "application/xhtml+xml":
		return wrong("a web page")
	}
	return nil
}

func tooLarge(limit int64) error { return fmt.Errorf("%w: more than %d KiB", ErrTooLarge, limit>>10) }
