// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"persten/internal/browser"
	"persten/internal/ipc"
	"persten/proto"
)

// page is a web page that talks to the agent. It is written against the protocol's text, not with the agent's own rpc.
type page struct {
	t      *testing.T
	conn   ipc.Conn
	site   string
	mu     sync.Mutex
	next   int
	wait   map[string]chan answered
	stray  chan answered // answers to no call of ours
	closed chan struct{}
}

// answered is one JSON-RPC response.
type answered struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  *refusal        `json:"error"`
}

// refusal is an error as it travels.
type refusal struct {
	Number  int             `json:"code"`
	Message string          `json:"message"`
	Data    proto.ErrorData `json:"data"`
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s %v: %s", r.Data.Code, r.Data.Args, r.Message)
}

var errPageClosed = errors.New("the connection has closed")

func newPage(t *testing.T, conn ipc.Conn, site string) *page {
	p := &page{t: t, conn: conn, site: site, wait: map[string]chan answered{}, stray: make(chan answered, 64), closed: make(chan struct{})}
	t.Cleanup(func() { conn.Close() })
	go p.read()
	return p
}

func (p *page) read() {
	defer close(p.closed)
	for {
		b, err := p.conn.Recv()
		if err != nil {
			return
		}
		var a answered
		if err := json.Unmarshal(b, &a); err != nil {
			p.t.Errorf("the agent sent %.80q: %v", b, err)
			return
		}
		if a.Method != "" {
			continue // a notification
		}
		p.mu.Lock()
		to := p.wait[string(a.ID)]
		delete(p.wait, string(a.ID))
		p.mu.Unlock()
		if to == nil {
			to = p.stray
		}
		to <- a
	}
}

// begin sends a call and returns where its answer comes.
func (p *page) begin(method string, params any) (id string, answer chan answered, err error) {
	b, err := json.Marshal(params)
	if err != nil {
		return "", nil, err
	}
	answer = make(chan answered, 1)
	p.mu.Lock()
	p.next++
	id = strconv.Itoa(p.next)
	p.wait[id] = answer
	p.mu.Unlock()
	return id, answer, p.conn.Send(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, id, method, b))
}

// call calls a method and returns its result. A refusal is a *refusal.
func (p *page) call(method string, params any) (json.RawMessage, error) {
	_, answer, err := p.begin(method, params)
	if err != nil {
		return nil, err
	}
	return p.await(answer)
}

func (p *page) await(answer chan answered) (json.RawMessage, error) {
	select {
	case a := <-answer:
		if a.Error != nil {
			return nil, a.Error
		}
		return a.Result, nil
	case <-p.closed:
		return nil, errPageClosed
	case <-time.After(30 * time.Second):
		return nil, errors.New("no answer in 30 s")
	}
}

// raw sends bytes as they are and returns the error that answers them.
func (p *page) raw(message string) error {
	if err := p.conn.Send([]byte(message)); err != nil {
		return err
	}
	_, err := p.await(p.stray)
	return err
}

// ask is call with a result to fill in; it must succeed.
func (p *page) ask(method string, params, result any) {
	p.t.Helper()
	b, err := p.call(method, params)
	if err == nil {
		err = json.Unmarshal(b, result)
	}
	if err != nil {
		p.t.Fatalf("%s: %v", method, err)
	}
}

type object = map[string]any

// sign has content signed inline and returns the signature.
func (p *page) sign(id string, content []byte, attached bool) ([]byte, error) {
	b, err := p.call("sign.cms", object{"certificate": id, "content": object{"inline": content}, "attached": attached, "name": "doc.txt"})
	if err != nil {
		return nil, err
	}
	var r proto.SignCMSResult
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, err
	}
	return r.Signature.Inline, nil
}

// signRequest are the parameters of an ordinary signature.
func signRequest(id string) object {
	return object{"certificate": id, "content": object{"inline": []byte("document")}, "name": "doc.txt"}
}

