// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"persten/internal/algo"
)

// crlTemplate is a CRL to be made. Zero times are an hour ago and in a day.
type crlTemplate struct {
	issuer     []byte // DER of the name; nil: the signer's
	this, next time.Time
	entries    []crlRow
	rows       []byte // entries, ready
	extensions []pkix.Extension
	v1         bool
	inside     []byte // DER of the algorithm in the signed part; nil: the signature's
}

type crlRow struct {
	serial     []byte
	at         time.Time
	reason     int // 0: no extension
	extensions []pkix.Extension
}

func point64(n int64) pkix.Extension { return pkix.Extension{Id: oidCRLNumber, Value: integer(n)} }

func integer(n int64) []byte {
	der, err := asn1.Marshal(n)
	if err != nil {
		panic(err)
	}
	return der
}

func (tp crlTemplate) make(t testing.TB, signer *Certificate, k algo.PrivateKey) []byte {
	t.Helper()
	a, _ := algo.Lookup(algo.Signing(k.Public())[0])
	body := build0(t, func(b *cryptobyte.Builder) {
		if !tp.v1 {
			b.AddASN1Int64(1)
		}
		if tp.inside == nil {
			tp.inside = marshal(t, a.CertificateIdentifier())
		}
		b.AddBytes(tp.inside)
		if tp.issuer == nil {
			tp.issuer = signer.X509.RawSubject
		}
		b.AddBytes(tp.issuer)
		addTime(b, tp.this, -time.Hour)
		addTime(b, tp.next, 24*time.Hour)
		if len(tp.entries)+len(tp.rows) > 0 {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(tp.rows)
				for _, e := range tp.entries {
					e.add(t, b)
				}
			})
		}
		if len(tp.extensions) > 0 {
			b.AddASN1(casn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(marshal(t, tp.extensions)) })
		}
	})
	return seal(t, body, a, k, nil)
}

func (e crlRow) add(t testing.TB, b *cryptobyte.Builder) {
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(e.serial) })
		addTime(b, e.at, -2*time.Hour)
		list := e.extensions
		if e.reason != 0 {
			list = append(list, pkix.Extension{Id: oidReasonCode, Value: []byte{0x0a, 0x01, byte(e.reason)}})
		}
		if len(list) > 0 {
			b.AddBytes(marshal(t, list))
		}
	})
}

// ocspTemplate is a response about one certificate.
type ocspTemplate struct {
	c, issuer                *Certificate
	digest                   algo.Digest
	status                   RevocationStatus
	at, produced, this, next time.Time
	reason                   int
	byName                   bool
	certificates             []*Certificate
	single, response         []pkix.Extension
	bare, noNext             bool
}

func (tp ocspTemplate) make(t testing.TB, signer *Certificate, k algo.PrivateKey) []byte {
	t.Helper()
	a, _ := algo.Lookup(algo.Signing(k.Public())[0])
	if tp.digest == "" {
		tp.digest = algo.SHA1
	}
	body := build0(t, func(b *cryptobyte.Builder) {
		if tp.byName {
			b.AddASN1(casn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(signer.X509.RawSubject) })
		} else {
			sum := sha1.Sum(signer.keyBits())
			b.AddASN1(casn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(sum[:]) })
		}
		addGeneralized(b, tp.produced, -time.Hour)
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) { tp.addSingle(t, b) })
		})
		if len(tp.response) > 0 {
			b.AddASN1(casn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(marshal(t, tp.response)) })
		}
	})
	basic := seal(t, body, a, k, tp.certificates)
	if tp.bare {
		return basic
	}
	return build0(t, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(0)
		b.AddASN1(casn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidBasicResponse)
				b.AddASN1OctetString(basic)
			})
		})
	})
}

func (tp ocspTemplate) addSingle(t testing.TB, b *cryptobyte.Builder) {
	addCertID(b, tp.c, tp.issuer, tp.digest)
	switch tp.status {
	case Good:
		b.AddASN1(casn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
	case Revoked:
		b.AddASN1(casn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			addGeneralized(b, tp.at, -2*time.Hour)
			if tp.reason != 0 {
				b.AddASN1(casn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(tp.reason)) })
			}
		})
	default:
		b.AddASN1(casn1.Tag(2).ContextSpecific(), func(*cryptobyte.Builder) {})
	}
	addGeneralized(b, tp.this, -time.Hour)
	if !tp.noNext {
		b.AddASN1(casn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { addGeneralized(b, tp.next, 24*time.Hour) })
	}
	if len(tp.single) > 0 {
		b.AddASN1(casn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(marshal(t, tp.single)) })
	}
}

// seal signs body; certs follow as in a BasicOCSPResponse.
func seal(t testing.TB, body []byte, a algo.Algorithm, k algo.PrivateKey, certs []*Certificate) []byte {
	t.Helper()
	sig, err := k.Sign(rand.Reader, a.ID, algo.Input{Message: body})
	if err != nil {
		t.Fatal(err)
	}
	return build0(t, func(b *cryptobyte.Builder) {
		b.AddBytes(body)
		b.AddBytes(marshal(t, a.CertificateIdentifier()))
		b.AddASN1BitString(sig)
		if len(certs) > 0 {
			b.AddASN1(casn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, c := range certs {
						b.AddBytes(c.Raw)
					}
				})
			})
		}
	})
}

func build0(t testing.TB, f func(b *cryptobyte.Builder)) []byte {
	t.Helper()
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, f)
	der, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func addTime(b *cryptobyte.Builder, at time.Time, otherwise time.Duration) {
	if at.IsZero() {
		at = time.Now().Add(otherwise)
	}
	b.AddASN1UTCTime(at.UTC())
}

func addGeneralized(b *cryptobyte.Builder, at time.Time, otherwise time.Duration) {
	if at.IsZero() {
		at = time.Now().Add(otherwise)
	}
	b.AddASN1GeneralizedTime(at.UTC())
}

func (c *Certificate) row(at time.Time, reason int) crlRow {
	return crlRow{serial: c.serial, at: at, reason: reason}
}
