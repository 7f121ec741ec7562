// SPDX-License-Identifier: GPL-3.0-or-later

// Package gost3410 is the signature GOST R 34.10-2012 (RFC 7091, ISO/IEC 14888-3) and the key agreement VKO (RFC 7836), on
// the curves of 256 and 512 bits in use. GOST R 34.10-2001 is the same computation on the same curves of 256 bits.
//
// # Bytes
//
// Coordinates and private keys are big-endian, as many bytes as Curve.Size. A digest is what the hash function returns,
// which is read as a little-endian number. A signature is big-endian s followed by big-endian r, as in CMS.
//
// # Time
//
// Sign, Agree and NewPrivateKey take time that does not depend on the private key or the nonce: in this package neither
// branches nor addresses come from them. The hash behind the nonce and VKO looks the key up in tables where package
// streebog has no assembly. Verify and NewPublicKey work on public values and hurry. The Go language cannot promise that no
// copy of a secret stays in memory; Wipe clears the one that lives as long as the key.
//
// Unrolled portable code is all there is: multiplication with MULX and ADX was tried and made signing and verification 12
// to 19 percent faster, which is not worth a second path.
//
// # Nonce
//
// The nonce is HMAC-Streebog-512 under the private key over fresh random bytes and the digest. So a broken random source
// repeats at most a signature, never a nonce with another digest, and a fault repeated does not meet the same nonce.
//
// # Concurrency
//
// Curves and public keys are immutable. Private keys are too, except for Wipe.
package gost3410

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"persten/internal/algo/streebog"
)

//go:generate go run gen.go

// Errors a caller may branch on.
var (
	// ErrPoint means coordinates of no point of the group: beyond p, off the curve, or of another order.
	ErrPoint = errors.New("point is not in the group of the curve")
	// ErrScalar means a private key that is 0 or not below the order of the group.
	ErrScalar = errors.New("private key is out of range")
	// ErrWiped means a private key after Wipe.
	ErrWiped = errors.New("private key was wiped")
)

var (
	bigEndian    = binary.BigEndian
	littleEndian = binary.LittleEndian
)

// Windows of the digits in verification: the generator has a table made once, a key gets one when it is first used.
const (
	wideWindow   = 8
	narrowWindow = 5
)

// Curve is a parameter set. There is one value of each: Curves can be compared with ==.
type Curve struct {
	name string
	size int
	group
}

// group is the arithmetic of one size. Byte strings have that size.
type group interface {
	order() []byte
	public(x, y []byte) (public, error)
	validScalar(d []byte) bool
	derive(d []byte) (x, y []byte)
	sign(d, digest, random []byte) []byte
}

type public interface {
	verify(digest, sig []byte) bool
	agree(d, ukm []byte) (x, y []byte)
}

func newCurve256(s spec) *Curve { return &Curve{name: s.name, size: 32, group: newGroup256(s)} }
func newCurve512(s spec) *Curve { return &Curve{name: s.name, size: 64, group: newGroup512(s)} }

// Name is the identifier of the parameter set in its RFC.
func (c *Curve) Name() string { return c.name }

// Size is the length of a coordinate and of a private key in bytes, 32 or 64; signatures are twice as long.
func (c *Curve) Size() int { return c.size }

// Order returns the order of the group, q.
func (c *Curve) Order() []byte { return c.order() }

// PublicKey is a point of the group.
type PublicKey struct {
	curve *Curve
	x, y  []byte
	point public
}

// NewPublicKey checks that (x, y) is a point of the group, for curves with a cofactor by a multiplication. The error
// wraps ErrPoint.
func NewPublicKey(c *Curve, x, y []byte) (*PublicKey, error) {
	if len(x) != c.size || len(y) != c.size {
		return nil, fmt.Errorf("%s: coordinates of %d and %d bytes: %w", c.name, len(x), len(y), ErrPoint)
	}
	p, err := c.public(x, y)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return &PublicKey{c, bytes.Clone(x), bytes.Clone(y), p}, nil
}

// Curve returns the parameter set of the key.
func (k *PublicKey) Curve() *Curve { return k.curve }

// X returns the first coordinate.
func (k *PublicKey) X() []byte { return bytes.Clone(k.x) }

// Y returns the second coordinate.
func (k *PublicKey) Y() []byte { return bytes.Clone(k.y) }

// Equal reports whether the keys are the same point of the same curve.
func (k *PublicKey) Equal(o *PublicKey) bool {
	return k.curve == o.curve && bytes.Equal(k.x, o.x) && bytes.Equal(k.y, o.y)
}

// Verify reports whether sig is a signature of digest, which must have Size bytes; whatever has another length is not.
func (k *PublicKey) Verify(digest, sig []byte) bool {
	return len(digest) == k.curve.size && len(sig) == 2*k.curve.size && k.point.verify(digest, sig)
}