// upload sends a document in pieces.
func (p *page) upload(name string, content []byte) string {
	p.t.Helper()
	var opened proto.ContentOpenResult
	p.ask("content.open", object{"name": name, "size": len(content)}, &opened)
	for len(content) > 0 {
		n := min(len(content), 1<<20)
		p.ask("content.append", object{"handle": opened.Handle, "data": content[:n]}, &proto.ContentAppendResult{})
		content = content[n:]
	}
	p.ask("content.close", object{"handle": opened.Handle}, &proto.ContentCloseResult{})
	return opened.Handle
}

// download reads a result that did not fit into a message.
func (p *page) download(c proto.Content) []byte {
	p.t.Helper()
	if c.Handle == "" {
		return c.Inline
	}
	var all []byte
	for {
		var r proto.ContentReadResult
		p.ask("content.read", object{"handle": c.Handle, "offset": len(all), "length": 512 << 10}, &r)
		if all = append(all, r.Data...); r.EOF {
			return all
		}
	}
}

// codeOf is the catalogue's code in an answer, or what else happened.
func codeOf(err error) string {
	var r *refusal
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &r):
		return string(r.Data.Code)
	}
	return err.Error()
}

// wantCode fails the test when err is another refusal, or none.
func wantCode(t *testing.T, what string, err error, codes ...proto.Code) {
	t.Helper()
	got := codeOf(err)
	for _, c := range codes {
		if got == string(c) {
			return
		}
	}
	t.Errorf("%s: %s (%v), want %v", what, got, err, codes)
}

// socketConn is a page's WebSocket.
type socketConn struct {
	c     *websocket.Conn
	mu    sync.Mutex
	ended error // read when the page has closed
}

func (s *socketConn) Send(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c.WriteMessage(websocket.TextMessage, b)
}

func (s *socketConn) Recv() ([]byte, error) {
	_, b, err := s.c.ReadMessage()
	if err != nil {
		s.ended = err
	}
	return b, err
}

func (s *socketConn) Close() error { return s.c.Close() }

// handshake opens a WebSocket with these headers, or returns the status it was refused with.
func (d *daemon) handshake(header http.Header) (*websocket.Conn, int, error) {
	dialer := websocket.Dialer{HandshakeTimeout: 10 * time.Second, Subprotocols: []string{proto.Protocol}}
	c, r, err := dialer.Dial("ws://"+d.web+"/", header)
	status := 0
	if r != nil {
		status = r.StatusCode
	}
	return c, status, err
}

// webPage is a page of site over the WebSocket.
func (d *daemon) webPage(site string) *page {
	d.t.Helper()
	c, status, err := d.handshake(http.Header{"Origin": {site}})
	if err != nil {
		d.t.Fatalf("WebSocket of %s: %d, %v", site, status, err)
	}
	return newPage(d.t, &socketConn{c: c}, site)
}

// chromium is the browser's side of native messaging: one persten host, many pages. It is what the extension's service
// worker is, written against the envelope's text.
type chromium struct {
	t     *testing.T
	cmd   *exec.Cmd
	conn  ipc.Conn
	mu    sync.Mutex
	pages map[string]*tab
}

func (d *daemon) chromium() *chromium {
	d.t.Helper()
	cmd := d.command("chrome-extension://" + browser.ExtensionID + "/")
	in, err := cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd.Stderr = &d.log
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	b := &chromium{t: d.t, cmd: cmd, conn: ipc.Stdio(out, in, 64<<20), pages: map[string]*tab{}}
	d.t.Cleanup(func() {
		in.Close()
		time.AfterFunc(3*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
	})
	go b.read()
	return b
}

// frame is an envelope.
type frame struct {
	Ch   string          `json:"ch"`
	From object          `json:"from,omitempty"`
	Kind string          `json:"kind"`
	More bool            `json:"more,omitempty"`
	Body json.RawMessage `json:"body,omitempty"`
}

func (b *chromium) read() {
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for ch, t := range b.pages {
			close(t.in)
			delete(b.pages, ch)
		}
	}()
	for {
		m, err := b.conn.Recv()
		if err != nil {
			return
		}
		if len(m) > 1<<20 {
			b.t.Errorf("the host sent %d bytes at once: a browser would have dropped it", len(m))
		}
		var f frame
		if err := json.Unmarshal(m, &f); err != nil {
			b.t.Errorf("the host sent %.80q", m)
			return
		}
		b.deliver(f)
	}
}

