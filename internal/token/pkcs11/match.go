// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"

	p11 "github.com/miekg/pkcs11"
)

// Key types of GOST R 34.10. The 512-bit one is in TC26's vendor range.
const (
	ckkGOST    = p11.CKK_GOSTR3410
	ckkGOST512 = 0xD4321003
	noType     = ^uint(0) // the object does not tell
)

// keyObject is a public or private key seen on the token.
type keyObject struct {
	handle p11.ObjectHandle
	class  uint
	kind   uint // CKA_KEY_TYPE, noType when unknown
	id     []byte
	public []byte // modulus, point or GOST value; nil when the object does not tell
}

type keyObjects []keyObject

// match finds the key of a certificate: the same public key decides; without one to compare, the same id does.
func (ks keyObjects) match(id, spki []byte) (keyObject, bool) {
	all := ks.matches(id, spki)
	if len(all) == 0 {
		return keyObject{}, false
	}
	return all[0], true
}

// matches is like match but returns all keys that the id names, since ids are not unique on every token.
func (ks keyObjects) matches(id, spki []byte) keyObjects {
	forms, kind := publicForms(spki), kindOf(spki)
	var byID keyObjects
	for _, k := range ks {
		switch {
		case k.public != nil && slices.ContainsFunc(forms, func(f []byte) bool { return bytes.Equal(f, canonical(k.public)) }):
			return keyObjects{k}
		case k.public == nil && len(id) > 0 && bytes.Equal(k.id, id) && k.maybe(kind):
			byID = append(byID, k)
		}
	}
	return byID
}

// unnamed are the keys that neither an id nor a public part ties to anything else: one of them may be the key.
func (ks keyObjects) unnamed(spki []byte) keyObjects {
	kind := kindOf(spki)
	var out keyObjects
	for _, k := range ks {
		if k.public == nil && k.maybe(kind) {
			out = append(out, k)
		}
	}
	return out
}

// maybe reports whether the key can be of the kind. Vendors disagree on the type of 512-bit GOST keys.
func (k keyObject) maybe(kind uint) bool {
	gost := func(n uint) bool { return n == ckkGOST || n == ckkGOST512 }
	return k.kind == noType || kind == noType || k.kind == kind || gost(k.kind) && gost(kind)
}

// keyIndex answers for many certificates what match answers for one.
type keyIndex struct {
	public map[string]int // by canonical public part
	id     map[string]int // of keys without one
	keys   keyObjects
}

func index(keys keyObjects) keyIndex {
	x := keyIndex{public: map[string]int{}, id: map[string]int{}, keys: keys}
	for n, k := range keys {
		switch {
		case k.public != nil:
			x.public[string(canonical(k.public))] = n
		case len(k.id) > 0:
			x.id[string(k.id)] = n
		}
	}
	return x
}

// find returns the position of the key of a certificate, -1 when it is not there.
func (x keyIndex) find(id, spki []byte) int {
	for _, f := range publicForms(spki) {
		if n, ok := x.public[string(f)]; ok {
			return n
		}
	}
	if n, ok := x.id[string(id)]; ok && len(id) > 0 && x.keys[n].maybe(kindOf(spki)) {
		return n
	}
	return -1
}

// canonical strips what tokens add to a public part or leave out: an OCTET STRING header, leading zeros.
func canonical(public []byte) []byte { return bytes.TrimLeft(unwrapOctets(public), "\x00") }

type subjectKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.BitString
}

// publicForms lists the canonical ways a token may spell the public key in spki. GOST tokens hold x and y with the least
// byte first, as the certificate does; some turn each of them round, or the whole, or put an uncompressed point's 04 before.
func publicForms(spki []byte) [][]byte {
	var s subjectKey
	if _, err := asn1.Unmarshal(spki, &s); err != nil {
		return nil
	}
	var rsa struct{ N, E *big.Int }
	if _, err := asn1.Unmarshal(s.Key.Bytes, &rsa); err == nil {
		return [][]byte{rsa.N.Bytes()}
	}
	raw := unwrapOctets(s.Key.Bytes)
	forms := [][]byte{raw}
	if n := len(raw); n > 0 && n%2 == 0 {
		whole := slices.Clone(raw)
		slices.Reverse(whole) // BE(y) BE(x)
		halves := slices.Concat(whole[n/2:], whole[:n/2])
		forms = append(forms, halves, slices.Concat([]byte{4}, halves), slices.Concat([]byte{4}, raw), whole)
	}
	for i, f := range forms {
		forms[i] = bytes.TrimLeft(f, "\x00")
	}
	return forms
}

// publicSizes are the lengths of what an OCTET STRING holds: GOST keys, uncompressed points, Edwards keys. A bare point begins
// with 04 as an OCTET STRING does, and now and then its second byte would be the right length: no such inside is listed here.
var publicSizes = []int{64, 128, 65, 97, 133, 32, 57}

// unwrapOctets strips one DER OCTET STRING header where there is one.
func unwrapOctets(b []byte) []byte {
	if len(b) == 0 || b[0] != asn1.TagOctetString {
		return b
	}
	var inner []byte
	if rest, err := asn1.Unmarshal(b, &inner); err == nil && len(rest) == 0 && slices.Contains(publicSizes, len(inner)) {
		return inner
	}
	return b
}

// kindOf is the CKA_KEY_TYPE a token gives the private key of spki.
func kindOf(spki []byte) uint {
	var s subjectKey
	if _, err := asn1.Unmarshal(spki, &s); err != nil {
		return noType
	}
	for _, k := range []struct {
		oid  asn1.ObjectIdentifier
		kind uint
	}{{oidRSA, p11.CKK_RSA}, {oidEC, p11.CKK_EC}, {oidGOST2001, ckkGOST}, {oidGOST256, ckkGOST}, {oidGOST512, ckkGOST512}} {
		if s.Algorithm.Algorithm.Equal(k.oid) {
			return k.kind
		}
	}
	return noType
}

var (
	oidRSA      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidEC       = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidGOST2001 = asn1.ObjectIdentifier{1, 2, 643, 2, 2, 19}
	oidGOST256  = asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 1}
	oidGOST512  = asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 2}
)

// spkiOf cuts the SubjectPublicKeyInfo out of a certificate; nil when there is none.
func spkiOf(der []byte) []byte {
	var c struct {
		TBS struct {
			Version                              int `asn1:"optional,explicit,default:0,tag:0"`
			Serial                               *big.Int
			Algorithm, Issuer, Validity, Subject asn1.RawValue
			SPKI                                 asn1.RawValue
		}
		Algorithm, Signature asn1.RawValue
	}
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		return nil
	}
	return c.TBS.SPKI.FullBytes
}
