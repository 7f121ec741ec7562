// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"persten/internal/algo"
)

// addVectors seeds a target with files of test vectors, when they are there.
func addVectors(f *testing.F, pattern string, most int) {
	dir := os.Getenv("VECTORS")
	if dir == "" {
		dir = "../../../shared/vectors"
	}
	files, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	for _, name := range files[:min(most, len(files))] {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// FuzzCRL: an accepted list can be searched and consulted, and nothing in it makes a certificate good without its signature.
func FuzzCRL(f *testing.F) {
	h := newHouse(f, "p256")
	rows := []crlRow{h.leaf.row(now, 1), h.ca.row(now, 8), {serial: []byte{1}, extensions: []pkix.Extension{{Id: oidInvalidityDate, Value: []byte{0x18, 0}}}}}
	scoped := []pkix.Extension{point64(7), {Id: oidIssuingPoint, Critical: true, Value: []byte{0x30, 0x06, 0x84, 0x01, 0xff, 0x83, 0x01, 0x07}}}
	f.Add(crlTemplate{}.make(f, h.ca, h.caKey))
	f.Add(crlTemplate{entries: rows, extensions: scoped}.make(f, h.ca, h.caKey))
	f.Add(crlTemplate{entries: rows, v1: true}.make(f, h.ca, h.caKey))
	addVectors(f, "pkits/crls/*.crl", 200)
	addVectors(f, "rfc9215/*.der", 9)
	good := crlTemplate{}.make(f, h.ca, h.caKey)
	honest, err := parseSigned(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		l, err := ParseCRL(der)
		if err != nil {
			if !errors.Is(err, ErrCRL) && !errors.Is(err, ErrAnswerTooLarge) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if l.Len > len(der)/8 || l.ThisUpdate.IsZero() {
			t.Fatalf("%d entries in %d bytes", l.Len, len(der))
		}
		if _, _, err := l.Lookup(h.leaf); err != nil && !errors.Is(err, errCRLEntry) {
			t.Fatal(err)
		}
		p := h.validate(now.AddDate(0, -18, 0), Answer{DER: der})
		if r := p.Links[0].Revocation; r != nil && r.Status != Unknown && !bytes.Equal(l.outside.body, honest.body) {
			if err := l.CheckSignatureFrom(h.ca); err != nil {
				t.Fatalf("%v without a signature", r.Status)
			}
		}
	})
}

// FuzzOCSP likewise.
func FuzzOCSP(f *testing.F) {
	h := newHouse(f, "p256")
	for _, s := range []RevocationStatus{Good, Revoked, Unknown} {
		tp := ocspTemplate{c: h.leaf, issuer: h.ca, status: s, reason: 1, certificates: []*Certificate{h.responder}}
		tp.response = []pkix.Extension{{Id: oidNonce, Value: []byte{0x04, 0x01, 0x07}}}
		f.Add(tp.make(f, h.responder, h.respKey))
		tp.bare, tp.byName, tp.digest = true, true, algo.Streebog256
		f.Add(tp.make(f, h.responder, h.respKey))
	}
	addVectors(f, "kz-ncanode/src/test/resources/ocsp/*", 8)
	f.Fuzz(func(t *testing.T, der []byte) {
		o, err := ParseOCSP(der)
		if err != nil {
			if !errors.Is(err, ErrOCSP) && !errors.Is(err, ErrAnswerTooLarge) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		o.Find(h.leaf, h.ca)
		p := h.validate(now.AddDate(0, -18, 0), Answer{DER: der, OCSP: true})
		if r := p.Links[0].Revocation; r != nil && r.Status != Unknown && o.CheckSignatureFrom(h.ca) != nil {
			t.Fatalf("%v without a signature", r.Status)
		}
	})
}

// FuzzPath reads every value as every extension that path validation knows, in the certificates of a path.
func FuzzPath(f *testing.F) {
	h := newHouse(f, "p256")
	oids := []asn1.ObjectIdentifier{
		oidNameConstraints, oidSubjectAltName, oidPolicies, oidPolicyMappings, oidPolicyConstraints, oidInhibitAnyPolicy,
		oidDistributionPoints, oidAuthorityKeyID, oidExtKeyUsage,
	}
	for _, c := range []*Certificate{h.leaf, h.responder} {
		for _, e := range c.X509.Extensions {
			f.Add(byte(0), e.Value, h.ca.X509.RawSubject)
		}
	}
	f.Add(byte(0), []byte("\x30\x0c\xa0\x0a\x30\x08\x82\x06a.test"), h.ca.X509.RawSubject)
	f.Add(byte(1), []byte("\x30\x08\x82\x06a.test"), h.ca.X509.RawSubject)
	f.Add(byte(3), []byte("\x30\x08\x30\x06\x06\x01\x2a\x06\x01\x2b"), h.ca.X509.RawSubject)
	f.Add(byte(6), []byte("\x30\x0e\x30\x0c\xa0\x0a\xa0\x08\x86\x06http:/"), h.ca.X509.RawSubject)
	f.Fuzz(func(t *testing.T, which byte, value, subject []byte) {
		with := func(c *Certificate) *Certificate {
			x := *c.X509
			x.Extensions = []pkix.Extension{{Id: oids[int(which)%len(oids)], Value: value}}
			return &Certificate{Raw: c.Raw, X509: &x, Key: c.Key, subjectName: parseName(subject), issuerName: c.issuerName, serial: c.serial, outside: c.outside}
		}
		leaf, ca := with(h.leaf), with(h.ca)
		path := []*Certificate{leaf, ca, h.root}
		i, err := Trust{Policies: Policies{Explicit: true, Acceptable: []asn1.ObjectIdentifier{{1, 2}}}}.whole(path)
		if i < 0 || i >= len(path) || err != nil && !errors.Is(err, ErrNameConstraints) && !errors.Is(err, ErrPolicy) {
			t.Fatalf("%d: %v", i, err)
		}
		_, _ = leaf.points()
		leaf.kinship(ca)
		_ = UseOCSP.fits(leaf, true)
		if n := parseName(subject); !n.equal(parseName(bytes.Clone(subject))) || !n.within(n) {
			t.Fatal("a name differs from itself")
		}
	})
}

// FuzzAll: files of certificates.
func FuzzAll(f *testing.F) {
	r := root(f, "p256")
	bundle, err := Bundle(r, r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bundle)
	f.Add(PEM(r, r))
	f.Add(r.Raw)
	f.Fuzz(func(t *testing.T, data []byte) {
		all, _ := ParseAll(data)
		if len(all) > maxBundle {
			t.Fatal("too many")
		}
		if len(all) == 0 {
			return
		}
		der, err := Bundle(all...)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseAll(der); err != nil || len(again) != len(all) {
			t.Fatalf("%d of %d, %v", len(again), len(all), err)
		}
	})
}

// FuzzAccreditedList: whatever comes, the error is typed and the bounds hold.
func FuzzAccreditedList(f *testing.F) {
	var b strings.Builder
	listOf(&b, 2, "Действует", root(f, "p256"))
	f.Add(b.String())
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseAccreditedList(strings.NewReader(s))
		if err != nil {
			if !errors.Is(err, ErrAccreditedList) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		for _, c := range l.At(now) {
			checkBounds(t, c.Card())
		}
		for _, a := range l.Authorities {
			checkBounds(t, Card{SignTool: a.Name})
		}
	})
}
