// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"persten/internal/cert"
)

// services makes an authority with an OCSP responder, a list, and three certificates of people: good, revoked, and one that
// names a list alone. ca is the root.
func services(t *testing.T, kind string) (a *authority, ca, good, bad, listed *cert.Certificate) {
	a = newAuthority(t, kind)
	a.issue("ocsp", kind, "ocsp")
	good, bad, listed = a.issue("good", kind, "leaf"), a.issue("bad", kind, "leaf"), a.issue("listed", kind, "leaf_crl")
	a.registered("good", "")
	a.registered("bad", "keyCompromise")
	a.registered("listed", "superseded")
	a.crl()
	return a, a.cert("ca"), good, bad, listed
}

func statusOf(t *testing.T, c *Client, a *authority, who *cert.Certificate) (cert.RevocationStatus, *cert.Path) {
	t.Helper()
	trust := a.trust()
	trust.At, trust.Source = c.now(), c
	p := trust.Validate(t.Context(), who, cert.UseAny)
	if p.Links[0].Revocation == nil {
		t.Fatalf("revocation was not looked at: %v", p.Problem)
	}
	return p.Links[0].Revocation.Status, p
}

// TestRevocation: OpenSSL's OCSP responder and lists, for keys of every kind, judged by package cert.
func TestRevocation(t *testing.T) {
	for _, kind := range []string{"rsa", "ecdsa", "gost256", "gost512"} {
		a, ca, good, bad, listed := services(t, kind)
		c := here(t, Options{Dir: t.TempDir()})
		for _, one := range []struct {
			who  *cert.Certificate
			want cert.RevocationStatus
			ocsp bool
		}{{good, cert.Good, true}, {bad, cert.Revoked, true}, {listed, cert.Revoked, false}} {
			answers, err := c.Revocation(t.Context(), one.who, ca)
			if err != nil || len(answers) == 0 || answers[0].OCSP != one.ocsp {
				t.Errorf("%s: %d answers, %v", kind, len(answers), err)
			}
			if s, p := statusOf(t, c, a, one.who); s != one.want || (s == cert.Good) != p.Holds() {
				t.Errorf("%s: %v, want %v: %v", kind, s, one.want, p.Problem)
			}
		}
		if a.asked["/ocsp"] != 2 || a.asked["/ca.crl"] != 1 {
			t.Errorf("%s: asked %v: the cache was not used", kind, a.asked)
		}
	}
}

// TestOfflineAnswers: what was fetched serves offline, and nothing else does; no connection is made.
func TestOfflineAnswers(t *testing.T) {
	a, ca, good, bad, listed := services(t, "gost256")
	dir := t.TempDir()
	online := here(t, Options{Dir: dir})
	for _, who := range []*cert.Certificate{good, listed} {
		if _, err := online.Revocation(t.Context(), who, ca); err != nil {
			t.Fatal(err)
		}
	}
	before := maps.Clone(a.asked)
	offline := here(t, Options{Dir: dir, Offline: true})
	if s, _ := statusOf(t, offline, a, good); s != cert.Good {
		t.Errorf("good: %v", s)
	}
	if s, _ := statusOf(t, offline, a, bad); s != cert.Revoked { // by the list that was fetched for another
		t.Errorf("bad: %v", s)
	}
	empty := here(t, Options{Dir: t.TempDir(), Offline: true})
	if s, p := statusOf(t, empty, a, good); s != cert.Unknown || !errors.Is(p.Problem, cert.ErrRevocationUnknown) {
		t.Errorf("without a cache: %v, %v", s, p.Problem)
	}
	if list, err := empty.Revocation(t.Context(), good, ca); len(list) != 0 || !errors.Is(err, ErrOffline) {
		t.Errorf("without a cache: %d answers, %v", len(list), err)
	}
	if _, err := empty.FetchCRL(t.Context(), a.server.URL+"/ca.crl", nil); !errors.Is(err, ErrOffline) {
		t.Error(err)
	}
	if _, err := empty.Stamper(a.server.URL+"/tsa", a.trust()).Stamp(t.Context(), "sha256", make([]byte, 32)); !errors.Is(err, ErrOffline) {
		t.Error(err)
	}
	// long after: the answers are still handed out, for package cert to judge
	offline.now = func() time.Time { return time.Now().Add(400 * 24 * time.Hour) }
	if list, err := offline.Revocation(t.Context(), good, ca); len(list) == 0 || err != nil {
		t.Errorf("later: %d answers, %v", len(list), err)
	}
	if !maps.Equal(a.asked, before) {
		t.Errorf("connections were made: %v", a.asked)
	}
}

