// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bytes"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"math/big"
	"os"
	"slices"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
)

// TestStamp: OpenSSL's authority stamps digests of every kind with keys of every kind; OpenSSL takes what we return.
func TestStamp(t *testing.T) {
	for _, kind := range []string{"rsa", "ecdsa", "gost256", "gost512"} {
		a := newAuthority(t, kind)
		a.issue("tsa", kind, "tsa")
		s := here(t, Options{}).Stamper(a.server.URL+"/tsa", a.trust())
		for _, d := range []algo.Digest{algo.SHA256, algo.SHA384, algo.SHA512, algo.Streebog256, algo.Streebog512} {
			sum := d.Sum([]byte("signature value"))
			token, err := s.Stamp(t.Context(), d, sum)
			if err != nil {
				t.Errorf("%s, %s: %v", kind, d, err)
				continue
			}
			if err := a.verifiesStamp(token, sum); err != nil {
				t.Errorf("%s, %s: OpenSSL: %v", kind, d, err)
			}
			ts, err := cms.ParseTimeStamp(token)
			if err != nil || ts.Problem != nil || time.Since(ts.Time).Abs() > time.Minute {
				t.Errorf("%s, %s: %+v, %v", kind, d, ts, err)
			}
		}
		token, err := s.WithPolicy(asn1.ObjectIdentifier{1, 2, 3, 4, 5}).Stamp(t.Context(), algo.SHA256, algo.SHA256.Sum(nil))
		if err != nil {
			t.Errorf("%s, policy: %v", kind, err)
		} else if ts, err := cms.ParseTimeStamp(token); err != nil || ts.Policy.String() != "1.2.3.4.5" {
			t.Errorf("%s, policy: %+v, %v", kind, ts, err)
		}
	}
}

// misdeed is a time-stamping authority that does wrong.
type misdeed struct {
	name   string
	path   string // "/tsa" when empty
	change func(question []byte) []byte
	alter  func(answer []byte) []byte
	trust  *cert.Trust
	now    time.Time
	policy asn1.ObjectIdentifier
	want   []error
}

// swap replaces old, which must be there once, by one of the same length.
func swap(t *testing.T, old, new []byte) func([]byte) []byte {
	return func(b []byte) []byte {
		if bytes.Count(b, old) != 1 || len(old) != len(new) {
			t.Errorf("%x stands %d times in the question", old, bytes.Count(b, old))
		}
		return bytes.Replace(b, old, new, 1)
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b = bytes.Clone(b)
		b[(at+len(b))%len(b)] ^= 1
		return b
	}
}

