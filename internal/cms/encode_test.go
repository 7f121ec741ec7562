// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"persten/internal/algo"
)

// TestEncodedByHand compares what is encoded by hand with what encoding/asn1 makes of the structures of the standards.
func TestEncodedByHand(t *testing.T) {
	der := func(v any) []byte {
		t.Helper()
		b, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, kind := range []string{"gost256", "gost512", "p256", "rsa2048"} {
		o := ownerOf(t, kind)
		for _, id := range algo.Signing(o.cert.Key) {
			alg, _ := algo.Lookup(id)
			m := &maker{cert: o.cert, alg: alg, o: Options{SigningTime: time.Date(2051, 2, 3, 4, 5, 6, 0, time.UTC), FileName: "приказ.txt", MIMEType: "text/plain"}}
			sum := bytes.Repeat([]byte{0x81}, alg.Digest.Size())

			hash := alg.Digest.Identifier()
			if alg.Digest == algo.SHA256 {
				hash = pkix.AlgorithmIdentifier{}
			}
			name := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: o.cert.X509.RawIssuer}
			reference := struct{ Certificates []essCertID }{[]essCertID{{
				Hash: hash, Digest: alg.Digest.Sum(o.cert.Raw), IssuerSerial: issuerSerial{[]asn1.RawValue{name}, o.cert.X509.SerialNumber},
			}}}
			hints := struct {
				Description string `asn1:"utf8"`
				Type        asn1.ObjectIdentifier
			}{m.o.FileName, oidData}
			var want [][]byte
			for _, p := range []struct {
				oid   asn1.ObjectIdentifier
				value any
			}{
				{oidContentType, oidData}, {oidSigningTime, m.o.SigningTime}, {oidMessageDigest, sum}, {oidSigningCertificateV2, reference},
				{oidContentHints, hints}, {oidMIMEType, asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(m.o.MIMEType)}},
			} {
				want = append(want, attr(t, p.oid, p.value))
			}
			got, err := m.attributes(sum)
			if err != nil || !bytes.Equal(set(got), set(want)) {
				t.Errorf("%s: attributes\n%x\n%x %v", id, got, want, err)
			}
			signed := implicit(tagContext0, set(want))
			info := struct {
				Version            int
				SID                signerID
				DigestAlgorithm    pkix.AlgorithmIdentifier
				SignedAttrs        asn1.RawValue
				SignatureAlgorithm pkix.AlgorithmIdentifier
				Signature          []byte
			}{
				1, signerID{asn1.RawValue{FullBytes: o.cert.X509.RawIssuer}, o.cert.X509.SerialNumber},
				alg.Digest.Identifier(), asn1.RawValue{FullBytes: signed}, alg.SignerIdentifier(), sum,
			}
			if got, err := m.signerInfo(got, sum, nil); err != nil || !bytes.Equal(got, der(info)) {
				t.Errorf("%s: signer\n%x\n%x %v", id, got, der(info), err)
			}
		}
	}
	for _, n := range []int{0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000} {
		if got, want := tlv(tagOctets, make([]byte, n)), der(make([]byte, n)); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %x", n, got[:min(len(got), 8)])
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, kind := range []string{"gost256", "p256", "rsa2048"} {
		b.Run(kind, func(b *testing.B) {
			o := ownerOf(b, kind)
			alg, _ := algo.Lookup(algo.Signing(o.cert.Key)[0])
			m := &maker{cert: o.cert, alg: alg, o: Options{SigningTime: time.Now()}}
			sum := make([]byte, alg.Digest.Size())
			b.ReportAllocs()
			for b.Loop() {
				attrs, err := m.attributes(sum)
				if err != nil {
					b.Fatal(err)
				}
				info, err := m.signerInfo(attrs, sum, nil)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := m.message(nil, info); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
