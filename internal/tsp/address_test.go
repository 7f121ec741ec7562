// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// loopbackForms are ways to write this computer. %d is a port that really listens on 127.0.0.1 and ::1.
var loopbackForms = []string{
	"http://127.0.0.1:%d/", "http://localhost:%d/", "http://LOCALHOST:%d/", "http://localhost.:%d/", "http://a.localhost:%d/",
	"http://127.1:%d/", "http://127.0.1:%d/", "http://2130706433:%d/", "http://0x7f000001:%d/", "http://0x7f.1:%d/",
	"http://0x7F.0x0.0x0.0x1:%d/", "http://0177.0.0.1:%d/", "http://0177.1:%d/", "http://017700000001:%d/", "http://127.0.0.1.:%d/",
	"http://127.000.000.001:%d/", "http://0127.0.0.1:%d/", "http://00000177.0.0.1:%d/", "http://127.0.0.0x1:%d/", "http://0x7f000001.:%d/",
	"http://127.127.127.127:%d/", "http://127.0.0.2:%d/", "http://0:%d/", "http://0.0.0.0:%d/", "http://0.0:%d/", "http://0x0:%d/",
	"http://00:%d/", "http://[::1]:%d/", "http://[::]:%d/", "http://[0:0:0:0:0:0:0:1]:%d/", "http://[0000::0001]:%d/",
	"http://[::ffff:127.0.0.1]:%d/", "http://[::ffff:7f00:1]:%d/", "http://[::127.0.0.1]:%d/", "http://[::7f00:1]:%d/",
	"http://[64:ff9b::127.0.0.1]:%d/", "http://[64:ff9b::7f00:1]:%d/", "http://[64:ff9b:1::7f00:1]:%d/", "http://[2002:7f00:1::]:%d/",
	"http://[2002:7f00:0001::1]:%d/", "http://[::ffff:0:127.0.0.1]:%d/", "http://[::1%%25lo]:%d/", "http://[::1%%lo]:%d/", "http://[fe80::1%%25lo]:%d/",
	"http://[::ffff:127.0.0.1%%25lo]:%d/", "http://127.0.0.1%%2f:%d/", "http://127%%2e0%%2e0%%2e1:%d/", "http://%%31%%32%%37.0.0.1:%d/",
	"http://%%6cocalhost:%d/", "http://①②⑦.0.0.1:%d/", "http://127。0。0。1:%d/", "http://127．0．0．1:%d/", "http://ｌｏｃａｌｈｏｓｔ:%d/",
	"http://loc\u00adalhost:%d/", "http://localhost\u3002:%d/", "http://[::1]:%d\\@ca.example/", "http://ca.example@127.0.0.1:%d/",
	"http://ca.example:80@127.0.0.1:%d/", "http://user:pass@127.0.0.1:%d/", "http://@127.0.0.1:%d/", "http://:@127.0.0.1:%d/",
	"http://ca.example%%40127.0.0.1:%d/", "http://127.0.0.1\\@ca.example:%d/", "http://127.0.0.1\\.ca.example:%d/", "http:\\\\127.0.0.1:%d/",
	"http:/127.0.0.1:%d/", "http:127.0.0.1:%d/", "http:///127.0.0.1:%d/", "http:////127.0.0.1:%d/", "//127.0.0.1:%d/", "127.0.0.1:%d", "///127.0.0.1:%d",
	" http://127.0.0.1:%d/", "http://127.0.0.1:%d/ ", "http://127.0.0.1 :%d/", "http://127.0.0.1\t:%d/", "ht\ntp://127.0.0.1:%d/",
	"http://127.0.0.1\r\n:%d/", "http://127.0.0.1:%d\r\nX: y/", "http://127.0.0.1\x00.ca.example:%d/", "http://\x00127.0.0.1:%d/", "\x01http://127.0.0.1:%d/",
	"HTTP://127.0.0.1:%d/", "hTTps://127.0.0.1:%d/", "https://127.0.0.1:%d/", "https://localhost:%d/", "https://[::1]:%d/", "http://127.0.0.1:%d/#ca.example",
	"http://127.0.0.1:%d?ca.example", "http://127.0.0.1:%d;ca.example/", "http://127.0.0.1:%d,ca.example/", "http://127.0.0.1:%d:80/", "http://[127.0.0.1]:%d/",
	"http://[localhost]:%d/", "http://[::1:%d/", "http://::1:%d/", "http://[::1]]:%d/", "http://[[::1]]:%d/", "http://127.0.0.1:+%d/", "http://127.0.0.1:0%d/",
	"http://-127.0.0.1:%d/", "http://.127.0.0.1:%d/", "http://127..0.0.1:%d/", "http://127.0.0.1..:%d/", "http://127.0.0.1,:%d/", "http://$127.0.0.1:%d/",
	"http://127.0.0.1/:%d", "http://127.0.0.1&ca.example:%d/", "http://ip6-localhost:%d/", "http://ip6-loopback:%d/", "http://localhost.localdomain:%d/",
}