// TestStampRefused: answers of OpenSSL's authority to another question, and by authorities that are none.
func TestStampRefused(t *testing.T) {
	for _, kind := range []string{"rsa", "gost256"} {
		a, stranger := newAuthority(t, kind), newAuthority(t, kind)
		for _, section := range []string{"tsa", "tsa_plain", "tsa_lax", "tsa_many", "tsa_other"} {
			a.issue(section, kind, section)
		}
		a.issueDated("tsa_old", kind, "tsa", "20200101000000Z", "20210101000000Z")
		stranger.issue("tsa", kind, "tsa")
		sum := algo.SHA256.Sum([]byte("value"))
		var old []byte
		resign := func(signer string, args ...string) func([]byte) []byte {
			if !slices.Contains(args, "-econtent_type") {
				args = append(args, "-econtent_type", "1.2.840.113549.1.9.16.1.4")
			}
			return func(b []byte) []byte { return a.resign(b, signer, args...) }
		}
		trust, none := stranger.trust(), cert.Trust{}
		list := []misdeed{
			{name: "another imprint", change: swap(t, sum, algo.SHA256.Sum([]byte("other"))), want: []error{ErrTimeStamp, cms.ErrImprint}},
			{name: "another nonce", change: func(q []byte) []byte { return flip(-4)(q) }, want: []error{ErrTimeStamp}},
			{name: "no nonce", change: without(true, false), want: []error{ErrTimeStamp}},
			{name: "no certificate", change: without(false, true), want: []error{ErrTimeStamp, cms.ErrNoCertificate}},
			{name: "old answer", alter: func(b []byte) []byte { return old }, want: []error{ErrTimeStamp}},
			{name: "flipped signature", alter: flip(-5), want: []error{ErrTimeStamp}},
			{name: "cut", alter: func(b []byte) []byte { return b[:len(b)-9] }, want: []error{ErrAnswer}},
			{name: "not a token", alter: func([]byte) []byte { return []byte{0x30, 9, 0x30, 3, 2, 1, 0, 0x30, 2, 5, 0} }, want: []error{ErrAnswer}},
			{name: "granted without a token", alter: func([]byte) []byte { return []byte{0x30, 5, 0x30, 3, 2, 1, 0} }, want: []error{ErrAnswer}},
			{name: "refused", alter: func([]byte) []byte { return []byte{0x30, 9, 0x30, 7, 2, 1, 2, 3, 2, 5, 0x20} }, want: []error{ErrStatus}},
			{name: "authority of somebody else", trust: &trust, want: []error{ErrTimeStamp, cert.ErrUntrusted}},
			{name: "no roots", trust: &none, want: []error{ErrTimeStamp, cert.ErrUntrusted}},
			{name: "from another time", now: time.Now().Add(-48 * time.Hour), want: []error{ErrTimeStamp}},
			{name: "from the past", now: time.Now().Add(48 * time.Hour), want: []error{ErrTimeStamp}},
			{name: "control: signed anew by the right authority", alter: resign("tsa", "-cades")},
			{name: "not for time-stamps", alter: resign("tsa_plain", "-cades"), want: []error{ErrTimeStamp, cert.ErrUse}},
			{name: "usage not critical", alter: resign("tsa_lax", "-cades"), want: []error{ErrTimeStamp, cert.ErrUse}},
			{name: "usage not alone", alter: resign("tsa_many", "-cades"), want: []error{ErrTimeStamp, cert.ErrUse}},
			{name: "usage not alone, unknown one", alter: resign("tsa_other", "-cades"), want: []error{ErrTimeStamp, cert.ErrUse}},
			{name: "expired authority", alter: resign("tsa_old", "-cades"), want: []error{ErrTimeStamp, cert.ErrExpired}},
			{name: "no signing-certificate", alter: resign("tsa"), want: []error{ErrTimeStamp, cms.ErrSigningCertificate}},
			{name: "no signed attributes", alter: resign("tsa", "-noattr"), want: []error{ErrTimeStamp, cms.ErrAttributes}},
			{name: "content of another type", alter: resign("tsa", "-cades", "-econtent_type", "1.2.3.4"), want: []error{ErrAnswer}},
			{name: "policy not known", policy: asn1.ObjectIdentifier{1, 2, 3, 9}, want: []error{ErrStatus}},
			{
				name: "another policy", policy: asn1.ObjectIdentifier{1, 2, 3, 4, 5}, want: []error{ErrTimeStamp},
				change: swap(t, []byte{6, 4, 0x2a, 3, 4, 5}, []byte{6, 4, 0x2a, 3, 4, 1}),
			},
		}
		t.Logf("%s: %d answers", kind, len(list))
		for _, m := range list {
			a.change, a.alter = nil, nil
			c := here(t, Options{})
			if old == nil {
				a.alter = func(path string, b []byte) []byte { old = b; return b }
				if _, err := c.Stamper(a.server.URL+"/tsa", a.trust()).Stamp(t.Context(), algo.SHA256, sum); err != nil {
					t.Fatal(err)
				}
				a.alter = nil
			}
			if m.change != nil {
				a.change = func(_ string, q []byte) []byte { return m.change(q) }
			}
			if m.alter != nil {
				a.alter = func(_ string, q []byte) []byte { return m.alter(q) }
			}
			believed := a.trust()
			if m.trust != nil {
				believed = *m.trust
			}
			if !m.now.IsZero() {
				c.now = func() time.Time { return m.now }
			}
			if m.path == "" {
				m.path = "/tsa"
			}
			stop, began := heap(), time.Now()
			token, err := c.Stamper(a.server.URL+m.path, believed).WithPolicy(m.policy).Stamp(t.Context(), algo.SHA256, sum)
			if used, took := stop(), time.Since(began); used > maxHeap || took > defaultDeadline {
				t.Errorf("%s, %s: %d KiB, %v", kind, m.name, used>>10, took)
			}
			if m.want == nil && err != nil {
				t.Errorf("%s, %s: %v", kind, m.name, err)
			}
			for _, want := range m.want {
				if token != nil || !errors.Is(err, want) {
					t.Errorf("%s, %s: %v, want %v", kind, m.name, err, want)
				}
			}
		}
	}
}

