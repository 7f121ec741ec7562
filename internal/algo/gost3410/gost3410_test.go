// SPDX-License-Identifier: GPL-3.0-or-later

package gost3410

import (
	"bytes"
	"crypto/rand"
	"errors"
	"math/big"
	"os"
	"slices"
	"sync"
	"testing"
)

// onAllCurves runs f for every parameter set.
func onAllCurves(t *testing.T, f func(*testing.T, *Curve)) {
	for _, c := range curvesAll {
		t.Run(c().Name(), func(t *testing.T) { f(t, c()) })
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func generate(t testing.TB, c *Curve) *PrivateKey {
	t.Helper()
	k, err := GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, k *PrivateKey, digest []byte) []byte {
	t.Helper()
	sig, err := k.Sign(rand.Reader, digest)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// cases is the number of repetitions: few usually, the full count with PERSTEN_LONG=1.
func cases(short, long int) int {
	if os.Getenv("PERSTEN_LONG") != "" {
		return long
	}
	return short
}

// TestScalars compares multiplication by the base and by a point with the plain reference, at the numbers where windows and
// carries end, and at the numbers whose last addition is a doubling.
func TestScalars(t *testing.T) {
	onAllCurves(t, func(t *testing.T, c *Curve) {
		r := referenceOf(c)
		for _, n := range hardScalars(c, r.q) {
			want := r.multiply(n, r.g)
			d := n.FillBytes(make([]byte, c.size))
			k, err := NewPrivateKey(c, d)
			if err != nil {
				t.Fatal(err)
			}
			if x, y := want.bytes(c); !bytes.Equal(k.Public().X(), x) || !bytes.Equal(k.Public().Y(), y) {
				t.Errorf("%x times the base is %x, want %x", n, k.Public().X(), x)
			}
			testAgree(t, k, r, n)
		}
	})
}

// testAgree multiplies the generator as if it were a peer's key, so that the same numbers are hard.
func testAgree(t *testing.T, k *PrivateKey, r *reference, n *big.Int) {
	c := k.pub.curve
	inverse := new(big.Int).ModInverse(big.NewInt(r.cofactor), r.q)
	one := inverse.FillBytes(make([]byte, c.size)) // takes the cofactor back
	x, y := r.g.bytes(c)
	g, err := NewPublicKey(c, x, y)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.Agree(g, reverse(one))
	if err != nil {
		t.Fatal(err)
	}
	if want := append(reverse(k.Public().X()), reverse(k.Public().Y())...); !bytes.Equal(got, want) {
		t.Errorf("%x times a point is %x, want %x", n, got, want)
	}
}

func hardScalars(c *Curve, q *big.Int) (list []*big.Int) {
	windows := (q.BitLen() + 4) / 5
	step := new(big.Int).Lsh(big.NewInt(1), uint(5*(windows-1)))
	add := func(n *big.Int) {
		if n.Mod(n, q); n.Sign() > 0 {
			list = append(list, n, new(big.Int).Sub(q, n))
		}
	}
	for i := int64(1); i <= 34; i++ {
		add(big.NewInt(i))
		if i%2 == 1 {
			add(new(big.Int).Mul(step, big.NewInt(2*i))) // twice the last term of the base
			add(big.NewInt(2 * i))                       // plus or minus q: twice the last digit of a product
		}
	}
	for range 3 {
		add(new(big.Int).SetBytes(random(c.size)))
	}
	return list
}

// TestVKOCofactor: on curves with a cofactor the product has it; elsewhere it is the product.
func TestVKOCofactor(t *testing.T) {
	onAllCurves(t, func(t *testing.T, c *Curve) {
		r, a, b := referenceOf(c), generate(t, c), generate(t, c)
		ukm := random(8)
		ukm[0] |= 1
		n := new(big.Int).SetBytes(a.Bytes())
		n.Mul(n, new(big.Int).SetBytes(reverse(slices.Clone(ukm)))).Mul(n, big.NewInt(r.cofactor)).Mod(n, r.q)
		x, y := r.multiply(n, &refPoint{new(big.Int).SetBytes(b.pub.x), new(big.Int).SetBytes(b.pub.y)}).bytes(c)
		want := append(reverse(x), reverse(y)...)
		for _, pair := range [][2]*PrivateKey{{a, b}, {b, a}} {
			if got, err := pair[0].Agree(pair[1].Public(), ukm); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%x, %v, want %x", got, err, want)
			}
		}
	})
	if _, err := generate(t, CryptoProA()).Agree(generate(t, CryptoProB()).Public(), nil); err == nil {
		t.Error("keys of two curves agree")
	}
}

// TestBadPoints: what is no point of the group of order q is no key.
func TestBadPoints(t *testing.T) {
	onAllCurves(t, func(t *testing.T, c *Curve) {
		r := referenceOf(c)
		any := func(*refPoint) bool { return true }
		bad := map[string]*refPoint{
			"off the curve":   {r.g.x, new(big.Int).Add(r.g.y, big.NewInt(1))},
			"zero":            {new(big.Int), new(big.Int)},
			"x plus p":        {new(big.Int).Add(r.g.x, r.p), r.g.y},
			"y plus p":        {r.g.x, new(big.Int).Add(r.g.y, r.p)},
			"minus y, plus p": {r.g.x, new(big.Int).Sub(new(big.Int).Lsh(r.p, 1), r.g.y)},
			"of the twist":    r.find(t, true, any),
		}
		if r.cofactor != 1 {
			outside := r.find(t, false, func(v *refPoint) bool { return r.multiply(r.q, v) != nil })
			bad["of order 4q or 2q"] = outside
			bad["of order 4 or 2"] = r.multiply(r.q, outside)
			two := new(big.Int).Mul(r.q, big.NewInt(2))
			bad["of order 2"] = r.find(t, false, func(v *refPoint) bool { return r.multiply(two, v) != nil })
			bad["of order 2"] = r.multiply(two, bad["of order 2"])
			if bad["of order 2"].y.Sign() != 0 {
				t.Errorf("%x is not of order 2", bad["of order 2"].y)
			}
		}
		for what, v := range bad {
			if v == nil {
				if what != "of the twist" || c != CryptoProB() && c != Test256() {
					t.Errorf("no point %s found", what)
				}
				continue // p is 1 modulo 4: minus a square is a square
			}
			if v.x.BitLen() > 8*c.size || v.y.BitLen() > 8*c.size {
				continue // does not fit the bytes at all
			}
			x, y := v.bytes(c)
			if _, err := NewPublicKey(c, x, y); !errors.Is(err, ErrPoint) {
				t.Errorf("point %s: %v", what, err)
			}
		}
		x, y := r.g.bytes(c)
		for _, short := range [][2][]byte{{x[1:], y}, {x, y[1:]}, {nil, nil}, {append([]byte{0}, x...), y}} {
			if _, err := NewPublicKey(c, short[0], short[1]); !errors.Is(err, ErrPoint) {
				t.Errorf("coordinates of %d and %d bytes: %v", len(short[0]), len(short[1]), err)
			}
		}
		if _, err := NewPublicKey(c, x, y); err != nil {
			t.Errorf("the generator is refused: %v", err)
		}
	})
}

func TestBadScalars(t *testing.T) {
	onAllCurves(t, func(t *testing.T, c *Curve) {
		q := new(big.Int).SetBytes(c.Order())
		for _, n := range []*big.Int{new(big.Int), q, new(big.Int).Add(q, big.NewInt(1))} {
			if _, err := NewPrivateKey(c, n.FillBytes(make([]byte, c.size))); !errors.Is(err, ErrScalar) {
				t.Errorf("private key %x: %v", n, err)
			}
		}
		for _, d := range [][]byte{nil, random(c.size - 1), append([]byte{0}, generate(t, c).d...), bytes.Repeat([]byte{255}, c.size)} {
			if _, err := NewPrivateKey(c, d); !errors.Is(err, ErrScalar) {
				t.Errorf("private key of %d bytes: %v", len(d), err)
			}
		}
	})
}

// TestBadSignatures: r and s out of range, changed bits, swapped halves, other lengths, another digest or key.
func TestBadSignatures(t *testing.T) {
	onAllCurves(t, func(t *testing.T, c *Curve) {
		k, digest := generate(t, c), random(c.size)
		sig := sign(t, k, digest)
		s, r := sig[:c.size], sig[c.size:]
		if !k.Public().Verify(digest, sig) {
			t.Fatal("a good signature is refused")
		}
		refuse := func(what string, digest, sig []byte) {
			t.Helper()
			if k.Public().Verify(digest, sig) {
				t.Errorf("accepted: %s", what)
			}
		}
		q := new(big.Int).SetBytes(c.Order())
		var edges [][]byte
		for _, n := range []*big.Int{new(big.Int), q, new(big.Int).Add(q, big.NewInt(1)), big.NewInt(1), new(big.Int).Sub(q, big.NewInt(1))} {
			edges = append(edges, n.FillBytes(make([]byte, c.size)))
		}
		edges = append(edges, bytes.Repeat([]byte{255}, c.size))
		for i, a := range edges {
			refuse("s at the edge", digest, slices.Concat(a, r))
			refuse("r at the edge", digest, slices.Concat(s, a))
			for _, b := range edges[i:] {
				refuse("both at the edge", digest, slices.Concat(a, b))
				refuse("both at the edge", digest, slices.Concat(b, a))
			}
		}
		for _, half := range [][]byte{s, r} {
			if n := new(big.Int).Add(new(big.Int).SetBytes(half), q); n.BitLen() <= 8*c.size {
				more := n.FillBytes(make([]byte, c.size))
				refuse("plus q", digest, bytes.Replace(sig, half, more, 1))
			}
		}
		for i := range sig {
			bad := slices.Clone(sig)
			bad[i] ^= 1 << (i % 8)
			refuse("a bit changed", digest, bad)
		}
		refuse("halves swapped", digest, slices.Concat(r, s))
		refuse("empty", digest, nil)
		refuse("short", digest, sig[1:])
		refuse("long", digest, append(slices.Clone(sig), 0))
		refuse("short digest", digest[1:], sig)
		refuse("long digest", append(slices.Clone(digest), 0), sig)
		refuse("another digest", random(c.size), sig)
		refuse("a digest backwards", reverse(slices.Clone(digest)), sig)
		k = generate(t, c)
		refuse("another key", digest, sig)
	})
}

// TestDigests that are 0 modulo q count as 1.
func TestDigests(t *testing.T) {
	onAllCurves(t, func(t *testing.T, c *Curve) {
		k := generate(t, c)
		one := append([]byte{1}, make([]byte, c.size-1)...)
		for _, digest := range [][]byte{make([]byte, c.size), reverse(c.Order()), one} {
			sig := sign(t, k, digest)
			for _, same := range [][]byte{digest, one} {
				if !k.Public().Verify(same, sig) {
					t.Errorf("a signature of %x is refused for %x", digest, same)
				}
			}
		}
		if _, err := k.Sign(rand.Reader, random(c.size-1)); err == nil {
			t.Error("a short digest is signed")
		}
	})
}

// TestNonce: the same randomness gives the same signature for the same digest and key, and no repeated r otherwise. Fresh
// randomness gives another signature. Without randomness nothing is signed.
func TestNonce(t *testing.T) {
	onAllCurves(t, func(t *testing.T, c *Curve) {
		k, other := generate(t, c), generate(t, c)
		digest := random(c.size)
		fixed := func(k *PrivateKey, digest []byte) []byte {
			sig, err := k.Sign(bytes.NewReader(make([]byte, 32)), digest)
			if err != nil {
				t.Fatal(err)
			}
			return sig
		}
		sig := fixed(k, digest)
		if !bytes.Equal(sig, fixed(k, digest)) {
			t.Error("the nonce depends on something else")
		}
		for what, again := range map[string][]byte{
			"digest": fixed(k, random(c.size)), "key": fixed(other, digest), "randomness": sign(t, k, digest),
		} {
			if bytes.Equal(sig[c.size:], again[c.size:]) {
				t.Errorf("another %s has the same nonce", what)
			}
		}
		if _, err := k.Sign(bytes.NewReader(make([]byte, 31)), digest); err == nil {
			t.Error("signed without randomness")
		}
		if c.sign(k.d, digest, make([]byte, 2*c.size)) != nil {
			t.Error("a nonce of zero signs")
		}
	})
}

func TestWipe(t *testing.T) {
	k := generate(t, CryptoProA())
	d := k.d
	k.Wipe()
	if slices.ContainsFunc(d, func(b byte) bool { return b != 0 }) || k.Bytes() != nil {
		t.Error("the secret is still there")
	}
	if _, err := k.Sign(rand.Reader, random(32)); !errors.Is(err, ErrWiped) {
		t.Errorf("sign: %v", err)
	}
	if _, err := k.Agree(k.Public(), nil); !errors.Is(err, ErrWiped) {
		t.Errorf("agree: %v", err)
	}
	k.Wipe()
}

// TestShared uses one key object from 16 goroutines, with signatures both good and bad, and a second key that is first used
// by all of them at once.
func TestShared(t *testing.T) {
	n := cases(400, 100_000)
	for _, c := range []*Curve{CryptoProA(), TC26A512()} {
		k, fresh := generate(t, c), generate(t, c).Public()
		var digests, sigs [8][]byte
		for i := range digests {
			digests[i] = random(c.size)
			sigs[i] = sign(t, k, digests[i])
		}
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				if fresh.Verify(digests[0], sigs[0]) {
					t.Error("another key accepts")
				}
				for i := range n / 16 {
					d, s := (g+i)%8, (g+i*i)%8
					if k.Public().Verify(digests[d], sigs[s]) != (d == s) {
						t.Errorf("digest %d, signature %d: wrong answer", d, s)
					}
				}
			})
		}
		wg.Wait()
		t.Logf("%s: %d verifications of 16 goroutines with one key", c.Name(), n/16*16)
		if c.size == 32 && n > 1000 {
			n /= 4 // the larger curve is as much slower
		}
	}
}
