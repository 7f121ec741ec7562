// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// What crypto/x509 refuses although it spoils nothing: a basicConstraints whose TRUE is the BER 01 instead of FF; a
// postalAddress, the one attribute of a name that X.520 makes a SEQUENCE; a negative serial number, which RFC 5280 section
// 4.1.2.2 asks readers to put up with; and a distribution point with a relative name, which section 4.2.1.13 allows.
// Nothing here reads the postal address.
var (
	derBasicConstraints = []byte{0x06, 0x03, 0x55, 0x1d, 0x13}
	derPostalAddress    = []byte{0x06, 0x03, 0x55, 0x04, 0x10}
	derPoints           = []byte{0x06, 0x03, 0x55, 0x1d, 0x1f}
	derHidden           = []byte{0x06, 0x03, 0x55, 0x1d, 0x7f} // put in its place, so that nobody looks into the points
)

// maxNesting is how deep they are found: certificate, TBS, name or extensions, RDN, attribute.
const maxNesting = 6

var errRestore = errors.New("the certificate could not be read without changing it")

// parseX509 parses der, what crypto/x509 refuses once more from a copy with the habits put right byte for byte, and what is
// still refused by hand, with the fault that keeps it from standing in a path.
func parseX509(der []byte) (x *x509.Certificate, fault, err error) {
	b := bytes.Clone(der)
	x, first := x509.ParseCertificate(b)
	if first == nil {
		return x, nil, nil
	}
	if x, err = parseLoosened(b, der); err == nil {
		return x, nil, nil
	}
	if x, err = parseByHand(bytes.Clone(der)); err == nil {
		return x, first, nil
	}
	return nil, nil, first
}

// parseLoosened puts the habits right in b, a copy of der, and parses it. The bytes are back in place before it returns:
// all Raw fields, and so signatures, fingerprints and names, are of der itself.
func parseLoosened(b, der []byte) (*x509.Certificate, error) {
	negative := makePositive(b)
	if !loosen(b, maxNesting) && !negative || bytes.Contains(der, derHidden) {
		return nil, errRestore
	}
	x, err := x509.ParseCertificate(b)
	if err != nil {
		return nil, err
	}
	copy(b, der) // the Raw fields are slices of b
	for _, raw := range [][]byte{x.RawTBSCertificate, x.RawSubject, x.RawIssuer, x.RawSubjectPublicKeyInfo} {
		if !bytes.Equal(x.Raw, der) || !bytes.Contains(der, raw) {
			return nil, errRestore
		}
	}
	if negative {
		x.SerialNumber = signedInteger(serialOf(x.RawTBSCertificate))
	}
	showPoints(x)
	return x, nil
}

// makePositive changes the first byte of a negative serial number and reports whether there was one.
func makePositive(der []byte) bool {
	in := cryptobyte.String(der)
	var outer, tbs cryptobyte.String
	if !in.ReadASN1(&outer, casn1.SEQUENCE) || !outer.ReadASN1Element(&tbs, casn1.SEQUENCE) {
		return false
	}
	n := serialOf(tbs)
	if len(n) == 0 || n[0]&0x80 == 0 {
		return false
	}
	n[0] = 0x7f // whatever follows, it is the shortest encoding
	return true
}

// oidHidden is 2.5.29.127, which means nothing.
var oidHidden = asn1.ObjectIdentifier{2, 5, 29, 127}

// showPoints undoes in what was parsed that loosen hid the distribution points. Points that cannot be read here either are noticed when a CRL is to be
// found by them.
func showPoints(x *x509.Certificate) {
	hidden := false
	for i := range x.Extensions {
		if x.Extensions[i].Id.Equal(oidHidden) {
			x.Extensions[i].Id, hidden = oidDistributionPoints, true
		}
	}
	if !hidden {
		return
	}
	for i := range x.UnhandledCriticalExtensions {
		if x.UnhandledCriticalExtensions[i].Equal(oidHidden) {
			x.UnhandledCriticalExtensions[i] = oidDistributionPoints
		}
	}
	points, _ := (&Certificate{X509: x, issuerName: parseName(x.RawIssuer)}).points()
	for _, p := range points {
		for _, g := range p.names {
			if g.form == formURI && isASCII(g.value) {
				x.CRLDistributionPoints = append(x.CRLDistributionPoints, string(g.value))
			}
		}
	}
}

// serialOf finds the content of the serial number in a TBSCertificate; nil when there is none.
func serialOf(tbs []byte) []byte {
	in := cryptobyte.String(tbs)
	var body, n cryptobyte.String
	if !in.ReadASN1(&body, casn1.SEQUENCE) || !body.SkipOptionalASN1(casn1.Tag(0).ContextSpecific().Constructed()) ||
		!body.ReadASN1(&n, casn1.INTEGER) {
		return nil
	}
	return n
}

// signedInteger reads the content of an INTEGER of any length.
func signedInteger(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// loosen puts the habits right in place, all but the serial number, and reports whether it met one.
func loosen(b []byte, depth int) bool {
	changed := false
	for _, e := range split(b) {
		if e.whole[0]&0x20 == 0 || depth == 0 {
			continue
		}
		if parts := split(e.body); len(parts) > 1 {
			first, last := parts[0].whole, parts[len(parts)-1]
			switch {
			case bytes.Equal(first, derBasicConstraints) && last.whole[0] == asn1.TagOctetString:
				if at := bytes.Index(last.body, []byte{0x01, 0x01, 0x01}); at == 2 { // right after the SEQUENCE's header
					last.body[at+2], changed = 0xff, true
				}
			case bytes.Equal(first, derPoints) && last.whole[0] == asn1.TagOctetString:
				copy(first, derHidden)
				changed = true
			case bytes.Equal(first, derPostalAddress) && last.whole[0] == 0x20|asn1.TagSequence:
				last.whole[0], changed = asn1.TagT61String, true // any bytes are a valid T61String
			}
		}
		changed = loosen(e.body, depth-1) || changed
	}
	return changed
}

// element is one ASN.1 value: all of it, and what follows its header.
type element struct{ whole, body []byte }

// split cuts b into elements, none when it does not divide into them.
func split(b []byte) []element {
	var list []element
	for len(b) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(b, &v)
		if err != nil {
			return nil
		}
		n := len(b) - len(rest)
		list = append(list, element{b[:n], b[n-len(v.Bytes) : n]})
		b = b[n:]
	}
	return list
}