func (b *chromium) deliver(f frame) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.pages[f.Ch]
	if t == nil {
		return
	}
	switch f.Kind {
	case "rpc":
		t.in <- f.Body
	case "part":
		var piece string
		if err := json.Unmarshal(f.Body, &piece); err != nil {
			b.t.Errorf("part: %v", err)
		}
		if t.parts += piece; !f.More {
			t.in <- []byte(t.parts)
			t.parts = ""
		}
	case "close":
		t.reason = string(f.Body)
		close(t.in)
		delete(b.pages, f.Ch)
	}
}

func (b *chromium) send(f frame) error {
	m, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return b.conn.Send(m)
}

// tab is one page's channel.
type tab struct {
	browser *chromium
	ch      string
	in      chan []byte
	parts   string
	reason  string
}

// open opens a channel for a page of site, framed by top if that is not empty.
func (b *chromium) open(site, top string) (*tab, error) {
	var id [16]byte
	rand.Read(id[:])
	t := &tab{browser: b, ch: hex.EncodeToString(id[:]), in: make(chan []byte, 256)}
	b.mu.Lock()
	b.pages[t.ch] = t
	b.mu.Unlock()
	from := object{"origin": site, "frame": 0}
	if top != "" {
		from["top"] = top
	}
	return t, b.send(frame{Ch: t.ch, Kind: "open", From: from})
}

// page opens a page of site.
func (b *chromium) page(site string) *page {
	b.t.Helper()
	t, err := b.open(site, site)
	if err != nil {
		b.t.Fatal(err)
	}
	return newPage(b.t, t, site)
}

// Send sends JSON as the extension does, and anything else, which no extension could, in a part.
func (t *tab) Send(m []byte) error {
	if json.Valid(m) && len(m) < 768<<10 {
		return t.browser.send(frame{Ch: t.ch, Kind: "rpc", Body: m})
	}
	const size = 512 << 10
	for first := true; first || len(m) > 0; first = false {
		n := min(len(m), size)
		piece, err := json.Marshal(string(m[:n]))
		if err != nil {
			return err
		}
		m = m[n:]
		if err := t.browser.send(frame{Ch: t.ch, Kind: "part", More: len(m) > 0, Body: piece}); err != nil {
			return err
		}
	}
	return nil
}

func (t *tab) Recv() ([]byte, error) {
	m, ok := <-t.in
	if !ok {
		return nil, io.EOF
	}
	return m, nil
}

// Close is the tab going away.
func (t *tab) Close() error {
	t.browser.mu.Lock()
	if t.browser.pages[t.ch] == t {
		delete(t.browser.pages, t.ch)
		close(t.in)
	}
	t.browser.mu.Unlock()
	return t.browser.send(frame{Ch: t.ch, Kind: "close"})
}

// transports opens one page on each transport.
func (d *daemon) transports() map[string]*page {
	d.t.Helper()
	return map[string]*page{"native": d.chromium().page(nativeSite), "websocket": d.webPage(webSite)}
}

// certificates lists what a page sees, by algorithm.
func (p *page) certificates() map[string]proto.Certificate {
	p.t.Helper()
	var r proto.CertificatesListResult
	p.ask("certificates.list", object{"refresh": true}, &r)
	list := map[string]proto.Certificate{}
	for _, c := range r.Certificates {
		key := string(c.Algorithm)
		if c.Token.Demo {
			key = "demo " + key
		}
		list[key] = c
	}
	return list
}

// later runs f beside the test and returns its error when it is done.
func later(f func() error) chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// within waits for done.
func within(t *testing.T, limit time.Duration, what string, done chan error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		t.Fatalf("%s: not done within %v", what, limit)
		return nil
	}
}
