// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of reading by hand.
const (
	maxNameValues = 1000
	maxExtensions = 1000
	maxOID        = 1024 // bytes
)

var errShape = errors.New("not the shape of a certificate")

// parseByHand reads what is needed for a card from a certificate that crypto/x509 refuses: an odd string, a date that is
// none, an extension that is there twice or malformed, a key of a known kind and a wrong size. The outline must be that of
// RFC 5280 section 4.1. What cannot be read is left empty.
func parseByHand(der []byte) (*x509.Certificate, error) {
	in := cryptobyte.String(der)
	var outer, tbs, body, algorithm, serial cryptobyte.String
	if !in.ReadASN1(&outer, casn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1Element(&tbs, casn1.SEQUENCE) ||
		!outer.ReadASN1(&algorithm, casn1.SEQUENCE) || !outer.SkipASN1(casn1.BIT_STRING) || !outer.Empty() {
		return nil, errShape
	}
	x := &x509.Certificate{Raw: der, RawTBSCertificate: tbs}
	if !tbs.ReadASN1(&body, casn1.SEQUENCE) || !body.SkipOptionalASN1(casn1.Tag(0).ContextSpecific().Constructed()) ||
		!body.ReadASN1(&serial, casn1.INTEGER) || len(serial) == 0 || !body.SkipASN1(casn1.SEQUENCE) {
		return nil, errShape
	}
	x.SerialNumber = signedInteger(serial)
	var validity cryptobyte.String
	if !body.ReadASN1Element((*cryptobyte.String)(&x.RawIssuer), casn1.SEQUENCE) || !body.ReadASN1(&validity, casn1.SEQUENCE) ||
		!body.ReadASN1Element((*cryptobyte.String)(&x.RawSubject), casn1.SEQUENCE) ||
		!body.ReadASN1Element((*cryptobyte.String)(&x.RawSubjectPublicKeyInfo), casn1.SEQUENCE) {
		return nil, errShape
	}
	x.Issuer.Names, x.Subject.Names = nameValues(x.RawIssuer), nameValues(x.RawSubject)
	x.NotBefore, x.NotAfter = dateByHand(&validity), dateByHand(&validity)
	x.PublicKey, _ = x509.ParsePKIXPublicKey(x.RawSubjectPublicKeyInfo)
	extensionsByHand(x, body)
	return x, nil
}

// nameValues lists the attributes of a name whose values are text.
func nameValues(der []byte) []pkix.AttributeTypeAndValue {
	in := cryptobyte.String(der)
	var rdns cryptobyte.String
	in.ReadASN1(&rdns, casn1.SEQUENCE)
	var list []pkix.AttributeTypeAndValue
	for !rdns.Empty() && len(list) < maxNameValues {
		var rdn, attribute, value cryptobyte.String
		if !rdns.ReadASN1(&rdn, casn1.SET) {
			break
		}
		for !rdn.Empty() && len(list) < maxNameValues {
			var oid asn1.ObjectIdentifier
			var tag casn1.Tag
			if !rdn.ReadASN1(&attribute, casn1.SEQUENCE) {
				break
			}
			if attribute.ReadASN1ObjectIdentifier(&oid) && attribute.ReadAnyASN1(&value, &tag) {
				list = append(list, pkix.AttributeTypeAndValue{Type: oid, Value: textByHand(tag, value)})
			}
		}
	}
	return list
}

// textByHand makes text of any value: what its type says, or else valid UTF-8 with the rest marked.
func textByHand(tag casn1.Tag, value []byte) string {
	if s, ok := text(tag, value); ok {
		return s
	}
	return strings.ToValidUTF8(string(value), "\uFFFD")
}

// dateByHand reads a date as freely as can be without guessing; the zero time is one that is no date.
func dateByHand(in *cryptobyte.String) time.Time {
	var value cryptobyte.String
	var tag casn1.Tag
	if !in.ReadAnyASN1(&value, &tag) || len(value) > 40 {
		return time.Time{}
	}
	layouts := []string{"20060102150405Z0700", "200601021504Z0700"}
	if tag == casn1.UTCTime {
		layouts = []string{"060102150405Z0700", "0601021504Z0700"}
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, string(value)); err == nil && t.Year() > 0 {
			if tag == casn1.UTCTime && t.Year() >= 2050 {
				t = t.AddDate(-100, 0, 0)
			}
			return t.UTC()
		}
	}
	return time.Time{}
}

