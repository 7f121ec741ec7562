// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/algo/openssltest"
)

// openssl is the independent program.
type openssl struct {
	*openssltest.Folder
	t *testing.T
}

func newOpenSSL(t *testing.T) *openssl {
	t.Helper()
	return &openssl{openssltest.New(t, "its comparison was not run"), t}
}

// owner writes the files OpenSSL needs to sign and to trust.
func (o *openssl) owner(w *owner) {
	o.t.Helper()
	der, err := algo.MarshalPKCS8(w.key)
	if err != nil {
		o.t.Fatal(err)
	}
	o.Write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	o.Write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.cert.Raw}))
	o.Write("root.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.root.Raw}))
}

// verifies reports whether OpenSSL takes the signature as CAdES-BES, and returns the content it saw.
func (o *openssl) verifies(attached bool) ([]byte, string, bool) {
	args := []string{"cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", "sig", "-CAfile", "root.pem", "-out", "seen"}
	if !attached {
		args = append(args, "-content", "content")
	}
	out, err := o.Try(args...)
	seen, _ := os.ReadFile(o.Path("seen"))
	return seen, out, err == nil
}

// TestOpenSSLVerifies: four kinds of key, attached and detached, are accepted by OpenSSL; with a bit flipped in the
// content or in the signature value both programs refuse.
func TestOpenSSLVerifies(t *testing.T) {
	for _, kind := range kinds {
		for _, attached := range []bool{false, true} {
			o, w := newOpenSSL(t), ownerOf(t, kind)
			o.owner(w)
			o.Write("content", document)
			sig := sign(t, w, document, Options{Attached: attached, FileName: "приказ.txt", MIMEType: "text/plain"})
			o.Write("sig", sig)
			if seen, out, ok := o.verifies(attached); !ok || !bytes.Equal(seen, document) {
				t.Errorf("%s attached %v: %s", kind, attached, out)
			}
			for what, i := range map[string]int{
				"signature": len(sig) - 1, "certificate": bytes.Index(sig, w.cert.Raw) + 60, "content": bytes.Index(sig, document),
			} {
				if i >= 0 {
					bad := slices.Clone(sig)
					bad[i] ^= 1
					refusedByBoth(t, o, w, bad, document, attached, kind+" "+what)
				}
			}
			if !attached {
				bad := slices.Clone(document)
				bad[7] ^= 1
				refusedByBoth(t, o, w, sig, bad, attached, kind+" content")
			}
		}
	}
}

func refusedByBoth(t *testing.T, o *openssl, w *owner, sig, content []byte, attached bool, what string) {
	t.Helper()
	o.Write("sig", sig)
	o.Write("content", content)
	if _, _, ok := o.verifies(attached); ok {
		t.Errorf("%s flipped: OpenSSL accepts", what)
	}
	if attached {
		content = nil
	}
	rep, err := Verify(context.Background(), bytes.NewReader(sig), readerOrNil(content), w.trust())
	if err == nil && rep.Valid() {
		t.Errorf("%s flipped: accepted here", what)
	}
	if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrLimit) {
		t.Errorf("%s flipped: untyped error %v", what, err)
	}
}

// TestOpenSSLSigns: what OpenSSL makes is accepted, in DER and in its streamed form, which is BER with indefinite lengths
// and content in pieces.
func TestOpenSSLSigns(t *testing.T) {
	big := bytes.Repeat(document, 3000) // several pieces
	for _, kind := range kinds {
		o, w := newOpenSSL(t), ownerOf(t, kind)
		o.owner(w)
		o.Write("content", big)
		for name, args := range map[string][]string{
			"detached":          {},
			"attached":          {"-nodetach"},
			"streamed":          {"-stream", "-nodetach"},
			"streamed detached": {"-stream"},
			"by key identifier": {"-nodetach", "-keyid"},
		} {
			base := []string{"cms", "-sign", "-cades", "-binary", "-in", "content", "-signer", "cert.pem", "-inkey", "key.pem", "-outform", "DER", "-out", "sig"}
			if out, err := o.Try(append(base, args...)...); err != nil {
				t.Fatalf("%s %s: %s", kind, name, out)
			}
			sig, err := os.ReadFile(o.Path("sig"))
			if err != nil {
				t.Fatal(err)
			}
			if streamed := strings.HasPrefix(name, "streamed"); streamed != (sig[1] == 0x80) {
				t.Errorf("%s %s: starts with % x", kind, name, sig[:4])
			}
			content := big
			if bytes.Contains(sig, document) {
				content = nil
			}
			if rep := check(t, sig, content, w.trust()); !rep.Valid() || !rep.Trusted() || rep.Content.Size != int64(len(big)) {
				t.Errorf("%s %s: %+v", kind, name, rep.Signers)
			}
		}
	}
}

// TestOpenSSLWithoutCAdES: the same signature without the signing-certificate attribute, or with no attributes at all,
// is not valid here.
func TestOpenSSLWithoutCAdES(t *testing.T) {
	o, w := newOpenSSL(t), ownerOf(t, "gost256")
	o.owner(w)
	o.Write("content", document)
	for arg, want := range map[string]error{"-nosmimecap": ErrSigningCertificate, "-noattr": ErrAttributes} {
		if out, err := o.Try("cms", "-sign", arg, "-binary", "-in", "content", "-signer", "cert.pem", "-inkey", "key.pem", "-outform", "DER", "-out", "sig"); err != nil {
			t.Fatal(out)
		}
		sig, err := os.ReadFile(o.Path("sig"))
		if err != nil {
			t.Fatal(err)
		}
		if rep := check(t, sig, document, w.trust()); !errors.Is(rep.Signers[0].Problem, want) {
			t.Errorf("%s: %v", arg, rep.Signers[0].Problem)
		}
	}
}

// TestOpenSSLTwoSigners: two signers with different digests in one message.
func TestOpenSSLTwoSigners(t *testing.T) {
	o, first, second := newOpenSSL(t), ownerOf(t, "gost512"), ownerOf(t, "rsa2048")
	o.owner(first)
	for _, name := range []string{"key.pem", "cert.pem"} {
		if err := os.Rename(o.Path(name), o.Path("first-"+name)); err != nil {
			t.Fatal(err)
		}
	}
	o.owner(second)
	o.Write("content", document)
	out, err := o.Try("cms", "-sign", "-cades", "-nodetach", "-binary", "-in", "content", "-outform", "DER", "-out", "sig",
		"-signer", "first-cert.pem", "-inkey", "first-key.pem", "-signer", "cert.pem", "-inkey", "key.pem")
	if err != nil {
		t.Fatal(out)
	}
	sig, err := os.ReadFile(o.Path("sig"))
	if err != nil {
		t.Fatal(err)
	}
	trust := first.trust()
	rep := check(t, sig, nil, trust)
	if len(rep.Signers) != 2 || len(rep.Content.Digest) != 2 || !rep.Valid() || rep.Trusted() {
		t.Errorf("one root: %+v", rep.Signers)
	}
	trust.Roots = append(trust.Roots, second.root)
	if rep = check(t, sig, nil, trust); !rep.Trusted() || rep.Signers[0].Algorithm == rep.Signers[1].Algorithm {
		t.Errorf("both roots: %+v", rep.Signers)
	}
}
