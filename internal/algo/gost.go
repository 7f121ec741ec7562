// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"

	"persten/internal/algo/gost3410"
)

// gostParams is GostR3410-2012-PublicKeyParameters (RFC 9215 section 4.2). A third member, the cipher's parameter set
// of RFC 4357, occurs in old keys and is ignored.
type gostParams struct {
	Set    asn1.ObjectIdentifier
	Digest asn1.ObjectIdentifier `asn1:"optional"`
	Cipher asn1.ObjectIdentifier `asn1:"optional"`
}

type gostKey struct {
	curve curve
	key   *gost3410.PublicKey
	spki  []byte
}

func parseGOSTKey(s *spki) (PublicKey, error) {
	c, err := gostCurve(s.Algorithm)
	if err != nil {
		return nil, err
	}
	var raw []byte
	rest, err := asn1.Unmarshal(s.Key.RightAlign(), &raw)
	if err != nil || len(rest) != 0 || s.Key.BitLength%8 != 0 {
		return nil, errors.New("public key: GOST point is not an OCTET STRING")
	}
	if len(raw) != 2*c.size {
		return nil, fmt.Errorf("public key: GOST point of %d bytes on %s", len(raw), c.name)
	}
	key, err := gost3410.NewPublicKey(c.set(), reversed(raw[:c.size]), reversed(raw[c.size:]))
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return &gostKey{curve: c, key: key, spki: s.Raw}, nil
}

// gostCurve reads the parameter set of a key and checks that it has the size the key's OID promises.
func gostCurve(id pkix.AlgorithmIdentifier) (curve, error) {
	var p gostParams
	if rest, err := asn1.Unmarshal(id.Parameters.FullBytes, &p); err != nil || len(rest) != 0 {
		return curve{}, errors.New("public key: malformed GOST parameters")
	}
	c, ok := curveByOID(p.Set)
	if !ok {
		return curve{}, fmt.Errorf("GOST parameter set %v: %w", p.Set, ErrUnsupported)
	}
	if !c.keyOID().Equal(id.Algorithm) {
		return curve{}, fmt.Errorf("public key: %s does not belong to %v", c.name, id.Algorithm)
	}
	return c, nil
}

func (c curve) keyOID() asn1.ObjectIdentifier {
	if c.size == 64 {
		return oidGOST512
	}
	return oidGOST256
}

func (c curve) id() ID {
	if c.size == 64 {
		return GOST512
	}
	return GOST256
}

// identifier is the AlgorithmIdentifier of keys on c.
func (c curve) identifier() (pkix.AlgorithmIdentifier, error) {
	p := gostParams{Set: c.oid}
	if c.digest {
		p.Digest = Streebog256.OID()
	}
	der, err := asn1.Marshal(p)
	return pkix.AlgorithmIdentifier{Algorithm: c.keyOID(), Parameters: asn1.RawValue{FullBytes: der}}, err
}

func (k *gostKey) Algorithms() []ID { return []ID{k.curve.id()} }
func (k *gostKey) SPKI() []byte     { return k.spki }
func (k *gostKey) Describe() string { return fmt.Sprintf("GOST R 34.10-2012 %d", 8*k.curve.size) }

// Equal compares curves by their numbers, so a key is equal to itself under another name of its parameter set.
func (k *gostKey) Equal(o PublicKey) bool {
	p, ok := o.(*gostKey)
	return ok && p.key.Equal(k.key)
}

func (k *gostKey) Verify(id ID, in Input, sig []byte) error {
	if id != k.curve.id() {
		return fmt.Errorf("%q with this key: %w", id, ErrUnsupported)
	}
	_, digest, err := digestFor(id, familyGOST, in)
	if err != nil {
		return err
	}
	if !k.key.Verify(digest, sig) {
		return ErrSignature
	}
	return nil
}

type gostPrivate struct {
	curve curve
	key   *gost3410.PrivateKey
	pub   PublicKey
}

// newGOSTPrivate checks the range of d, big-endian, and computes the public key.
func newGOSTPrivate(c curve, d []byte) (*gostPrivate, error) {
	key, err := gost3410.NewPrivateKey(c.set(), d)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	return wrapGOST(c, key)
}

func wrapGOST(c curve, key *gost3410.PrivateKey) (*gostPrivate, error) {
	der, err := marshalGOSTKey(c, key.Public().X(), key.Public().Y())
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	return &gostPrivate{curve: c, key: key, pub: &gostKey{curve: c, key: key.Public(), spki: der}}, nil
}

// marshalGOSTKey takes big-endian coordinates.
func marshalGOSTKey(c curve, x, y []byte) ([]byte, error) {
	id, err := c.identifier()
	if err != nil {
		return nil, err
	}
	point, err := asn1.Marshal(append(reversed(x), reversed(y)...))
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(spki{Algorithm: id, Key: asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
}

func generateGOST(rand io.Reader, c curve) (*gostPrivate, error) {
	key, err := gost3410.GenerateKey(c.set(), rand)
	if err != nil {
		return nil, err
	}
	return wrapGOST(c, key)
}

func (k *gostPrivate) Public() PublicKey { return k.pub }

func (k *gostPrivate) Sign(rand io.Reader, id ID, in Input) ([]byte, error) {
	if id != k.curve.id() {
		return nil, fmt.Errorf("%q with this key: %w", id, ErrUnsupported)
	}
	_, digest, err := digestFor(id, familyGOST, in)
	if err != nil {
		return nil, err
	}
	sig, err := k.key.Sign(rand, digest)
	if errors.Is(err, gost3410.ErrWiped) {
		return nil, errWiped
	}
	return sig, err
}

func (k *gostPrivate) Wipe() { k.key.Wipe() }

func reversed(b []byte) []byte {
	r := slices.Clone(b)
	slices.Reverse(r)
	return r
}

func littleEndian(b []byte) *big.Int { return new(big.Int).SetBytes(reversed(b)) }

func toLittleEndian(n *big.Int, size int) []byte {
	b := n.FillBytes(make([]byte, size))
	slices.Reverse(b)
	return b
}