// TestImport: lists from files, DER and PEM, serve without any connection; the newest of many are kept.
func TestImport(t *testing.T) {
	a, ca, good, bad, _ := services(t, "gost512")
	dir := t.TempDir()
	c := here(t, Options{Dir: dir, Offline: true})
	for _, file := range []string{"ca.crl", "crl.pem"} {
		if l, err := c.Import(a.Path(file)); err != nil || l.Len != 2 {
			t.Fatalf("%s: %+v, %v", file, l, err)
		}
	}
	for who, want := range map[*cert.Certificate]cert.RevocationStatus{good: cert.Good, bad: cert.Revoked} {
		s, p := statusOf(t, c, a, who)
		if from := p.Links[0].Revocation.Answer.From; s != want || filepath.Base(from) != "ca.crl" && filepath.Base(from) != "crl.pem" {
			t.Errorf("%v, want %v, from %q", s, want, from)
		}
	}
	for range maxImported + 3 {
		a.crl()
		if _, err := c.Import(a.Path("ca.crl")); err != nil {
			t.Fatal(err)
		}
	}
	if list, _ := c.Revocation(t.Context(), good, ca); len(list) != maxImported {
		t.Errorf("%d lists are kept", len(list))
	}
	for name, text := range map[string]string{"empty": "", "text": "hello", "cert": string(a.Read("ca.pem")), "junk": "\x30\x03\x02\x01\x00"} {
		a.write(name, text)
		if _, err := c.Import(a.Path(name)); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Import(a.Path("absent")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := c.Import("/dev/zero"); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if c.offline && a.asked["/ocsp"]+a.asked["/ca.crl"] != 0 {
		t.Errorf("connections were made: %v", a.asked)
	}
}

// TestConditional: a list is asked for again after a day, with If-Modified-Since, and the server says that it is the same.
func TestConditional(t *testing.T) {
	a, ca, _, _, listed := services(t, "ecdsa")
	c := here(t, Options{Dir: t.TempDir()})
	url := a.server.URL + "/ca.crl"
	var conditional int
	a.hook = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("If-Modified-Since") != "" {
			conditional++
		}
		return false
	}
	if _, err := c.FetchCRL(t.Context(), url, ca); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Revocation(t.Context(), listed, ca); err != nil || a.asked["/ca.crl"] != 1 {
		t.Errorf("%v, asked %v", err, a.asked)
	}
	if _, err := c.FetchCRL(t.Context(), url, ca); err != nil || conditional != 1 {
		t.Errorf("%v, %d conditional", err, conditional)
	}
	c.now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	if list, err := c.Revocation(t.Context(), listed, ca); err != nil || len(list) != 1 || conditional != 2 {
		t.Errorf("%v, %d answers, %d conditional", err, len(list), conditional)
	}
	if _, err := c.Revocation(t.Context(), listed, ca); err != nil || a.asked["/ca.crl"] != 3 {
		t.Errorf("%v, asked %v", err, a.asked)
	}
	// after nextUpdate the server still says that nothing changed
	c.now = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }
	if list, err := c.Revocation(t.Context(), listed, ca); !errors.Is(err, ErrOutdated) || len(list) != 1 {
		t.Errorf("outdated: %v, %d answers", err, len(list))
	}
	// the server is away: the old list comes with the reason
	a.hook = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	if list, err := c.Revocation(t.Context(), listed, ca); !errors.Is(err, ErrStatus) || len(list) != 1 {
		t.Errorf("away: %v, %d answers", err, len(list))
	}
}

