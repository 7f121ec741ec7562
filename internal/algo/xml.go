// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// Beginnings of the identifiers in XML: RFC 9231 sections 2.1 to 2.3, XML Encryption 1.1 section 5.8, and
// draft-smirnov-xmldsig for GOST.
const (
	xmlMore   = "http://www.w3.org/2001/04/xmldsig-more#"
	xmlMore07 = "http://www.w3.org/2007/05/xmldsig-more#"
	xmlEnc    = "http://www.w3.org/2001/04/xmlenc#"
	xmlGOST   = "urn:ietf:params:xml:ns:cpxmlsec:algorithms:"
)

// Other spellings that are read and never written.
var (
	xmlSignatureAlias = map[string]ID{xmlGOST + "gostr34102001-gostr3411": GOST2001}
	xmlDigestAlias    = map[string]Digest{xmlGOST + "gostr3411": GOST94}
)

// ByXMLSignature finds the algorithm of a SignatureMethod, legacy ones included.
func ByXMLSignature(uri string) (Algorithm, bool) {
	if id, ok := xmlSignatureAlias[uri]; ok {
		return Lookup(id)
	}
	for _, a := range table {
		if a.XMLSignature == uri && uri != "" {
			return a, true
		}
	}
	return Algorithm{}, false
}

// XML is the DigestMethod of d, as written; "" when d is not Known.
func (d Digest) XML() string {
	r, _ := d.row()
	return r.xml
}

// DigestByXML finds the hash function of a DigestMethod, legacy ones included.
func DigestByXML(uri string) (Digest, bool) {
	if d, ok := xmlDigestAlias[uri]; ok {
		return d, true
	}
	for _, r := range digests {
		if r.xml == uri {
			return r.name, true
		}
	}
	return "", false
}

// ecdsaValue is ECDSA-Sig-Value (RFC 3279 section 2.2.3).
type ecdsaValue struct{ R, S *big.Int }

// ToXML turns a signature by key from CMS form into the octets of a SignatureValue. ECDSA becomes r and s, each as long as
// the order of the curve (XMLDSig 1.1 section 6.4.3); the others stay as they are.
func ToXML(key PublicKey, id ID, sig []byte) ([]byte, error) {
	size, err := ecdsaSize(key, id)
	if err != nil || size == 0 {
		return sig, err
	}
	var v ecdsaValue
	rest, err := asn1.Unmarshal(sig, &v)
	if err != nil || len(rest) != 0 {
		return nil, errors.New("malformed ECDSA signature")
	}
	if v.R.Sign() < 0 || v.S.Sign() < 0 || v.R.BitLen() > 8*size || v.S.BitLen() > 8*size {
		return nil, errors.New("ECDSA signature out of the curve's range")
	}
	raw := make([]byte, 2*size)
	v.R.FillBytes(raw[:size])
	v.S.FillBytes(raw[size:])
	return raw, nil
}

// FromXML turns the octets of a SignatureValue into CMS form, for key to verify. Octets of the wrong length for an ECDSA
// key are ErrSignature; an algorithm that is not the key's is ErrUnsupported.
func FromXML(key PublicKey, id ID, raw []byte) ([]byte, error) {
	size, err := ecdsaSize(key, id)
	if err != nil || size == 0 {
		return raw, err
	}
	if len(raw) != 2*size {
		return nil, fmt.Errorf("ECDSA signature of %d octets on %s: %w", len(raw), key.Describe(), ErrSignature)
	}
	return asn1.Marshal(ecdsaValue{new(big.Int).SetBytes(raw[:size]), new(big.Int).SetBytes(raw[size:])})
}

// ecdsaSize is the length of r and of s, 0 when id is not an ECDSA algorithm.
func ecdsaSize(key PublicKey, id ID) (int, error) {
	a, ok := Lookup(id)
	if !ok {
		return 0, fmt.Errorf("%q: %w", id, ErrUnsupported)
	}
	if a.family != familyECDSA {
		return 0, nil
	}
	k, ok := key.(*ecdsaKey)
	if !ok {
		return 0, fmt.Errorf("%q with this key: %w", id, ErrUnsupported)
	}
	return (k.key.Params().N.BitLen() + 7) / 8, nil
}
