// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"encoding/pem"
	"errors"
	"os"
	"slices"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
)

// TestPSS: OpenSSL accepts messages signed with RSASSA-PSS (RFC 4056), refuses them changed, and its own are accepted here.
// So is its default, the longest salt, unless the identifier tells another length.
func TestPSS(t *testing.T) {
	o, w := newOpenSSL(t), ownerOf(t, "rsa2048")
	o.owner(w)
	o.Write("content", document)
	for id, md := range map[algo.ID]string{algo.RSAPSSSHA256: "sha256", algo.RSAPSSSHA384: "sha384", algo.RSAPSSSHA512: "sha512"} {
		w.id = id
		sig := sign(t, w, document, Options{})
		o.Write("sig", sig)
		if _, out, ok := o.verifies(false); !ok {
			t.Errorf("%s: %s", id, out)
		}
		if rep := check(t, sig, document, w.trust()); !rep.Valid() || rep.Signers[0].Algorithm != id {
			t.Errorf("%s: %+v", id, rep.Signers)
		}
		bad := slices.Clone(sig)
		bad[len(bad)-1] ^= 1
		refusedByBoth(t, o, w, bad, document, false, string(id))
		o.Write("content", document)
		for _, salt := range []string{"digest", "max", "20"} {
			out, err := o.Try("cms", "-sign", "-cades", "-binary", "-in", "content", "-signer", "cert.pem", "-inkey", "key.pem", "-md", md,
				"-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:"+salt, "-outform", "DER", "-out", "theirs")
			if err != nil {
				t.Fatal(out)
			}
			theirs, err := os.ReadFile(o.Path("theirs"))
			if err != nil {
				t.Fatal(err)
			}
			if rep := check(t, theirs, document, w.trust()); !rep.Valid() || rep.Signers[0].Algorithm != id {
				t.Errorf("%s by OpenSSL with a salt of %s: %+v", id, salt, rep.Signers)
			}
			if i := bytes.LastIndex(theirs, []byte{0xa2, 0x03, 0x02, 0x01}); i > 0 {
				theirs[i+4] ^= 1
				if s := check(t, theirs, document, w.trust()).Signers[0]; !errors.Is(s.Problem, ErrSignature) {
					t.Errorf("%s with another salt than told: %v", id, s.Problem)
				}
			}
		}
	}
}

// TestGOST2001: a message and a certificate by OpenSSL with a key of GOST R 34.10-2001 are accepted, and nothing is signed
// with such a certificate here.
func TestGOST2001(t *testing.T) {
	o := newOpenSSL(t)
	o.Write("content", document)
	o.Write("req.cnf", []byte("[req]\ndistinguished_name=dn\n[dn]\n"))
	for _, args := range [][]string{
		{"req", "-x509", "-newkey", "gost2001", "-pkeyopt", "paramset:A", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=2001",
			"-md_gost94", "-addext", "basicConstraints=CA:TRUE", "-config", "req.cnf"},
		{"cms", "-sign", "-cades", "-binary", "-in", "content", "-signer", "cert.pem", "-inkey", "key.pem", "-md", "md_gost94", "-outform", "DER", "-out", "sig"},
	} {
		if out, err := o.Try(args...); err != nil {
			t.Fatal(out)
		}
	}
	sig, err := os.ReadFile(o.Path("sig"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(o.Path("cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := cert.Parse(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	trust := cert.Trust{Roots: []*cert.Certificate{c}}
	rep := check(t, sig, document, trust)
	if s := rep.Signers[0]; !s.Valid || !s.Trusted || s.Algorithm != algo.GOST2001 {
		t.Errorf("%+v", s)
	}
	if err := c.CheckSignatureFrom(c); err != nil {
		t.Errorf("the certificate's own signature: %v", err)
	}
	if rep := check(t, sig, []byte("другой документ"), trust); rep.Valid() {
		t.Error("accepted for another document")
	}
	w := ownerOf(t, "gost256")
	w.cert, w.id = c, algo.GOST2001
	if err := Sign(t.Context(), &bytes.Buffer{}, bytes.NewReader(document), w, Options{}); !errors.Is(err, algo.ErrUnsupported) {
		t.Errorf("signed with a legacy algorithm: %v", err)
	}
}
