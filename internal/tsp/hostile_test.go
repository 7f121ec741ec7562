// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
)

// trick is a server that does not do what it should. want is what the client must say.
type trick struct {
	name string
	want error
	do   http.HandlerFunc
	raw  func(net.Conn) // instead of do: speaks on the bare connection
	slow bool           // ends by the deadline
}

func send(header string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w, r, header)
		w.Write(body)
	}
}

// setHeaders writes the right media type for the question, then header lines.
func setHeaders(w http.ResponseWriter, r *http.Request, lines string) {
	if t := strings.Replace(strings.Replace(r.Header.Get("Content-Type"), "-query", "-reply", 1), "-request", "-response", 1); t != "" {
		w.Header().Set("Content-Type", t)
	} else {
		w.Header().Set("Content-Type", "application/pkix-crl")
	}
	for line := range strings.Lines(lines) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), ": ")
		w.Header().Set(k, v)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w, r, "")
		w.WriteHeader(code)
		if code >= 200 && code != 204 && code != 304 {
			w.Write([]byte{0x30, 0})
		}
	}
}

// endless writes head and then zeros until the client has gone, n bytes at most.
func endless(header string, head []byte, n int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w, r, header)
		w.Write(head)
		zeros := make([]byte, 64<<10)
		for n > 0 {
			m, err := w.Write(zeros)
			if n -= int64(m); err != nil {
				return
			}
		}
	}
}

func redirectTo(to func(*http.Request) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if l := to(r); l != "" {
			w.Header()["Location"] = []string{l}
		}
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
}

func say(s string) func(net.Conn) {
	return func(c net.Conn) { io.WriteString(c, s) }
}

// repeat says first and then s for ever, with a pause between.
func repeat(first, s string, pause time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, first)
		for {
			if _, err := io.WriteString(c, s); err != nil {
				return
			}
			time.Sleep(pause)
		}
	}
}

func bomb() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for range 64 {
		z.Write(zeros)
	}
	z.Close()
	return b.Bytes()
}

const giB = 1 << 30