// names resolve to forbidden addresses, see forbiddenNames.
var forbiddenNames = map[string]string{
	"loop.example": "127.0.0.1", "loop6.example": "::1", "mapped.example": "::ffff:127.0.0.1", "zero.example": "0.0.0.0", "zero6.example": "::",
	"ten.example": "10.0.0.1", "oneseventwo.example": "172.16.0.1", "oneseventwo31.example": "172.31.255.254", "home.example": "192.168.1.1",
	"linklocal.example": "169.254.1.1", "meta.example": "169.254.169.254", "azure.example": "168.63.129.16", "cgnat.example": "100.64.0.1",
	"alibaba.example": "100.100.100.200", "oracle.example": "192.0.0.192", "multicast.example": "224.0.0.1", "broadcast.example": "255.255.255.255",
	"reserved.example": "240.0.0.1", "bench.example": "198.18.0.1", "docs.example": "192.0.2.1", "docs2.example": "198.51.100.1", "docs3.example": "203.0.113.1",
	"relay.example": "192.88.99.1", "ula.example": "fd00::1", "ula2.example": "fc00::1", "meta6.example": "fd00:ec2::254", "ll6.example": "fe80::1",
	"site.example": "fec0::1", "mc6.example": "ff02::1", "nat64.example": "64:ff9b::7f00:1", "nat64meta.example": "64:ff9b::a9fe:a9fe",
	"nat64local.example": "64:ff9b:1::a00:1", "sixtofour.example": "2002:a00:1::1", "teredo.example": "2001:0:a00:1::1", "compat.example": "::10.0.0.1",
	"docs6.example": "2001:db8::1", "docs62.example": "3fff::1", "discard.example": "100::1", "srv6.example": "5f00::1", "mappedten.example": "::ffff:10.0.0.1",
	"mappedmeta.example": "::ffff:169.254.169.254", "benchmark6.example": "2001:2::1", "orchid.example": "2001:20::1", "translated.example": "::ffff:0:10.0.0.1",
}

// forbiddenLiterals are addresses of other computers that are not public, and names of the local network.
var forbiddenLiterals = []string{
	"http://10.0.0.1/", "http://10.255.255.255/", "http://172.16.0.1/", "http://172.31.255.255/", "http://192.168.0.1/", "http://192.168.255.255/",
	"http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://[::ffff:169.254.169.254]/", "http://[::ffff:a9fe:a9fe]/", "http://2852039166/",
	"http://0xa9fea9fe/", "http://0251.0376.0251.0376/", "http://169.254.43518/", "http://169.16689662/", "http://100.64.0.1/", "http://100.127.255.255/", "http://168.63.129.16/",
	"http://metadata.google.internal/", "http://metadata/", "http://instance-data/", "http://intranet/", "http://printer.local/", "http://router.home.arpa/",
	"http://x.onion/", "http://255.255.255.255/", "http://224.0.0.1/", "http://239.255.255.250:1900/", "http://240.0.0.1/", "http://[ff02::1]/", "http://[fe80::1]/",
	"http://[fc00::1]/", "http://[fec0::1]/", "http://[64:ff9b::a00:1]/", "http://[2002:c0a8:101::]/", "http://[::10.0.0.1]/", "http://[2001:db8::1]/", "http://[2001::1]/",
	"http://012.0.0.1/", "http://0xa.0.0.1/", "http://10.1/", "http://167772161/", "http://0x0a000001/", "http://3232235777/", "http://[::ffff:10.0.0.1]/",
}

