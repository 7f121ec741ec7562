// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"persten/proto"
)

// openssl is the independent verifier.
type openssl struct {
	t   *testing.T
	dir string
}

func newOpenSSL(t *testing.T) *openssl {
	t.Helper()
	if missing := opensslMissing(); missing != "" {
		t.Logf("not run: verification by OpenSSL: %s", missing)
		return nil
	}
	o := &openssl{t, t.TempDir()}
	o.write("openssl.cnf", []byte(opensslConf))
	return o
}

func (o *openssl) path(name string) string { return filepath.Join(o.dir, name) }

func (o *openssl) write(name string, b []byte) {
	o.t.Helper()
	if err := os.WriteFile(o.path(name), b, 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// verify checks a CAdES signature of content, with the issuer's certificate in ca.
func (o *openssl) verify(what string, sig, content []byte, attached bool, ca string) {
	o.t.Helper()
	if o == nil {
		return
	}
	o.write("sig", sig)
	o.write("content", content)
	args := []string{"cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", o.path("sig"), "-CAfile", ca, "-out", o.path("seen")}
	if !attached {
		args = append(args, "-content", o.path("content"))
	}
	cmd := exec.Command("openssl", args...)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+o.path("openssl.cnf"))
	if out, err := cmd.CombinedOutput(); err != nil {
		o.t.Errorf("%s: OpenSSL refuses: %s", what, out)
	}
	if seen, err := os.ReadFile(o.path("seen")); err != nil || !bytes.Equal(seen, content) {
		o.t.Errorf("%s: OpenSSL saw another content: %d bytes, %v", what, len(seen), err)
	}
}

// ca is the issuer's file of a certificate.
func (d *daemon) ca(c proto.Certificate) string {
	if c.Token.Demo {
		return d.path("demo", "ca.pem")
	}
	return d.token.CA
}

// TestSessionSigns is the main job: pages on both transports have documents signed by the keys of SoftHSM and of the
// practice token, attached and detached, and OpenSSL and verify.cms accept every signature.
func TestSessionSigns(t *testing.T) {
	d := newDaemon(t, setting{start: true, demo: true})
	d.answers(yesDemo, yesSoftHSM)
	o := newOpenSSL(t)
	content := []byte("Договор № 1\n")
	made := 0
	for name, p := range d.transports() {
		list := p.certificates()
		if len(list) != 6 {
			t.Fatalf("%s: %d certificates, want 2 of SoftHSM and 4 of the practice token", name, len(list))
		}
		for key, c := range list {
			for _, attached := range []bool{false, true} {
				what := fmt.Sprintf("%s, %s, attached %v", name, key, attached)
				sig, err := p.sign(c.ID, content, attached)
				if err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				made++
				o.verify(what, sig, content, attached, d.ca(c))
				p.verified(what, sig, content, attached)
			}
		}
	}
	if begun, good := d.signed(); begun != made || good != made || made != 24 {
		t.Errorf("%d signatures made, %d begun in the journal, %d ended well; want 24 of each", made, begun, good)
	}
	if n := d.count("CONFIRM", nativeSite) + d.count("CONFIRM", webSite); n != made {
		t.Errorf("the person saw the site's name in %d of %d questions", n, made)
	}
	d.eventually(3*time.Second, "every prompt ends with the good news", func() bool {
		return d.count("MESSAGE", "Signature created") == made
	})
}

// verified asks the agent itself, and makes sure it notices another content.
func (p *page) verified(what string, sig, content []byte, attached bool) {
	p.t.Helper()
	params := object{"signature": object{"inline": sig}}
	if !attached {
		params["content"] = object{"inline": content}
	}
	var r proto.VerifyCMSResult
	p.ask("verify.cms", params, &r)
	if !r.Valid || r.Attached != attached || len(r.Signers) != 1 || !r.Signers[0].Valid {
		p.t.Errorf("%s: verify.cms says %+v", what, r)
	}
	if attached {
		return
	}
	params["content"] = object{"inline": append([]byte("x"), content...)}
	p.ask("verify.cms", params, &r)
	if r.Valid {
		p.t.Errorf("%s: verify.cms accepts another content", what)
	}
}

// TestSessionSignsLarge: a document that fits in no message goes there and back in pieces, whatever the transport.
func TestSessionSignsLarge(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	d.answers(yesSoftHSM)
	o := newOpenSSL(t)
	content := make([]byte, 3<<20+17)
	rand.Read(content)
	for name, p := range d.transports() {
		c := p.certificates()["ecdsa-sha256"]
		for _, attached := range []bool{false, true} {
			what := fmt.Sprintf("%s, attached %v", name, attached)
			handle := p.upload("large.bin", content)
			var r proto.SignCMSResult
			p.ask("sign.cms", object{"certificate": c.Thumbprint, "content": object{"handle": handle}, "attached": attached}, &r)
			o.verify(what, p.download(r.Signature), content, attached, d.token.CA)
		}
	}
	// A handle belongs to its page alone.
	pages := d.transports()
	handle := pages["native"].upload("mine.bin", []byte("mine"))
	for _, other := range []*page{pages["websocket"], d.webPage(nativeSite)} {
		_, err := other.call("content.read", object{"handle": handle, "offset": 0, "length": 4})
		wantCode(t, "content.read of another page", err, proto.CodeContentAbsent)
	}
	if left, _ := os.ReadDir(d.path("state", "persten", "spool")); len(left) != 0 {
		t.Errorf("%d files in the spool have names; content must not be left behind by a crash", len(left))
	}
}

// TestSessionSignsForCommand: the command line asks the session, which asks the person.
func TestSessionSignsForCommand(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	d.answers(yesSoftHSM)
	o := newOpenSSL(t)
	d.write("doc.txt", "text")
	for i, id := range d.token.IDs {
		out := d.path(d.token.Kinds[i] + ".p7s")
		if stdout, stderr, code := d.run("sign", "cms", "--cert", id, "--in", d.path("doc.txt"), "--out", out); code != 0 {
			t.Fatalf("%s%s", stdout, stderr)
		}
		sig, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		o.verify(d.token.Kinds[i], sig, []byte("text"), false, d.token.CA)
	}
	d.answers("| reject |")
	out := d.path("refused.p7s")
	_, stderr, code := d.run("sign", "cms", "--cert", d.token.IDs[0], "--in", d.path("doc.txt"), "--out", out)
	if _, err := os.Stat(out); code != exitRefused || err == nil {
		t.Errorf("rejected: exit code %d, want %d; %s", code, exitRefused, stderr)
	}
	if begun, good := d.signed(); begun != 2 || good != 2 {
		t.Errorf("journal: %d begun, %d good, want 2", begun, good)
	}
	stdout, _, code := d.run("status")
	if code != 0 {
		t.Errorf("status: %d %s", code, stdout)
	}
}
