// SPDX-License-Identifier: GPL-3.0-or-later

package compat

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"persten/internal/ipc"
	"persten/internal/signing"
	"persten/proto"
)

// nexu is the port of a bench.
type nexu struct {
	url    string
	client *http.Client
}

func (b *bench) nexu(t *testing.T) nexu {
	t.Helper()
	l, err := ipc.ListenPages("127.0.0.1:0", ipc.PageOptions{
		SiteRules: ipc.SiteRules{Allowed: b.AllowedOrigin, Unknown: b.UnknownOrigin},
		Methods:   NexUMethods(), MaxBody: MaxNexU, Answer: NewNexU(b.Server, "en").Answer,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return nexu{"http://localhost:" + port, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// ask is fetch of a page of origin.
func (n nexu) ask(t *testing.T, origin, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, n.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := n.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(got)
}

// reply is an answer with a response of some form.
type reply[T any] struct {
	Success      bool
	Response     T
	Error        string
	ErrorMessage string
}

func signBody(token, key string, data []byte, digest string) string {
	b, _ := json.Marshal(map[string]any{"tokenId": map[string]string{"id": token}, "keyId": key,
		"toBeSigned": map[string][]byte{"bytes": data}, "digestAlgorithm": digest})
	return string(b)
}

func TestNexU(t *testing.T) {
	for _, key := range []string{"RSA", "P-256"} {
		p := &person{choose: key}
		n := newBench(t, p).nexu(t)
		res, body := n.ask(t, portal, "GET", "/nexu-info", "")
		if res.StatusCode != 200 || body != `{"version":"1.22"}` || res.Header.Get("Access-Control-Allow-Origin") != portal || res.Header.Get("Vary") != "Origin" {
			t.Errorf("info %d %s %v", res.StatusCode, body, res.Header)
		}
		_, body = n.ask(t, portal, "POST", "/rest/certificates", "{}")
		c := decoded[reply[nexuCertificate]](t, body)
		x, err := x509.ParseCertificate(c.Response.DER)
		if !c.Success || err != nil || len(c.Response.Chain) == 0 || c.Response.Token.ID == "" || c.Response.Key == "" || c.Response.Preferred != "SHA256" {
			t.Fatalf("%s: %s", key, body)
		}
		if slices.ContainsFunc(p.asked[0].Choices, func(c signing.Choice) bool { return strings.Contains(c.Certificate.Key, "2012") }) {
			t.Errorf("offered keys that these pages have no name for")
		}
		data := []byte("signed attributes")
		for _, digest := range c.Response.Digests {
			_, body = n.ask(t, portal, "POST", "/rest/sign", signBody(c.Response.Token.ID, c.Response.Key, data, digest))
			s := decoded[reply[struct {
				SignatureValue     []byte
				SignatureAlgorithm string
			}]](t, body)
			if !s.Success || s.Response.SignatureAlgorithm != c.Response.Kind+"_"+digest {
				t.Fatalf("%s %s: %s", key, digest, body)
			}
			verifyValue(t, x, digest, data, s.Response.SignatureValue)
		}
		want := "select hidden" + strings.Repeat(" sign", len(c.Response.Digests))
		if p.kinds() != want {
			t.Errorf("%s: asked %s", key, p.kinds())
		}
	}
}

func verifyValue(t *testing.T, x *x509.Certificate, digest string, data, value []byte) {
	t.Helper()
	s256, s384, s512 := sha256.Sum256(data), sha512.Sum384(data), sha512.Sum512(data)
	sum := map[string][]byte{"SHA256": s256[:], "SHA384": s384[:], "SHA512": s512[:]}[digest]
	switch k := x.PublicKey.(type) {
	case *rsa.PublicKey:
		hash := map[string]crypto.Hash{"SHA256": crypto.SHA256, "SHA384": crypto.SHA384, "SHA512": crypto.SHA512}[digest]
		if err := rsa.VerifyPKCS1v15(k, hash, sum, value); err != nil {
			t.Errorf("%s: %v", digest, err)
		}
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(k, sum, value) {
			t.Errorf("%s: ECDSA", digest)
		}
	}
}

func TestNexUCancel(t *testing.T) {
	p := &person{choose: "RSA"}
	n := newBench(t, p).nexu(t)
	_, body := n.ask(t, portal, "POST", "/rest/certificates", "")
	c := decoded[reply[nexuCertificate]](t, body)
	for _, kind := range []signing.Kind{signing.KindSign, signing.KindSelect} {
		p.no = map[signing.Kind]bool{kind: true}
		path, body := "/rest/sign", signBody(c.Response.Token.ID, c.Response.Key, []byte("x"), "SHA256")
		if kind == signing.KindSelect {
			path, body = "/rest/certificates", "{}"
		}
		res, got := n.ask(t, portal, "POST", path, body)
		if r := decoded[reply[json.RawMessage]](t, got); res.StatusCode != 500 || r.Success || r.Error != "user.cancel" || r.ErrorMessage == "" {
			t.Errorf("%s: %d %s", kind, res.StatusCode, got)
		}
	}
}

// TestNexURefusals: requests that are no requests, ids that are not ours, a site without the right.
func TestNexURefusals(t *testing.T) {
	p := &person{choose: "RSA"}
	b := newBench(t, p)
	n := b.nexu(t)
	_, body := n.ask(t, portal, "POST", "/rest/certificates", "{}")
	c := decoded[reply[nexuCertificate]](t, body).Response
	p.asked = nil
	data := []byte("x")
	for name, body := range map[string]string{
		"empty": "", "text": "hello", "array": "[]", "cut": `{"a`, "twice": `{"keyId":"a","keyId":"b"}`, "deep": strings.Repeat("[", 50) + strings.Repeat("]", 50),
		"PIN": `{"tokenId":{"id":"x"},"pin":"1234"}`, "types": `{"tokenId":5}`, "bytes": `{"toBeSigned":{"bytes":"***"}}`,
		"no token":     strings.ReplaceAll(signBody(c.Token.ID, c.Key, data, "SHA256"), "tokenId", "token"),
		"other token":  signBody(strings.Repeat("0", 32), c.Key, data, "SHA256"),
		"empty token":  signBody("", c.Key, data, "SHA256"),
		"other key":    signBody(c.Token.ID, strings.Repeat("0", 64), data, "SHA256"),
		"weak digest":  signBody(c.Token.ID, c.Key, data, "SHA1"),
		"no digest":    signBody(c.Token.ID, c.Key, data, ""),
		"nothing":      signBody(c.Token.ID, c.Key, nil, "SHA256"),
		"other agent":  signBody(NewNexU(b.Server, "en").token(&page{origin: portal}, c.Key), c.Key, data, "SHA256"),
		"other origin": signBody((&NexU{secret: []byte("x")}).token(&page{origin: "https://other.example"}, c.Key), c.Key, data, "SHA256"),
	} {
		res, got := n.ask(t, portal, "POST", "/rest/sign", body)
		if r := decoded[reply[json.RawMessage]](t, got); res.StatusCode != 500 || r.Success || r.Error != "exception" || r.ErrorMessage == "" {
			t.Errorf("%s: %d %s", name, res.StatusCode, got)
		}
	}
	if p.kinds() != "" {
		t.Errorf("asked %s", p.kinds())
	}
	p.no = map[signing.Kind]bool{signing.KindHidden: true}
	_, got := n.ask(t, portal, "POST", "/rest/sign", signBody(c.Token.ID, c.Key, data, "SHA256"))
	want := proto.Text(proto.CodeContentHidden, "en", nil)
	if r := decoded[reply[json.RawMessage]](t, got); r.ErrorMessage != want.What+" "+want.Next {
		t.Errorf("without the right: %s", got)
	}
	if strings.Contains(p.kinds(), "sign") {
		t.Errorf("asked %s", p.kinds())
	}
	if res, _ := n.ask(t, portal, "POST", "/rest/sign", strings.Repeat(" ", MaxNexU+1)); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a long request: %d", res.StatusCode)
	}
}

// FuzzNexU: whatever comes is read within the rules of our own wire.
func FuzzNexU(f *testing.F) {
	f.Add([]byte(signBody("a", "b", []byte("c"), "SHA256")))
	f.Add([]byte(`{"certificateFilter":{"purpose":"SIGNATURE","certificateSHA1":"AAAA"},"userLocale":"de"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := parseNexU(body)
		if err != nil || len(body) == 0 {
			return
		}
		if _, secret := proto.SecretMember(body); secret || !json.Valid(bytes.TrimSpace(body)) {
			t.Fatalf("read %q", body)
		}
		if q.Filter != nil && len(hexOf(q.Filter.Thumbprint)) > 2*len(body) {
			t.Fatal("more than there was")
		}
	})
}
