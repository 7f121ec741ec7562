// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
)

func readerOrNil(b []byte) io.Reader {
	if b == nil {
		return nil
	}
	return bytes.NewReader(b)
}

// forge makes a detached signature over the attributes edit returns, in that order, with a correct value. sorted signs them
// in DER order all the same, as some programs do.
func forge(t testing.TB, o *owner, sorted bool, edit func(m *maker, attrs [][]byte) [][]byte) []byte {
	t.Helper()
	m, err := newMaker(o, Options{})
	if err != nil {
		t.Fatal(err)
	}
	attrs, err := m.attributes(m.alg.Digest.Sum(document))
	if err != nil {
		t.Fatal(err)
	}
	attrs = edit(m, attrs)
	body := bytes.Join(attrs, nil)
	message := append(head(tagSet, int64(len(body))), body...)
	signed := slices.Clone(message)
	signed[0] = tagContext0
	if sorted {
		message = set(attrs)
	}
	sig, err := o.Sign(context.Background(), algo.Input{Digest: m.alg.Digest.Sum(message)})
	if err != nil {
		t.Fatal(err)
	}
	info, err := m.signerInfo(attrs, sig, nil)
	if err != nil {
		t.Fatal(err)
	}
	info = bytes.Replace(info, append([]byte{tagContext0}, set(attrs)[1:]...), signed, 1)
	return assemble(t, m, info)
}