// tricks are played on all kinds of questions.
func tricks() []trick {
	ok := "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
	gz := bomb()
	return []trick{
		{name: "empty", want: ErrAnswer, do: send("", nil)},
		{name: "web page", want: ErrAnswer, do: send("Content-Type: text/html; charset=utf-8", []byte("<html>"))},
		{name: "HTTP 500", want: ErrStatus, do: status(500)},
		{name: "HTTP 404", want: ErrStatus, do: status(404)},
		{name: "HTTP 204", want: ErrStatus, do: status(204)},
		{name: "HTTP 206", want: ErrStatus, do: status(206)},
		{name: "HTTP 304 that nobody asked for", want: ErrStatus, do: status(304)},
		{name: "HTTP 401", want: ErrStatus, do: status(401)},
		{name: "HTTP 407 from the server itself", want: ErrStatus, do: status(407)},
		{name: "gzip bomb", want: ErrAnswer, do: send("Content-Encoding: gzip", gz)},
		{name: "gzip bomb without its name", want: ErrAnswer, do: send("", gz)},
		{name: "said to be compressed", want: ErrAnswer, do: send("Content-Encoding: br", []byte{0x30, 0})},
		{name: "four redirects", want: ErrAnswer, do: func(w http.ResponseWriter, r *http.Request) {
			if len(r.URL.Path) > 4 {
				send("", []byte{0x30, 0})(w, r)
				return
			}
			redirectTo(func(r *http.Request) string { return r.URL.Path + "a" })(w, r)
		}},
		{name: "deflate", want: ErrAnswer, do: send("Content-Encoding: deflate", gz)},
		{name: "1 GiB announced", want: ErrTooLarge, do: endless(fmt.Sprintf("Content-Length: %d", giB), nil, giB)},
		{name: "1 GiB of zeros, chunked", want: ErrAnswer, do: endless("", nil, giB)},
		{name: "DER of 1 GiB, chunked", want: ErrTooLarge, do: endless("", []byte{0x30, 0x84, 0x40, 0, 0, 0}, giB)},
		{name: "DER of 2^56 bytes", want: ErrTooLarge, do: endless("", []byte{0x30, 0x87, 0x7f, 1, 1, 1, 1, 1, 1}, giB)},
		{name: "DER length of 100 bytes", want: ErrAnswer, do: endless("", []byte{0x30, 0xe4, 0x7f, 1, 1, 1, 1, 1, 1}, giB)},
		{name: "small DER and 1 GiB after it", want: ErrAnswer, do: endless("", []byte{0x30, 0}, giB)},
		{name: "indefinite length", want: ErrAnswer, do: send("", []byte{0x30, 0x80, 0, 0})},
		{name: "DER that ends early", want: ErrAnswer, do: send("", []byte{0x30, 0x82, 0x01, 0x00, 1, 2, 3})},
		{name: "HTTP that ends early", want: ErrAnswer, do: send("Content-Length: 258", []byte{0x30, 0x82, 0x01, 0x00, 1, 2, 3})},
		{name: "1 byte of DER", want: ErrAnswer, do: send("", []byte{0x30})},
		{name: "redirect to itself for ever", want: ErrAnswer, do: redirectTo(func(r *http.Request) string { return r.URL.Path })},
		{name: "longer and longer redirects", want: ErrAnswer, do: redirectTo(func(r *http.Request) string { return r.URL.Path + "a" })},
		{name: "redirect without a target", want: ErrRefused, do: redirectTo(func(*http.Request) string { return "" })},
		{name: "redirect to a file", want: ErrRefused, do: redirectTo(func(*http.Request) string { return "file:///etc/passwd" })},
		{name: "redirect with a user name", want: ErrRefused, do: redirectTo(func(r *http.Request) string { return "http://a:b@" + r.Host + "/" })},
		{name: "redirect to another computer here", want: ErrRefused, do: redirectTo(func(*http.Request) string { return "http://169.254.169.254/" })},
		{name: "says nothing", want: ErrTimeout, raw: func(c net.Conn) { time.Sleep(5 * time.Second) }, slow: true},
		{name: "1 byte a moment, header", want: ErrTimeout, raw: repeat("HTTP/1.1 200 OK\r\nX: ", "a", 50*time.Millisecond), slow: true},
		{name: "1 byte a moment, body", want: ErrTimeout, raw: repeat(ok+"Content-Length: 1000\r\n\r\n\x30\x82\x03\xe4", "a", 50*time.Millisecond), slow: true},
		{name: "closes at once", want: ErrUnreachable, raw: func(net.Conn) {}},
		{name: "resets in the body", want: ErrAnswer, raw: say(ok + "Content-Length: 1000\r\n\r\n\x30\x82\x03\xe4abc")},
		{name: "not HTTP", want: ErrUnreachable, raw: say("220 mail.example ESMTP\r\n")},
		{name: "endless header", want: ErrUnreachable, raw: repeat("HTTP/1.1 200 OK\r\nX: ", strings.Repeat("a", 4096), 0)},
		{name: "endless headers", want: ErrUnreachable, raw: repeat("HTTP/1.1 200 OK\r\n", strings.Repeat("X: a\r\n", 1000), 0)},
		{name: "endless status line", want: ErrUnreachable, raw: repeat("HTTP/1.1 200 ", strings.Repeat("a", 4096), 0)},
		{name: "endless 100 Continue", want: ErrUnreachable, raw: repeat("", "HTTP/1.1 100 Continue\r\n\r\n", 0)},
		{name: "endless chunk extension", want: ErrUnreachable, raw: repeat(ok+"Transfer-Encoding: chunked\r\n\r\n2;a=", strings.Repeat("a", 4096), 0)},
		{name: "chunk of 2^64 bytes", want: ErrUnreachable, raw: say(ok + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n")},
		{name: "two lengths", want: ErrUnreachable, raw: say(ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n\x30\x01\x00")},
		{name: "endless trailer", want: ErrUnreachable, raw: repeat(ok+"Transfer-Encoding: chunked\r\n\r\n1\r\n\x30\r\n0\r\n", strings.Repeat("X: a\r\n", 1000), 0)},
	}
}

// only for questions that say which media type they take
func typed() []trick {
	return []trick{
		{name: "no media type", want: ErrAnswer, do: func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			w.Write([]byte{0x30, 0})
		}},
		{name: "another media type", want: ErrAnswer, do: send("Content-Type: application/octet-stream", []byte{0x30, 0})},
		{name: "two media types", want: ErrAnswer, do: send("Content-Type: application/ocsp-response, application/timestamp-reply", []byte{0x30, 0})},
		{name: "redirect that drops the request", want: ErrAnswer, do: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusSeeOther) }},
	}
}

// largest takes all the memory an answer may have, and is refused at its last byte.
func largest(k kind) []trick {
	head := func(n int64) []byte {
		return append([]byte{0x30, 0x84}, binary.BigEndian.AppendUint32(nil, uint32(n-6))...)
	}
	return []trick{
		{name: "as large as allowed, a byte short", want: ErrAnswer, do: sized(head(k.limit), k.limit-1)},
		{name: "as large as allowed, a byte long", want: ErrAnswer, do: sized(head(k.limit), k.limit+1)},
		{name: "larger by a byte", want: ErrTooLarge, do: sized(head(k.limit+1), k.limit+1)},
	}
}

// sized sends head and zeros, n bytes together.
func sized(head []byte, n int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w, r, "")
		w.Write(head)
		piece := make([]byte, 64<<10)
		for n -= int64(len(head)); n > 0; {
			m, err := w.Write(piece[:min(n, int64(len(piece)))])
			if n -= int64(m); err != nil {
				return
			}
		}
	}
}