// otherForms are not http, or have a port or a shape that is refused on any host.
var otherForms = []string{
	"", "http", "http:", "http:/", "http://", "http:///", "https://", "//", "/etc/passwd", "file:///etc/passwd", "file://localhost/etc/passwd", "FILE:///etc/passwd",
	"gopher://127.0.0.1:6379/_INFO", "ftp://ca.example/a.crl", "ldap://ca.example/cn=a?certificateRevocationList", "ldaps://ca.example/", "dict://127.0.0.1:11211/stats",
	"tftp://ca.example/a", "jar:http://ca.example!/a", "data:application/pkix-crl;base64,AAAA", "javascript:alert(1)", "unix:///run/x.sock", "http+unix://%2Frun%2Fx.sock/",
	"ws://ca.example/", "netdoc:///etc/passwd", "view-source:http://ca.example/", "blob:http://ca.example/a", "about:blank", "http://ca.example:22/", "http://ca.example:25/",
	"http://ca.example:0/", "http://ca.example:/", "http://ca.example:65536/", "http://ca.example:99999999999/", "http://ca.example:-1/", "http://ca.example:80a/",
	"http://ca.example:8O/", "http://ca.example:0x50/", "http://user@ca.example/", "http://user:pass@ca.example/", "http://ca.example\\a/", "http://ca.example/a b",
	"http://ca.example/\r\nHost: x", "http://ca.example/\x7f", "http://ca_.-example/", "http://-ca.example/", "http://ca-.example/", "http://ca..example/", "http://.ca.example/",
	"http://ca.exa mple/", "http://ca.example%00/", "http://ca.example%2f/", "http://пример.рф/", "http://ca.\u202eelpmaxe/", "http://*.example/", "http://ca.example,other.example/",
	"http://" + strings.Repeat("a", 64) + ".example/", "http://" + strings.Repeat("a.", 130) + "example/", "http://ca.example/" + strings.Repeat("a", 2048), "http://ca.123/", "http://ca.0x1f/",
	"http://!ca.example/", "http://ca.example!/", "http://[ca.example]/", "http://ca.example]/", "http://[2001:4860::8888%25eth0]/", "mailto:ca@ca.example", "http//ca.example/", "://ca.example/",
}

func hostile(port int) (list []string) {
	for _, f := range loopbackForms {
		list = append(list, fmt.Sprintf(f, port))
	}
	for host := range forbiddenNames {
		list = append(list, fmt.Sprintf("http://%s:%d/", host, port))
	}
	list = append(list, fmt.Sprintf("http://rebind.example:%d/", port), fmt.Sprintf("https://rebind.example:%d/", port), fmt.Sprintf("http://both.example:%d/", port))
	return append(append(list, forbiddenLiterals...), otherForms...)
}

// trap listens where nobody may connect.
func trap(t *testing.T) (port int, hits *atomic.Int64) {
	t.Helper()
	hits = new(atomic.Int64)
	four, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	port = four.Addr().(*net.TCPAddr).Port
	listeners := []net.Listener{four}
	if six, err := net.Listen("tcp6", fmt.Sprintf("[::]:%d", port)); err == nil {
		listeners = append(listeners, six)
	} else {
		t.Log("no IPv6 here; ::1 was not listened on:", err)
	}
	for _, l := range listeners {
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				hits.Add(1)
				conn.Close()
			}
		}()
	}
	return port, hits
}

// world is a resolver without a network. rebind.example is public when it is first asked for and loopback afterwards.
type world struct{ rebinds atomic.Int64 }

