// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

var nonce = base64.StdEncoding.EncodeToString(slices.Repeat([]byte{7, 9}, 16))

// Every key of the demo token logs in; the answer fits its site and its nonce and no other.
func TestLogin(t *testing.T) {
	p := &person{decide: yes}
	b := newBench(t, p)
	algorithms := map[string]bool{}
	for i, k := range b.keys(t) {
		p.pins = []string{keyfile.DemoPIN}
		token, err := b.Login(t.Context(), page, signing.LoginRequest{Certificate: k.ID(), Nonce: nonce})
		if err != nil {
			t.Fatal(err)
		}
		algorithms[token.Algorithm] = true
		c, err := signing.CheckLogin(token, page.Origin, nonce)
		if err != nil || c.ID() != k.ID() || token.Format != "web-eid:1.0" || token.AppVersion != "persten:test" {
			t.Fatal(token, err)
		}
		for _, other := range []string{"https://portal.example.evil.example", "http://portal.example", "https://portal.example:8443", "https://portal.example/", ""} {
			if _, err := signing.CheckLogin(token, other, nonce); !errors.Is(err, proto.CodeLoginMismatch) {
				t.Errorf("for %q: %v", other, err)
			}
		}
		if _, err := signing.CheckLogin(token, page.Origin, strings.Replace(nonce, "B", "C", 1)); !errors.Is(err, proto.CodeLoginMismatch) {
			t.Errorf("for another nonce: %v", err)
		}
		q := p.asked[i]
		if q.Kind != signing.KindLogin || q.Certificate.ID != k.ID() || q.Origin != page.Origin || len(p.outcomes[i].Signed) != 0 {
			t.Errorf("%+v, %+v", q, p.outcomes[i])
		}
	}
	if !algorithms["GOST3410_2012_256"] || !algorithms["GOST3410_2012_512"] || len(algorithms) < 4 {
		t.Errorf("%v", algorithms)
	}
	if r := b.records(t); len(r) != 2*len(b.keys(t)) || r[0] != "begin login " || r[1] != "end login ok" {
		t.Errorf("journal: %q", r)
	}
}

// The standard library agrees about what an ES256 signature is over.
func TestLoginByTheStandardLibrary(t *testing.T) {
	b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
	for _, k := range b.keys(t) {
		key, ok := k.Certificate().X509.PublicKey.(*ecdsa.PublicKey)
		if !ok {
			continue
		}
		token, err := b.Login(t.Context(), page, signing.LoginRequest{Certificate: k.ID(), Nonce: nonce})
		if err != nil {
			t.Fatal(err)
		}
		origin, challenge := sha256.Sum256([]byte(page.Origin)), sha256.Sum256([]byte(nonce))
		digest := sha256.Sum256(append(origin[:], challenge[:]...))
		r, s := new(big.Int).SetBytes(token.Signature[:32]), new(big.Int).SetBytes(token.Signature[32:])
		if token.Algorithm != "ES256" || !ecdsa.Verify(key, digest[:], r, s) {
			t.Error(token)
		}
		return
	}
	t.Fatal("the demo token has no ECDSA key")
}

// Tokens of Web eID, made by other software on other cards.
func TestLoginTokensOfOthers(t *testing.T) {
	files, _ := filepath.Glob("../../testdata/webeid/*.json")
	if len(files) != 2 {
		t.Fatal(files)
	}
	for _, f := range files {
		v := vector(t, f)
		if _, err := signing.CheckLogin(&v.Token, v.Origin, v.Nonce); err != nil {
			t.Error(f, err)
		}
		for bit := range 8 * len(v.Token.Signature) {
			forged := v.Token
			forged.Signature = slices.Clone(v.Token.Signature)
			forged.Signature[bit/8] ^= 1 << (bit % 8)
			if _, err := signing.CheckLogin(&forged, v.Origin, v.Nonce); !errors.Is(err, proto.CodeLoginMismatch) {
				t.Fatalf("%s with bit %d turned: %v", f, bit, err)
			}
		}
	}
	es, rs := vector(t, files[0]), vector(t, files[1])
	es.Token.Algorithm = "ES256"
	rs.Token.UnverifiedCertificate = es.Token.UnverifiedCertificate
	for _, v := range []loginVector{es, rs} {
		if _, err := signing.CheckLogin(&v.Token, v.Origin, v.Nonce); !errors.Is(err, proto.CodeRequestInvalid) {
			t.Error(err)
		}
	}
}

type loginVector struct {
	Origin, Nonce string
	Token         proto.LoginToken
}

