// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
)

// PublicKey checks signatures. Values are immutable.
type PublicKey interface {
	// Algorithms lists what the key can verify, the default first. It is empty for a key of an unknown kind. What its
	// private key may sign with is Signing.
	Algorithms() []ID
	// Verify returns nil, ErrSignature, ErrInput, or ErrUnsupported when id does not belong to this kind of key.
	Verify(id ID, in Input, sig []byte) error
	Equal(PublicKey) bool
	// SPKI is the DER SubjectPublicKeyInfo the key was read from, or its canonical encoding for a made key.
	SPKI() []byte
	// Describe is a short stable name such as "RSA 2048", "ECDSA P-256", "GOST R 34.10-2012 256".
	Describe() string
}

// PrivateKey is a key held in memory.
type PrivateKey interface {
	Public() PublicKey
	// Sign returns the signature in CMS form. rand must be a cryptographic source; RSA without PSS does not use it. A
	// legacy algorithm is ErrUnsupported.
	Sign(rand io.Reader, id ID, in Input) ([]byte, error)
	// Wipe forgets the secret as far as the language allows. The key must not be used afterwards.
	Wipe()
}

// maxKey bounds the DER of one key; the largest real one, RSA 16384, is below it.
const maxKey = 64 << 10

// spki is SubjectPublicKeyInfo (RFC 5280 section 4.1).
type spki struct {
	Raw       asn1.RawContent
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.BitString
}

// ParsePublicKey reads a DER SubjectPublicKeyInfo. The error wraps ErrUnsupported for a kind of key or a curve this
// package does not know; any other error means the key is malformed or not a valid point.
func ParsePublicKey(der []byte) (PublicKey, error) {
	s, err := parseSPKI(der)
	if err != nil {
		return nil, err
	}
	switch oid := s.Algorithm.Algorithm; {
	case oid.Equal(oidRSA), oid.Equal(oidEC), oid.Equal(oidEd25519):
		return parseStandardKey(s)
	case oid.Equal(oidGOST256), oid.Equal(oidGOST512):
		return parseGOSTKey(s)
	case oid.Equal(oidGOST2001):
		return parseGOST2001Key(s)
	default:
		return nil, fmt.Errorf("public key %v: %w", oid, ErrUnsupported)
	}
}

// Opaque returns a key that can be compared and named but verifies nothing: the key of a certificate whose kind this
// package does not know.
func Opaque(der []byte) (PublicKey, error) {
	s, err := parseSPKI(der)
	if err != nil {
		return nil, err
	}
	return opaqueKey{spki: s.Raw, name: s.Algorithm.Algorithm.String()}, nil
}

func parseSPKI(der []byte) (*spki, error) {
	if len(der) > maxKey {
		return nil, errors.New("public key: too large")
	}
	var s spki
	rest, err := asn1.Unmarshal(der, &s)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	if len(rest) != 0 {
		return nil, errors.New("public key: trailing data")
	}
	s.Raw = append(asn1.RawContent(nil), s.Raw...)
	return &s, nil
}

type opaqueKey struct {
	spki []byte
	name string
}

func (k opaqueKey) Algorithms() []ID               { return nil }
func (k opaqueKey) Verify(ID, Input, []byte) error { return ErrUnsupported }
func (k opaqueKey) SPKI() []byte                   { return k.spki }
func (k opaqueKey) Describe() string               { return k.name }
func (k opaqueKey) Equal(o PublicKey) bool {
	p, ok := o.(opaqueKey)
	return ok && string(p.spki) == string(k.spki)
}

// digestFor returns the digest to sign or to check, having checked that id belongs to the family and that its length fits.
func digestFor(id ID, f family, in Input) (Algorithm, []byte, error) {
	a, ok := Lookup(id)
	if !ok || a.family != f {
		return Algorithm{}, nil, fmt.Errorf("%q with this key: %w", id, ErrUnsupported)
	}
	switch {
	case len(in.Digest) == a.Digest.Size():
		return a, in.Digest, nil
	case len(in.Digest) != 0:
		return Algorithm{}, nil, fmt.Errorf("digest of %d bytes for %s: %w", len(in.Digest), id, ErrInput)
	case in.Message != nil:
		return a, a.Digest.Sum(in.Message), nil
	default:
		return Algorithm{}, nil, fmt.Errorf("nothing to sign or check: %w", ErrInput)
	}
}