// without takes the nonce or the wish for a certificate out of a TimeStampReq.
func without(nonce, certificate bool) func([]byte) []byte {
	return func(q []byte) []byte {
		var r struct {
			Version int
			Imprint asn1.RawValue
			Nonce   *big.Int `asn1:"optional"`
			CertReq bool     `asn1:"optional"`
		}
		asn1.Unmarshal(q, &r)
		if nonce {
			r.Nonce = nil
		}
		r.CertReq = !certificate
		out, _ := asn1.Marshal(r)
		return out
	}
}

func TestStampInput(t *testing.T) {
	s := here(t, Options{}).Stamper("http://127.0.0.1:1/", cert.Trust{})
	for _, d := range []algo.Digest{"", "md5", algo.SHA256} {
		if _, err := s.Stamp(t.Context(), d, []byte("short")); !errors.Is(err, algo.ErrInput) {
			t.Errorf("%q: %v", d, err)
		}
	}
	if _, err := s.Stamp(t.Context(), algo.SHA256, make([]byte, 32)); !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

// TestStampKept checks two answers of OpenSSL without the program: read, but of another request and another day.
func TestStampKept(t *testing.T) {
	for name, d := range map[string]algo.Digest{"rsa": algo.SHA256, "gost256": algo.Streebog256} {
		der, err := os.ReadFile("../../testdata/tsp/response-" + name + ".der")
		if err != nil {
			t.Fatal(err)
		}
		token, err := stampToken(der)
		if err != nil {
			t.Fatal(err)
		}
		ts, err := cms.ParseTimeStamp(token)
		if err != nil || ts.Problem != nil || ts.Digest != d || ts.CheckImprint([]byte("signature value")) != nil || stampingOnly(ts.Signer.Certificate) != nil {
			t.Errorf("%s: %+v, %v", name, ts, err)
		}
		for at := range len(der) {
			token, err := stampToken(flip(at)(der))
			if err != nil {
				continue
			}
			s := here(t, Options{}).Stamper("http://tsa.example/", cert.Trust{Roots: ts.Certificates})
			s.client.now = func() time.Time { return ts.Time }
			if err := s.check(t.Context(), token, d, ts.Imprint, ts.Nonce); err == nil && !bytes.Equal(token, ts.Raw) {
				t.Errorf("%s: a token with a bit flipped at %d is taken", name, at)
			}
		}
		s := here(t, Options{}).Stamper("http://tsa.example/", cert.Trust{Roots: ts.Certificates})
		s.client.now = func() time.Time { return ts.Time }
		if err := s.check(t.Context(), token, d, ts.Imprint, ts.Nonce); err != nil {
			t.Errorf("%s: control: %v", name, err)
		}
	}
}

// FuzzTimeStampResponse: any answer is a token, a refusal or a typed error.
func FuzzTimeStampResponse(f *testing.F) {
	f.Add([]byte{0x30, 5, 0x30, 3, 2, 1, 0})
	f.Add([]byte{0x30, 9, 0x30, 7, 2, 1, 2, 3, 2, 5, 0x20})
	f.Add([]byte{0x30, 9, 0x30, 3, 2, 1, 0, 0x30, 2, 5, 0})
	f.Add([]byte{0x30, 17, 0x30, 15, 2, 1, 2, 0x30, 6, 12, 4, 'n', 'o', 0xff, 0, 3, 2, 5, 0x20})
	for _, name := range []string{"rsa", "gost256"} {
		der, err := os.ReadFile("../../testdata/tsp/response-" + name + ".der")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	c, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	s := c.Stamper("http://tsa.example/", cert.Trust{})
	nonce, _ := rand.Int(rand.Reader, maxNonce)
	f.Fuzz(func(t *testing.T, der []byte) {
		token, err := stampToken(der)
		if err != nil {
			if !errors.Is(err, ErrAnswer) && !errors.Is(err, ErrStatus) {
				t.Fatal(err)
			}
			return
		}
		if err := s.check(t.Context(), token, algo.SHA256, make([]byte, 32), nonce); !errors.Is(err, ErrTimeStamp) && !errors.Is(err, ErrAnswer) {
			t.Fatalf("taken: %v", err)
		}
	})
}
