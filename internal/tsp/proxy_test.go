// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// proxyServer answers like a proxy: to http with status and body, to CONNECT by joining the connection to backend.
func proxyServer(t *testing.T, status int, backend string) (address string, seen *atomic.Value) {
	t.Helper()
	seen = new(atomic.Value)
	seen.Store("")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Method + " " + r.RequestURI + " " + r.Header.Get("Proxy-Authorization"))
		if r.Method != http.MethodConnect || status != http.StatusOK {
			w.Header().Set("Content-Type", "application/pkix-crl")
			w.WriteHeader(status)
			w.Write([]byte{0x30, 0})
			return
		}
		up, err := net.Dial("tcp", backend)
		if err != nil {
			t.Error(err)
			return
		}
		down, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { defer up.Close(); io.Copy(up, down) }()
		go func() { defer down.Close(); io.Copy(down, up) }()
	}))
	t.Cleanup(s.Close)
	return s.URL, seen
}

func throughProxy(t *testing.T, proxy string) *Client {
	t.Helper()
	c, err := New(Options{Proxy: proxy, Deadline: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w := &world{}
	c.resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
		if host == "inside.example" {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		return w.resolve(ctx, host)
	}
	return c
}

// TestProxy: a proxy on a private address is used because it was configured; what it is asked for was checked.
func TestProxy(t *testing.T) {
	address, seen := proxyServer(t, http.StatusOK, "")
	c := throughProxy(t, address)
	for _, name := range []string{"ca.example", "inside.example"} { // the second is known to the proxy alone
		if _, err := c.fetch(t.Context(), question{kind: kindCRL, url: "http://" + name + "/a.crl"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want := "GET http://" + name + "/a.crl "; seen.Load() != want {
			t.Errorf("the proxy saw %q, want %q", seen.Load(), want)
		}
	}
	for status, want := range map[int]error{407: ErrProxyAuth, 502: ErrStatus} {
		address, _ := proxyServer(t, status, "")
		if _, err := throughProxy(t, address).fetch(t.Context(), question{kind: kindCRL, url: "http://ca.example/"}); !errors.Is(err, want) {
			t.Errorf("http, %d: %v", status, err)
		}
	}
	for status, want := range map[int]error{407: ErrProxyAuth, 502: ErrProxy, 403: ErrProxy} {
		address, _ := proxyServer(t, status, "")
		if _, err := throughProxy(t, address).fetch(t.Context(), question{kind: kindCRL, url: "https://ca.example/"}); !errors.Is(err, want) {
			t.Errorf("https, %d: %v", status, err)
		}
	}
	if _, err := throughProxy(t, "http://127.0.0.1:1").fetch(t.Context(), question{kind: kindCRL, url: "http://ca.example/"}); !errors.Is(err, ErrProxy) {
		t.Errorf("no proxy there: %v", err)
	}
}

// TestProxyRefuses: with a proxy in between, hostile addresses are refused before the proxy hears of them.
func TestProxyRefuses(t *testing.T) {
	address, seen := proxyServer(t, http.StatusOK, "")
	c := throughProxy(t, address)
	n := 0
	for _, u := range hostile(8080) {
		if strings.Contains(u, "rebind.example") || strings.Contains(u, "both.example") {
			continue // here public, at the proxy who knows
		}
		if _, err := c.fetch(t.Context(), question{kind: kindCRL, url: u}); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", u, err)
		}
		n++
	}
	if seen.Load() != "" {
		t.Errorf("the proxy was asked %q", seen.Load())
	}
	t.Logf("%d addresses refused", n)
}

// TestProxyTLS: https through CONNECT ends at the server, whose certificate is checked.
func TestProxyTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte{0x30, 0}) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	address, seen := proxyServer(t, http.StatusOK, s.Listener.Addr().String())
	c := throughProxy(t, address)
	q := question{kind: kindCRL, url: "https://example.com/a.crl"} // the test certificate's name
	c.resolve = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, nil
	}
	if a, err := c.fetch(t.Context(), q); !errors.Is(err, ErrIdentity) {
		t.Errorf("unknown certificate: %v, %v", a, err)
	}
	c.proxied.TLSClientConfig.RootCAs = x509.NewCertPool()
	c.proxied.TLSClientConfig.RootCAs.AddCert(s.Certificate())
	if _, err := c.fetch(t.Context(), q); err != nil {
		t.Error(err)
	}
	if seen.Load() != "CONNECT example.com:443 " {
		t.Errorf("the proxy saw %q", seen.Load())
	}
}