// extensionsByHand fills in the extensions, of several with one OID the first, and the fields that cards are made of.
func extensionsByHand(x *x509.Certificate, body cryptobyte.String) {
	var wrapped, list cryptobyte.String
	body.SkipOptionalASN1(casn1.Tag(1).ContextSpecific())
	body.SkipOptionalASN1(casn1.Tag(2).ContextSpecific())
	if !body.ReadASN1(&wrapped, casn1.Tag(3).ContextSpecific().Constructed()) || !wrapped.ReadASN1(&list, casn1.SEQUENCE) {
		return
	}
	seen := map[string]bool{}
	for !list.Empty() && len(seen) < maxExtensions {
		e, ok := readExtension(&list)
		if !ok {
			return
		}
		if seen[e.Id.String()] {
			continue
		}
		seen[e.Id.String()] = true
		x.Extensions = append(x.Extensions, e)
		_ = describeByHand(x, e) // one that cannot be read leaves its fields empty
	}
}

// readExtension reads one Extension; a critical that is not a DER boolean counts as true.
func readExtension(list *cryptobyte.String) (pkix.Extension, bool) {
	var e pkix.Extension
	var body, critical, value cryptobyte.String
	var present bool
	if !list.ReadASN1(&body, casn1.SEQUENCE) || !body.PeekASN1Tag(casn1.OBJECT_IDENTIFIER) || !shortOID(body) ||
		!body.ReadASN1ObjectIdentifier(&e.Id) ||
		!body.ReadOptionalASN1(&critical, &present, casn1.BOOLEAN) || !body.ReadASN1(&value, casn1.OCTET_STRING) || !body.Empty() {
		return e, false
	}
	e.Critical, e.Value = present && !(len(critical) == 1 && critical[0] == 0), value
	return e, true
}

// shortOID reports whether in begins with an OID of a size that is met: one takes eight times its size when it is read.
func shortOID(in cryptobyte.String) bool {
	var oid cryptobyte.String
	return in.ReadASN1(&oid, casn1.OBJECT_IDENTIFIER) && len(oid) <= maxOID
}

func describeByHand(x *x509.Certificate, e pkix.Extension) error {
	var rest []byte
	var err error
	switch {
	case e.Id.Equal(oidKeyUsage):
		var b asn1.BitString
		if rest, err = asn1.Unmarshal(e.Value, &b); err == nil && len(b.Bytes) > 0 {
			x.KeyUsage = x509.KeyUsage(bits.Reverse8(b.Bytes[0]))
			if len(b.Bytes) > 1 {
				x.KeyUsage |= x509.KeyUsage(bits.Reverse8(b.Bytes[1])) << 8
			}
		}
	case e.Id.Equal(oidBasicConstraints):
		var b struct {
			CA      bool `asn1:"optional"`
			MaxPath int  `asn1:"optional,default:-1"`
		}
		if rest, err = asn1.Unmarshal(e.Value, &b); err == nil {
			x.BasicConstraintsValid, x.IsCA, x.MaxPathLen = true, b.CA, b.MaxPath
		}
	case e.Id.Equal(oidSubjectKeyID):
		rest, err = asn1.Unmarshal(e.Value, &x.SubjectKeyId)
	case e.Id.Equal(oidPolicies):
		var list []struct {
			ID   asn1.ObjectIdentifier
			Rest asn1.RawValue `asn1:"optional"`
		}
		rest, err = asn1.Unmarshal(e.Value, &list)
		for _, p := range list {
			x.PolicyIdentifiers = append(x.PolicyIdentifiers, p.ID)
		}
	}
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("extension %v: %w", e.Id, errExtension)
	}
	return nil
}
