// SPDX-License-Identifier: GPL-3.0-or-later

package gost3410

import (
	"math/big"
	"testing"
)

// reference is a curve in the plainest form: affine points, math/big. nil is the neutral element.
type reference struct {
	p, q, a, b *big.Int
	g          *refPoint
	cofactor   int64
}

type refPoint struct{ x, y *big.Int }

func referenceOf(c *Curve) *reference {
	r := &reference{q: new(big.Int).SetBytes(c.Order())}
	var a, b []byte
	switch g := c.group.(type) {
	case *group256:
		r.p, r.cofactor = g.p.big, int64(g.cofactor)
		a, b = g.export(&affine256{g.a, g.b})
		x, y := g.export(&g.g)
		r.g = &refPoint{new(big.Int).SetBytes(x), new(big.Int).SetBytes(y)}
	case *group512:
		r.p, r.cofactor = g.p.big, int64(g.cofactor)
		a, b = g.export(&affine512{g.a, g.b})
		x, y := g.export(&g.g)
		r.g = &refPoint{new(big.Int).SetBytes(x), new(big.Int).SetBytes(y)}
	}
	r.a, r.b = new(big.Int).SetBytes(a), new(big.Int).SetBytes(b)
	return r
}

func (r *reference) add(v, w *refPoint) *refPoint {
	if v == nil || w == nil {
		if v == nil {
			return w
		}
		return v
	}
	up, down := new(big.Int), new(big.Int)
	if v.x.Cmp(w.x) == 0 {
		if down.Add(v.y, w.y).Mod(down, r.p).Sign() == 0 {
			return nil
		}
		up.Mul(v.x, v.x).Mul(up, big.NewInt(3)).Add(up, r.a)
	} else {
		up.Sub(w.y, v.y)
		down.Sub(w.x, v.x).Mod(down, r.p)
	}
	up.Mul(up, down.ModInverse(down, r.p)).Mod(up, r.p)
	x := new(big.Int).Mul(up, up)
	x.Sub(x, v.x).Sub(x, w.x).Mod(x, r.p)
	y := new(big.Int).Sub(v.x, x)
	y.Mul(y, up).Sub(y, v.y).Mod(y, r.p)
	return &refPoint{x, y}
}

func (r *reference) multiply(k *big.Int, v *refPoint) (sum *refPoint) {
	for i := k.BitLen() - 1; i >= 0; i-- {
		if sum = r.add(sum, sum); k.Bit(i) == 1 {
			sum = r.add(sum, v)
		}
	}
	return sum
}

// right is x³ + ax + b.
func (r *reference) right(x *big.Int) *big.Int {
	v := new(big.Int).Mul(x, x)
	v.Add(v, r.a).Mul(v, x).Add(v, r.b)
	return v.Mod(v, r.p)
}

// find returns a point of the curve, or with twist one of the curve with another y², that satisfies want.
func (r *reference) find(t *testing.T, twist bool, want func(*refPoint) bool) *refPoint {
	for i := int64(2); i < 400; i++ {
		x := big.NewInt(i)
		v := r.right(x)
		if twist {
			v.Mul(v, big.NewInt(-1)).Mod(v, r.p)
		}
		if y := new(big.Int).ModSqrt(v, r.p); y != nil && (!twist || big.Jacobi(r.right(x), r.p) < 0) {
			if p := (&refPoint{x, y}); want(p) {
				return p
			}
		}
	}
	return nil
}

// bytes are the coordinates as NewPublicKey takes them.
func (v *refPoint) bytes(c *Curve) (x, y []byte) {
	return v.x.FillBytes(make([]byte, c.size)), v.y.FillBytes(make([]byte, c.size))
}