func TestProxySetting(t *testing.T) {
	for _, wrong := range []string{"auto", "proxy:3128", "socks5://p.example:1080", "ftp://p.example", "http://", "http://p.example/path", "http://p.example/?q", "file:///p"} {
		if _, err := New(Options{Proxy: wrong}); !errors.Is(err, ErrProxy) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if _, err := New(Options{Proxy: "none"}); err != nil {
		t.Error(err)
	}
}

// TestSystemProxy runs this test's own program again, because the environment is read once.
func TestSystemProxy(t *testing.T) {
	if os.Getenv("PERSTEN_TEST_PROXY") != "" {
		for _, u := range []string{"http://ca.example/", "https://ca.example/", "http://direct.example/"} {
			parsed, _ := url.Parse(u)
			p, err := systemProxy(parsed)
			fmt.Println(u, p, err)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestSystemProxy$")
	cmd.Env = append(os.Environ(), "PERSTEN_TEST_PROXY=1", "HTTP_PROXY=http://p.example:3128", "HTTPS_PROXY=socks5://s.example:1080", "NO_PROXY=direct.example", "REQUEST_METHOD=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	for _, want := range []string{"http://ca.example/ http://p.example:3128 <nil>", "socks5", "http://direct.example/ <nil> <nil>"} {
		if lines.Scan(); !strings.Contains(lines.Text(), want) {
			t.Errorf("%q, want %q", lines.Text(), want)
		}
	}
}

// TestUserProxy reads what Windows keeps.
func TestUserProxy(t *testing.T) {
	for _, m := range []struct {
		p    userProxy
		url  string
		want string
		err  error
	}{
		{userProxy{}, "http://ca.example/", "<nil>", nil},
		{userProxy{script: true}, "http://ca.example/", "<nil>", ErrPAC},
		{userProxy{server: "p:3128", script: true}, "http://ca.example/", "http://p:3128", nil},
		{userProxy{server: "p:3128"}, "https://ca.example/", "http://p:3128", nil},
		{userProxy{server: "http=a:1;https=b:2"}, "https://ca.example/", "http://b:2", nil},
		{userProxy{server: "ftp=a:1"}, "https://ca.example/", "<nil>", nil},
		{userProxy{server: "https://p:3128"}, "http://ca.example/", "https://p:3128", nil},
		{userProxy{server: "p:1", bypass: "*.example;<local>"}, "http://ca.example/", "<nil>", nil},
		{userProxy{server: "p:1", bypass: "*.example;<local>"}, "http://ca/", "<nil>", nil},
		{userProxy{server: "p:1", bypass: "<local>"}, "http://[2001:4860::1]/", "http://p:1", nil},
		{userProxy{server: "p:1", bypass: "10.*;ca.*.test"}, "http://ca.example/", "http://p:1", nil},
		{userProxy{server: "p:1", bypass: "10.*;ca.*.test"}, "http://ca.one.TEST/", "<nil>", nil},
		{userProxy{server: "p:1", bypass: "*"}, "http://ca.example/", "<nil>", nil},
		{userProxy{script: true, bypass: "*.example"}, "http://ca.example/", "<nil>", nil},
	} {
		u, _ := url.Parse(m.url)
		p, err := m.p.choose(u)
		if fmt.Sprint(p) != m.want || !errors.Is(err, m.err) {
			t.Errorf("%+v, %s: %v, %v", m.p, m.url, p, err)
		}
	}
}

// TestNamedThroughProxy: the proxy is asked for a named host on a private address, and for no other question to it.
func TestNamedThroughProxy(t *testing.T) {
	address, seen := proxyServer(t, http.StatusOK, "")
	c := throughProxy(t, address)
	q := question{kind: kindStamp, url: "http://ten.example/tsa", body: []byte{0x30, 0}}
	if _, err := c.fetch(t.Context(), q); !errors.Is(err, ErrRefused) || seen.Load() != "" {
		t.Errorf("%v, the proxy saw %q", err, seen.Load())
	}
	q.named = true
	if _, err := c.fetch(t.Context(), q); errors.Is(err, ErrRefused) || seen.Load() != "POST http://ten.example/tsa " {
		t.Errorf("named: %v, the proxy saw %q", err, seen.Load())
	}
}