func vector(t testing.TB, file string) (v loginVector) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Nobody is asked, and nothing is signed, for a caller without a site, over a line anybody can listen to, or without a challenge.
func TestLoginRefusedUnasked(t *testing.T) {
	b := newBench(t, &person{decide: yes})
	id := b.keys(t)[0].ID()
	at := func(origin string) signing.Caller { c := page; c.Origin = origin; return c }
	for name, c := range map[string]struct {
		who  signing.Caller
		r    signing.LoginRequest
		want proto.Code
	}{
		"a command":       {at(""), signing.LoginRequest{Certificate: id, Nonce: nonce}, proto.CodeOriginInvalid},
		"no origin":       {at("null"), signing.LoginRequest{Certificate: id, Nonce: nonce}, proto.CodeOriginInvalid},
		"plain http":      {at("http://portal.example"), signing.LoginRequest{Certificate: id, Nonce: nonce}, proto.CodeContextInsecure},
		"localhost's own": {at("http://localhost.evil.example"), signing.LoginRequest{Certificate: id, Nonce: nonce}, proto.CodeContextInsecure},
		"short":           {page, signing.LoginRequest{Certificate: id, Nonce: nonce[:40]}, proto.CodeRequestInvalid},
		"31 octets":       {page, signing.LoginRequest{Certificate: id, Nonce: base64.StdEncoding.EncodeToString(make([]byte, 31))}, proto.CodeRequestInvalid},
		"long":            {page, signing.LoginRequest{Certificate: id, Nonce: strings.Repeat("A", 132)}, proto.CodeRequestInvalid},
		"no base64":       {page, signing.LoginRequest{Certificate: id, Nonce: strings.Repeat("A", 50) + "-_"}, proto.CodeRequestInvalid},
		"unknown":         {page, signing.LoginRequest{Certificate: strings.Repeat("0", 64), Nonce: nonce}, proto.CodeCertificateAbsent},
		"unknown beside":  {page, signing.LoginRequest{Certificate: id, Signing: strings.Repeat("0", 64), Nonce: nonce}, proto.CodeCertificateAbsent},
	} {
		token, err := b.Login(t.Context(), c.who, c.r)
		if token != nil || !errors.Is(err, c.want) || len(b.person.asked) != 0 {
			t.Errorf("%s: %v, %v", name, token, err)
		}
	}
	if len(b.records(t)) != 0 {
		t.Errorf("journal: %q", b.records(t))
	}
}

// bare is a key that no certificate belongs to; it must never be opened.
type bare struct{ certified }

func (bare) ID() string                                  { return strings.Repeat("b", 64) }
func (bare) Certificate() *cert.Certificate              { return nil }
func (bare) Algorithms() []algo.ID                       { return []algo.ID{algo.RSASHA256} }
func (k bare) Keys(context.Context) ([]token.Key, error) { return []token.Key{k}, nil }

func TestLoginByABareKey(t *testing.T) {
	b := newBench(t, &person{decide: yes})
	b = b.over(t, bare{certified{t: t}})
	for want, r := range map[proto.Code]signing.LoginRequest{
		proto.CodeKeyAbsent:       {Certificate: strings.Repeat("b", 64), Nonce: nonce},
		proto.CodeCertificateNone: {Nonce: nonce},
	} {
		if made, err := b.Login(t.Context(), page, r); made != nil || !errors.Is(err, want) {
			t.Error(made, err)
		}
	}
}