func (w *world) resolve(_ context.Context, host string) ([]netip.Addr, error) {
	if a, ok := forbiddenNames[host]; ok {
		return []netip.Addr{netip.MustParseAddr(a)}, nil
	}
	loop, pub := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("8.8.8.8")
	switch host {
	case "start.example":
		return []netip.Addr{loop}, nil
	case "ca.example":
		return []netip.Addr{pub}, nil
	case "both.example":
		return []netip.Addr{loop, netip.MustParseAddr("::1"), pub, netip.MustParseAddr("10.0.0.1")}, nil
	case "rebind.example":
		if w.rebinds.Add(1)%2 == 1 {
			return []netip.Addr{pub}, nil
		}
		return []netip.Addr{loop}, nil
	}
	return lookup(context.Background(), host) // what the system makes of "127.1" and the like
}

// guard lets connections to allowed ones through, makes those to public addresses fail without leaving this computer, and
// records all others, connecting them all the same: the trap must not see them.
type guard struct {
	mu        sync.Mutex
	forbidden []string
	dials     int
	allowed   netip.AddrPort
}

func (g *guard) connect(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	g.mu.Lock()
	g.dials++
	if to != g.allowed && !public(to.Addr()) {
		g.forbidden = append(g.forbidden, to.String())
	}
	g.mu.Unlock()
	if public(to.Addr()) {
		return nil, errors.New("no network in this test")
	}
	return connect(ctx, to)
}

func guarded(t *testing.T, o Options) (*Client, *guard) {
	t.Helper()
	o.Proxy = "none"
	if o.Deadline == 0 {
		o.Deadline = 2 * time.Second
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	g, w := &guard{}, &world{}
	c.resolve, c.connect = w.resolve, g.connect
	return c, g
}

// TestHostileURLs: none of the addresses leads to a connection that is forbidden, as the address of a question and as the
// target of a redirect.
func TestHostileURLs(t *testing.T) {
	port, hits := trap(t)
	list := hostile(port)
	if len(list) < 200 {
		t.Fatalf("only %d cases", len(list))
	}
	c, g := guarded(t, Options{Allow: []string{"start.example"}})
	var location atomic.Value
	location.Store("")
	start := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Location"] = []string{strings.Map(func(r rune) rune {
			if r == '\r' || r == '\n' { // a header cannot carry them
				return -1
			}
			return r
		}, location.Load().(string))}
		w.WriteHeader(http.StatusFound)
	}))
	t.Cleanup(start.Close)
	g.allowed = netip.MustParseAddrPort(start.Listener.Addr().String())
	began := time.Now()
	for _, url := range list {
		for _, k := range []kind{kindStamp, kindCRL} {
			check(t, c, question{kind: k, url: url, body: bodyFor(k)}, url)
			location.Store(url)
			check(t, c, question{kind: k, url: fmt.Sprintf("http://start.example:%d/", g.allowed.Port()), body: bodyFor(k)}, "redirect to "+url)
		}
	}
	if len(g.forbidden) != 0 || hits.Load() != 0 {
		t.Errorf("forbidden connections: %v, the listeners saw %d", g.forbidden, hits.Load())
	}
	t.Logf("%d addresses, each directly and as a redirect, POST and GET: 0 forbidden connections, %d dials in all, %v", len(list), g.dials, time.Since(began))
}

func bodyFor(k kind) []byte {
	if k.ask == "" {
		return nil
	}
	return []byte{0x30, 0}
}

// check requires an error with a known meaning.
func check(t *testing.T, c *Client, q question, what string) {
	t.Helper()
	_, err := c.fetch(t.Context(), q)
	var f *Failure
	if !errors.As(err, &f) {
		t.Errorf("%q: %v", what, err)
		return
	}
	for _, known := range []error{ErrRefused, ErrUnreachable, ErrAnswer, ErrStatus} {
		if errors.Is(err, known) {
			return
		}
	}
	t.Errorf("%q: %v", what, err)
}

// TestDialChecksAgain: the dialler refuses by itself, whatever the check of the URL would have let pass, also when the
// system's resolver reads a number as an address.
func TestDialChecksAgain(t *testing.T) {
	port, hits := trap(t)
	c, g := guarded(t, Options{})
	for _, host := range []string{
		"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "::1", "::", "0.0.0.0", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1%lo",
		"loop.example", "mapped.example", "both.example",
	} {
		conn, err := c.dial(t.Context(), "tcp", net.JoinHostPort(host, fmt.Sprint(port)))
		if err == nil {
			conn.Close()
			t.Errorf("%s: connected", host)
		}
	}
	if len(g.forbidden) != 0 || hits.Load() != 0 {
		t.Errorf("forbidden connections: %v, the listeners saw %d", g.forbidden, hits.Load())
	}
}

