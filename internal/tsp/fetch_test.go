// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"persten/internal/cert"
)

// TestHeaders: what is sent is this and nothing else, also after redirects and cookies.
func TestHeaders(t *testing.T) {
	var seen []http.Header
	var bodies []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		seen, bodies = append(seen, r.Header), append(bodies, r.Method+string(b))
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		w.Header().Set("WWW-Authenticate", "Basic")
		if len(seen)%4 != 0 {
			w.Header().Set("Location", fmt.Sprintf("/%d#part", len(seen)))
			w.WriteHeader([]int{301, 302, 308}[len(seen)%4-1])
			return
		}
		w.Header().Set("Content-Type", "application/ocsp-response; charset=x")
		w.Write([]byte{0x30, 0})
	}))
	t.Cleanup(s.Close)
	c := here(t, Options{})
	for _, q := range []question{{kind: kindOCSP, url: s.URL, body: []byte("question")}, {kind: kindCRL, url: s.URL, etag: `"1"`, modified: "x"}} {
		if a, err := c.fetch(t.Context(), q); err != nil || !bytes.Equal(a.body, []byte{0x30, 0}) {
			t.Fatal(err)
		}
	}
	want := [2][]string{{"Accept", "Content-Length", "Content-Type", "User-Agent"}, {"If-Modified-Since", "If-None-Match", "User-Agent"}}
	for i, h := range seen {
		if got := slices.Sorted(maps.Keys(h)); !slices.Equal(got, want[i/4]) {
			t.Errorf("%d: sent %v", i, got)
		}
	}
	if len(bodies) != 8 || bodies[0] != "POSTquestion" || bodies[3] != "POSTquestion" || bodies[7] != "GET" {
		t.Errorf("%q", bodies)
	}
}

// TestTLS: the system's roots decide, and https never becomes http.
func TestTLS(t *testing.T) {
	var to string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if to != "" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}
		w.Write([]byte{0x30, 0})
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	plain := httptest.NewServer(send("", []byte{0x30, 0}))
	t.Cleanup(plain.Close)
	c := here(t, Options{})
	q := question{kind: kindCRL, url: s.URL}
	if _, err := c.fetch(t.Context(), q); !errors.Is(err, ErrIdentity) {
		t.Errorf("unknown certificate: %v", err)
	}
	c.direct.TLSClientConfig.RootCAs = x509.NewCertPool()
	c.direct.TLSClientConfig.RootCAs.AddCert(s.Certificate())
	if _, err := c.fetch(t.Context(), q); err != nil {
		t.Error(err)
	}
	to = plain.URL
	if _, err := c.fetch(t.Context(), q); !errors.Is(err, ErrRefused) {
		t.Errorf("downgrade: %v", err)
	}
	if _, err := c.fetch(t.Context(), question{kind: kindCRL, url: strings.Replace(s.URL, "https", "http", 1)}); !errors.Is(err, ErrStatus) {
		t.Errorf("http to an https port: %v", err)
	}
	if _, err := c.fetch(t.Context(), question{kind: kindCRL, url: strings.Replace(plain.URL, "http", "https", 1)}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("https to an http port: %v", err)
	}
}

// TestDeadServer: an OCSP server that hangs leaves time for the list; the second question about it does not wait.
func TestDeadServer(t *testing.T) {
	a, ca, good, _, _ := services(t, "ecdsa")
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	a.mu.Lock()
	a.hook = func(http.ResponseWriter, *http.Request) bool { return false }
	a.mu.Unlock()
	inner := a.server.Config.Handler
	a.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ocsp" {
			<-hang
			return
		}
		inner.ServeHTTP(w, r)
	})
	c := here(t, Options{Deadline: 3 * time.Second})
	for i, most := range []time.Duration{2 * time.Second, 300 * time.Millisecond} {
		began := time.Now()
		list, err := c.Revocation(t.Context(), good, ca)
		if took := time.Since(began); took > most || len(list) != 1 || list[0].OCSP || !errors.Is(err, ErrTimeout) {
			t.Errorf("%d: %v, %d answers, %v", i, took, len(list), err)
		}
	}
	if s, _ := statusOf(t, c, a, good); s != cert.Good {
		t.Errorf("%v", s)
	}
	if list, err := here(t, Options{NoOCSP: true}).Revocation(t.Context(), good, ca); err != nil || len(list) != 1 {
		t.Errorf("without OCSP: %d answers, %v", len(list), err)
	}
}

// TestNoNextUpdate: an OCSP answer without nextUpdate is used for a few minutes, and offline.
func TestNoNextUpdate(t *testing.T) {
	a, ca, good, _, _ := services(t, "gost256")
	a.noNextUpdate = true
	dir := t.TempDir()
	c := here(t, Options{Dir: dir})
	for i, later := range []time.Duration{0, time.Minute, 10 * time.Minute} {
		c.now = func() time.Time { return time.Now().Add(later) }
		list, err := c.Revocation(t.Context(), good, ca)
		if want := []int{1, 1, 2}[i]; err != nil || len(list) != 1 || a.asked["/ocsp"] != want {
			t.Errorf("%v: %d answers, %v, asked %v", later, len(list), err, a.asked)
		}
		if s, _ := statusOf(t, c, a, good); s != cert.Good {
			t.Errorf("%v: %v", later, s)
		}
	}
	if list, err := here(t, Options{Dir: dir, Offline: true}).Revocation(t.Context(), good, ca); err != nil || len(list) != 1 {
		t.Errorf("offline: %d answers, %v", len(list), err)
	}
}

// TestLargestList: a list as large as allowed is read in its size and a piece; one byte more is refused.
func TestLargestList(t *testing.T) {
	size := int(kindCRL.limit)
	body := make([]byte, size+1)
	for _, n := range []int{size, size + 1} {
		copy(body, []byte{0x30, 0x83, byte((n - 5) >> 16), byte((n - 5) >> 8), byte(n - 5)})
		if n-5 >= 1<<24 {
			copy(body, []byte{0x30, 0x84, byte((n - 6) >> 24), byte((n - 6) >> 16), byte((n - 6) >> 8), byte(n - 6)})
		}
		s := httptest.NewServer(send("", body[:n]))
		c := here(t, Options{Dir: t.TempDir()})
		stop := heap()
		_, err := c.FetchCRL(t.Context(), s.URL, nil)
		used := stop()
		s.Close()
		if want := map[bool]error{true: ErrAnswer, false: ErrTooLarge}[n == size]; !errors.Is(err, want) {
			t.Errorf("%d bytes: %v", n, err)
		}
		t.Logf("%d bytes of junk in a right header: at most %d KiB of heap", n, used>>10)
		if used > 35<<20 {
			t.Errorf("%d bytes: %d KiB of heap", n, used>>10)
		}
	}
}
