// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"

	"github.com/ddulesov/gogost/gost3410"
	"github.com/ddulesov/gogost/gost34112012256"
	"github.com/ddulesov/gogost/gost34112012512"
)

func TestTable(t *testing.T) {
	seen := map[ID]bool{}
	for _, a := range All() {
		if seen[a.ID] || a.Digest.Size() == 0 || a.Name == "" || a.Mechanism == 0 != (a.Legacy || a.Pure) {
			t.Errorf("row %+v", a)
		}
		seen[a.ID] = true
		for _, id := range a.signerIdentifiers() {
			if got, ok := SignerAlgorithm(id, a.Digest); !ok || got.ID != a.ID {
				t.Errorf("SignerAlgorithm(%v, %s) = %s", id, a.Digest, got.ID)
			}
		}
		if got, ok := CertificateAlgorithm(a.CertificateOID); ok == (a.PSS || a.CertificateOID == nil) || ok && got.ID != a.ID {
			t.Errorf("CertificateAlgorithm(%v) = %s", a.CertificateOID, got.ID)
		}
		if d, ok := DigestByOID(a.Digest.OID()); !ok || d != a.Digest {
			t.Errorf("DigestByOID(%v) = %s", a.Digest.OID(), d)
		}
	}
	if _, ok := SignerAlgorithm(pkix.AlgorithmIdentifier{Algorithm: oidRSASHA256}, SHA512); ok {
		t.Error("an OID with one digest goes with another")
	}
	for _, oid := range []asn1.ObjectIdentifier{nil, oidRSA, {1, 2, 840, 113549, 1, 1, 5}} {
		if a, ok := SignerAlgorithm(pkix.AlgorithmIdentifier{Algorithm: oid}, SHA1); ok {
			t.Errorf("%v with SHA-1 is %s", oid, a.ID)
		}
	}
	if len(seen) != 14 {
		t.Errorf("%d algorithms", len(seen))
	}
}

// signerIdentifiers are the ways a SignerInfo may name a.
func (a Algorithm) signerIdentifiers() []pkix.AlgorithmIdentifier {
	switch {
	case a.SignatureOID == nil:
		return nil
	case a.PSS:
		return []pkix.AlgorithmIdentifier{a.SignerIdentifier()}
	}
	return []pkix.AlgorithmIdentifier{a.SignerIdentifier(), {Algorithm: a.KeyOID}, {Algorithm: a.CertificateOID}}
}

