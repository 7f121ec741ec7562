// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"persten/internal/ipc/ipctest"
)

const approved = ipctest.Approved

// webServer is a listener with its counters.
type webServer struct {
	addr     string
	port     string
	secure   *tls.Config // of a client; nil: plain
	foreign  bool
	accepted atomic.Int64
	unknown  atomic.Int64
	cancel   func()
}

func startWeb(t *testing.T, accept func(Conn, Peer)) *webServer {
	t.Helper()
	return startWebAs(t, &webServer{}, WebSocketOptions{}, accept)
}

func (s *webServer) rules() SiteRules {
	allowed := []string{approved, "http://127.0.0.1:8000", "chrome-extension://" + testExtension, "https://xn--e1afmkfd.example"}
	return SiteRules{
		Allowed: func(o string) bool { return slices.Contains(allowed, o) },
		Unknown: func(string, Peer) { s.unknown.Add(1) },
	}
}

func startWebAs(t *testing.T, s *webServer, o WebSocketOptions, accept func(Conn, Peer)) *webServer {
	t.Helper()
	o.SiteRules = s.rules()
	l, err := ListenWebSocket("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	_, s.port, _ = net.SplitHostPort(s.addr)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- l.Serve(ctx, func(c Conn, p Peer) {
			s.accepted.Add(1)
			if accept != nil {
				accept(c, p)
			}
		})
	}()
	s.cancel = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(s.cancel)
	return s
}

// client sends handshakes.
func (s *webServer) client() ipctest.Server {
	return ipctest.Server{Addr: s.addr, TLS: s.secure, Foreign: s.foreign}
}

func (s *webServer) head() ipctest.Handshake { return s.client().Right() }

// send returns the status of the answer, 0 when the server just closed.
func (s *webServer) send(t *testing.T, request string) int {
	status, err := s.client().Send(request)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// TestForgedHandshakes is the bar: at least 10,000 upgrades over at least 500 variants, none accepted, none even asked about
// a site unless it is a valid origin.
func TestForgedHandshakes(t *testing.T) {
	t.Run("ws", func(t *testing.T) { forgedHandshakes(t, startWeb(t, nil), 10_000) })
	t.Run("wss of foreign pages", func(t *testing.T) {
		pair := selfSigned(t)
		s := &webServer{secure: &tls.Config{InsecureSkipVerify: true}, foreign: true}
		startWebAs(t, s, WebSocketOptions{TLS: &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}, Foreign: true}, nil)
		forgedHandshakes(t, s, 1_500)
	})
}

// selfSigned is a certificate nobody trusts.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(cryptorand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func forgedHandshakes(t *testing.T, s *webServer, total int) {
	requests, variants := s.client().Forged(total)
	if len(requests) < total || variants < 500 {
		t.Fatalf("only %d handshakes of %d variants", len(requests), variants)
	}
	before := rss(t)
	statuses, err := s.client().SendAll(requests)
	if err != nil {
		t.Fatal(err)
	}
	if n := statuses[http.StatusSwitchingProtocols] + int(s.accepted.Load()); n != 0 {
		t.Errorf("%d accepted", n)
	}
	grown := rss(t) - before
	t.Logf("%d forged upgrades, %d variants of Origin and Host: statuses %v, %d origins asked about, RSS grew by %d KiB", len(requests), variants, statuses, s.unknown.Load(), grown)
	if grown > 50<<10 {
		t.Errorf("RSS grew by %d KiB", grown)
	}
	for i := range 100 {
		if status := s.send(t, s.head().String()); status != http.StatusSwitchingProtocols {
			t.Fatalf("the approved origin got %d", status)
		}
		eventually(t, "the connection is accepted", func() bool { return s.accepted.Load() == int64(i+1) })
	}
}

func rss(t *testing.T) int {
	runtime.GC()
	if runtime.GOOS != "linux" {
		return 0
	}
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	var kib int
	_, after, _ := strings.Cut(string(b), "VmRSS:")
	fmt.Sscan(after, &kib)
	return kib
}

func TestApprovedHandshakes(t *testing.T) {
	peers := make(chan Peer, 1)
	s := startWeb(t, func(_ Conn, p Peer) { peers <- p })
	for _, origin := range []string{approved, "http://127.0.0.1:8000", "chrome-extension://" + testExtension, "https://xn--e1afmkfd.example"} {
		h := s.head()
		h.Origin = []string{origin}
		if status := s.send(t, h.String()); status != http.StatusSwitchingProtocols {
			t.Errorf("%s got %d", origin, status)
			continue
		}
		p := <-peers
		if p.Origin != origin || p.Via != ViaWebSocket || p.Extension != extensionOf(origin) {
			t.Errorf("%s: peer %+v", origin, p)
		}
		if runtime.GOOS == "linux" && (p.UID != os.Getuid() || p.PID != os.Getpid() || p.Program == "") {
			t.Errorf("peer %+v is not this process", p)
		}
	}
	h := s.head()
	h.Origin = []string{"https://other.example"}
	if status := s.send(t, h.String()); status != http.StatusForbidden {
		t.Errorf("unknown origin got %d", status)
	}
	eventually(t, "the unknown origin is told", func() bool { return s.unknown.Load() == 1 })
	h.Origin = []string{"chrome-extension://" + strings.Repeat("p", 32)}
	if status := s.send(t, h.String()); status != http.StatusForbidden || s.unknown.Load() != 1 {
		t.Errorf("foreign extension got %d, told %d times", status, s.unknown.Load())
	}
}

