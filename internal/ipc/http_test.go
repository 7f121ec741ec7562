// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/ipc/ipctest"
)

// startPages is a page port of which the site approved is allowed.
func startPages(t *testing.T, answer func(context.Context, PageRequest) PageAnswer) *webServer {
	t.Helper()
	s := &webServer{}
	p, err := ListenPages("127.0.0.1:0", PageOptions{
		SiteRules: s.rules(), Methods: map[string]string{"/info": "GET", "/sign": "POST"}, MaxBody: 1000,
		Answer: func(ctx context.Context, r PageRequest) PageAnswer {
			s.accepted.Add(1)
			return answer(ctx, r)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.addr = p.Addr().String()
	_, s.port, _ = net.SplitHostPort(s.addr)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx) }()
	s.cancel = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(s.cancel)
	return s
}

func echo(_ context.Context, r PageRequest) PageAnswer {
	return PageAnswer{Status: 200, JSON: []byte(r.Method + " " + r.Path + " " + r.Peer.Origin + " " + string(r.Body))}
}

func (s *webServer) page(line string, headers ...string) ipctest.Handshake {
	return ipctest.Handshake{Line: line + " HTTP/1.1", Host: []string{s.addr}, Origin: []string{approved}, Headers: headers}
}

// exchange returns the whole answer; the connection has to end with it.
func (s *webServer) exchange(t *testing.T, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp4", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("after the answer: %q, %v", rest, err)
	}
	return res, string(body)
}

func TestPages(t *testing.T) {
	s := startPages(t, echo)
	for _, host := range []string{s.addr, "localhost:" + s.port} {
		h := s.page("POST /sign", "Content-Length: 5", "Content-Type: application/json")
		h.Host = []string{host}
		res, body := s.exchange(t, h.String()+"hello")
		if res.StatusCode != 200 || body != "POST /sign "+approved+" hello" || res.Header.Get("Access-Control-Allow-Origin") != approved {
			t.Errorf("%s: %d %q %v", host, res.StatusCode, body, res.Header)
		}
	}
	res, body := s.exchange(t, s.page("GET /info").String())
	if res.StatusCode != 200 || body != "GET /info "+approved+" " || res.Header.Get("Vary") != "Origin" || res.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%d %q %v", res.StatusCode, body, res.Header)
	}
}

func TestPreflight(t *testing.T) {
	s := startPages(t, echo)
	ask := []string{"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"}
	res, _ := s.exchange(t, s.page("OPTIONS /sign", append(ask, "Access-Control-Request-Private-Network: true")...).String())
	h := res.Header
	if res.StatusCode != 204 || h.Get("Access-Control-Allow-Origin") != approved || h.Get("Access-Control-Allow-Methods") != "POST" ||
		h.Get("Access-Control-Allow-Headers") != "Content-Type" || h.Get("Access-Control-Allow-Private-Network") != "true" {
		t.Errorf("%d %v", res.StatusCode, h)
	}
	res, _ = s.exchange(t, s.page("OPTIONS /sign", append(ask, "Access-Control-Request-Local-Network: true")...).String())
	if res.Header.Get("Access-Control-Allow-Local-Network") != "true" || res.Header.Get("Access-Control-Allow-Private-Network") != "" {
		t.Errorf("%v", res.Header)
	}
	unknown := s.page("OPTIONS /sign", ask...)
	unknown.Origin = []string{"https://unknown.example"}
	for name, bad := range map[string]ipctest.Handshake{
		"unknown site": unknown, "other method": s.page("OPTIONS /sign", "Access-Control-Request-Method: DELETE"),
		"no method": s.page("OPTIONS /sign"), "two methods": s.page("OPTIONS /sign", ask[0], ask[0]), "elsewhere": s.page("OPTIONS /x", ask...),
	} {
		if res, _ := s.exchange(t, bad.String()); res.StatusCode < 400 || res.Header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("%s: %d %v", name, res.StatusCode, res.Header)
		}
	}
	if n := s.accepted.Load(); n != 0 {
		t.Errorf("%d answered", n)
	}
	eventually(t, "the unknown site is told of", func() bool { return s.unknown.Load() == 1 })
}

