// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
)

func add(t testing.TB, sig, content []byte, o *owner, op Options) []byte {
	t.Helper()
	var w bytes.Buffer
	if err := Add(context.Background(), &w, bytes.NewReader(sig), readerOrNil(content), o, op); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

func countersign(t testing.TB, sig []byte, signer int, o *owner, op Options) []byte {
	t.Helper()
	var w bytes.Buffer
	if err := Countersign(context.Background(), &w, bytes.NewReader(sig), signer, o, op); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

func join(roots ...cert.Trust) (all cert.Trust) {
	for _, r := range roots {
		all.Roots = append(all.Roots, r.Roots...)
	}
	return all
}

func raw(der []byte) asn1.RawValue { return asn1.RawValue{FullBytes: der} }

// parts are the elements of a message that others signed or that certificates are.
func parts(t testing.TB, sig []byte) (certs, signers [][]byte) {
	t.Helper()
	bits, err := unarmor(bytes.NewReader(sig))
	if err != nil {
		t.Fatal(err)
	}
	m, err := parse(newReader(bits))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range m.certAt {
		certs = append(certs, e.der)
	}
	for _, e := range m.signers {
		signers = append(signers, e.der)
	}
	return certs, signers
}

func containsAll(t testing.TB, sig []byte, old ...[]byte) {
	t.Helper()
	for _, one := range old {
		if !bytes.Contains(sig, one) {
			t.Errorf("an element of %d bytes was changed", len(one))
		}
	}
}

// TestAdd puts signatures of all kinds of key side by side, attached and detached, BES and T.
func TestAdd(t *testing.T) {
	for _, attached := range []bool{false, true} {
		content := document
		if attached {
			content = nil
		}
		sig := sign(t, ownerOf(t, kinds[0]), document, Options{Attached: attached})
		trust := ownerOf(t, kinds[0]).trust()
		for i, kind := range append(slices.Clone(kinds[1:]), "ed25519", kinds[0]) {
			o := ownerOf(t, kind)
			certs, signers := parts(t, sig)
			op := Options{}
			if i%2 == 0 {
				op = Options{Profile: ProfileT, Stamper: newAuthority(t, kind), Chain: []*cert.Certificate{o.root}}
			}
			sig = add(t, sig, content, o, op)
			trust = join(trust, o.trust())
			rep := check(t, sig, content, trust)
			if !rep.Trusted() || len(rep.Signers) != i+2 || rep.Attached != attached {
				t.Fatalf("%s: %+v", kind, rep)
			}
			containsAll(t, sig, append(certs, signers...)...)
		}
		if rep := check(t, sig, content, trust); len(rep.Certificates) != 5+3 || len(rep.Content.Digest) != 4 {
			t.Errorf("%d certificates, %d digests", len(rep.Certificates), len(rep.Content.Digest))
		}
	}
}

// TestAddRefuses: another content, no content, not a signature.
func TestAddRefuses(t *testing.T) {
	o := ownerOf(t, "p256")
	detached, attached := sign(t, o, document, Options{}), sign(t, o, document, Options{Attached: true})
	sum := algo.SHA256.Sum(document)
	for name, c := range map[string]struct {
		sig     []byte
		content []byte
		opt     Options
		want    error
	}{
		"by digest":          {detached, nil, Options{Digest: sum}, nil},
		"attached, compared": {attached, document, Options{Digest: sum}, nil},
		"no content":         {detached, nil, Options{}, ErrNoContent},
		"short digest":       {detached, nil, Options{Digest: sum[1:]}, ErrNoContent},
		"not the approved":   {attached, nil, Options{Digest: make([]byte, 32)}, ErrContentChanged},
		"another content":    {attached, document[1:], Options{}, ErrContentChanged},
		"detached, another":  {detached, document[1:], Options{Digest: sum}, ErrContentChanged},
		"no signature":       {document, document, Options{}, ErrFormat},
		"cut off":            {attached[:len(attached)-1], nil, Options{}, ErrFormat},
		"no authority":       {attached, nil, Options{Profile: ProfileT}, ErrProfile},
	} {
		var w bytes.Buffer
		err := Add(t.Context(), &w, bytes.NewReader(c.sig), readerOrNil(c.content), ownerOf(t, "p256"), c.opt)
		if !errors.Is(err, c.want) || err != nil && w.Len() != 0 {
			t.Errorf("%s: %v, %d bytes", name, err, w.Len())
		}
	}
	stamp := newAuthority(t, "p256")
	token, err := stamp.Stamp(t.Context(), algo.SHA256, sum)
	if err != nil {
		t.Fatal(err)
	}
	if err := Add(t.Context(), io.Discard, bytes.NewReader(token), nil, o, Options{}); !errors.Is(err, ErrProfile) {
		t.Errorf("beside a time-stamp: %v", err)
	}
}

// TestAddContentChanges: the attached content is another one when the file is read the second time.
func TestAddContentChanges(t *testing.T) {
	o := ownerOf(t, "p256")
	sig := sign(t, o, document, Options{Attached: true})
	for name, second := range map[string]func([]byte) []byte{
		"same": func(b []byte) []byte { return b },
		"another letter": func(b []byte) []byte {
			i := bytes.Index(b, document)
			b[i+3] ^= 1
			return b
		},
		"shorter": func(b []byte) []byte { return b[:90] }, "a shorter string": func(b []byte) []byte {
			i := bytes.Index(b, document)
			b[i-1]--
			return b
		},
	} {
		f := &changing{first: sig, second: second(slices.Clone(sig))}
		err := Add(t.Context(), io.Discard, f, nil, o, Options{})
		if name == "same" != (err == nil) || err != nil && !errors.Is(err, ErrContentChanged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// changing is a file that is another one when it is read again.
type changing struct {
	first, second []byte
	*bytes.Reader
}

func (c *changing) Seek(off int64, whence int) (int64, error) {
	if whence == io.SeekCurrent {
		c.Reader = bytes.NewReader(c.first)
		return 0, nil
	}
	c.Reader = bytes.NewReader(c.second)
	return c.Reader.Seek(off, whence)
}

// TestCountersign signs a signature, then the countersignature's neighbour, then adds a signer: everything holds.
func TestCountersign(t *testing.T) {
	a, b, c := ownerOf(t, "gost256"), ownerOf(t, "rsa2048"), ownerOf(t, "ed25519")
	trust := join(a.trust(), b.trust(), c.trust())
	for _, attached := range []bool{false, true} {
		content := document
		if attached {
			content = nil
		}
		sig := countersign(t, sign(t, a, document, Options{Attached: attached}), 0, b, Options{})
		sig = countersign(t, sig, 0, c, Options{Profile: ProfileT, Stamper: newAuthority(t, "p256")})
		sig = add(t, sig, content, b, Options{})
		var w bytes.Buffer
		if err := Extend(t.Context(), &w, bytes.NewReader(sig), newAuthority(t, "gost512")); err != nil {
			t.Fatal(err)
		}
		rep := check(t, w.Bytes(), content, trust)
		if len(rep.Signers) != 2 || !rep.Trusted() {
			t.Fatalf("%+v", rep)
		}
		for _, s := range rep.Signers {
			if len(s.TimeStamps) != 1 || s.TimeStamps[0].Problem != nil || len(s.Unread) != 0 {
				t.Errorf("%+v", s)
			}
			if !s.Certificate.Equal(a.cert) {
				continue
			}
			if len(s.Countersignatures) != 2 {
				t.Fatalf("%+v", s)
			}
			for _, cs := range s.Countersignatures {
				if !cs.Valid || cs.Certificate.Equal(c.cert) != (cs.Format == FormatCAdEST) {
					t.Errorf("%+v", cs)
				}
			}
		}
	}
	for _, n := range []int{-1, 1} {
		if err := Countersign(t.Context(), io.Discard, bytes.NewReader(sign(t, a, document, Options{})), n, b, Options{}); !errors.Is(err, ErrNoSigner) {
			t.Errorf("signer %d: %v", n, err)
		}
		if err := Extend(t.Context(), io.Discard, bytes.NewReader(sign(t, a, document, Options{})), newAuthority(t, "p256"), 0, n); !errors.Is(err, ErrNoSigner) {
			t.Errorf("time-stamp for signer %d: %v", n, err)
		}
	}
}

// firstValue is the signature value of the first signer.
func firstValue(t testing.TB, sig []byte) []byte {
	t.Helper()
	_, signers := parts(t, sig)
	si, err := parseSigner(signers[0])
	if err != nil {
		t.Fatal(err)
	}
	return si.signature
}

// TestCountersignatureProblems: a countersignature stands for itself.
func TestCountersignatureProblems(t *testing.T) {
	a, b := ownerOf(t, "p256"), ownerOf(t, "p256")
	sig := sign(t, a, document, Options{})
	other := sign(t, a, []byte("another"), Options{})
	m, err := newMaker(b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.counter = true
	forOther, err := m.sign(t.Context(), m.alg.Digest.Sum(firstValue(t, other)))
	if err != nil {
		t.Fatal(err)
	}
	own := firstValue(t, sig)
	m.counter = false
	typed, err := m.sign(t.Context(), m.alg.Digest.Sum(own))
	if err != nil {
		t.Fatal(err)
	}
	deep := typed
	for range maxLevel + 1 {
		if deep, err = withUnsigned(deep, attr(t, oidCountersignature, raw(deep))); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		info []byte
		want error
	}{"of another signature": {forOther, ErrDigest}, "with a content type": {typed, ErrAttributes}, "garbage": {[]byte{0x30, 0}, ErrFormat}, "nested": {deep, ErrAttributes}} {
		e, err := open(t.Context(), bytes.NewReader(sig), "")
		if err != nil {
			t.Fatal(err)
		}
		var w bytes.Buffer
		if err := errors.Join(e.replace(0, attr(t, oidCountersignature, raw(c.info))), e.write(t.Context(), &w)); err != nil {
			t.Fatal(err)
		}
		s := check(t, w.Bytes(), document, a.trust()).Signers[0]
		if !s.Valid || len(s.Countersignatures) != 1 || !errors.Is(s.Countersignatures[0].Problem, c.want) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestEditForms: files in BER as OpenSSL streams them, in Base64 and at an offset get a signature more, and lose nothing.
func TestEditForms(t *testing.T) {
	o, w := newOpenSSL(t), ownerOf(t, "gost512")
	second := ownerOf(t, "p256")
	o.owner(w)
	big := bytes.Repeat(document, 3000)
	o.Write("content", big)
	for _, args := range [][]string{{"-stream", "-nodetach"}, {"-stream"}, {"-nodetach"}, {"-nodetach", "-keyid", "-nocerts"}} {
		base := []string{"cms", "-sign", "-cades", "-binary", "-in", "content", "-signer", "cert.pem", "-inkey", "key.pem", "-outform", "DER", "-out", "sig"}
		if out, err := o.Try(append(base, args...)...); err != nil {
			t.Fatal(out)
		}
		der, err := os.ReadFile(o.Path("sig"))
		if err != nil {
			t.Fatal(err)
		}
		content := big
		if slices.Contains(args, "-nodetach") {
			content = nil
		}
		for name, in := range map[string][]byte{"DER": der, "Base64": []byte(base64.StdEncoding.EncodeToString(der))} {
			r := bytes.NewReader(append([]byte("skipped"), in...))
			r.Seek(7, io.SeekStart)
			var out bytes.Buffer
			if err := Add(t.Context(), &out, r, readerOrNil(content), second, Options{}); err != nil {
				t.Fatal(err)
			}
			trust := join(w.trust(), second.trust())
			trust.Intermediates = []*cert.Certificate{w.cert}
			if rep := check(t, out.Bytes(), content, trust); !rep.Trusted() || len(rep.Signers) != 2 || rep.Content.Size != int64(len(big)) {
				t.Errorf("%v in %s: %+v", args, name, rep.Signers)
			}
			certs, signers := parts(t, in)
			containsAll(t, out.Bytes(), append(certs, signers...)...)
		}
	}
}
