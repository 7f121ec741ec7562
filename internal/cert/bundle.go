// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxBundle bounds the certificates of one file.
const maxBundle = 10_000

var (
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
)

// errBundle: more than maxBundle certificates.
var errBundle = fmt.Errorf("%w: more than %d certificates", ErrTooLarge, maxBundle)

// ParseAll reads the certificates of a file: one in DER, a PKCS#7 bundle (.p7b), or any number of both in PEM; other PEM
// blocks are passed over. It returns what could be read, with the joined errors of what could not.
func ParseAll(data []byte) ([]*Certificate, error) {
	block, rest := pem.Decode(data)
	if block == nil {
		return parseBinary(data)
	}
	var all []*Certificate
	var errs []error
	for ; block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "PKCS7", "CMS":
		default:
			continue
		}
		found, err := parseBinary(block.Bytes)
		all, errs = append(all, found...), append(errs, err)
		if len(all) > maxBundle {
			return all[:maxBundle], errors.Join(append(errs, errBundle)...)
		}
	}
	return all, errors.Join(errs...)
}

// parseBinary reads a certificate or a bundle of them.
func parseBinary(der []byte) ([]*Certificate, error) {
	if list, ok := openBundle(der); ok {
		return parseBundle(list)
	}
	c, err := Parse(der)
	if err != nil {
		return nil, err
	}
	return []*Certificate{c}, nil
}

// openBundle finds the certificates of a SignedData (RFC 5652 section 5.1), signed or not.
func openBundle(der []byte) (cryptobyte.String, bool) {
	in := cryptobyte.String(der)
	var outer, wrapped, body, list cryptobyte.String
	var kind asn1.ObjectIdentifier
	var present bool
	if !in.ReadASN1(&outer, casn1.SEQUENCE) || !outer.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(oidSignedData) ||
		!outer.ReadASN1(&wrapped, casn1.Tag(0).ContextSpecific().Constructed()) || !wrapped.ReadASN1(&body, casn1.SEQUENCE) ||
		!body.SkipASN1(casn1.INTEGER) || !body.SkipASN1(casn1.SET) || !body.SkipASN1(casn1.SEQUENCE) {
		return nil, false
	}
	return list, body.ReadOptionalASN1(&list, &present, casn1.Tag(0).ContextSpecific().Constructed())
}

func parseBundle(list cryptobyte.String) ([]*Certificate, error) {
	var all []*Certificate
	var errs []error
	for !list.Empty() {
		var der cryptobyte.String
		var tag casn1.Tag
		if !list.ReadAnyASN1Element(&der, &tag) {
			return all, errors.Join(append(errs, ErrFormat)...)
		}
		if tag != casn1.SEQUENCE {
			continue // an attribute certificate or one of PKCS#6 times
		}
		if len(all) == maxBundle {
			return all, errors.Join(append(errs, errBundle)...)
		}
		c, err := Parse(der)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, c)
	}
	return all, errors.Join(errs...)
}

// PEM encodes certificates as PEM (RFC 7468 section 5), one after the other.
func PEM(certs ...*Certificate) []byte {
	var b bytes.Buffer
	for _, c := range certs {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a Buffer takes everything
	}
	return b.Bytes()
}

// Bundle encodes certificates as a PKCS#7 bundle, a SignedData without signers (RFC 5652 section 5.1), in DER: a .p7b file.
func Bundle(certs ...*Certificate) ([]byte, error) {
	if len(certs) == 0 {
		return nil, errors.New("bundle: no certificates")
	}
	all := make([][]byte, len(certs))
	for i, c := range certs {
		all[i] = c.Raw
	}
	slices.SortFunc(all, bytes.Compare) // the certificates are a SET
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(casn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) { addBundle(b, all) })
		})
	})
	return b.Bytes()
}

func addBundle(b *cryptobyte.Builder, all [][]byte) {
	b.AddASN1Int64(1)
	b.AddASN1(casn1.SET, func(*cryptobyte.Builder) {})
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) })
	b.AddASN1(casn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
		for _, der := range all {
			b.AddBytes(der)
		}
	})
	b.AddASN1(casn1.SET, func(*cryptobyte.Builder) {})
}
