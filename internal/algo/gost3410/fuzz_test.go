// SPDX-License-Identifier: GPL-3.0-or-later

package gost3410

import (
	"math/big"
	"testing"
)

// FuzzVerify: the plain reference agrees on which points are keys and which signatures are theirs. A private key given
// instead of a point makes valid pairs reachable.
func FuzzVerify(f *testing.F) {
	for i, c := range curvesAll {
		k, digest := generate(f, c()), random(c().Size())
		sig := sign(f, k, digest)
		f.Add(byte(i), k.pub.x, k.pub.y, digest, sig)
		f.Add(byte(i), k.Bytes(), []byte{}, digest, sig)
	}
	f.Fuzz(func(t *testing.T, curve byte, x, y, digest, sig []byte) {
		c := curvesAll[int(curve)%len(curvesAll)]()
		k := fuzzKey(c, x, y)
		if k == nil {
			return
		}
		r := referenceOf(c)
		point := &refPoint{new(big.Int).SetBytes(k.x), new(big.Int).SetBytes(k.y)}
		square := new(big.Int).Mul(point.y, point.y)
		if square.Mod(square, r.p).Cmp(r.right(point.x)) != 0 || r.multiply(r.q, point) != nil {
			t.Fatalf("%s: %x, %x is no key", c.Name(), x, y)
		}
		if got, want := k.Verify(digest, sig), r.verify(c.size, point, digest, sig); got != want {
			t.Fatalf("%s: %v, reference %v", c.Name(), got, want)
		}
	})
}

// fuzzKey is the key with these coordinates, or without y the one of the private key x; nil when there is none.
func fuzzKey(c *Curve, x, y []byte) *PublicKey {
	if len(y) > 0 {
		k, _ := NewPublicKey(c, x, y)
		return k
	}
	d, err := NewPrivateKey(c, x)
	if err != nil {
		return nil
	}
	return d.Public()
}

// verify is GOST R 34.10-2012 section 6.2, step by step.
func (r *reference) verify(size int, key *refPoint, digest, sig []byte) bool {
	if len(digest) != size || len(sig) != 2*size {
		return false
	}
	s, v := new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:])
	for _, n := range []*big.Int{s, v} {
		if n.Sign() == 0 || n.Cmp(r.q) >= 0 {
			return false
		}
	}
	e := new(big.Int).SetBytes(reverse(append([]byte(nil), digest...)))
	if e.Mod(e, r.q).Sign() == 0 {
		e.SetInt64(1)
	}
	e.ModInverse(e, r.q)
	z1 := new(big.Int).Mul(s, e)
	z2 := new(big.Int).Mul(v, e)
	z2.Neg(z2)
	sum := r.add(r.multiply(z1.Mod(z1, r.q), r.g), r.multiply(z2.Mod(z2, r.q), key))
	return sum != nil && new(big.Int).Mod(sum.x, r.q).Cmp(v) == 0
}