// Which certificates log in, and which sign documents.
func TestCertificatesThatLogIn(t *testing.T) {
	key, err := algo.GenerateKey("p256")
	if err != nil {
		t.Fatal(err)
	}
	clientAuth, mail := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4}
	for name, c := range map[string]struct {
		t           cert.Template
		login, sign bool
	}{
		"authentication alone": {cert.Template{KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []asn1.ObjectIdentifier{clientAuth}}, true, false},
		"both":                 {cert.Template{KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment, ExtKeyUsage: []asn1.ObjectIdentifier{mail, clientAuth}}, true, true},
		"no purposes":          {cert.Template{KeyUsage: x509.KeyUsageDigitalSignature}, true, true},
		"documents alone":      {cert.Template{KeyUsage: x509.KeyUsageContentCommitment}, false, true},
		"mail":                 {cert.Template{KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []asn1.ObjectIdentifier{mail}}, false, true},
		"encryption":           {cert.Template{KeyUsage: x509.KeyUsageKeyEncipherment}, false, false},
	} {
		c.t.Subject, c.t.Key = cert.Person{CommonName: name}, key.Public()
		made, err := cert.Build(c.t, nil, key)
		if err != nil {
			t.Fatal(name, err)
		}
		listed := signing.ListedAll(newBench(t, &person{decide: yes}).over(t, certified{t, made}).keys(t), true, time.Now())
		if listed[0].Login != c.login || listed[0].Usable != c.sign {
			t.Errorf("%s: login %v, documents %v", name, listed[0].Login, listed[0].Usable)
		}
		b := newBench(t, &person{decide: no}).over(t, certified{t, made})
		_, err = b.Login(t.Context(), page, signing.LoginRequest{Certificate: made.ID(), Nonce: nonce})
		if want := map[bool]proto.Code{true: proto.CodeUserRejected, false: proto.CodeCertificateNotForLogin}[c.login]; !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A refusal is journalled; the person chooses among several; a certificate for documents goes along.
func TestLoginByChoice(t *testing.T) {
	p := &person{pins: []string{keyfile.DemoPIN}}
	p.decide = func(_ context.Context, q signing.Question) (signing.Decision, error) {
		return signing.Decision{Approved: true, Chosen: len(q.Choices) - 1}, nil
	}
	b := newBench(t, p)
	keys := b.keys(t)
	last, beside := keys[len(keys)-1], keys[0]
	token, err := b.Login(t.Context(), page, signing.LoginRequest{Nonce: nonce, Signing: beside.ID()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := signing.CheckLogin(token, page.Origin, nonce)
	if err != nil || c.ID() != last.ID() || token.Format != "web-eid:1.1" ||
		!reflect.DeepEqual(token.UnverifiedSigningCertificates[0].Certificate, []byte(beside.Certificate().Raw)) {
		t.Fatal(token, err)
	}
	if len(p.asked) != 2 || p.asked[0].Kind != signing.KindSelect || p.asked[0].For != signing.KindLogin || p.asked[1].Signing == "" {
		t.Errorf("%+v", p.asked)
	}
	p.decide = no
	if _, err := b.Login(t.Context(), page, signing.LoginRequest{Nonce: nonce}); !errors.Is(err, proto.CodeUserRejected) {
		t.Error(err)
	}
	if _, err := b.Login(t.Context(), page, signing.LoginRequest{Certificate: last.ID(), Nonce: nonce}); !errors.Is(err, proto.CodeUserRejected) {
		t.Error(err)
	}
	p.decide = func(context.Context, signing.Question) (signing.Decision, error) {
		return signing.Decision{Approved: true, Chosen: 99}, nil
	}
	if _, err := b.Login(t.Context(), page, signing.LoginRequest{Nonce: nonce}); !errors.Is(err, proto.CodeInternal) {
		t.Error(err)
	}
	want := []string{"note select ok", "begin login ", "end login ok", "note refused user_rejected", "note refused user_rejected"}
	if got := b.records(t); !slices.Equal(got, want) {
		t.Errorf("journal: %q", got)
	}
}

// One that fits is taken without a question; where none does, the site hears it.
func TestSelectUnasked(t *testing.T) {
	key, err := algo.GenerateKey("p256")
	if err != nil {
		t.Fatal(err)
	}
	made, err := cert.Build(cert.Template{
		Subject: cert.Person{CommonName: "x"}, Key: key.Public(), KeyUsage: x509.KeyUsageContentCommitment,
	}, nil, key)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, &person{decide: yes}).over(t, certified{t, made})
	if c, err := b.Choose(t.Context(), page, signing.SelectRequest{Purpose: signing.KindSign}); err != nil || c.ID != made.ID() {
		t.Error(c, err)
	}
	if len(b.person.asked) != 0 {
		t.Error(b.person.asked)
	}
	if _, err := b.Choose(t.Context(), page, signing.SelectRequest{Purpose: signing.KindLogin}); !errors.Is(err, proto.CodeCertificateNone) {
		t.Error(err)
	}
}

// FuzzCheckLogin: whatever comes as a token, only what that key signed is good. The certificate around the key is for the
// caller to judge.
func FuzzCheckLogin(f *testing.F) {
	v := vector(f, "../../testdata/webeid/es384.json")
	made, err := cert.Parse(v.Token.UnverifiedCertificate)
	if err != nil {
		f.Fatal(err)
	}
	whole, _ := json.Marshal(v.Token)
	f.Add(whole, v.Nonce)
	f.Add([]byte(`{"format":"web-eid:1.1","algorithm":"ES384","unverifiedSigningCertificates":[]}`), "")
	f.Fuzz(func(t *testing.T, data []byte, nonce string) {
		var token proto.LoginToken
		if json.Unmarshal(data, &token) != nil {
			return
		}
		c, err := signing.CheckLogin(&token, v.Origin, nonce)
		if err == nil && !(c.Key.Equal(made.Key) && slices.Equal(token.Signature, v.Token.Signature) && nonce == v.Nonce) {
			t.Error("a token nobody made is good")
		}
	})
}
