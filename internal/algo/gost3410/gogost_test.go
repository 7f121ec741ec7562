// SPDX-License-Identifier: GPL-3.0-or-later

package gost3410

import (
	"bytes"
	"crypto/rand"
	"math/big"
	"slices"
	"testing"

	"github.com/ddulesov/gogost/gost3410"
)

// gogostCurve makes the same curve in the other library, whose curves cannot be shared. Its own parameter sets are used
// where it has them, so that ours are compared too.
func gogostCurve(t *testing.T, c *Curve) *gost3410.Curve {
	make, ok := map[*Curve]func() *gost3410.Curve{
		Test256():    gost3410.CurveIdGostR34102001TestParamSet,
		CryptoProA(): gost3410.CurveIdGostR34102001CryptoProXchAParamSet,
		CryptoProB(): gost3410.CurveIdGostR34102001CryptoProBParamSet,
		CryptoProC(): gost3410.CurveIdGostR34102001CryptoProXchBParamSet,
		TC26A256():   gost3410.CurveIdtc26gost34102012256paramSetA,
		TC26A512():   gost3410.CurveIdtc26gost341012512paramSetA,
		TC26B512():   gost3410.CurveIdtc26gost341012512paramSetB,
		TC26C512():   gost3410.CurveIdtc26gost34102012512paramSetC,
	}[c]
	if ok {
		return make()
	}
	r := referenceOf(c)
	g, err := gost3410.NewCurve(c.Name(), r.p, r.q, r.a, r.b, r.g.x, r.g.y, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestGogost signs here and verifies there, and the other way round; keys are compared too. gogost reads a digest as a
// big-endian number.
func TestGogost(t *testing.T) {
	for size, n := range map[int]int{32: cases(25, 10_000), 64: cases(5, 2_000)} {
		var same []*Curve
		for _, c := range curvesAll {
			if c().Size() == size {
				same = append(same, c())
			}
		}
		for i := range n {
			compareGogost(t, same[i%len(same)])
		}
		t.Logf("%d keys and signatures of %d bits agree with gogost", n, 8*size)
	}
}

func compareGogost(t *testing.T, c *Curve) {
	k, digest, mode := generate(t, c), random(c.size), gost3410.Mode(c.size)
	g := gogostCurve(t, c)
	theirs, err := gost3410.NewPrivateKey(g, mode, reverse(k.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	pub, err := theirs.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if pub.X.Cmp(new(big.Int).SetBytes(k.pub.x)) != 0 || pub.Y.Cmp(new(big.Int).SetBytes(k.pub.y)) != 0 {
		t.Fatalf("%s: private key %x: public key %x, %x", c.Name(), k.d, k.pub.x, k.pub.y)
	}
	backwards := reverse(slices.Clone(digest))
	sig := sign(t, k, digest)
	if ok, err := pub.VerifyDigest(backwards, sig); err != nil || !ok {
		t.Fatalf("%s: private key %x, digest %x: gogost refuses %x", c.Name(), k.d, digest, sig)
	}
	if sig, err = theirs.SignDigest(backwards, rand.Reader); err != nil {
		t.Fatal(err)
	}
	if !k.Public().Verify(digest, sig) {
		t.Fatalf("%s: private key %x, digest %x: %x of gogost is refused", c.Name(), k.d, digest, sig)
	}
	sig[1] ^= 4
	if k.Public().Verify(digest, sig) {
		t.Fatalf("%s: private key %x, digest %x: changed %x is accepted", c.Name(), k.d, digest, sig)
	}
}

// TestGogostVKO: gogost leaves the cofactor out, so it gets it with the UKM.
func TestGogostVKO(t *testing.T) {
	onAllCurves(t, func(t *testing.T, c *Curve) {
		a, b := generate(t, c), generate(t, c)
		ukm := []byte{0x1d, 0x80, 0x60, 0x3c, 0x85, 0x44, 0xc7, 0x27}
		n := new(big.Int).SetBytes(reverse(slices.Clone(ukm)))
		n.Mul(n, big.NewInt(referenceOf(c).cofactor))
		mode := gost3410.Mode(c.Size())
		prv, err := gost3410.NewPrivateKey(gogostCurve(t, c), mode, reverse(a.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		pub, err := gost3410.NewPublicKey(prv.C, mode, append(reverse(b.pub.X()), reverse(b.pub.Y())...))
		if err != nil {
			t.Fatal(err)
		}
		want, err := prv.KEK2012256(pub, n)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.VKO256(a.Public(), ukm); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x, %v, gogost %x", got, err, want)
		}
	})
}
