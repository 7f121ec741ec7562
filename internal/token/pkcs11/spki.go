// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/algo"
)

// GOST attributes of key objects: DER of object identifiers.
const (
	ckaGOSTParams       = p11.CKA_GOSTR3410_PARAMS
	ckaGOSTParamsVendor = 0xD4321004 // older headers, for 512-bit keys
)

var errKeyKind = errors.New("key object of an unknown kind")

// spki builds the SubjectPublicKeyInfo of a key object, so that a key without a certificate has the same id in whatever
// module it is seen.
func (l *library) spki(h p11.SessionHandle, k keyObject) ([]byte, error) {
	switch k.kind {
	case p11.CKK_RSA:
		e, err := l.attribute(h, k.handle, p11.CKA_PUBLIC_EXPONENT)
		if err != nil {
			return nil, err
		}
		return rsaSPKI(k.public, e)
	case p11.CKK_EC:
		params, err := l.attribute(h, k.handle, p11.CKA_EC_PARAMS)
		if err != nil {
			return nil, err
		}
		return marshalSPKI(oidEC, params, unwrapOctets(k.public))
	case ckkGOST, ckkGOST512:
		params, err := l.attribute(h, k.handle, ckaGOSTParams)
		if err != nil {
			params, err = l.attribute(h, k.handle, ckaGOSTParamsVendor)
		}
		if err != nil {
			return nil, err
		}
		return gostSPKI(params, k.public)
	}
	return nil, errKeyKind
}

func rsaSPKI(n, e []byte) ([]byte, error) {
	key, err := asn1.Marshal(struct{ N, E *big.Int }{new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)})
	if err != nil {
		return nil, err
	}
	return marshalSPKI(oidRSA, []byte{asn1.TagNull, 0}, key)
}

// gostSPKI names parameter sets by their first names, and adds the digest where RFC 9215 section 4.2 wants it.
func gostSPKI(params, value []byte) ([]byte, error) {
	var set asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params, &set); err != nil || len(rest) > 0 {
		return nil, errors.New("GOST parameters are not an object identifier")
	}
	set = gostSet(set)
	raw := unwrapOctets(value)
	oid := oidGOST256
	p := struct {
		Set    asn1.ObjectIdentifier
		Digest asn1.ObjectIdentifier `asn1:"optional"`
	}{Set: set}
	switch {
	case len(raw) == 128:
		oid = oidGOST512
	case len(raw) != 64:
		return nil, errors.New("GOST public key of a wrong length")
	case len(set) > 3 && set[3] == 2: // one of CryptoPro's
		p.Digest = asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 2, 2}
	}
	der, err := asn1.Marshal(p)
	if err != nil {
		return nil, err
	}
	return gostPoint(oid, der, raw)
}

// gostPoint finds the order of the bytes in which they are a point of the curve; the least first is the standard's.
func gostPoint(oid asn1.ObjectIdentifier, params, raw []byte) ([]byte, error) {
	whole := slices.Clone(raw)
	slices.Reverse(whole)
	half := len(raw) / 2
	for _, try := range [][]byte{raw, slices.Concat(whole[half:], whole[:half]), whole} {
		point, err := asn1.Marshal(try)
		if err != nil {
			return nil, err
		}
		spki, err := marshalSPKI(oid, params, point)
		if err != nil {
			return nil, err
		}
		if _, err := algo.ParsePublicKey(spki); err == nil {
			return spki, nil
		}
	}
	return nil, errors.New("GOST public key is not a point of its curve")
}

// gostAliases are the other names of CryptoPro's parameter sets.
var gostAliases = []struct{ name, first asn1.ObjectIdentifier }{
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 1, 2}, asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 1}},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 1, 3}, asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 2}},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 1, 4}, asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 3}},
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 36, 0}, asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 1}},
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 36, 1}, asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 3}},
}

func gostSet(oid asn1.ObjectIdentifier) asn1.ObjectIdentifier {
	for _, a := range gostAliases {
		if a.name.Equal(oid) {
			return a.first
		}
	}
	return oid
}

func marshalSPKI(oid asn1.ObjectIdentifier, params, key []byte) ([]byte, error) {
	return asn1.Marshal(subjectKey{
		Algorithm: pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: params}},
		Key:       asn1.BitString{Bytes: key, BitLength: 8 * len(key)},
	})
}