// TestNamed: a URL that somebody named may be called where its host is, and nothing else gains from it: not the target of a
// redirect, not another question to the same host and port, which would find a connection there.
func TestNamed(t *testing.T) {
	c, g := guarded(t, Options{})
	hits := 0
	location := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		setHeaders(w, r, "")
		if location != "" {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
		w.Write([]byte{0x30, 0})
	}))
	t.Cleanup(s.Close)
	g.allowed = netip.MustParseAddrPort(s.Listener.Addr().String())
	for _, host := range []string{"loop.example", "localhost", "127.0.0.1"} {
		url := fmt.Sprintf("http://%s:%d/tsa", host, g.allowed.Port())
		ask := func(named bool, to string, want error, more int) {
			t.Helper()
			before := hits
			location = to
			_, err := c.fetch(t.Context(), question{kind: kindStamp, url: url, body: []byte{0x30, 0}, named: named})
			if !errors.Is(err, want) || hits != before+more {
				t.Errorf("%s, named %v, redirect %q: %v, %d requests", host, named, to, err, hits-before)
			}
		}
		for range 2 {
			ask(false, "", ErrRefused, 0)
			ask(true, "", nil, 1)
		}
		ask(true, url, ErrRefused, 1)
		ask(true, fmt.Sprintf("http://%s:%d/", host, g.allowed.Port()+1), ErrRefused, 1)
	}
	for _, never := range []string{"http://0.0.0.0:8080/", "http://[::]:8080/", "http://[::ffff:0.0.0.0]:8080/", "http://127.1:8080/", "http://127.0.0.1:22/", "http://zero.example:8080/"} {
		check(t, c, question{kind: kindStamp, url: never, body: []byte{0x30, 0}, named: true}, never)
	}
	if len(g.forbidden) != 0 {
		t.Errorf("forbidden connections: %v", g.forbidden)
	}
}

// TestTrap: the trap and the guard do see a connection, so that the tests above can fail.
func TestTrap(t *testing.T) {
	port, hits := trap(t)
	c, g := guarded(t, Options{Allow: []string{"127.0.0.0/8", "::1", "10.0.0.0/8"}})
	for _, host := range []string{"127.0.0.1", "loop.example", "[::1]"} {
		c.fetch(t.Context(), question{kind: kindCRL, url: fmt.Sprintf("http://%s:%d/", host, port)})
	}
	for range 100 {
		if hits.Load() >= 2 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if len(g.forbidden) != 3 || hits.Load() < 2 {
		t.Errorf("guard saw %v, trap %d", g.forbidden, hits.Load())
	}
}

func TestAllow(t *testing.T) {
	for _, wrong := range []string{"", "http://a.example", "a.example:80", "10.0.0.0/33", "127.1", "0x7f000001", "*.example", "a b", "fe80::1%eth0", "пример.рф"} {
		if _, err := New(Options{Allow: []string{wrong}}); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
	r, err := parseRules([]string{"10.1.0.0/8", "192.168.5.5", "TSA.local.", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]bool{
		"http://10.9.9.9/": true, "http://192.168.5.5/": true, "http://192.168.5.6/": false, "http://tsa.local/": true, "http://TSA.LOCAL./": true,
		"http://other.local/": false, "http://[fd12::1]/": true, "http://[fe80::1]/": false, "http://8.8.8.8/": true, "https://ca.example:8443/": true,
		"http://[2001:4860:4860::8888]/": true, "http://[::ffff:10.0.0.1]/": false,
	} {
		if _, err := r.target(url); (err == nil) != want {
			t.Errorf("%s: %v", url, err)
		}
	}
	if !r.address("tsa.local", netip.MustParseAddr("172.16.0.9")) || r.address("tsa.local", netip.MustParseAddr("0.0.0.0")) {
		t.Error("an allowed host is good at each address a host can have")
	}
}
