// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"encoding/asn1"

	"persten/internal/algo/gost3410"
)

// curve is one GOST R 34.10 parameter set under one of its names.
type curve struct {
	oid    asn1.ObjectIdentifier
	name   string // of the numbers: two parameter sets with one name are the same curve
	size   int    // bytes of a coordinate
	digest bool   // public keys carry digestParamSet (RFC 9215 section 4.2)
	set    func() *gost3410.Curve
}

func tc26(n ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1}, n...)
}

func cryptoPro(n ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 2, 643, 2, 2}, n...)
}

// curves lists the parameter sets in use. The sets meant for tests alone are not here.
var curves = []curve{
	{cryptoPro(35, 1), "CryptoPro-A", 32, true, gost3410.CryptoProA},
	{cryptoPro(35, 2), "CryptoPro-B", 32, true, gost3410.CryptoProB},
	{cryptoPro(35, 3), "CryptoPro-C", 32, true, gost3410.CryptoProC},
	{cryptoPro(36, 0), "CryptoPro-A", 32, true, gost3410.CryptoProA},
	{cryptoPro(36, 1), "CryptoPro-C", 32, true, gost3410.CryptoProC},
	{tc26(1, 1), "TC26-256-A", 32, false, gost3410.TC26A256},
	{tc26(1, 2), "CryptoPro-A", 32, false, gost3410.CryptoProA},
	{tc26(1, 3), "CryptoPro-B", 32, false, gost3410.CryptoProB},
	{tc26(1, 4), "CryptoPro-C", 32, false, gost3410.CryptoProC},
	{tc26(2, 1), "TC26-512-A", 64, false, gost3410.TC26A512},
	{tc26(2, 2), "TC26-512-B", 64, false, gost3410.TC26B512},
	{tc26(2, 3), "TC26-512-C", 64, false, gost3410.TC26C512},
}

func curveByOID(oid asn1.ObjectIdentifier) (curve, bool) {
	for _, c := range curves {
		if c.oid.Equal(oid) {
			return c, true
		}
	}
	return curve{}, false
}
