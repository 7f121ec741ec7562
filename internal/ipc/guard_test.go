// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
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
)

const approved = "https://portal.example:8443"

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

// head is a handshake that is right in everything but what a test changes.
type head struct {
	line    string
	host    []string
	origin  []string
	headers []string
}

func (s *webServer) head() head {
	h := head{
		line: "GET / HTTP/1.1", host: []string{s.addr}, origin: []string{approved},
		headers: []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: persten.v1"},
	}
	if s.foreign {
		h.headers = h.headers[:4]
	}
	return h
}

func (h head) String() string {
	var b strings.Builder
	b.WriteString(h.line + "\r\n")
	for _, v := range h.host {
		b.WriteString("Host: " + v + "\r\n")
	}
	for _, v := range h.origin {
		b.WriteString("Origin: " + v + "\r\n")
	}
	for _, v := range h.headers {
		b.WriteString(v + "\r\n")
	}
	return b.String() + "\r\n"
}

// send returns the status of the answer, 0 when the server just closed.
func (s *webServer) send(t *testing.T, request string) int {
	c, err := net.Dial("tcp4", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if s.secure != nil {
		c = tls.Client(c, s.secure)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte(request)); err != nil {
		return 0
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	r.Body.Close()
	return r.StatusCode
}

// hosts are names an attacker would like us to take for an approved or our own one.
func forgedHosts(good, port string) []string {
	return []string{
		"", " ", "null", "*", good + ".", "." + good, good + "..", strings.ToUpper(good), strings.ToUpper(good[:1]) + good[1:],
		"evil" + good, "evil-" + good, "evil." + good, good + ".evil.example", good + "-evil.example", good[1:], good + "_x",
		"evil.example", "user@" + good, "user:pw@" + good, good + "@evil.example", "evil.example#" + good, "evil.example?" + good,
		"evil.example/" + good, `evil.example\` + good, good + "/", good + "/path", good + "?q", good + "#f", good + "%00", good + "%2e",
		strings.ReplaceAll(good, ".", "。"), strings.ReplaceAll(good, ".", "．"), strings.ReplaceAll(good, ".", "%2e"), strings.ReplaceAll(good, "a", "ａ"),
		strings.ReplaceAll(good, "o", "о"), strings.ReplaceAll(good, "l", "ı"), good + "\u200b", "\ufeff" + good, good[:3] + "\u200d" + good[3:], good[:2] + "\t" + good[2:],
		good + "\x00", good + "\x00.evil.example", good + "\x7f", good + ";", good + ",", good + " ", good + ":",
		"localhost", "localhost.", "a.localhost", "127.0.0.1.nip.example", "2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.1", "127.0.1",
		"127.0.0.1", "127.0.0.1.", "127.0.0.2", "0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1%25lo]", "[fe80::1%lo]", "::1",
		"localhost:" + port, "127.0.0.2:" + port, "0.0.0.0:" + port, "[::1]:" + port, "[::ffff:127.0.0.1]:" + port, "2130706433:" + port, "127.1:" + port,
		"xn--portal-.example", "портал.example", "xn--80a.example", strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 127) + "example", strings.Repeat("x", 8<<10),
	}
}

// forgedOrigins is appendix A of the threat model: none of them may pass.
func forgedOrigins(port string) [][]string {
	var all [][]string
	add := func(o string) {
		if strings.Trim(o, " \t") != approved { // HTTP takes outer blanks off a value: that would be the approved origin
			all = append(all, []string{o})
		}
	}
	all = append(all, nil, []string{approved, approved}, []string{approved, "https://evil.example"}, []string{"https://evil.example", approved}, []string{"", approved}, []string{approved, "null"})
	for _, o := range []string{"", "null", "NULL", "undefined", "about:blank", approved + "," + approved, approved + ", https://evil.example",
		"https://evil.example " + approved, approved + " https://evil.example", approved + "\r\n\tx", approved + "\r\n https://evil.example", "\"" + approved + "\"", "<" + approved + ">",
		"https:portal.example:8443", "https:/portal.example:8443", "//portal.example:8443", "portal.example:8443", "portal.example", "://portal.example:8443", "https:///portal.example:8443"} {
		add(o)
	}
	for _, scheme := range []string{"http", "https", "HTTPS", "Https", "ws", "wss", "file", "blob", "data", "ftp", "javascript", "filesystem", "chrome", "about",
		"chrome-extension", "moz-extension", "safari-web-extension", "view-source:https", "blob:https", " https", "\thttps", "https\x00", "h\u0442tps"} {
		for _, host := range []string{"portal.example:8443", "portal.example", "evil.example", testExtension[1:] + "b", testExtension} {
			if o := scheme + "://" + host; o != approved && o != "chrome-extension://"+testExtension {
				add(o)
			}
		}
	}
	for _, p := range []string{"", ":443", ":80", ":0", ":08443", ":+8443", ":-8443", ":65536", ":73979", ":84430", ":844", ":8443:8443", ":8443 ", ":٨٤٤٣", ":8443/", ":8443/a", ":8443?", ":8443#", ":", ":x", ":" + port} {
		add("https://portal.example" + p)
	}
	for _, h := range forgedHosts("portal.example", port) {
		for _, o := range []string{"https://" + h, "https://" + h + ":8443", "http://" + h, "http://" + h + ":8000", "http://" + h + ":" + port} {
			if o != "http://127.0.0.1:8000" {
				add(o)
			}
		}
	}
	return all
}

func forgedHostHeaders(addr, port string) [][]string {
	all := [][]string{nil, {addr, addr}, {addr, "evil.example"}, {"evil.example", addr}, {"portal.example:8443"}, {"http://" + addr}, {addr + "0"}, {"127.0.0.1:80"}, {"127.0.0.1:0" + port}, {"127.0.0.1:"}}
	for _, h := range forgedHosts("127.0.0.1", port) {
		if strings.TrimSpace(h) != h { // HTTP takes outer blanks off a value
			continue
		}
		all = append(all, []string{h})
		if h != "127.0.0.1" {
			all = append(all, []string{h + ":" + port})
		}
	}
	return all
}

// forgedShapes change something else than names.
func forgedShapes(s *webServer) []head {
	var all []head
	with := func(change func(*head)) {
		h := s.head()
		h.headers = slices.Clone(h.headers)
		change(&h)
		all = append(all, h)
	}
	for _, line := range []string{"GET / HTTP/1.0", "GET / HTTP/2.0", "GET / HTTP/0.9", "GET /", "POST / HTTP/1.1", "PUT / HTTP/1.1", "HEAD / HTTP/1.1", "OPTIONS / HTTP/1.1", "CONNECT / HTTP/1.1",
		"get / HTTP/1.1", "GET http://" + s.addr + "/ HTTP/1.1", "GET ws://" + s.addr + "/ HTTP/1.1", "GET http://evil.example/ HTTP/1.1", "GET * HTTP/1.1", "OPTIONS * HTTP/1.1",
		"GET // HTTP/1.1", "GET /x HTTP/1.1", "GET /? HTTP/1.1", "GET /?a HTTP/1.1", "GET /./ HTTP/1.1", "GET /../ HTTP/1.1", "GET /%2f HTTP/1.1", "GET /health HTTP/1.1", "GET //evil.example/ HTTP/1.1", "CONNECT " + s.addr + " HTTP/1.1"} {
		with(func(h *head) { h.line = line })
	}
	for _, extra := range []string{"X-Forwarded-Host: " + s.addr, "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https", "Forwarded: host=" + s.addr, "Via: 1.1 proxy",
		"Content-Length: 4", "Content-Length: -1", "Content-Length: 4\r\nContent-Length: 5", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 4",
		"Transfer-Encoding: identity, chunked", "Transfer-Encoding: x", "Host: evil.example", "Origin: null", "ORIGIN: https://evil.example", "Origin : " + approved,
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 8", "Sec-WebSocket-Protocol: other", " folded: x", "X: " + strings.Repeat("x", 16<<10)} {
		with(func(h *head) { h.headers = append(h.headers, extra) })
	}
	for i := range s.head().headers {
		with(func(h *head) { h.headers = slices.Delete(h.headers, i, i+1) })
		with(func(h *head) { h.headers[i] = strings.Split(h.headers[i], ":")[0] + ": x" })
	}
	return all
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
	origins, hosts, shapes := forgedOrigins(s.port), forgedHostHeaders(s.addr, s.port), forgedShapes(s)
	variants := map[string]bool{}
	var requests []string
	add := func(h head) {
		if r := h.String(); !variants[r] {
			variants[r] = true
			requests = append(requests, r)
		}
	}
	for _, h := range shapes {
		add(h)
	}
	for _, o := range origins {
		h := s.head()
		h.origin = o
		add(h)
	}
	for _, v := range hosts {
		h := s.head()
		h.host = v
		add(h)
	}
	single := len(requests)
	random := rand.New(rand.NewPCG(1, 24117))
	for len(requests) < total { // the cross product, sampled
		h := shapes[random.IntN(len(shapes))]
		if random.IntN(2) == 0 {
			h = s.head()
		}
		h.origin, h.host = origins[random.IntN(len(origins))], hosts[random.IntN(len(hosts))]
		if random.IntN(4) == 0 {
			h.host = []string{s.addr}
		}
		add(h)
	}
	if single < 500 {
		t.Fatalf("only %d variants", single)
	}
	before := rss(t)
	statuses := s.sendAll(t, requests)
	if n := statuses[http.StatusSwitchingProtocols] + int(s.accepted.Load()); n != 0 {
		t.Errorf("%d accepted", n)
	}
	for i, r := range requests[:single] {
		if s.send(t, r) == http.StatusSwitchingProtocols {
			t.Errorf("variant %d was accepted: %.300q", i, r)
		}
	}
	grown := rss(t) - before
	t.Logf("%d forged upgrades, %d single variants: statuses %v, %d origins asked about, RSS grew by %d KiB", len(requests), single, statuses, s.unknown.Load(), grown)
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

func (s *webServer) sendAll(t *testing.T, requests []string) map[int]int {
	var mu sync.Mutex
	statuses := map[int]int{}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(requests); i = next.Add(1) - 1 {
				status := s.send(t, requests[i])
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return statuses
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
		h.origin = []string{origin}
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
	h.origin = []string{"https://other.example"}
	if status := s.send(t, h.String()); status != http.StatusForbidden {
		t.Errorf("unknown origin got %d", status)
	}
	eventually(t, "the unknown origin is told", func() bool { return s.unknown.Load() == 1 })
	h.origin = []string{"chrome-extension://" + strings.Repeat("p", 32)}
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
		h.line = "GET " + path + " HTTP/1.1"
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
	h.headers[4] = "Sec-WebSocket-Protocol: persten.v1, persten.quiet"
	if status := s.send(t, h.String()); status != http.StatusSwitchingProtocols {
		t.Errorf("the approved origin got %d", status)
	}
	h.origin = []string{"https://other.example"}
	if status := s.send(t, h.String()); status != http.StatusForbidden {
		t.Errorf("an unknown origin got %d", status)
	}
	h.headers[4] = "Sec-WebSocket-Protocol: persten.quiet"
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
	for _, o := range forgedOrigins("24117") {
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
	for _, o := range forgedOrigins("24117") {
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

const testExtension = "abcdefghijklmnopabcdefghijklmnop"