// serve plays a trick on a loopback port.
func (tr trick) serve(t *testing.T, k kind) (url string) {
	t.Helper()
	if tr.do != nil {
		s := httptest.NewServer(tr.do)
		t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
		return s.URL
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(30 * time.Second))
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					tr.raw(typedConn{c, k})
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// typedConn puts the right media type into what is said.
type typedConn struct {
	net.Conn
	kind kind
}

func (c typedConn) Write(p []byte) (int, error) {
	media := "application/pkix-crl"
	if len(c.kind.answers) > 0 {
		media = c.kind.answers[0]
	}
	_, err := c.Conn.Write(bytes.Replace(p, []byte("%s"), []byte(media), 1))
	return len(p), err
}

// heap watches the bytes of the heap while it runs; stop returns the most there were above the beginning.
func heap() (stop func() int64) {
	read := func() int64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return int64(s[0].Value.Uint64())
	}
	runtime.GC()
	began, most := read(), int64(0)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			most = max(most, read()-began)
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func() int64 { close(done); <-ended; return most }
}

const maxHeap = 32 << 20

// TestHostileServers: every trick is refused with the right error, within the deadline and 32 MiB.
func TestHostileServers(t *testing.T) {
	n, worst, slowest := 0, int64(0), time.Duration(0)
	for _, k := range []kind{kindStamp, kindOCSP, kindCRL, kindIssuer} {
		list := tricks()
		if k.ask != "" {
			list = append(list, typed()...)
		}
		list = append(list, largest(k)...)
		for _, tr := range list {
			deadline := 10 * time.Second
			if tr.slow {
				deadline = 300 * time.Millisecond
			}
			c := here(t, Options{Deadline: deadline})
			url := tr.serve(t, k)
			stop, began := heap(), time.Now()
			_, err := c.fetch(t.Context(), question{kind: k, url: url, body: bodyFor(k)})
			took, used := time.Since(began), stop()
			if !errors.Is(err, tr.want) {
				t.Errorf("%s, %s: %v, want %v", k.name, tr.name, err, tr.want)
			}
			if took > deadline+time.Second || used > maxHeap {
				t.Errorf("%s, %s: %v, %d KiB", k.name, tr.name, took, used>>10)
			}
			n, worst, slowest = n+1, max(worst, used), max(slowest, took)
		}
	}
	t.Logf("%d hostile answers refused; at most %d KiB of heap, %v", n, worst>>10, slowest)
}

// here is a client that may call this computer.
func here(t *testing.T, o Options) *Client {
	t.Helper()
	o.Allow = append(o.Allow, "127.0.0.1")
	o.Proxy = "none"
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestSlowest is the usual deadline, with a server that sends a byte a second.
func TestSlowest(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 15 s")
	}
	t.Parallel()
	tr := trick{raw: repeat("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n\x30\x82\x03\xe4", "a", time.Second)}
	c := here(t, Options{})
	began := time.Now()
	_, err := c.fetch(t.Context(), question{kind: kindStamp, url: tr.serve(t, kindStamp), body: bodyFor(kindStamp)})
	if took := time.Since(began); !errors.Is(err, ErrTimeout) || took < 14*time.Second || took > 15500*time.Millisecond {
		t.Errorf("%v after %v", err, took)
	}
}
