// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"encoding/asn1"
	"math/big"

	"github.com/ddulesov/gogost/gost3410"
)

// curve is one GOST R 34.10 parameter set under one of its names.
type curve struct {
	oid      asn1.ObjectIdentifier
	name     string // of the numbers: two parameter sets with one name are the same curve
	size     int    // bytes of a coordinate
	cofactor int64
	digest   bool // public keys carry digestParamSet (RFC 9215 section 4.2)
	make     func() *gost3410.Curve
}

func tc26(n ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1}, n...)
}

func cryptoPro(n ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 2, 643, 2, 2}, n...)
}

// curves lists the parameter sets in use. The sets meant for tests alone are not here.
var curves = []curve{
	{cryptoPro(35, 1), "CryptoPro-A", 32, 1, true, gost3410.CurveIdGostR34102001CryptoProAParamSet},
	{cryptoPro(35, 2), "CryptoPro-B", 32, 1, true, gost3410.CurveIdGostR34102001CryptoProBParamSet},
	{cryptoPro(35, 3), "CryptoPro-C", 32, 1, true, gost3410.CurveIdGostR34102001CryptoProCParamSet},
	{cryptoPro(36, 0), "CryptoPro-A", 32, 1, true, gost3410.CurveIdGostR34102001CryptoProXchAParamSet},
	{cryptoPro(36, 1), "CryptoPro-C", 32, 1, true, gost3410.CurveIdGostR34102001CryptoProXchBParamSet},
	{tc26(1, 1), "TC26-256-A", 32, 4, false, gost3410.CurveIdtc26gost34102012256paramSetA},
	{tc26(1, 2), "CryptoPro-A", 32, 1, false, gost3410.CurveIdGostR34102001CryptoProAParamSet},
	{tc26(1, 3), "CryptoPro-B", 32, 1, false, gost3410.CurveIdGostR34102001CryptoProBParamSet},
	{tc26(1, 4), "CryptoPro-C", 32, 1, false, gost3410.CurveIdGostR34102001CryptoProCParamSet},
	{tc26(2, 1), "TC26-512-A", 64, 1, false, gost3410.CurveIdtc26gost341012512paramSetA},
	{tc26(2, 2), "TC26-512-B", 64, 1, false, gost3410.CurveIdtc26gost341012512paramSetB},
	{tc26(2, 3), "TC26-512-C", 64, 4, false, gost3410.CurveIdtc26gost34102012512paramSetC},
}

func curveByOID(oid asn1.ObjectIdentifier) (curve, bool) {
	for _, c := range curves {
		if c.oid.Equal(oid) {
			return c, true
		}
	}
	return curve{}, false
}

// mode is gogost's name of the key size.
func (c curve) mode() gost3410.Mode {
	if c.size == 64 {
		return gost3410.Mode2012
	}
	return gost3410.Mode2001
}

// contains reports whether (x, y) is a point of the group of prime order: coordinates below p, the equation holds, and,
// where the curve has a cofactor, q times the point is the neutral element.
func (c curve) contains(x, y *big.Int) bool {
	g := c.make()
	if x.Sign() < 0 || y.Sign() < 0 || x.Cmp(g.P) >= 0 || y.Cmp(g.P) >= 0 {
		return false
	}
	left := new(big.Int).Mul(y, y)
	right := new(big.Int).Mul(x, x)
	right.Add(right, g.A).Mul(right, x).Add(right, g.B)
	if left.Sub(left, right).Mod(left, g.P).Sign() != 0 {
		return false
	}
	return c.cofactor == 1 || multiply(g, g.Q, &point{x, y}) == nil
}

// point is an affine point; nil is the neutral element, which gogost's own arithmetic does not have.
type point struct{ x, y *big.Int }

// multiply returns n times p, in variable time: for public points only.
func multiply(g *gost3410.Curve, n *big.Int, p *point) *point {
	var r *point
	for i := n.BitLen() - 1; i >= 0; i-- {
		r = addPoints(g, r, r)
		if n.Bit(i) == 1 {
			r = addPoints(g, r, p)
		}
	}
	return r
}

func addPoints(g *gost3410.Curve, a, b *point) *point {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	up, down := new(big.Int), new(big.Int)
	if a.x.Cmp(b.x) == 0 {
		if down.Add(a.y, b.y).Mod(down, g.P).Sign() == 0 {
			return nil // b is -a
		}
		up.Mul(a.x, a.x).Mul(up, big.NewInt(3)).Add(up, g.A)
	} else {
		up.Sub(b.y, a.y)
		down.Sub(b.x, a.x).Mod(down, g.P)
	}
	slope := up.Mul(up, down.ModInverse(down, g.P))
	slope.Mod(slope, g.P)
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, a.x).Sub(x, b.x).Mod(x, g.P)
	y := new(big.Int).Sub(a.x, x)
	y.Mul(y, slope).Sub(y, a.y).Mod(y, g.P)
	return &point{x, y}
}
