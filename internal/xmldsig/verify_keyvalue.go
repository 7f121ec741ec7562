// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strconv"
	"strings"

	"persten/internal/algo"
)

var (
	oidRSAKey    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidECKey     = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidGOST256   = asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 1}
	oidGOST512   = asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 2}
	oidGOST2001  = asn1.ObjectIdentifier{1, 2, 643, 2, 2, 19}
	oidGOST94Set = asn1.ObjectIdentifier{1, 2, 643, 2, 2, 30, 1} // digestParamSet of keys of 2001
)

// parseKeyValue reads a bare key: RSAKeyValue, ECKeyValue with a named curve, DEREncodedKeyValue (XMLDSig 1.1 section 4.5),
// and the GOST key values of draft-smirnov-xmldsig and of CryptoPro.
func parseKeyValue(e *element) (algo.PublicKey, error) {
	if e.local == "DEREncodedKeyValue" {
		der, err := e.octets("Id")
		if err != nil {
			return nil, err
		}
		return algo.ParsePublicKey(der)
	}
	c := &cursor{of: e}
	if k := c.take(NamespaceDSig, "RSAKeyValue"); k != nil {
		return parseRSAKeyValue(k)
	}
	if k := c.take(NamespaceDSig11, "ECKeyValue"); k != nil {
		return parseECKeyValue(k)
	}
	for _, k := range e.children {
		if k.uri == NamespaceCPXMLSec {
			return parseGOSTKeyValue(k)
		}
	}
	return nil, malformed(e, "no key value that is read here")
}

// publicKey makes a key of the parts of a SubjectPublicKeyInfo.
func publicKey(oid asn1.ObjectIdentifier, parameters any, key []byte) (algo.PublicKey, error) {
	p, err := asn1.Marshal(parameters)
	if err != nil {
		return nil, err
	}
	der, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: p}}, asn1.BitString{Bytes: key, BitLength: 8 * len(key)}})
	if err != nil {
		return nil, err
	}
	return algo.ParsePublicKey(der)
}

func parseRSAKeyValue(e *element) (algo.PublicKey, error) {
	c := &cursor{of: e}
	var numbers [2]*big.Int
	for i, name := range []string{"Modulus", "Exponent"} {
		one, err := c.must(NamespaceDSig, name)
		if err != nil {
			return nil, err
		}
		octets, err := one.octets()
		if err != nil {
			return nil, err
		}
		numbers[i] = new(big.Int).SetBytes(octets)
	}
	key, err := asn1.Marshal(struct{ N, E *big.Int }{numbers[0], numbers[1]})
	if err != nil {
		return nil, err
	}
	return publicKey(oidRSAKey, asn1.NullRawValue, key)
}

func parseECKeyValue(e *element) (algo.PublicKey, error) {
	c := &cursor{of: e}
	curve, err := c.must(NamespaceDSig11, "NamedCurve")
	if err != nil {
		return nil, err
	}
	oid, err := parseURN(curve, curve.attr("URI"))
	if err != nil {
		return nil, err
	}
	point, err := c.must(NamespaceDSig11, "PublicKey")
	if err != nil {
		return nil, err
	}
	octets, err := point.octets()
	if err != nil {
		return nil, err
	}
	return publicKey(oidECKey, oid, octets)
}

// parseGOSTKeyValue reads PublicKeyParameters and PublicKey, or a whole SubjectPublicKeyInfo in place of them.
func parseGOSTKeyValue(e *element) (algo.PublicKey, error) {
	if len(e.children) == 0 {
		der, err := e.octets()
		if err != nil {
			return nil, err
		}
		return algo.ParsePublicKey(der)
	}
	value := e.child(NamespaceCPXMLSec, "PublicKey")
	if value == nil {
		return nil, malformed(e, "no PublicKey")
	}
	octets, err := value.octets()
	if err != nil {
		return nil, err
	}
	key, err := asn1.Marshal(octets)
	if err != nil {
		return nil, err
	}
	sets, err := parameterSets(e.child(NamespaceCPXMLSec, "PublicKeyParameters"))
	if err != nil {
		return nil, err
	}
	oid := oidGOST256
	switch {
	case len(octets) == 128:
		oid = oidGOST512
	case len(sets) > 1 && sets[1].Equal(oidGOST94Set):
		oid = oidGOST2001
	}
	return publicKey(oid, sets, key)
}

// parameterSets reads the curve and, when it is there, the digest of a GOST key.
func parameterSets(e *element) ([]asn1.ObjectIdentifier, error) {
	if e == nil {
		return nil, malformed(&element{local: "KeyValue"}, "no parameters")
	}
	var sets []asn1.ObjectIdentifier
	for _, name := range []string{"publicKeyParamSet", "digestParamSet"} {
		one := e.child(NamespaceCPXMLSec, name)
		if one == nil {
			break
		}
		oid, err := parseURN(one, strings.TrimSpace(one.text.String()))
		if err != nil {
			return nil, err
		}
		sets = append(sets, oid)
	}
	if len(sets) == 0 {
		return nil, malformed(e, "no parameters")
	}
	return sets, nil
}

// parseURN reads urn:oid:1.2.3.
func parseURN(e *element, s string) (asn1.ObjectIdentifier, error) {
	s, ok := strings.CutPrefix(s, "urn:oid:")
	if !ok || len(s) > 128 {
		return nil, malformed(e, "not an object identifier")
	}
	var oid asn1.ObjectIdentifier
	for _, part := range strings.Split(s, ".") {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return nil, malformed(e, "not an object identifier")
		}
		oid = append(oid, int(n))
	}
	return oid, nil
}