// TestRevocationRefused: answers that say nothing true are errors, or are not believed by package cert.
func TestRevocationRefused(t *testing.T) {
	for _, kind := range []string{"rsa", "gost256"} {
		a, ca, good, _, listed := services(t, kind)
		stranger, _, _, _, _ := services(t, kind)
		fine := a.issue("fine", kind, "leaf_crl")
		var old []byte
		a.alter = func(_ string, b []byte) []byte { old = b; return b }
		here(t, Options{}).Revocation(t.Context(), good, ca)
		replay := func([]byte) []byte { return old }
		a.crl("-crldays", "7")
		rightCRL := a.Read("ca.crl")
		a.Run("ca", "-config", "ext.cnf", "-name", "d", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.pem", "-md", a.digest, "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z", "-out", "crl.pem")
		a.Run("crl", "-in", "crl.pem", "-outform", "DER", "-out", "old.crl")
		a.Run("ca", "-config", "ext.cnf", "-name", "d", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.pem", "-md", a.digest, "-crl_lastupdate", "20400101000000Z", "-crl_nextupdate", "20400201000000Z", "-out", "crl.pem")
		a.Run("crl", "-in", "crl.pem", "-outform", "DER", "-out", "future.crl")
		a.crl("-crlexts", "delta")
		delta := a.Read("ca.crl")
		serveCRL := func(b []byte) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/ca.crl" {
					return false
				}
				w.Write(b)
				return true
			}
		}
		status := func(s byte) func([]byte) []byte { return func([]byte) []byte { return []byte{0x30, 3, 10, 1, s} } }
		for _, m := range []struct {
			name   string
			who    *cert.Certificate
			now    time.Duration
			change func([]byte) []byte
			alter  func([]byte) []byte
			hook   func(http.ResponseWriter, *http.Request) bool
			want   error // nil: an answer comes and package cert does not believe it
		}{
			{name: "replayed OCSP answer", who: good, alter: replay, want: ErrAnswer},
			{name: "OCSP answer about another certificate", who: good, change: otherSerial(good), want: ErrAnswer},
			{name: "OCSP signature flipped", who: good, alter: flipSignature(a.cert("ocsp"))},
			{name: "OCSP by a stranger", who: good, alter: func(b []byte) []byte { return answerOf(stranger, a) }},
			{name: "OCSP malformedRequest", who: good, alter: status(1), want: ErrAnswer},
			{name: "OCSP internalError", who: good, alter: status(2), want: ErrAnswer},
			{name: "OCSP tryLater", who: good, alter: status(3), want: ErrAnswer},
			{name: "OCSP unauthorized", who: good, alter: status(6), want: ErrAnswer},
			{name: "OCSP successful without an answer", who: good, alter: status(0), want: ErrAnswer},
			{name: "OCSP cut", who: good, alter: func(b []byte) []byte { return b[:len(b)/2] }, want: ErrAnswer},
			{name: "OCSP of yesterday", who: good, now: 48 * time.Hour, want: ErrOutdated},
			{name: "OCSP of tomorrow", who: good, now: -48 * time.Hour, want: ErrAnswer},
			{name: "old list", who: fine, hook: serveCRL(a.Read("old.crl")), want: ErrOutdated},
			{name: "list from the future", who: listed, hook: serveCRL(a.Read("future.crl")), want: ErrAnswer},
			{name: "list of a stranger", who: listed, hook: serveCRL(stranger.Read("ca.crl"))},
			{name: "flipped list", who: listed, hook: serveCRL(flip(-9)(rightCRL))},
			{name: "delta list", who: fine, hook: serveCRL(delta), want: ErrAnswer},
			{name: "cut list", who: listed, hook: serveCRL(rightCRL[:len(rightCRL)-1]), want: ErrAnswer},
			{name: "list with a tail", who: listed, hook: serveCRL(append(bytes.Clone(rightCRL), 0)), want: ErrAnswer},
			{name: "not a list", who: listed, hook: serveCRL(ca.Raw), want: ErrAnswer},
			{name: "PEM without a list", who: listed, hook: serveCRL(a.Read("ca.pem")), want: ErrAnswer},
			{name: "a web page as a list", who: listed, hook: serveCRL([]byte("<html>")), want: ErrAnswer},
		} {
			a.change, a.alter, a.hook = nil, nil, m.hook
			if m.hook == nil {
				a.hook = serveCRL([]byte("gone")) // the list must not help
			}
			if m.change != nil {
				a.change = func(_ string, q []byte) []byte { return m.change(q) }
			}
			if m.alter != nil {
				a.alter = func(_ string, q []byte) []byte { return m.alter(q) }
			}
			dir := t.TempDir()
			c := here(t, Options{Dir: dir})
			c.now = func() time.Time { return time.Now().Add(m.now) }
			stop, began := heap(), time.Now()
			_, err := c.Revocation(t.Context(), m.who, ca)
			if used, took := stop(), time.Since(began); used > maxHeap || took > defaultDeadline {
				t.Errorf("%s, %s: %d KiB, %v", kind, m.name, used>>10, took)
			}
			if m.want != nil && !errors.Is(err, m.want) {
				t.Errorf("%s, %s: %v, want %v", kind, m.name, err, m.want)
			}
			if s, p := statusOf(t, c, a, m.who); s != cert.Unknown || p.Holds() {
				t.Errorf("%s, %s: %v, %v", kind, m.name, s, p.Problem)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
				t.Errorf("%s, %s: kept %v", kind, m.name, left)
			}
		}
	}
}

