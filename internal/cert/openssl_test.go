// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"persten/internal/algo"
)

// authority is a CA of ours whose lists and responses OpenSSL makes.
type authority struct {
	t    *testing.T
	dir  string
	conf string
	ca   *Certificate
	md   string // digest option of openssl ocsp
}

func newAuthority(t *testing.T, kind string) *authority {
	a := &authority{t: t, dir: t.TempDir(), ca: root(t, kind)}
	md := map[string]string{"gost256": "md_gost12_256", "gost512": "md_gost12_512"}[kind]
	if md == "" {
		md = "sha256"
	}
	a.md = md
	a.conf = opensslConf(t)
	// A file of its own: the engine named in the other one cannot be loaded twice.
	a.write("ca.cnf", []byte(fmt.Sprintf(`[ca]
default_ca=d
[d]
database=%[1]s/index.txt
crlnumber=%[1]s/number
certificate=%[1]s/ca.pem
private_key=%[1]s/ca.key
default_md=%[2]s
default_crl_days=7
crl_extensions=x
[x]
authorityKeyIdentifier=keyid
`, a.dir, md)))
	a.write("number", []byte("01\n"))
	a.keep("ca", a.ca, key(t, kind))
	return a
}

func (a *authority) write(name string, b []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

func (a *authority) keep(name string, c *Certificate, k algo.PrivateKey) {
	a.t.Helper()
	der, err := algo.MarshalPKCS8(k)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", PEM(c))
	a.write(name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// index tells OpenSSL what was issued and what was revoked when.
func (a *authority) index(rows map[*Certificate]time.Time) {
	var b strings.Builder
	const layout = "060102150405Z"
	for c, at := range rows {
		state, revoked := "V", ""
		if !at.IsZero() {
			state, revoked = "R", at.UTC().Format(layout)+",keyCompromise"
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\tunknown\t/CN=%s\n", state, c.NotAfter().UTC().Format(layout), revoked, strings.ToUpper(c.Serial()), c.ID())
	}
	a.write("index.txt", []byte(b.String()))
	a.write("index.txt.attr", []byte("unique_subject = no\n"))
}

func (a *authority) openssl(args ...string) {
	a.t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Env, cmd.Dir = append(os.Environ(), "OPENSSL_CONF="+a.conf), a.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		a.t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

func (a *authority) read(name string) []byte {
	a.t.Helper()
	b, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		a.t.Fatal(err)
	}
	return b
}

// list is a CRL by openssl ca.
func (a *authority) list() []byte {
	a.openssl("ca", "-config", "ca.cnf", "-gencrl", "-out", "crl.pem")
	block, _ := pem.Decode(a.read("crl.pem"))
	return block.Bytes
}

// answer is a response by openssl ocsp to our request.
func (a *authority) answer(c *Certificate, h algo.Digest, nonce []byte, responder string) []byte {
	a.t.Helper()
	req, err := OCSPRequest(c, a.ca, h, nonce)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write("q.der", req)
	a.openssl("ocsp", "-index", "index.txt", "-rsigner", responder+".pem", "-rkey", responder+".key", "-CA", "ca.pem",
		"-rmd", a.md, "-ndays", "1", "-reqin", "q.der", "-respout", "a.der")
	return a.read("a.der")
}

// TestOpenSSLAnswers: lists and responses made by OpenSSL with keys of every kind, about a good and a revoked certificate.
func TestOpenSSLAnswers(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			a := newAuthority(t, kind)
			good := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, a.ca, key(t, kind))
			bad := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, a.ca, key(t, kind))
			h := &house{ca: a.ca, caKey: key(t, kind), respKey: key(t, kind+"''")}
			responder := h.appoint(t, nil)
			a.keep("responder", responder, h.respKey)
			since := time.Now().Add(-48 * time.Hour).UTC().Truncate(time.Second)
			a.index(map[*Certificate]time.Time{good: {}, bad: since})

			answers := map[string][2]Answer{}
			list := Answer{DER: a.list(), From: "openssl ca"}
			answers["crl"] = [2]Answer{list, list}
			for _, digest := range []algo.Digest{algo.SHA1, algo.SHA256, algo.Streebog256} {
				for _, by := range []string{"ca", "responder"} {
					nonce := []byte("0123456789abcdef")
					var pair [2]Answer
					for i, c := range []*Certificate{good, bad} {
						pair[i] = Answer{OCSP: true, DER: a.answer(c, digest, nonce, by)}
						if o, err := ParseOCSP(pair[i].DER); err != nil || !bytes.Equal(o.Nonce, nonce) || o.CheckSignatureFrom(a.ca) != nil {
							t.Errorf("%s by %s: %v", digest, by, err)
						}
					}
					answers[string(digest)+" by "+by] = pair
				}
			}
			for name, pair := range answers {
				trust := Trust{Roots: []*Certificate{a.ca}}
				trust.Source = Answers{pair[0]}
				if p := trust.Validate(context.Background(), good, UseDocument); !p.Holds() || p.Links[0].Revocation.Status != Good {
					t.Errorf("%s: %v", name, p.Problem)
				}
				trust.Source = Answers{pair[1]}
				p := trust.Validate(context.Background(), bad, UseDocument)
				if r := p.Links[0].Revocation; r.Status != Revoked || !r.At.Equal(since) || r.Reason != ReasonKeyCompromise {
					t.Errorf("%s: %+v, %v", name, r, p.Problem)
				}
				trust.Source = Answers{pair[0]}
				if r := trust.Validate(context.Background(), bad, UseDocument).Links[0].Revocation; pair[0].OCSP && r.Status != Unknown {
					t.Errorf("%s: an answer about another certificate: %v", name, r.Status)
				}
			}
		})
	}
}

