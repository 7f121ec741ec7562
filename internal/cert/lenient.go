// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
)

// Two habits of real CAs that crypto/x509 refuses: a basicConstraints whose TRUE is the BER 01 instead of FF, and a
// postalAddress, the one attribute of a name that X.520 makes a SEQUENCE. Nothing here reads the postal address.
var (
	derBasicConstraints = []byte{0x06, 0x03, 0x55, 0x1d, 0x13}
	derPostalAddress    = []byte{0x06, 0x03, 0x55, 0x04, 0x10}
)

// maxNesting is how deep the two are found: certificate, TBS, name or extensions, RDN, attribute.
const maxNesting = 6

var errRestore = errors.New("the certificate could not be read without changing it")

// parseX509 parses der, and what it refuses once more from a copy with the two habits put right byte for byte. The bytes
// are back in place before it returns: all Raw fields, and so signatures, fingerprints and names, are of der itself.
func parseX509(der []byte) (*x509.Certificate, error) {
	b := bytes.Clone(der)
	x, err := x509.ParseCertificate(b)
	if err == nil || !loosen(b, maxNesting) {
		return x, err
	}
	again, second := x509.ParseCertificate(b)
	if second != nil {
		return nil, err
	}
	copy(b, der) // the Raw fields are slices of b
	for _, raw := range [][]byte{again.RawTBSCertificate, again.RawSubject, again.RawIssuer, again.RawSubjectPublicKeyInfo} {
		if !bytes.Equal(again.Raw, der) || !bytes.Contains(der, raw) {
			return nil, errRestore
		}
	}
	return again, nil
}

// loosen puts the two habits right in place and reports whether it met one.
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