// PrivateKey is a number below the order of the group, and the public key made from it.
type PrivateKey struct {
	pub *PublicKey
	d   []byte // nil once wiped
}

// NewPrivateKey computes the public key. It keeps a copy of d. The error wraps ErrScalar.
func NewPrivateKey(c *Curve, d []byte) (*PrivateKey, error) {
	if len(d) != c.size || !c.validScalar(d) {
		return nil, fmt.Errorf("%s: %w", c.name, ErrScalar)
	}
	x, y := c.derive(d)
	pub, err := NewPublicKey(c, x, y)
	if err != nil {
		return nil, err
	}
	return &PrivateKey{pub, bytes.Clone(d)}, nil
}

// GenerateKey takes numbers from rand until one is in range.
func GenerateKey(c *Curve, rand io.Reader) (*PrivateKey, error) {
	d := make([]byte, c.size)
	defer clear(d)
	for {
		if _, err := io.ReadFull(rand, d); err != nil {
			return nil, fmt.Errorf("generate key: %w", err)
		}
		if c.validScalar(d) {
			return NewPrivateKey(c, d)
		}
	}
}

// Public returns the public key.
func (k *PrivateKey) Public() *PublicKey { return k.pub }

// Bytes returns a copy of the private key, nil when it was wiped. The caller wipes it.
func (k *PrivateKey) Bytes() []byte { return bytes.Clone(k.d) }

// Wipe forgets the secret. The key must not be in use.
func (k *PrivateKey) Wipe() {
	clear(k.d)
	k.d = nil
}

// Sign signs a digest of Size bytes. rand must be a cryptographic source; see the package comment on the nonce.
func (k *PrivateKey) Sign(rand io.Reader, digest []byte) ([]byte, error) {
	c := k.pub.curve
	if k.d == nil {
		return nil, ErrWiped
	}
	if len(digest) != c.size {
		return nil, fmt.Errorf("%s: digest of %d bytes", c.name, len(digest))
	}
	var fresh [32]byte
	if _, err := io.ReadFull(rand, fresh[:]); err != nil {
		return nil, fmt.Errorf("nonce: %w", err)
	}
	for try := byte(0); ; try++ {
		random := k.nonce(&fresh, digest, try)
		sig := c.sign(k.d, digest, random)
		clear(random)
		if sig != nil {
			return sig, nil
		}
	}
}

// nonce returns twice as many bytes as the nonce has, so that their remainder modulo q is as good as even.
func (k *PrivateKey) nonce(fresh *[32]byte, digest []byte, try byte) []byte {
	out := make([]byte, 0, 2*k.pub.curve.size)
	for block := byte(0); len(out) < cap(out); block++ {
		h := hmac.New(streebog.New512, k.d)
		h.Write([]byte{try, block})
		h.Write(fresh[:])
		h.Write(digest)
		out = h.Sum(out)
	}
	return out
}

// Agree returns K(x, y, UKM) of RFC 7836 section 4.3 as it is hashed there: little-endian x, little-endian y of cofactor·
// ukm·d times the peer's point. ukm is a little-endian number other than 0, no longer than a coordinate; it is absent
// where the RFC takes 1.
func (k *PrivateKey) Agree(peer *PublicKey, ukm []byte) ([]byte, error) {
	c := k.pub.curve
	if k.d == nil {
		return nil, ErrWiped
	}
	if peer.curve != c || len(ukm) > c.size {
		return nil, fmt.Errorf("%s: key agreement with a key of %s and %d bytes of UKM", c.name, peer.curve.name, len(ukm))
	}
	factor := make([]byte, c.size)
	copy(factor, ukm)
	if len(ukm) == 0 {
		factor[0] = 1
	}
	x, y := peer.point.agree(k.d, reverse(factor))
	if x == nil {
		return nil, fmt.Errorf("%s: UKM is zero", c.name)
	}
	return append(reverse(x), reverse(y)...), nil
}

// VKO256 is VKO_GOSTR3410_2012_256.
func (k *PrivateKey) VKO256(peer *PublicKey, ukm []byte) ([]byte, error) {
	return k.vko(peer, ukm, streebog.New256)
}

// VKO512 is VKO_GOSTR3410_2012_512, for curves of 512 bits.
func (k *PrivateKey) VKO512(peer *PublicKey, ukm []byte) ([]byte, error) {
	if k.pub.curve.size != 64 {
		return nil, fmt.Errorf("%s: a key of 512 bits is not agreed on with a shorter curve", k.pub.curve.name)
	}
	return k.vko(peer, ukm, streebog.New512)
}

func (k *PrivateKey) vko(peer *PublicKey, ukm []byte, start func() hash.Hash) ([]byte, error) {
	point, err := k.Agree(peer, ukm)
	if err != nil {
		return nil, err
	}
	defer clear(point)
	h := start()
	h.Write(point)
	return h.Sum(nil), nil
}

func reverse(b []byte) []byte {
	slices.Reverse(b)
	return b
}
