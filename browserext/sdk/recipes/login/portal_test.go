// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// site is the portal with a CA it trusts, behind a real server.
type site struct {
	*portal
	url    string
	cookie *http.Cookie
}

func start(t *testing.T) (*site, *authority) {
	t.Helper()
	ca := newAuthority(t)
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	p := newPortal("https://portal.example", roots, []string{"/bin/false"})
	mux := http.NewServeMux()
	p.register(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return &site{portal: p, url: s.URL}, ca
}

func (s *site) post(t *testing.T, path, origin string, body any) (int, map[string]string) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest("POST", s.url+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", origin)
	if s.cookie != nil {
		r.AddCookie(s.cookie)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	for _, c := range a.Cookies() {
		s.cookie = c
	}
	out := map[string]string{}
	json.NewDecoder(a.Body).Decode(&out)
	return a.StatusCode, out
}

func (s *site) nonce(t *testing.T) string {
	t.Helper()
	status, out := s.post(t, "/login/challenge", s.origin, nil)
	if status != 200 || len(out["nonce"]) != 44 {
		t.Fatal(status, out)
	}
	return out["nonce"]
}

type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key}
	a.cert = a.issue(&key.PublicKey, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.Subject.CommonName = true, true, x509.KeyUsageCertSign, "test CA"
	})
	return a
}

func (a *authority) issue(key any, change func(*x509.Certificate)) *x509.Certificate {
	a.t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Демонстрационный Подписант"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if change != nil {
		change(c)
	}
	parent := a.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return made
}

// answer makes a token as a card would.
func answer(t *testing.T, c *x509.Certificate, key crypto.Signer, algorithm, origin, nonce string) *token {
	t.Helper()
	hash := hashes[algorithm]
	sum := func(data []byte) []byte { h := hash.New(); h.Write(data); return h.Sum(nil) }
	digest := sum(append(sum([]byte(origin)), sum([]byte(nonce))...))
	out := &token{Certificate: c.Raw, Algorithm: algorithm, Format: "web-eid:1.0"}
	var err error
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		size := (k.Params().N.BitLen() + 7) / 8
		r, s, signErr := ecdsa.Sign(rand.Reader, k, digest)
		if signErr != nil {
			t.Fatal(signErr)
		}
		out.Signature = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case *rsa.PrivateKey:
		if algorithm[:2] == "PS" {
			out.Signature, err = rsa.SignPSS(rand.Reader, k, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			out.Signature, err = rsa.SignPKCS1v15(rand.Reader, k, hash, digest)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLogin(t *testing.T) {
	s, ca := start(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	holders := map[string]crypto.Signer{"RS256": rsaKey, "PS512": rsaKey}
	for name, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		if holders[name], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	for algorithm, key := range holders {
		c := ca.issue(key.Public(), nil)
		made := answer(t, c, key, algorithm, s.origin, s.nonce(t))
		if status, out := s.post(t, "/login", s.origin, made); status != 200 || out["name"] != "Демонстрационный Подписант" {
			t.Errorf("%s: %d %v", algorithm, status, out)
		}
		refused := func(what, want string, made *token) {
			t.Helper()
			if status, out := s.post(t, "/login", s.origin, made); status != 403 || out["error"] != want {
				t.Errorf("%s, %s: %d %v", algorithm, what, status, out)
			}
		}
		refused("a replay", "nonce_unknown", made)
		s.nonce(t)
		refused("an old answer", "login_mismatch", made)
		refused("a relay", "login_mismatch", answer(t, c, key, algorithm, "https://evil.example", s.nonce(t)))
		refused("another's certificate", "login_mismatch", answer(t, ca.cert, key, algorithm, s.origin, s.nonce(t)))
	}
}

func TestCertificates(t *testing.T) {
	s, ca := start(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		by     *authority
		change func(*x509.Certificate)
		want   string
	}{
		"another CA":      {newAuthority(t), nil, "certificate_untrusted"},
		"expired":         {ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, "certificate_untrusted"},
		"for mail":        {ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }, "certificate_untrusted"},
		"documents alone": {ca, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }, "certificate_not_for_login"},
	} {
		nonce := s.nonce(t)
		made := answer(t, c.by.issue(&key.PublicKey, c.change), key, "ES256", s.origin, nonce)
		if _, out := s.post(t, "/login", s.origin, made); out["error"] != c.want {
			t.Errorf("%s: %v", name, out)
		}
	}
}

// A key as large as a request can hold does not keep the server busy.
func TestHugeKey(t *testing.T) {
	n := new(big.Int).SetBit(big.NewInt(1), 300_000, 1)
	c := &x509.Certificate{PublicKey: &rsa.PublicKey{N: n, E: 1<<31 - 1}}
	begun := time.Now()
	if fits(c, &token{Algorithm: "RS256", Signature: make([]byte, 300_000/8+1)}, crypto.SHA256, make([]byte, 32)) || time.Since(begun) > time.Second {
		t.Error(time.Since(begun))
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	s, _ := start(t)
	for _, origin := range []string{"", "https://evil.example", "null"} {
		for _, path := range []string{"/login", "/login/challenge"} {
			if status, _ := s.post(t, path, origin, nil); status != 403 {
				t.Errorf("%s from %q: %d", path, origin, status)
			}
		}
	}
	for _, body := range []any{7, "x", map[string]any{"signature": 7}, map[string]any{"signature": string(make([]byte, 100_000))}} {
		if status, out := s.post(t, "/login", s.origin, body); status != 400 || out["error"] != "token_malformed" {
			t.Errorf("%d %v", status, out)
		}
	}
	for algorithm, want := range map[string]string{"": "algorithm_unsupported", "none": "algorithm_unsupported", "ES256": "certificate_malformed", "GOST3410_2012_256": "cannot_check"} {
		s.nonce(t)
		if _, out := s.post(t, "/login", s.origin, &token{Algorithm: algorithm, Format: "web-eid:1.0"}); out["error"] != want {
			t.Errorf("%q: %v", algorithm, out)
		}
	}
	s.nonce(t)
	s.now = func() time.Time { return time.Now().Add(answerTime + time.Second) }
	if _, out := s.post(t, "/login", s.origin, &token{Format: "web-eid:1.0"}); out["error"] != "nonce_unknown" {
		t.Error("a late answer:", out)
	}
}

// A token of Web eID's own tests, on a day its certificate was good.
func TestTokenOfWebEid(t *testing.T) {
	data, err := os.ReadFile("../../../../testdata/webeid/es384.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Origin, Nonce string
		Token         token
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	p := newPortal(v.Origin, x509.NewCertPool(), nil)
	if err := p.check(t.Context(), &v.Token, v.Nonce); !errors.Is(err, refusal("certificate_untrusted")) {
		t.Error("the signature is good, the issuer unknown:", err)
	}
	p.origin = "https://ria.ee.evil.example"
	if err := p.check(t.Context(), &v.Token, v.Nonce); !errors.Is(err, refusal("login_mismatch")) {
		t.Error(err)
	}
}
