// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// maxRSA bounds the modulus: checking a signature costs time that grows with its cube.
const maxRSA = 8192

// parseStandardKey reads the keys the standard library knows.
func parseStandardKey(s *spki) (PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(s.Raw)
	if err != nil {
		if curve := namedCurve(s); curve != nil && !knownCurve(curve) {
			return nil, fmt.Errorf("public key on curve %v: %w", curve, ErrUnsupported)
		}
		return nil, fmt.Errorf("public key: %w", err)
	}
	return wrapStandardKey(key, s.Raw)
}

func wrapStandardKey(key any, der []byte) (PublicKey, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() > maxRSA {
			return nil, fmt.Errorf("public key: RSA of %d bits: %w", k.N.BitLen(), ErrUnsupported)
		}
		return &rsaKey{key: k, spki: der}, nil
	case *ecdsa.PublicKey:
		if ecdsaOrder[k.Curve.Params().Name] == nil {
			return nil, fmt.Errorf("public key on %s: %w", k.Curve.Params().Name, ErrUnsupported)
		}
		return &ecdsaKey{key: k, spki: der}, nil
	case ed25519.PublicKey:
		return &ed25519Key{key: k, spki: der}, nil
	default:
		return nil, fmt.Errorf("public key %T: %w", key, ErrUnsupported)
	}
}

// namedCurve returns the curve OID of an EC key, nil when the parameters are not a name.
func namedCurve(s *spki) asn1.ObjectIdentifier {
	var oid asn1.ObjectIdentifier
	if !s.Algorithm.Algorithm.Equal(oidEC) {
		return nil
	}
	if _, err := asn1.Unmarshal(s.Algorithm.Parameters.FullBytes, &oid); err != nil {
		return nil
	}
	return oid
}

func knownCurve(oid asn1.ObjectIdentifier) bool {
	for _, c := range []asn1.ObjectIdentifier{{1, 2, 840, 10045, 3, 1, 7}, {1, 3, 132, 0, 34}, {1, 3, 132, 0, 35}} {
		if c.Equal(oid) {
			return true
		}
	}
	return false
}

type rsaKey struct {
	key  *rsa.PublicKey
	spki []byte
}

func (k *rsaKey) Algorithms() []ID {
	ids := []ID{RSASHA256, RSASHA384, RSASHA512}
	for _, a := range table {
		if a.PSS && pssFits(k.key, a.Digest) {
			ids = append(ids, a.ID)
		}
	}
	return append(ids, RSASHA1)
}
func (k *rsaKey) SPKI() []byte     { return k.spki }
func (k *rsaKey) Describe() string { return fmt.Sprintf("RSA %d", k.key.N.BitLen()) }

func (k *rsaKey) Equal(o PublicKey) bool {
	p, ok := o.(*rsaKey)
	return ok && k.key.Equal(p.key)
}

func (k *rsaKey) Verify(id ID, in Input, sig []byte) error {
	a, digest, err := digestFor(id, familyRSA, in)
	if err != nil {
		return err
	}
	hash := cryptoHash[a.Digest]
	if a.PSS {
		err = rsa.VerifyPSS(k.key, hash, digest, sig, pssOptions(a.Digest))
	} else {
		err = rsa.VerifyPKCS1v15(k.key, hash, digest, sig)
	}
	if err != nil {
		return ErrSignature
	}
	return nil
}

// cryptoHash is the standard library's name of a digest; it has none for GOST.
var cryptoHash = map[Digest]crypto.Hash{
	SHA1: crypto.SHA1, SHA256: crypto.SHA256, SHA384: crypto.SHA384, SHA512: crypto.SHA512,
}

type ecdsaKey struct {
	key  *ecdsa.PublicKey
	spki []byte
}

// ecdsaOrder lists the algorithms of each curve, the one of matching strength first.
var ecdsaOrder = map[string][]ID{
	elliptic.P256().Params().Name: {ECDSASHA256, ECDSASHA384, ECDSASHA512},
	elliptic.P384().Params().Name: {ECDSASHA384, ECDSASHA512, ECDSASHA256},
	elliptic.P521().Params().Name: {ECDSASHA512, ECDSASHA384, ECDSASHA256},
}

func (k *ecdsaKey) Algorithms() []ID {
	return append([]ID(nil), ecdsaOrder[k.key.Curve.Params().Name]...)
}
func (k *ecdsaKey) SPKI() []byte     { return k.spki }
func (k *ecdsaKey) Describe() string { return "ECDSA " + k.key.Curve.Params().Name }

func (k *ecdsaKey) Equal(o PublicKey) bool {
	p, ok := o.(*ecdsaKey)
	return ok && k.key.Equal(p.key)
}

func (k *ecdsaKey) Verify(id ID, in Input, sig []byte) error {
	_, digest, err := digestFor(id, familyECDSA, in)
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(k.key, digest, sig) {
		return ErrSignature
	}
	return nil
}

type rsaPrivate struct {
	key *rsa.PrivateKey
	pub PublicKey
}

func (k *rsaPrivate) Public() PublicKey { return k.pub }

func (k *rsaPrivate) Sign(rand io.Reader, id ID, in Input) ([]byte, error) {
	a, digest, err := digestFor(id, familyRSA, in)
	switch {
	case err != nil:
		return nil, err
	case a.Legacy:
		return nil, fmt.Errorf("%s is for reading alone: %w", id, ErrUnsupported)
	case k.key == nil:
		return nil, errWiped
	case a.PSS:
		return rsa.SignPSS(rand, k.key, cryptoHash[a.Digest], digest, pssOptions(a.Digest))
	}
	return rsa.SignPKCS1v15(nil, k.key, cryptoHash[a.Digest], digest)
}

// Wipe clears the numbers the key was made of. The standard library keeps precomputed copies it gives no access to.
func (k *rsaPrivate) Wipe() {
	if k.key == nil {
		return
	}
	wipeInt(k.key.D)
	for _, p := range k.key.Primes {
		wipeInt(p)
	}
	k.key = nil
}

type ecdsaPrivate struct {
	key *ecdsa.PrivateKey
	pub PublicKey
}

func (k *ecdsaPrivate) Public() PublicKey { return k.pub }

func (k *ecdsaPrivate) Sign(rand io.Reader, id ID, in Input) ([]byte, error) {
	_, digest, err := digestFor(id, familyECDSA, in)
	if err != nil {
		return nil, err
	}
	if k.key == nil {
		return nil, errWiped
	}
	return ecdsa.SignASN1(rand, k.key, digest)
}

func (k *ecdsaPrivate) Wipe() {
	if k.key != nil {
		wipeInt(k.key.D)
		k.key = nil
	}
}

var errWiped = errors.New("private key was wiped")

// wipeInt zeroes the words behind n.
func wipeInt(n *big.Int) {
	if n == nil {
		return
	}
	clear(n.Bits()[:cap(n.Bits())])
	n.SetInt64(0)
}
