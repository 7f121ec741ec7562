// SPDX-License-Identifier: GPL-3.0-or-later

package gost3410

import (
	"math/big"
	"testing"
)

func testField256(t *testing.T, f *field256, numbers []*big.Int) {
	t.Helper()
	check := func(name string, got *element256, want *big.Int) {
		t.Helper()
		f.leave(got, got)
		if want.Mod(want, f.big); store256(got).Cmp(want) != 0 {
			t.Fatalf("%s modulo %x: %x, want %x", name, f.big, store256(got), want)
		}
	}
	for _, a := range numbers {
		var x element256
		av := load256(a)
		f.enter(&x, &av)
		if f.isZero(&x) != (new(big.Int).Mod(a, f.big).Sign() == 0) || f.less(&av) != (a.Cmp(f.big) < 0) {
			t.Fatalf("%x modulo %x", a, f.big)
		}
		var z element256
		f.sqr(&z, &x)
		check("square", &z, new(big.Int).Mul(a, a))
		f.invert(&z, &x)
		inverse := new(big.Int)
		if !f.isZero(&x) {
			inverse.ModInverse(a, f.big)
		}
		check("inverse", &z, inverse)
		for _, b := range numbers {
			var y element256
			y = load256(b)
			f.enter(&y, &y)
			f.mul(&z, &x, &y)
			check("product", &z, new(big.Int).Mul(a, b))
			f.add(&z, &x, &y)
			check("sum", &z, new(big.Int).Add(a, b))
			f.sub(&z, &x, &y)
			check("difference", &z, new(big.Int).Sub(a, b))
			z = x
			f.mul(&z, &z, &y)
			f.mul(&y, &x, &y)
			if !f.equal(&z, &y) {
				t.Fatal("a result written over a factor differs")
			}
		}
	}
}
