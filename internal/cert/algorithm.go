// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// Algorithm is the kind of a certificate's key as people name it.
type Algorithm struct {
	Key          string // stable: "rsa" "ecdsa" "gost2012" "gost2001" "ed25519", or "" for a kind without a name here
	Bits         int    // 0 when not known
	ParameterSet string // name of the curve, such as "CryptoPro-A", "TC26-256-B", "P-256"; the dotted OID of one not known here; "" when there is none
	OID          string // of the key
}

type keyKind struct {
	oid  asn1.ObjectIdentifier
	key  string
	bits int
}

var keyKinds = []keyKind{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, "rsa", 0},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, "ecdsa", 0},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 1}, "gost2012", 256},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 2}, "gost2012", 512},
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 19}, "gost2001", 256},
	{asn1.ObjectIdentifier{1, 3, 101, 112}, "ed25519", 256},
}

type parameterSet struct {
	oid  asn1.ObjectIdentifier
	name string
	bits int
}

// parameterSets names curves as the key states them: two of these names may be the same curve.
var parameterSets = []parameterSet{
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 0}, "CryptoPro-Test", 256},
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 1}, "CryptoPro-A", 256},
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 2}, "CryptoPro-B", 256},
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 3}, "CryptoPro-C", 256},
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 36, 0}, "CryptoPro-XchA", 256},
	{asn1.ObjectIdentifier{1, 2, 643, 2, 2, 36, 1}, "CryptoPro-XchB", 256},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 1, 1}, "TC26-256-A", 256},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 1, 2}, "TC26-256-B", 256},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 1, 3}, "TC26-256-C", 256},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 1, 4}, "TC26-256-D", 256},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 2, 0}, "TC26-512-Test", 512},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 2, 1}, "TC26-512-A", 512},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 2, 2}, "TC26-512-B", 512},
	{asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 2, 3}, "TC26-512-C", 512},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 33}, "P-224", 224},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, "P-256", 256},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 34}, "P-384", 384},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 35}, "P-521", 521},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 10}, "secp256k1", 256},
	{asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 7}, "brainpoolP256r1", 256},
	{asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 11}, "brainpoolP384r1", 384},
	{asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 13}, "brainpoolP512r1", 512},
}

// Algorithm describes the key. It can be filled in for keys that verify nothing here, such as Ed25519.
func (c *Certificate) Algorithm() Algorithm {
	var v struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.X509.RawSubjectPublicKeyInfo, &v); err != nil {
		return Algorithm{}
	}
	a := Algorithm{OID: cut(v.Algorithm.Algorithm.String())}
	for _, k := range keyKinds {
		if k.oid.Equal(v.Algorithm.Algorithm) {
			a.Key, a.Bits = k.key, k.bits
		}
	}
	if k, ok := c.X509.PublicKey.(*rsa.PublicKey); ok {
		a.Bits = k.N.BitLen()
	}
	if a.Key == "ecdsa" || a.Key == "gost2012" || a.Key == "gost2001" {
		a.parameters(v.Algorithm.Parameters.FullBytes)
	}
	return a
}

// parameters reads a named curve: an OID, or the first of the GOST parameters' sequence (RFC 9215 section 4.2).
func (a *Algorithm) parameters(der []byte) {
	var set asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(der, &set); err != nil {
		var p struct {
			Set  asn1.ObjectIdentifier
			Rest asn1.RawValue `asn1:"optional"`
		}
		if _, err := asn1.Unmarshal(der, &p); err != nil {
			return
		}
		set = p.Set
	}
	a.ParameterSet = cut(set.String())
	for _, s := range parameterSets {
		if s.oid.Equal(set) {
			a.ParameterSet, a.Bits = s.name, s.bits
		}
	}
}