// TestOpenSSLReadsBundles: OpenSSL prints the certificates of our bundle, and we read the one it makes.
func TestOpenSSLReadsBundles(t *testing.T) {
	a := newAuthority(t, "gost256")
	leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, a.ca, key(t, "gost256"))
	der, err := Bundle(leaf, a.ca)
	if err != nil {
		t.Fatal(err)
	}
	a.write("b.p7b", der)
	a.openssl("pkcs7", "-inform", "DER", "-in", "b.p7b", "-print_certs", "-out", "b.pem")
	a.write("both.pem", PEM(leaf, a.ca))
	a.openssl("crl2pkcs7", "-nocrl", "-certfile", "both.pem", "-outform", "DER", "-out", "theirs.p7b")
	a.openssl("crl2pkcs7", "-nocrl", "-certfile", "both.pem", "-out", "theirs.pem")
	for _, name := range []string{"b.p7b", "b.pem", "both.pem", "theirs.p7b", "theirs.pem"} {
		found, err := ReadFiles(filepath.Join(a.dir, name))
		n := 0
		for _, c := range found {
			if c.Equal(leaf) || c.Equal(a.ca) {
				n++
			}
		}
		if err != nil || n != 2 || len(found) != 2 {
			t.Errorf("%s: %d certificates, %v", name, len(found), err)
		}
	}
}

// TestOpenSSLSignatures: certificates and lists signed in the ways that we do not sign with ourselves.
func TestOpenSSLSignatures(t *testing.T) {
	a := newAuthority(t, "rsa2048")
	a.openssl("genpkey", "-algorithm", "ed25519", "-out", "ed.key")
	a.openssl("ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", "ec.key")
	pss := func(salt string) []string {
		return []string{"-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:" + salt}
	}
	for name, c := range map[string]struct {
		key, digest string
		options     []string
		want        string
	}{
		"PSS":            {"ca.key", "sha256", pss("32"), "good"},
		"PSS, SHA-384":   {"ca.key", "sha384", pss("48"), "good"},
		"PSS, long salt": {"ca.key", "sha256", pss("64"), "good"},
		"Ed25519":        {"ed.key", "null", nil, "good"},
		"P-384":          {"ec.key", "sha512", nil, "good"},
		"RSA with SHA-1": {"ca.key", "sha1", nil, "unsupported"},
		"PSS with SHA-1": {"ca.key", "sha1", pss("20"), "unsupported"},
	} {
		args := append([]string{"req", "-x509", "-new", "-key", c.key, "-subj", "/CN=CA", "-out", "self.pem",
			"-addext", "basicConstraints=critical,CA:TRUE", "-addext", "subjectKeyIdentifier=hash"}, c.options...)
		if c.digest != "null" {
			args = append(args, "-"+c.digest)
		}
		a.openssl(args...)
		found, err := ParseAll(a.read("self.pem"))
		if err != nil || len(found) != 1 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := found[0].CheckSignatureFrom(found[0]); verdict(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		a.index(nil)
		a.openssl(append([]string{"ca", "-config", "ca.cnf", "-gencrl", "-cert", "self.pem", "-keyfile", c.key, "-md", c.digest, "-out", "self.crl"}, c.options...)...)
		lists, err := ReadLists(filepath.Join(a.dir, "self.crl"))
		if err != nil || len(lists.Lists()) != 1 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := lists.Lists()[0].CheckSignatureFrom(found[0]); verdict(err) != c.want {
			t.Errorf("%s: the list: %v", name, err)
		}
	}
	if lists, err := ReadLists(a.dir); err == nil || len(lists.Lists()) != 1 {
		t.Errorf("a folder of other things: %v", err)
	}
}