// TestForgedPages: the forged origins and hosts of the WebSocket get nothing here either, and no header that would let a page
// read what it got.
func TestForgedPages(t *testing.T) {
	s := startPages(t, echo)
	var requests []string
	add := func(h ipctest.Handshake) { requests = append(requests, h.String()) }
	for _, o := range ipctest.Origins(s.port) {
		h := s.page("GET /info")
		h.Origin = o
		add(h)
	}
	for _, v := range ipctest.Hosts(s.addr) {
		if !slices.Equal(v, []string{"localhost:" + s.port}) { // that one is ours
			h := s.page("GET /info")
			h.Host = v
			add(h)
		}
	}
	for _, line := range []string{"POST /info", "GET /sign", "PUT /sign", "DELETE /sign", "HEAD /info", "GET /", "GET //info", "GET /info?", "GET /info?a=b", "GET /info/",
		"GET /./info", "GET http://" + s.addr + "/info", "GET http://evil.example/info", "CONNECT " + s.addr, "OPTIONS *", "GET /health", "GET /nexu.js"} {
		add(s.page(line))
	}
	add(ipctest.Handshake{Line: "GET /info HTTP/1.0", Host: []string{s.addr}, Origin: []string{approved}})
	for _, extra := range []string{"X-Forwarded-For: 127.0.0.1", "Forwarded: host=x", "Via: 1.1 proxy", "Transfer-Encoding: chunked", "Content-Length: -1",
		"Transfer-Encoding: chunked\r\nContent-Length: 4", "Host: evil.example", "Origin: null", "X: " + strings.Repeat("x", 16<<10)} {
		add(s.page("GET /info", extra))
	}
	if len(requests) < 500 {
		t.Fatalf("only %d variants", len(requests))
	}
	statuses, err := s.client().SendAll(requests)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d forged requests: %v", len(requests), statuses)
	if n := s.accepted.Load(); n != 0 || statuses[200] != 0 {
		t.Errorf("%d answered, %v", n, statuses)
	}
	for i, r := range requests {
		if i%7 > 0 {
			continue
		}
		if c, err := net.Dial("tcp4", s.addr); err == nil {
			c.SetDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(c, r) // one that is cut off is refused, too
			got, _ := io.ReadAll(c)
			if strings.Contains(string(got), "Access-Control") {
				t.Errorf("%.200q may be read: %s", r, got)
			}
			c.Close()
		}
	}
}

func TestPageLimits(t *testing.T) {
	block := make(chan struct{})
	s := startPages(t, func(ctx context.Context, _ PageRequest) PageAnswer {
		select {
		case <-block:
		case <-ctx.Done():
		}
		return PageAnswer{Status: 200, JSON: []byte("{}")}
	})
	if status := s.send(t, s.page("POST /sign", "Content-Length: 1001").String()+strings.Repeat("x", 1001)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body: %d", status)
	}
	var open []net.Conn
	for range MaxPerOrigin {
		c, err := net.Dial("tcp4", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, s.page("GET /info").String())
		open = append(open, c)
	}
	eventually(t, "all are waiting", func() bool { return s.accepted.Load() == MaxPerOrigin })
	if status := s.send(t, s.page("GET /info").String()); status != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", status)
	}
	open[0].Close() // a page that gives up gives its place back
	eventually(t, "there is a place", func() bool {
		c, err := net.Dial("tcp4", s.addr)
		if err != nil {
			return false
		}
		defer c.Close()
		_, _ = io.WriteString(c, s.page("GET /info").String())
		_ = c.SetReadDeadline(time.Now().Add(time.Second)) // who is refused hears it at once, who is let in waits
		_, _ = c.Read(make([]byte, 1))
		return s.accepted.Load() > MaxPerOrigin
	})
	close(block)
}
