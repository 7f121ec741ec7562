// SPDX-License-Identifier: GPL-3.0-or-later

package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"persten/internal/ipc"
)

// transports open one connection each way the product has; every test of the suite runs over all of them.
var transports = map[string]func(t *testing.T) (client, server ipc.Conn){
	"pair":      pairTransport,
	"stdio":     stdioTransport,
	"socket":    socketTransport,
	"channel":   channelTransport,
	"websocket": webSocketTransport,
}

func pairTransport(t *testing.T) (ipc.Conn, ipc.Conn) {
	ours, theirs, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	other, err := ipc.Adopt(theirs)
	if err != nil {
		t.Fatal(err)
	}
	return ours, other
}

func stdioTransport(t *testing.T) (ipc.Conn, ipc.Conn) {
	r1, w1 := io.Pipe()
	r2, w2 := io.Pipe()
	return ipc.Stdio(r1, w2, ipc.MaxFrame), ipc.Stdio(r2, w1, ipc.MaxFrame)
}

// accepted serves l and returns the first connection it accepts.
func accepted(t *testing.T, l ipc.Listener, err error) func() ipc.Conn {
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	conns, done := make(chan ipc.Conn, 1), make(chan struct{})
	go func() {
		defer close(done)
		l.Serve(ctx, func(c ipc.Conn, _ ipc.Peer) {
			conns <- c
			<-ctx.Done()
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return func() ipc.Conn {
		select {
		case c := <-conns:
			return c
		case <-time.After(5 * time.Second):
			t.Fatal("nothing was accepted")
			return nil
		}
	}
}

func socketPath(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "persten")
	return filepath.Join(dir, "session.sock")
}

func socketTransport(t *testing.T) (ipc.Conn, ipc.Conn) {
	path := socketPath(t)
	l, err := ipc.ListenUser(path)
	next := accepted(t, l, err)
	c, err := ipc.DialUser(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return c, next()
}

const extension = "abcdefghijklmnopabcdefghijklmnop"

// channelTransport goes the whole native way: a page's port, the host's pipe, the user socket, the demultiplexer.
func channelTransport(t *testing.T) (ipc.Conn, ipc.Conn) {
	path := socketPath(t)
	l, err := ipc.ListenUser(path)
	next := accepted(t, l, err)
	session, err := ipc.DialHost(context.Background(), path, extension)
	if err != nil {
		t.Fatal(err)
	}
	browser, host := stdioTransport(t)
	done := make(chan struct{})
	go func() { defer close(done); ipc.HostPipe(host, session, extension) }()
	t.Cleanup(func() { browser.Close(); <-done })
	page := &pagePort{c: browser, ch: strings.Repeat("0a", 16)}
	open := fmt.Sprintf(`{"ch":%q,"from":{"origin":"https://portal.example","frame":0},"kind":"open"}`, page.ch)
	if err := browser.Send([]byte(open)); err != nil {
		t.Fatal(err)
	}
	return page, next()
}

// pagePort plays content script and service worker.
type pagePort struct {
	c  ipc.Conn
	ch string
}

func (p *pagePort) Close() error { return p.c.Close() }

func (p *pagePort) Send(b []byte) error {
	return p.c.Send(fmt.Appendf(nil, `{"ch":%q,"kind":"rpc","body":%s}`, p.ch, b))
}

func (p *pagePort) Recv() ([]byte, error) {
	var joined string
	for {
		b, err := p.c.Recv()
		if err != nil {
			return nil, err
		}
		if len(b) > 1<<20-1 {
			return nil, errors.New("the browser would drop the host")
		}
		var e struct {
			Kind string
			More bool
			Body json.RawMessage
		}
		if err := json.Unmarshal(b, &e); err != nil {
			return nil, err
		}
		switch e.Kind {
		case "rpc":
			return e.Body, nil
		case "part":
			var s string
			if err := json.Unmarshal(e.Body, &s); err != nil {
				return nil, err
			}
			if joined += s; !e.More {
				return []byte(joined), nil
			}
		case "close":
			return nil, io.EOF
		}
	}
}

func webSocketTransport(t *testing.T) (ipc.Conn, ipc.Conn) {
	const origin = "https://portal.example"
	l, err := ipc.ListenWebSocket("127.0.0.1:0", ipc.WebSocketOptions{SiteRules: ipc.SiteRules{Allowed: func(o string) bool { return o == origin }}})
	next := accepted(t, l, err)
	return dialWebSocket(t, l.Addr().String(), origin), next()
}

// testServer has one method for each thing the suite looks at.
type testServer struct {
	cancelled atomic.Int32
	running   atomic.Int32
	notes     chan string
	turns     atomic.Int32
}

func (s *testServer) handle(ctx context.Context, r *Request) (any, error) {
	switch r.Method {
	case "echo":
		return r.Params, nil
	case "big":
		return strings.Repeat("\"я", 700<<10), nil // 2.8 MiB on the wire, escapes included
	case "huge":
		return strings.Repeat("x", ipc.MaxFrame), nil
	case "fail":
		return nil, &Error{Code: 7, Message: "no", Data: json.RawMessage(`{"code":"user_rejected"}`)}
	case "secret":
		return nil, errors.New("cause with a path /etc/secret")
	case "panic":
		panic("boom")
	case "back":
		var n int
		err := r.Conn.Call(ctx, "double", map[string]int{"n": 21}, &n)
		return n, err
	case "wait":
		s.running.Add(1)
		defer s.running.Add(-1)
		<-ctx.Done()
		s.cancelled.Add(1)
		return nil, ctx.Err()
	case "turn":
		var p struct{ N int32 }
		if err := json.Unmarshal(r.Params, &p); err != nil {
			return nil, err
		}
		if s.running.Add(1) > 1 {
			return nil, errors.New("two at a time")
		}
		defer s.running.Add(-1)
		time.Sleep(time.Duration(p.N%3) * time.Millisecond)
		if n := s.turns.Add(1); n != p.N {
			return nil, fmt.Errorf("turn %d came as %d", p.N, n)
		}
		if p.N == 7 {
			panic("seven")
		}
		return nil, nil
	case "note":
		s.notes <- string(r.Params)
		return nil, nil
	}
	return nil, &Error{Code: CodeUnknownMethod, Message: "method not found"}
}

func double(_ context.Context, r *Request) (any, error) {
	var p struct{ N int }
	if err := json.Unmarshal(r.Params, &p); err != nil {
		return nil, err
	}
	return 2 * p.N, nil
}

// talk serves both sides and ends them with the test.
func talk(t *testing.T, open func(*testing.T) (ipc.Conn, ipc.Conn)) (*Conn, *testServer, func()) {
	cc, sc := open(t)
	s := &testServer{notes: make(chan string, 100)}
	client, server := New(cc, double), New(sc, s.handle)
	server.InOrder("turn")
	var wg sync.WaitGroup
	wg.Go(func() { client.Serve(context.Background()) })
	wg.Go(func() { server.Serve(context.Background()) })
	end := func() { client.Close(); wg.Wait() }
	t.Cleanup(end)
	return client, s, end
}

func TestConformance(t *testing.T) {
	suite := map[string]func(*testing.T, *Conn, *testServer, func()){
		"echo": testEcho, "errors": testErrors, "big": testBig, "both ways": testBothWays,
		"cancel": testCancel, "close": testClose, "order": testOrder, "parallel": testParallel, "limit": testLimit,
		"in order": testInOrder,
	}
	for name, open := range transports {
		for what, test := range suite {
			t.Run(name+"/"+what, func(t *testing.T) {
				c, s, end := talk(t, open)
				test(t, c, s, end)
			})
		}
	}
}

func testEcho(t *testing.T, c *Conn, _ *testServer, _ func()) {
	want := map[string]string{"text": "Иван <&> \u2028 \"q\""}
	var got map[string]string
	if err := c.Call(t.Context(), "echo", want, &got); err != nil || got["text"] != want["text"] {
		t.Fatalf("got %q, %v", got, err)
	}
}

func testErrors(t *testing.T, c *Conn, _ *testServer, _ func()) {
	for method, want := range map[string]Error{
		"fail":   {Code: 7, Message: "no", Data: json.RawMessage(`{"code":"user_rejected"}`)},
		"secret": {Code: CodeInternal, Message: "internal error"},
		"panic":  {Code: CodeInternal, Message: "internal error"},
		"huge":   {Code: CodeInternal, Message: "answer is too large"},
		"none":   {Code: CodeUnknownMethod, Message: "method not found"},
	} {
		var got *Error
		err := c.Call(t.Context(), method, nil, nil)
		if !errors.As(err, &got) || got.Code != want.Code || got.Message != want.Message {
			t.Errorf("%s: %v", method, err)
		} else if want.Data != nil && string(got.Data) != string(want.Data) {
			t.Errorf("%s: data %s", method, got.Data)
		} else if strings.Contains(string(got.Data), "/etc") {
			t.Errorf("%s: the cause left the process: %s", method, got.Data)
		}
	}
}

func testBig(t *testing.T, c *Conn, _ *testServer, _ func()) {
	var got string
	if err := c.Call(t.Context(), "big", nil, &got); err != nil || got != strings.Repeat("\"я", 700<<10) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	params := map[string]string{"data": strings.Repeat("a", 3<<20)}
	var back map[string]string
	if err := c.Call(t.Context(), "echo", params, &back); err != nil || back["data"] != params["data"] {
		t.Fatalf("%d bytes, %v", len(back["data"]), err)
	}
}

func testBothWays(t *testing.T, c *Conn, _ *testServer, _ func()) {
	var n int
	if err := c.Call(t.Context(), "back", nil, &n); err != nil || n != 42 {
		t.Fatal(n, err)
	}
}

func testCancel(t *testing.T, c *Conn, s *testServer, _ func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Call(ctx, "wait", nil, nil) }()
	eventually(t, "handler runs", func() bool { return s.running.Load() == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	eventually(t, "handler is cancelled", func() bool { return s.cancelled.Load() == 1 })
	testEcho(t, c, s, nil)
}

func testClose(t *testing.T, c *Conn, s *testServer, end func()) {
	done := make(chan error, 3)
	for range cap(done) {
		go func() { done <- c.Call(context.Background(), "wait", nil, nil) }()
	}
	eventually(t, "handlers run", func() bool { return s.running.Load() == 3 })
	end()
	for range cap(done) {
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
	if s.cancelled.Load() != 3 {
		t.Errorf("%d handlers cancelled of 3", s.cancelled.Load())
	}
	if err := c.Call(context.Background(), "echo", nil, nil); !errors.Is(err, ErrClosed) {
		t.Error("call after close:", err)
	}
}

func testOrder(t *testing.T, c *Conn, s *testServer, _ func()) {
	for i := range 50 {
		if err := c.Notify("note", map[string]int{"n": i}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		if got, want := <-s.notes, fmt.Sprintf(`{"n":%d}`, i); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

// testInOrder sends requests without waiting for answers: they are handled in turn, past one that panics.
func testInOrder(t *testing.T, c *Conn, s *testServer, _ func()) {
	const turns = 50
	errs := make([]error, turns+1)
	var wg sync.WaitGroup
	for n := int32(1); n <= turns; n++ {
		sent := make(chan bool)
		wg.Go(func() {
			id, wait, err := c.register()
			if err == nil {
				var msg []byte
				if msg, err = encodeRequest(&id, "turn", map[string]int32{"n": n}); err == nil {
					err = c.c.Send(msg)
				}
			}
			close(sent)
			if err == nil {
				a := <-wait
				err = a.err
			}
			errs[n] = err
		})
		<-sent
	}
	wg.Wait()
	for n, err := range errs {
		if (err != nil) != (n == 7) {
			t.Errorf("turn %d: %v", n, err)
		}
	}
	testEcho(t, c, s, nil)
}

func testParallel(t *testing.T, c *Conn, _ *testServer, _ func()) {
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range 20 {
				want := map[string]int{"n": i*1000 + j}
				var got map[string]int
				if err := c.Call(t.Context(), "echo", want, &got); err != nil || got["n"] != want["n"] {
					t.Errorf("got %v, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func testLimit(t *testing.T, c *Conn, s *testServer, _ func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range MaxInFlight {
		wg.Go(func() { c.Call(ctx, "wait", nil, nil) })
	}
	eventually(t, "handlers run", func() bool { return s.running.Load() == MaxInFlight })
	var e *Error
	if err := c.Call(t.Context(), "echo", nil, nil); !errors.As(err, &e) || !strings.Contains(string(e.Data), "request_limit") {
		t.Errorf("request %d: %v", MaxInFlight+1, err)
	}
	cancel()
	wg.Wait()
	eventually(t, "handlers end", func() bool { return s.running.Load() == 0 })
	eventually(t, "room again", func() bool { return c.Call(t.Context(), "echo", nil, nil) == nil })
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

func TestNoGoroutineLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			for range 5 {
				c, s, end := talk(t, open)
				go c.Call(context.Background(), "wait", nil, nil)
				eventually(t, "handler runs", func() bool { return s.running.Load() == 1 })
				end()
			}
		})
	}
	eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before+2 })
}

func TestFiles(t *testing.T) {
	cc, sc := pairTransport(t)
	server := New(sc, func(_ context.Context, r *Request) (any, error) {
		defer closeAll(r.Files)
		var text []string
		for _, f := range r.Files {
			b, err := io.ReadAll(f)
			if err != nil {
				return nil, err
			}
			text = append(text, string(b))
		}
		return text, nil
	})
	client := New(cc, nil)
	var wg sync.WaitGroup
	wg.Go(func() { client.Serve(context.Background()) })
	wg.Go(func() { server.Serve(context.Background()) })
	defer wg.Wait()
	defer client.Close()
	var files []*os.File
	for i := range 20 {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, fmt.Appendf(nil, "file %d", i), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	for n := range len(files) {
		var got []string
		if err := client.Call(t.Context(), "read", map[string]string{"pad": strings.Repeat("x", n<<16)}, &got, files[n:n+1]...); err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0] != fmt.Sprintf("file %d", n) {
			t.Fatalf("got %q for file %d", got, n)
		}
	}
	plain, _ := stdioTransport(t)
	if err := New(plain, nil).Call(t.Context(), "read", nil, nil, files[0]); !errors.Is(err, ipc.ErrUnsupported) {
		t.Error("files over a plain stream:", err)
	}
}