// otherSerial changes the serial number in an OCSP request.
func otherSerial(c *cert.Certificate) func([]byte) []byte {
	serial := c.X509.SerialNumber.Bytes()
	return func(q []byte) []byte {
		at := bytes.LastIndex(q, serial)
		return flip(at + len(serial) - 1)(q)
	}
}

// flipSignature changes the responder's signature, which stands before its certificate.
func flipSignature(responder *cert.Certificate) func([]byte) []byte {
	return func(b []byte) []byte { return flip(bytes.Index(b, responder.Raw) - 20)(b) }
}

// answerOf asks a stranger's responder about the question that lies in a's folder.
func answerOf(stranger, a *authority) []byte {
	q, _ := os.ReadFile(a.Path("q"))
	os.WriteFile(stranger.Path("q"), q, 0o600)
	if out, err := stranger.Try("ocsp", "-index", a.Path("index.txt"), "-rsigner", "ocsp.pem", "-rkey", "ocsp.key", "-CA", a.Path("ca.pem"), "-rmd", a.digest, "-reqin", "q", "-ndays", "1", "-respout", "answer"); err != nil {
		a.t.Errorf("%v: %s", err, out)
	}
	b, _ := os.ReadFile(stranger.Path("answer"))
	return b
}

// TestIssuers: certificates and bundles from the address in the certificate.
func TestIssuers(t *testing.T) {
	a, ca, good, _, _ := services(t, "gost256")
	other := newAuthority(t, "gost256")
	for _, m := range []struct {
		name string
		body []byte
		ok   bool
	}{
		{"DER", ca.Raw, true}, {"PEM", a.Read("ca.pem"), true},
		{"bundle", bundle(a, "DER", "ca.pem"), true}, {"bundle in PEM", bundle(a, "PEM", "ca.pem", "good.pem"), true},
		{"two in PEM", append(other.Read("ca.pem"), a.Read("ca.pem")...), true},
		{"somebody else", other.Read("ca.pem"), false}, {"empty bundle", bundle(a, "DER"), false}, {"text", []byte("hello"), false},
		{"itself", good.Raw, false}, {"cut bundle", bundle(a, "DER", "ca.pem")[:300], false}, {"a list", a.Read("ca.crl"), false},
	} {
		a.hook = func(w http.ResponseWriter, _ *http.Request) bool { w.Write(m.body); return true }
		list, err := here(t, Options{Dir: t.TempDir()}).Issuers(t.Context(), good)
		if (len(list) == 1 && list[0].Equal(ca) && err == nil) != m.ok || !m.ok && !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %d certificates, %v", m.name, len(list), err)
		}
	}
	a.hook = nil
	c := here(t, Options{Dir: t.TempDir()})
	for range 2 {
		if list, err := c.Issuers(t.Context(), good); err != nil || len(list) != 1 {
			t.Errorf("%d, %v", len(list), err)
		}
	}
	if list, err := c.Issuers(t.Context(), ca); err != nil || len(list) != 0 {
		t.Errorf("the root names no issuer: %d, %v", len(list), err)
	}
}

func bundle(a *authority, form string, files ...string) []byte {
	args := []string{"crl2pkcs7", "-nocrl", "-outform", form, "-out", "bundle"}
	for _, f := range files {
		args = append(args, "-certfile", f)
	}
	if len(files) == 0 {
		args = []string{"crl2pkcs7", "-in", "crl.pem", "-outform", form, "-out", "bundle"}
	}
	a.Run(args...)
	return a.Read("bundle")
}

// TestCancelled: the caller's own reason comes back, not ours.
func TestCancelled(t *testing.T) {
	a, ca, good, _, _ := services(t, "ecdsa")
	ctx, cancel := context.WithCancel(t.Context())
	a.hook = func(_ http.ResponseWriter, r *http.Request) bool {
		cancel()
		select {
		case <-r.Context().Done():
		case <-time.After(time.Second):
		}
		return true
	}
	if _, err := here(t, Options{}).Revocation(ctx, good, ca); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "http") {
		t.Error(err)
	}
}
