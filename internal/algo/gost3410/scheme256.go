// SPDX-License-Identifier: GPL-3.0-or-later

package gost3410

import (
	"math/bits"
	"sync"
)

// public256 is a point of the group, with the multiples that verification wants once it was asked for.
type public256 struct {
	group     *group256
	point     affine256
	multiples func() []affine256
}

func (c *group256) order() []byte { return c.q.m.bytes() }

// export returns the coordinates as big-endian bytes.
func (c *group256) export(v *affine256) (x, y []byte) {
	var w affine256
	c.p.leave(&w.x, &v.x)
	c.p.leave(&w.y, &v.y)
	return w.x.bytes(), w.y.bytes()
}

// public checks coordinates: below p, on the curve, in the group of order q.
func (c *group256) public(x, y []byte) (public, error) {
	k := &public256{group: c}
	for z, b := range map[*element256][]byte{&k.point.x: x, &k.point.y: y} {
		z.setBytes(b)
		if !c.p.less(z) {
			return nil, ErrPoint
		}
		c.p.enter(z, z)
	}
	if !c.contains(&k.point) || !c.hasOrderQ(&k.point) {
		return nil, ErrPoint
	}
	k.multiples = sync.OnceValue(func() []affine256 { return c.oddMultiples(&k.point, 1<<(narrowWindow-2)) })
	return k, nil
}

// hasOrderQ is true of every point of the curve when the cofactor is 1. Otherwise it multiplies by q, in variable time,
// with additions that hold for all points and no table, whose making would not.
func (c *group256) hasOrderQ(v *affine256) bool {
	if c.cofactor == 1 {
		return true
	}
	var digits [256 + 1]int8
	var r point256
	for i := nonAdjacent256(&digits, &c.q.m, 2) - 1; i >= 0; i-- {
		c.double(&r, &r)
		if digits[i] != 0 {
			c.addVartime(&r, v, digits[i] < 0)
		}
	}
	return c.p.isZero(&r.z)
}

// validScalar reports whether d is from 1 to q-1, in constant time but for the answer.
func (c *group256) validScalar(d []byte) bool {
	var k element256
	k.setBytes(d)
	defer clear(k[:])
	return c.q.less(&k) && k != element256{}
}

// derive returns d·g.
func (c *group256) derive(d []byte) (x, y []byte) {
	var k element256
	k.setBytes(d)
	defer clear(k[:])
	var r point256
	c.multiplyBase(&r, k)
	var v affine256
	c.affine(&v, &r)
	return c.export(&v)
}

// digestNumber reads the digest as RFC 7091 with RFC 9215 has it: the bytes of the hash, lowest first, modulo q, 0 taken as 1.
func (c *group256) digestNumber(digest []byte) (e element256) {
	for i := range e {
		e[i] = littleEndian.Uint64(digest[8*i:])
	}
	c.q.reduce(&e, &e)
	if (e == element256{}) {
		e[0] = 1
	}
	return e
}

// sign makes s‖r with a nonce reduced from twice as many random bytes as a number has. It returns nil in the cases, of
// no real probability, that ask for another nonce.
func (c *group256) sign(d, digest, random []byte) []byte {
	k := c.q.wide(random)
	if (k == element256{}) {
		return nil
	}
	var point point256
	c.multiplyBase(&point, k)
	var v affine256
	c.affine(&v, &point)
	c.p.leave(&v.x, &v.x)
	q := c.q
	var r, s, t, key element256
	key.setBytes(d)
	e := c.digestNumber(digest)
	q.enter(&r, &v.x)
	q.enter(&key, &key)
	q.mul(&s, &r, &key)
	q.enter(&t, &k)
	q.enter(&e, &e)
	q.mul(&t, &t, &e)
	q.add(&s, &s, &t)
	q.leave(&s, &s)
	q.leave(&r, &r)
	clear(k[:])
	clear(t[:])
	clear(key[:])
	if (r == element256{}) || (s == element256{}) {
		return nil
	}
	return append(s.bytes(), r.bytes()...)
}

// wide reduces twice as many bytes as a number has.
func (f *field256) wide(b []byte) (z element256) {
	var high, low element256
	high.setBytes(b[:256/8])
	low.setBytes(b[256/8:])
	f.enter(&high, &high) // which is times 2^256
	f.reduce(&low, &low)
	f.add(&z, &high, &low)
	clear(high[:])
	clear(low[:])
	return z
}

// verify checks s‖r, in variable time.
func (k *public256) verify(digest, sig []byte) bool {
	c, q := k.group, k.group.q
	var r, s element256
	s.setBytes(sig[:256/8])
	r.setBytes(sig[256/8:])
	if !q.less(&r) || !q.less(&s) || (r == element256{}) || (s == element256{}) {
		return false
	}
	v := c.digestNumber(digest)
	q.enter(&v, &v)
	q.invertVartime(&v, &v)
	var z1, z2, t element256
	q.mul(&z1, &s, &v) // one factor in the domain: the product is outside
	q.sub(&t, &element256{}, &r)
	q.mul(&z2, &t, &v)
	sum := c.sumVartime(&z1, &z2, k.multiples())
	return !c.p.isZero(&sum.z) && c.xIs(&sum, r)
}

// xIs reports whether the x of v is r modulo q: whether one of the numbers r, r+q, r+2q, ... below p is x.
func (c *group256) xIs(v *point256, r element256) bool {
	f := c.p
	var zz, t element256
	f.sqr(&zz, &v.z)
	for f.less(&r) {
		f.enter(&t, &r)
		f.mul(&t, &t, &zz)
		if f.equal(&t, &v.x) {
			return true
		}
		var carry uint64
		for i := range r {
			r[i], carry = bits.Add64(r[i], c.q.m[i], carry)
		}
		if carry != 0 {
			break
		}
	}
	return false
}

// agree returns cofactor·ukm·d times the point, or nothing when the factor is 0. ukm has as many bytes as a number.
func (k *public256) agree(d, ukm []byte) (x, y []byte) {
	c, q := k.group, k.group.q
	var key, factor element256
	key.setBytes(d)
	factor.setBytes(ukm)
	defer clear(key[:])
	q.enter(&key, &key)
	q.enter(&factor, &factor)
	q.mul(&key, &key, &factor)
	for range c.cofactor / 2 { // 1 or 4
		q.add(&key, &key, &key)
	}
	q.leave(&key, &key)
	if (key == element256{}) {
		return nil, nil
	}
	var r point256
	c.multiply(&r, &k.point, key)
	var v affine256
	c.affine(&v, &r)
	return c.export(&v)
}
