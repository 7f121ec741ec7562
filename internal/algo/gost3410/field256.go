// SPDX-License-Identifier: GPL-3.0-or-later

package gost3410

import (
	"math/big"
	"math/bits"
)

const limbs256 = 256 / 64

// element256 is a number as little-endian words. In the domain of a field that reduces by folding it is any number of
// that many words that is congruent to the value; in the domain of the others it is the value times 2^256, below the
// modulus.
type element256 [limbs256]uint64

// field256 is the arithmetic modulo an odd prime, in constant time except where a name says vartime.
type field256 struct {
	m    element256
	fold uint64     // 2^256 - m where that is one word, else 0
	inv  uint64     // -1/m modulo 2^64, for Montgomery's reduction
	rr   element256 // 2^256 squared, modulo m, for the same
	one  element256 // in the domain
	big  *big.Int   // m
}

func newField256(m *big.Int, fold bool) *field256 {
	f := &field256{m: load256(m), big: m}
	r := new(big.Int).Lsh(big.NewInt(1), 256)
	if fold {
		f.fold = new(big.Int).Sub(r, m).Uint64()
		f.one = element256{1}
		return f
	}
	low := f.m[0]
	f.inv = low // right in 3 bits; each step doubles that
	for range 5 {
		f.inv *= 2 - low*f.inv
	}
	f.inv = -f.inv
	f.one = load256(r.Mod(r, m))
	f.rr = load256(r.Mul(r, r).Mod(r, m))
	return f
}

func (f *field256) mul(z, x, y *element256) {
	if f.fold != 0 {
		mulFold256(z, x, y, f.fold)
	} else {
		mulMont256(z, x, y, &f.m, f.inv)
	}
}

func (f *field256) sqr(z, x *element256) {
	if f.fold != 0 {
		sqrFold256(z, x, f.fold)
	} else {
		mulMont256(z, x, x, &f.m, f.inv)
	}
}

func (f *field256) add(z, x, y *element256) {
	if f.fold != 0 {
		addFold256(z, x, y, f.fold)
	} else {
		addMont256(z, x, y, &f.m)
	}
}

func (f *field256) sub(z, x, y *element256) {
	if f.fold != 0 {
		subFold256(z, x, y, f.fold)
	} else {
		subMont256(z, x, y, &f.m)
	}
}

// enter takes any number of 256 bits into the domain.
func (f *field256) enter(z, x *element256) {
	if f.fold != 0 {
		*z = *x
	} else {
		mulMont256(z, x, &f.rr, &f.m, f.inv)
	}
}

// leave takes a value out of the domain and below the modulus.
func (f *field256) leave(z, x *element256) {
	if f.fold != 0 {
		addMont256(z, x, &element256{}, &f.m)
	} else {
		mulMont256(z, x, &element256{1}, &f.m, f.inv)
	}
}

// reduce sets z to x modulo m, outside the domain.
func (f *field256) reduce(z, x *element256) {
	f.enter(z, x)
	f.leave(z, z)
}

// isZero: 0 has a second form, m, where numbers are folded.
func (f *field256) isZero(x *element256) bool {
	var zero, same uint64
	for i, w := range x {
		zero |= w
		same |= w ^ f.m[i]
	}
	return zero == 0 || f.fold != 0 && same == 0
}

func (f *field256) equal(x, y *element256) bool {
	var v element256
	f.sub(&v, x, y)
	return f.isZero(&v)
}

// less reports whether x, outside the domain, is below the modulus.
func (f *field256) less(x *element256) bool {
	var borrow uint64
	for i := range x {
		_, borrow = bits.Sub64(x[i], f.m[i], borrow)
	}
	return borrow != 0
}

// invert sets z to 1/x, or 0 for 0, as x^(m-2), four bits of the exponent at a time.
func (f *field256) invert(z, x *element256) {
	var powers [16]element256
	powers[0], powers[1] = f.one, *x
	for i := 2; i < len(powers); i++ {
		f.mul(&powers[i], &powers[i-1], x)
	}
	e := f.m
	e[0] -= 2 // no modulus here ends in 1
	r := f.one
	for i := 256 - 4; i >= 0; i -= 4 {
		f.sqr(&r, &r)
		f.sqr(&r, &r)
		f.sqr(&r, &r)
		f.sqr(&r, &r)
		f.mul(&r, &r, &powers[e[i/64]>>(i%64)&15])
	}
	*z = r
}

// invertVartime sets z to 1/x for x other than 0.
func (f *field256) invertVartime(z, x *element256) {
	f.leave(z, x)
	v := store256(z)
	*z = load256(v.ModInverse(v, f.big))
	f.enter(z, z)
}

// choose256 sets z to x when mask is all ones and leaves it when mask is 0.
func choose256(z, x *element256, mask uint64) {
	for i := range z {
		z[i] ^= mask & (z[i] ^ x[i])
	}
}

func load256(n *big.Int) (z element256) {
	z.setBytes(n.FillBytes(make([]byte, 256/8)))
	return z
}

func store256(x *element256) *big.Int { return new(big.Int).SetBytes(x.bytes()) }

// setBytes reads big-endian bytes.
func (z *element256) setBytes(b []byte) {
	for i := range z {
		at := 256/8 - 8*i
		z[i] = bigEndian.Uint64(b[at-8 : at])
	}
}

func (z *element256) bytes() []byte {
	b := make([]byte, 256/8)
	for i, w := range z {
		at := 256/8 - 8*i
		bigEndian.PutUint64(b[at-8:at], w)
	}
	return b
}