// assemble frames one detached signer.
func assemble(t testing.TB, m *maker, info []byte) []byte {
	t.Helper()
	out, err := m.message(nil, info)
	if err != nil {
		t.Fatal(err)
	}
	var w bytes.Buffer
	if err := out.writeTo(&w); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

func attr(t testing.TB, oid asn1.ObjectIdentifier, values ...any) []byte {
	t.Helper()
	a := attribute{Type: oid}
	for _, v := range values {
		der, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		a.Values = append(a.Values, asn1.RawValue{FullBytes: der})
	}
	der, err := asn1.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// without drops the attribute of this type.
func without(t testing.TB, attrs [][]byte, oid asn1.ObjectIdentifier) [][]byte {
	der, err := asn1.Marshal(oid)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(attrs, func(a []byte) bool { return bytes.Contains(a, der) && len(a) > 0 })
}

// TestForgedAttributes: signatures whose value is right over attributes that are not.
func TestForgedAttributes(t *testing.T) {
	o, other := ownerOf(t, "p256"), ownerOf(t, "gost256")
	for name, c := range map[string]struct {
		edit func(m *maker, a [][]byte) [][]byte
		want error
	}{
		"untouched":    {func(_ *maker, a [][]byte) [][]byte { return a }, nil},
		"no time":      {func(_ *maker, a [][]byte) [][]byte { return without(t, a, oidSigningTime) }, nil},
		"no type":      {func(_ *maker, a [][]byte) [][]byte { return without(t, a, oidContentType) }, ErrAttributes},
		"no digest":    {func(_ *maker, a [][]byte) [][]byte { return without(t, a, oidMessageDigest) }, ErrAttributes},
		"no reference": {func(_ *maker, a [][]byte) [][]byte { return without(t, a, oidSigningCertificateV2) }, ErrSigningCertificate},
		"none":         {func(_ *maker, a [][]byte) [][]byte { return nil }, ErrAttributes},
		"digest twice": {func(_ *maker, a [][]byte) [][]byte { return append(a, attr(t, oidMessageDigest, make([]byte, 32))) }, ErrAttributes},
		"two values": {func(_ *maker, a [][]byte) [][]byte {
			return append(without(t, a, oidSigningTime), attr(t, oidSigningTime, document, document))
		}, ErrAttributes},
		"another type": {func(_ *maker, a [][]byte) [][]byte {
			return append(without(t, a, oidContentType), attr(t, oidContentType, oidSignedData))
		}, ErrAttributes},
		"a wrong time": {func(_ *maker, a [][]byte) [][]byte {
			return append(without(t, a, oidSigningTime), attr(t, oidSigningTime, 5))
		}, ErrAttributes},
		"garbage": {func(_ *maker, a [][]byte) [][]byte { return append(a, []byte{0x04, 1, 1}) }, ErrAttributes},
		"other's cert": {func(m *maker, a [][]byte) [][]byte {
			return append(without(t, a, oidSigningCertificateV2), referTo(t, *m, other.cert))
		}, ErrSigningCertificate},
		"empty ref": {func(_ *maker, a [][]byte) [][]byte {
			return append(without(t, a, oidSigningCertificateV2), attr(t, oidSigningCertificateV2, struct{ C []essCertID }{}))
		}, ErrSigningCertificate},
		"v1 beside v2": {func(_ *maker, a [][]byte) [][]byte { return append(a, referV1(t, o.cert)) }, nil},
		"v1 alone": {func(_ *maker, a [][]byte) [][]byte {
			return append(without(t, a, oidSigningCertificateV2), referV1(t, o.cert))
		}, nil},
		"v1 of another": {func(_ *maker, a [][]byte) [][]byte { return append(a, referV1(t, other.cert)) }, ErrSigningCertificate},
		"many": {func(_ *maker, a [][]byte) [][]byte {
			return append(a, slices.Repeat([][]byte{attr(t, oidData, 1)}, maxAttributes)...)
		}, ErrLimit},
	} {
		s := check(t, forge(t, o, false, c.edit), document, o.trust()).Signers[0]
		if !errors.Is(s.Problem, c.want) || s.Valid != (c.want == nil) {
			t.Errorf("%s: %v", name, s.Problem)
		}
	}
}

func referTo(t testing.TB, m maker, c *cert.Certificate) []byte {
	m.cert = c
	der, err := m.reference()
	if err != nil {
		t.Fatal(err)
	}
	return attr(t, oidSigningCertificateV2, asn1.RawValue{FullBytes: der})
}

func referV1(t testing.TB, c *cert.Certificate) []byte {
	type id struct{ Digest []byte }
	return attr(t, oidSigningCertificate, struct{ C []id }{[]id{{algo.SHA1.Sum(c.Raw)}}})
}

// TestUnsorted: attributes out of DER order are accepted whether they were signed so or sorted.
func TestUnsorted(t *testing.T) {
	o := ownerOf(t, "gost256")
	turn := func(_ *maker, a [][]byte) [][]byte { slices.Reverse(a); return a }
	for _, sorted := range []bool{false, true} {
		sig := forge(t, o, sorted, turn)
		if s := check(t, sig, document, o.trust()).Signers[0]; !s.Valid {
			t.Errorf("sorted %v: %v", sorted, s.Problem)
		}
		sig[len(sig)-1] ^= 1
		if s := check(t, sig, document, o.trust()).Signers[0]; !errors.Is(s.Problem, ErrSignature) {
			t.Errorf("sorted %v, flipped: %v", sorted, s.Problem)
		}
	}
}

// TestCertificateSwap: a second certificate with the same issuer, serial and key does not pass for the first one.
func TestCertificateSwap(t *testing.T) {
	o := ownerOf(t, "p256")
	ca, err := algo.GenerateKey("p256")
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := cert.Build(cert.Template{Subject: o.cert.Issuer(), Key: ca.Public(), CA: true}, nil, ca)
	if err != nil {
		t.Fatal(err)
	}
	twin, err := cert.Build(cert.Template{Subject: cert.Person{CommonName: "Директор"}, Key: o.key.Public(), Serial: o.cert.X509.SerialNumber}, issuer, ca)
	if err != nil {
		t.Fatal(err)
	}
	sig := forge(t, o, false, func(m *maker, a [][]byte) [][]byte { m.cert = twin; return a })
	if s := check(t, sig, document, o.trust()).Signers[0]; !errors.Is(s.Problem, ErrSigningCertificate) || !s.Certificate.Equal(twin) {
		t.Errorf("%v", s.Problem)
	}
}

// TestMissingCertificate: the signer's certificate may come with the trust, and is missed when it does not.
func TestMissingCertificate(t *testing.T) {
	o, other := ownerOf(t, "p256"), ownerOf(t, "gost256")
	sig := sign(t, o, document, Options{})
	bare := replaceCertificates(t, sig, o, [][]byte{other.cert.Raw})
	if s := check(t, bare, document, o.trust()).Signers[0]; !errors.Is(s.Problem, ErrNoCertificate) || s.Certificate != nil || s.Trusted {
		t.Errorf("%+v", s)
	}
	trust := o.trust()
	trust.Intermediates = []*cert.Certificate{o.cert}
	if s := check(t, bare, document, trust).Signers[0]; !s.Valid || !s.Trusted {
		t.Errorf("%v", s.Problem)
	}
}

// replaceCertificates frames the same SignerInfo with other certificates.
func replaceCertificates(t testing.TB, sig []byte, o *owner, certs [][]byte) []byte {
	t.Helper()
	m, err := parse(newReader(bytes.NewReader(sig)))
	if err != nil {
		t.Fatal(err)
	}
	var signers [][]byte
	for _, one := range m.signers {
		signers = append(signers, one.der)
	}
	return framed(t, o, certs, signers)
}

// framed is a detached message of these certificates and signers.
func framed(t testing.TB, o *owner, certs, signers [][]byte) []byte {
	t.Helper()
	a, _ := algo.Lookup(o.id)
	der := func(v any) []byte {
		b, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	wrap := func(tag byte, parts ...[]byte) []byte {
		body := bytes.Join(parts, nil)
		return append(head(tag, int64(len(body))), body...)
	}
	list := wrap(tagContext0, certs...)
	return wrap(tagSequence, der(oidSignedData), wrap(tagContext0, wrap(tagSequence,
		[]byte{2, 1, 1}, wrap(tagSet, der(a.Digest.Identifier())), wrap(tagSequence, der(oidData)), list, wrap(tagSet, signers...))))
}

func TestLimits(t *testing.T) {
	o := ownerOf(t, "p256")
	good, err := parse(newReader(bytes.NewReader(sign(t, o, document, Options{}))))
	if err != nil {
		t.Fatal(err)
	}
	one := good.signers[0].der
	nested := func(n int, open, shut []byte) []byte {
		return slices.Concat(bytes.Repeat(open, n), []byte{5, 0}, bytes.Repeat(shut, n))
	}
	deep := func(body []byte) []byte {
		return slices.Concat([]byte{0x30, 0x80}, mustOID(t), []byte{0xa0, 0x80}, body)
	}
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"signers":         {framed(t, o, nil, slices.Repeat([][]byte{one}, maxSigners+1)), ErrLimit},
		"certificates":    {framed(t, o, slices.Repeat([][]byte{o.cert.Raw}, maxCertificates+1), [][]byte{one}), ErrLimit},
		"memory":          {framed(t, o, [][]byte{append(head(0x30, maxHeld), make([]byte, maxHeld)...)}, [][]byte{one}), ErrLimit},
		"announced":       {framed(t, o, [][]byte{head(0x30, 1<<40)}, nil), ErrFormat},
		"depth":           {framed(t, o, [][]byte{nested(maxDepth+2, []byte{0x30, 0x80}, []byte{0, 0})}, nil), ErrLimit},
		"not signed data": {deep(nil)[:4], ErrFormat},
		"empty":           {nil, ErrFormat},
		"a text":          {[]byte("-----BEGIN PKCS7-----"), ErrFormat},
		"huge tag":        {[]byte{0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, ErrFormat},
		"huge length":     {[]byte{0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, ErrFormat},
		"no end":          {deep([]byte{0x30, 0x80, 2, 1, 1, 0x31, 0x80}), ErrFormat},
	} {
		if _, err := Verify(context.Background(), bytes.NewReader(c.in), bytes.NewReader(document), o.trust()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func mustOID(t testing.TB) []byte {
	t.Helper()
	b, err := asn1.Marshal(oidSignedData)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestKeep: BER elements are rebuilt with known lengths, DER ones kept bit for bit.
func TestKeep(t *testing.T) {
	for _, c := range []struct{ in, want []byte }{
		{[]byte{0x30, 0x03, 2, 1, 7}, []byte{0x30, 3, 2, 1, 7}},
		{[]byte{0x30, 0x81, 0x03, 2, 1, 7}, []byte{0x30, 0x81, 3, 2, 1, 7}}, // long form of a short length: not touched
		{[]byte{0x30, 0x80, 2, 1, 7, 0, 0}, []byte{0x30, 3, 2, 1, 7}},
		{[]byte{0x30, 0x07, 0x30, 0x80, 2, 1, 7, 0, 0}, []byte{0x30, 5, 0x30, 3, 2, 1, 7}},
		{[]byte{0x24, 0x80, 4, 1, 'a', 0x24, 6, 4, 1, 'b', 4, 1, 'c', 0, 0}, []byte{4, 3, 'a', 'b', 'c'}},
		{[]byte{0xbf, 0x81, 0x01, 0x80, 5, 0, 0, 0}, []byte{0xbf, 0x81, 0x01, 2, 5, 0}},
	} {
		r := newReader(bytes.NewReader(c.in))
		h, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.keep(h, 0); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("% x became % x, %v", c.in, got, err)
		}
	}
}

// TestTC26 checks the signature values of the standard's own messages, which have neither attributes nor certificates, so
// that Verify has to refuse them.
func TestTC26(t *testing.T) {
	for size, id := range map[string]algo.ID{"256": algo.GOST256, "512": algo.GOST512} {
		raw, err := os.ReadFile("../../testdata/tc26/signed-" + size + ".der")
		if err != nil {
			t.Fatal(err)
		}
		der, err := os.ReadFile("../../testdata/tc26/certificate-" + size + ".der")
		if err != nil {
			t.Fatal(err)
		}
		c, err := cert.Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		m, err := parse(newReader(bytes.NewReader(raw)))
		if err != nil {
			t.Fatal(err)
		}
		si, err := parseSigner(m.signers[0].der)
		if err != nil {
			t.Fatal(err)
		}
		v := &verifier{message: m, sums: m.sums.values()}
		alg, err := v.algorithm(si, c)
		if err != nil || alg.ID != id {
			t.Fatalf("%s: %s, %v", size, alg.ID, err)
		}
		if err := c.Key.Verify(id, algo.Input{Digest: m.sums.values()[alg.Digest]}, si.signature); err != nil {
			t.Errorf("%s: %v", size, err)
		}
		rep := check(t, raw, nil, cert.Trust{Intermediates: []*cert.Certificate{c}})
		if !errors.Is(rep.Signers[0].Problem, ErrAttributes) || rep.Content.Size != 12 {
			t.Errorf("%s: %+v", size, rep.Signers[0])
		}
	}
}

// FuzzVerify: no input makes Verify panic, and errors have a type. Whatever counts as valid is signed by the one key.
func FuzzVerify(f *testing.F) {
	o := ownerOf(f, "p256")
	sig := sign(f, o, document, Options{Attached: true})
	f.Add(sig)
	f.Add(sign(f, o, document, Options{}))
	f.Add(forge(f, o, true, func(_ *maker, a [][]byte) [][]byte { slices.Reverse(a); return a }))
	f.Add(sign(f, ownerOf(f, "gost256"), document, Options{Attached: true}))
	stamped := sign(f, o, document, Options{Attached: true, Profile: ProfileT, Stamper: newAuthority(f, "p256")})
	f.Add(countersign(f, stamped, 0, o, Options{}))
	f.Add([]byte(base64.StdEncoding.EncodeToString(stamped)))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: sig}))
	f.Add([]byte{0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2, 0xa0, 0x80, 0x30, 0x80, 2, 1, 1, 0x31, 0x80, 0, 0, 0x30, 0x80})
	f.Fuzz(func(t *testing.T, in []byte) {
		rep, err := Verify(context.Background(), bytes.NewReader(in), bytes.NewReader(document), o.trust())
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrLimit) && !errors.Is(err, ErrNoContent) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		for _, s := range rep.Signers {
			if s.Valid && s.Trusted && !s.Certificate.Key.Equal(o.key.Public()) {
				t.Fatal("trusted without the key")
			}
			if s.Valid != (s.Problem == nil) || s.Trusted != (s.TrustProblem == nil) {
				t.Fatal("the report contradicts itself")
			}
		}
	})
}

// BenchmarkSign is a detached signature over 16 MiB.
func BenchmarkSign(b *testing.B) {
	for _, kind := range kinds {
		o, data := ownerOf(b, kind), make([]byte, 16<<20)
		if _, err := rand.Read(data); err != nil {
			b.Fatal(err)
		}
		b.Run(kind, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				sign(b, o, data, Options{})
			}
		})
	}
}

// TestIdentifiers compares the algorithm identifiers written with those of the TC26 message: digest and key OID, both with
// NULL. SHA-256 goes without parameters, and signing-certificate-v2 leaves its default out.
func TestIdentifiers(t *testing.T) {
	digest := []byte{0x30, 0x0c, 0x06, 0x08, 0x2a, 0x85, 0x03, 0x07, 0x01, 0x01, 0x02, 0x02, 0x05, 0x00}
	key := []byte{0x30, 0x0c, 0x06, 0x08, 0x2a, 0x85, 0x03, 0x07, 0x01, 0x01, 0x01, 0x01, 0x05, 0x00}
	example, err := os.ReadFile("../../testdata/tc26/signed-256.der")
	if err != nil {
		t.Fatal(err)
	}
	ours := sign(t, ownerOf(t, "gost256"), document, Options{})
	// In ours the digest stands once more, in the signing-certificate-v2 attribute.
	if a, b := bytes.Count(example, digest), bytes.Count(ours, digest); a != 2 || b != 3 {
		t.Errorf("digest identifier %d times in the example, %d in ours", a, b)
	}
	if !bytes.Contains(example, key) || !bytes.Contains(ours, key) {
		t.Error("signature identifier differs")
	}
	sha256 := []byte{0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01}
	if n := bytes.Count(sign(t, ownerOf(t, "p256"), document, Options{}), sha256); n != 2 {
		t.Errorf("SHA-256 identifier %d times", n)
	}
}