// kinds makes one key of every kind in the product.
func kinds(t testing.TB) map[string]PrivateKey {
	t.Helper()
	keys := map[string]PrivateKey{}
	for _, kind := range []string{"rsa2048", "p256", "gost256", "gost512"} {
		k, err := GenerateKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		keys[kind] = k
	}
	for _, c := range []elliptic.Curve{elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if keys[c.Params().Name], err = wrapPrivate(k); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range curves {
		k, err := generateNamed(c.oid)
		if err != nil {
			t.Fatal(err)
		}
		keys[c.name+" "+c.oid.String()] = k
	}
	return keys
}

// TestKeys takes every kind of key through signing, checking, encoding and reading back.
func TestKeys(t *testing.T) {
	for kind, k := range kinds(t) {
		t.Run(kind, func(t *testing.T) {
			pub, err := ParsePublicKey(k.Public().SPKI())
			if err != nil {
				t.Fatal(err)
			}
			if !pub.Equal(k.Public()) || pub.Describe() != k.Public().Describe() {
				t.Error("the key read back is another one")
			}
			der, err := MarshalPKCS8(k)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParsePKCS8(der)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range Signing(pub) {
				signAndCheck(t, again, pub, id)
			}
			checkWipe(t, k)
		})
	}
}

func signAndCheck(t *testing.T, k PrivateKey, pub PublicKey, id ID) {
	a, _ := Lookup(id)
	msg := []byte("message")
	in := Input{Digest: a.Digest.Sum(msg)}
	sig, err := k.Sign(rand.Reader, id, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.Verify(id, in, sig); err != nil {
		t.Errorf("%s: %v", id, err)
	}
	if err := pub.Verify(id, Input{Message: msg}, sig); err != nil {
		t.Errorf("%s by message: %v", id, err)
	}
	for _, i := range []int{0, len(sig) / 2, len(sig) - 1} {
		bad := slices.Clone(sig)
		bad[i] ^= 1
		if err := pub.Verify(id, in, bad); !errors.Is(err, ErrSignature) {
			t.Errorf("%s with bit %d flipped: %v", id, 8*i, err)
		}
	}
	for _, bad := range [][]byte{nil, sig[1:], append(slices.Clone(sig), 0), make([]byte, len(sig))} {
		if err := pub.Verify(id, in, bad); !errors.Is(err, ErrSignature) {
			t.Errorf("%s with %d wrong bytes: %v", id, len(bad), err)
		}
	}
	if err := pub.Verify(id, Input{Message: []byte("massage")}, sig); !errors.Is(err, ErrSignature) {
		t.Errorf("%s over another message: %v", id, err)
	}
	if _, err := k.Sign(rand.Reader, id, Input{Digest: make([]byte, a.Digest.Size()+1)}); !errors.Is(err, ErrInput) {
		t.Errorf("%s over a long digest: %v", id, err)
	}
	if _, err := k.Sign(rand.Reader, id, Input{}); !errors.Is(err, ErrInput) {
		t.Errorf("%s over nothing: %v", id, err)
	}
	if err := pub.Verify("rsa-md5", in, sig); !errors.Is(err, ErrUnsupported) {
		t.Errorf("unknown algorithm: %v", err)
	}
}

func checkWipe(t *testing.T, k PrivateKey) {
	t.Helper()
	var words []big.Word
	switch k := k.(type) {
	case *rsaPrivate:
		words = k.key.D.Bits()
	case *ecdsaPrivate:
		words = k.key.D.Bits()
	}
	k.Wipe()
	if slices.ContainsFunc(words, func(w big.Word) bool { return w != 0 }) {
		t.Error("the secret is still in memory")
	}
	id := k.Public().Algorithms()[0]
	if _, err := k.Sign(rand.Reader, id, Input{Message: []byte("x")}); err == nil {
		t.Error("a wiped key signs")
	}
	if _, err := MarshalPKCS8(k); err == nil {
		t.Error("a wiped key is written")
	}
	k.Wipe()
}

// TestGogost signs here and checks with gogost, and the other way round, over its own hash.
func TestGogost(t *testing.T) {
	for _, c := range curves {
		h, mode := gost34112012256.New(), gost3410.Mode2001
		if c.size == 64 {
			h, mode = gost34112012512.New(), gost3410.Mode2012
		}
		h.Write([]byte("differential"))
		digest := h.Sum(nil)
		k, err := generateGOST(rand.Reader, c)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := gost3410.NewPrivateKey(gogostCurve(c), mode, reversed(k.key.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		sig, err := theirs.SignDigest(reversed(digest), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Public().Verify(c.id(), Input{Digest: digest}, sig); err != nil {
			t.Errorf("%s: theirs refused: %v", c.name, err)
		}
		if sig, err = k.Sign(rand.Reader, c.id(), Input{Digest: digest}); err != nil {
			t.Fatal(err)
		}
		pub, err := gost3410.NewPublicKey(gogostCurve(c), mode, k.pub.(*gostKey).raw())
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := pub.VerifyDigest(reversed(digest), sig); err != nil || !ok {
			t.Errorf("%s: ours refused: %v", c.name, err)
		}
	}
}

// TestAliases: one point under two names of its curve is one key.
func TestAliases(t *testing.T) {
	a, _ := curveByOID(cryptoPro(35, 1))
	b, _ := curveByOID(tc26(1, 2))
	d, _ := curveByOID(tc26(1, 3))
	secret := make([]byte, 32)
	rand.Read(secret[1:]) // below the order of each of the three
	k, err := newGOSTPrivate(a, secret)
	if err != nil {
		t.Fatal(err)
	}
	same, err := newGOSTPrivate(b, secret)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newGOSTPrivate(d, secret)
	if err != nil {
		t.Fatal(err)
	}
	if !k.pub.Equal(same.pub) || bytes.Equal(k.pub.SPKI(), same.pub.SPKI()) {
		t.Error("aliases differ")
	}
	if k.pub.Equal(other.pub) {
		t.Error("different curves are equal")
	}
}

// TestBadPoints: points off the curve and coordinates beyond p are refused. The package below is tested with more.
func TestBadPoints(t *testing.T) {
	for _, c := range curves {
		g := gogostCurve(c)
		for what, p := range map[string][2]*big.Int{
			"off the curve": {g.X, new(big.Int).Add(g.Y, big.NewInt(1))},
			"zero":          {new(big.Int), new(big.Int)},
			"x plus p":      {new(big.Int).Add(g.X, g.P), g.Y},
		} {
			if p[0].BitLen() > 8*c.size {
				continue // does not fit the encoding at all
			}
			der, err := marshalGOSTKey(c, p[0].FillBytes(make([]byte, c.size)), p[1].FillBytes(make([]byte, c.size)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParsePublicKey(der); err == nil || errors.Is(err, ErrUnsupported) {
				t.Errorf("%s: point %s: %v", c.name, what, err)
			}
		}
	}
}

// TestConcurrent shares one key among goroutines.
func TestConcurrent(t *testing.T) {
	for _, kind := range []string{"gost256", "gost512"} {
		k, err := GenerateKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		id := k.Public().Algorithms()[0]
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for j := range 12 {
					in := Input{Message: fmt.Appendf(nil, "%d %d", i, j)}
					sig, err := k.Sign(rand.Reader, id, in)
					if err != nil {
						t.Error(err)
						return
					}
					if err := k.Public().Verify(id, in, sig); err != nil {
						t.Errorf("%s %d %d: %v", kind, i, j, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestUnsupportedKeys(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := publicOf(&p224.PublicKey); !errors.Is(err, ErrUnsupported) {
		t.Errorf("P-224: %v", err)
	}
	big9000 := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 9000, 1), E: 65537}
	if _, err := publicOf(big9000); !errors.Is(err, ErrUnsupported) {
		t.Errorf("RSA 9001: %v", err)
	}
	x25519 := []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00, 31: 1, 43: 2}
	if _, err := ParsePublicKey(x25519); !errors.Is(err, ErrUnsupported) {
		t.Errorf("X25519: %v", err)
	}
	k, err := Opaque(x25519)
	if err != nil {
		t.Fatal(err)
	}
	if len(k.Algorithms()) != 0 || k.Verify(RSASHA256, Input{Message: []byte("x")}, nil) == nil || k.Describe() != "1.3.101.110" || !k.Equal(k) {
		t.Errorf("opaque key %s", k.Describe())
	}
}

func TestFromPKCS11(t *testing.T) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := publicOf(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 { // short numbers and high bits come by chance
		digest := SHA256.Sum([]byte("x"))
		r, s, err := ecdsa.Sign(rand.Reader, k, digest)
		if err != nil {
			t.Fatal(err)
		}
		raw := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		sig, err := FromPKCS11(ECDSASHA256, raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := pub.Verify(ECDSASHA256, Input{Digest: digest}, sig); err != nil {
			t.Error(err)
		}
	}
	for _, raw := range [][]byte{nil, {1, 2, 3}, make([]byte, 64), make([]byte, 200)} {
		if _, err := FromPKCS11(ECDSASHA256, raw); err == nil {
			t.Errorf("%d bytes accepted", len(raw))
		}
	}
	if sig, err := FromPKCS11(GOST256, []byte{1, 2}); err != nil || !bytes.Equal(sig, []byte{1, 2}) {
		t.Errorf("GOST changed: %x %v", sig, err)
	}
	if _, err := FromPKCS11("x", nil); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
}

func TestMechanismInput(t *testing.T) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	digest := SHA256.Sum([]byte("x"))
	a, _ := Lookup(RSASHA256)
	in, err := a.MechanismInput(digest)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := rsa.SignPKCS1v15(nil, k, 0, in) // what CKM_RSA_PKCS does
	if err != nil {
		t.Fatal(err)
	}
	pub, err := publicOf(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.Verify(RSASHA256, Input{Digest: digest}, sig); err != nil {
		t.Error(err)
	}
	if _, err := a.MechanismInput(digest[1:]); !errors.Is(err, ErrInput) {
		t.Errorf("short digest: %v", err)
	}
	e, _ := Lookup(ECDSASHA256)
	if in, err := e.MechanismInput(digest); err != nil || !bytes.Equal(in, digest) {
		t.Errorf("ECDSA: %x %v", in, err)
	}
}

// TestGOSTForms reads one key in every form met in files, and refuses those that contradict themselves.
func TestGOSTForms(t *testing.T) {
	for _, oid := range []asn1.ObjectIdentifier{cryptoPro(35, 1), tc26(1, 1), tc26(2, 1)} {
		c, _ := curveByOID(oid)
		k, err := generateGOST(rand.Reader, c)
		if err != nil {
			t.Fatal(err)
		}
		q, d := gogostCurve(c).Q, new(big.Int).SetBytes(k.key.Bytes())
		mask := big.NewInt(12345)
		masked := new(big.Int).Mul(d, new(big.Int).ModInverse(mask, q))
		bare, point := toLittleEndian(d, c.size), k.pub.(*gostKey).raw()
		both := append(toLittleEndian(masked.Mod(masked, q), c.size), toLittleEndian(mask, c.size)...)
		pair := func(a, b []byte) any { return struct{ A, B []byte }{a, b} }
		for name, v := range map[string]struct {
			form any
			ok   bool
		}{
			"bytes": {nil, true}, "string": {bare, true}, "integer": {d, true}, "masked": {both, true},
			"with public": {pair(both, point), true}, "with another public": {pair(both, reversed(point)), false},
			"zero": {make([]byte, c.size), false}, "order": {q, false}, "short": {bare[1:], false}, "negative": {big.NewInt(-5), false},
			"many masks": {bytes.Repeat(bare, maxMasks+2), false}, "boolean": {true, false},
		} {
			inner := bare
			if v.form != nil {
				if inner, err = asn1.Marshal(v.form); err != nil {
					t.Fatal(err)
				}
			}
			id, err := c.identifier()
			if err != nil {
				t.Fatal(err)
			}
			der, err := asn1.Marshal(privateKeyInfo{Algorithm: id, Key: inner})
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParsePKCS8(der)
			if (err == nil) != v.ok || err == nil && !got.Public().Equal(k.pub) {
				t.Errorf("%s, %s: %v", c.name, name, err)
			}
		}
	}
}