func TestHealthIsConstant(t *testing.T) {
	s := startWeb(t, nil)
	get := s.health
	first := get(s.addr, "")
	if !strings.HasPrefix(first, "HTTP/1.1 200 ") || !strings.HasSuffix(first, "\r\n\r\npersten\n") {
		t.Fatalf("health: %q", first)
	}
	if !strings.Contains(first, "\r\nAccess-Control-Allow-Origin: *\r\n") { // a page tells us from another program by these bytes
		t.Errorf("pages may not read health: %q", first)
	}
	for _, bad := range []string{"Date:", "Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Server:", "Set-Cookie"} {
		if strings.Contains(first, bad) {
			t.Errorf("health has %s: %q", bad, first)
		}
	}
	for i := range 100 {
		if got := get(s.addr, fmt.Sprintf("Origin: https://site%d.example\r\nCookie: a=%d\r\n", i, i)); got != first {
			t.Fatalf("health changed: %q", got)
		}
	}
	if got := get("rebound.example:"+s.port, ""); strings.Contains(got, "200") {
		t.Errorf("health under another name: %q", got)
	}
	for _, path := range []string{"/health/", "/x", "/health?x", "/favicon.ico", "/.well-known/x"} {
		h := s.head()
		h.Line = "GET " + path + " HTTP/1.1"
		if status := s.send(t, h.String()); status != http.StatusNotFound {
			t.Errorf("%s got %d", path, status)
		}
	}
}

// health is the whole answer, byte by byte.
func (s *webServer) health(host, extra string) string {
	c, err := net.Dial("tcp4", s.addr)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /health HTTP/1.1\r\nHost: %s\r\n%s\r\n", host, extra)
	b, _ := io.ReadAll(io.LimitReader(c, 4096))
	return string(b)
}

// TestQuietHandshake: a page that only looks is refused like any other, and nobody is asked about it.
func TestQuietHandshake(t *testing.T) {
	s := startWeb(t, nil)
	h := s.head()
	h.Headers[4] = "Sec-WebSocket-Protocol: persten.v1, persten.quiet"
	if status := s.send(t, h.String()); status != http.StatusSwitchingProtocols {
		t.Errorf("the approved origin got %d", status)
	}
	h.Origin = []string{"https://other.example"}
	if status := s.send(t, h.String()); status != http.StatusForbidden {
		t.Errorf("an unknown origin got %d", status)
	}
	h.Headers[4] = "Sec-WebSocket-Protocol: persten.quiet"
	if status := s.send(t, h.String()); status != http.StatusForbidden {
		t.Errorf("without our subprotocol: %d", status)
	}
	time.Sleep(50 * time.Millisecond)
	if n := s.unknown.Load(); n != 0 {
		t.Errorf("%d asked about", n)
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"", ":0", "0.0.0.0:0", "[::]:0", "[::1]:0", "localhost:0", "127.0.0.2:0", "[::ffff:127.0.0.1]:0", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000"} {
		if l, err := ListenWebSocket(addr, WebSocketOptions{}); err == nil {
			l.Close()
			t.Errorf("%q was opened", addr)
		}
	}
	s := startWeb(t, nil)
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	others := []string{"::1", "127.0.0.2"}
	for _, a := range addrs {
		if ip := a.(*net.IPNet).IP.String(); ip != "127.0.0.1" {
			others = append(others, ip)
		}
	}
	for _, ip := range others {
		if c, err := net.DialTimeout("tcp", net.JoinHostPort(ip, s.port), time.Second); err == nil {
			c.Close()
			t.Errorf("something answers on %s", ip)
		}
	}
}

func TestValidOrigin(t *testing.T) {
	for _, o := range []string{"https://a.example", "http://a", "https://a_b.example:1", "http://127.0.0.1", "http://127.0.0.1:8000", "http://[::1]:8080", "https://[2001:db8::1]",
		"https://xn--e1afmkfd.example:65535", "http://a:443", "https://a:80", "chrome-extension://" + testExtension, "moz-extension://01234567-89ab-cdef-0123-456789abcdef"} {
		if !ValidOrigin(o) {
			t.Errorf("%q is refused", o)
		}
	}
	for _, o := range ipctest.Origins("24117") {
		if len(o) == 1 && o[0] != strings.TrimSpace(o[0]) && ValidOrigin(o[0]) {
			t.Errorf("%q is valid", o[0])
		}
	}
	for _, o := range []string{"", "null", "https://", "https://a:443", "http://a:80", "https://A", "https://a.", "https://a..b", "https://a/", "https://[::ffff:1.2.3.4]", "https://[0:0::1]", "https://[::1%25a]",
		"https://1.2.3", "https://1.2.3.04", "https://0x7f.1", "https://a.0x1", "https://256.1.1.1", "https://a:0", "https://a:01", "file://", "moz-extension://x", "chrome-extension://" + strings.Repeat("q", 32)} {
		if ValidOrigin(o) {
			t.Errorf("%q is valid", o)
		}
	}
}

func FuzzValidOrigin(f *testing.F) {
	for _, o := range ipctest.Origins("24117") {
		if len(o) == 1 {
			f.Add(o[0])
		}
	}
	f.Add(approved)
	f.Fuzz(func(t *testing.T, s string) {
		if !ValidOrigin(s) {
			return
		}
		if strings.ToLower(s) != s || strings.ContainsAny(s, "?#@%\\ \t\r\n\x00,;") || strings.Count(s, "/") != 2 || len(s) > 300 {
			t.Errorf("%q is valid", s)
		}
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(8 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

const testExtension = ipctest.Extension
