// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"crypto/ecdsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"

	"persten/internal/algo"
	"persten/internal/cert"
)

// prepare turns the digest into what the mechanism takes. A digest of any other length than the algorithm's is refused
// here, because tokens have been seen to sign it.
func prepare(a algo.Algorithm, c *cert.Certificate, in algo.Input) ([]byte, error) {
	digest := in.Digest
	if digest == nil && in.Message != nil {
		h := a.Digest.New()
		h.Write(in.Message)
		digest = h.Sum(nil)
	}
	if len(digest) != a.Digest.Size() {
		return nil, fmt.Errorf("digest of %d bytes for %s: %w", len(digest), a.ID, algo.ErrInput)
	}
	if a.DigestInfo {
		return asn1.Marshal(struct {
			Algorithm pkix.AlgorithmIdentifier
			Digest    []byte
		}{pkix.AlgorithmIdentifier{Algorithm: a.Digest.OID(), Parameters: asn1.NullRawValue}, digest})
	}
	return digest[:min(len(digest), orderSize(c, len(digest)))], nil
}

// orderSize is how many bytes of a digest count: ECDSA takes the leftmost ones, and some tokens refuse the rest. Curves
// whose order is not whole bytes are left to the token.
func orderSize(c *cert.Certificate, all int) int {
	if c.X509 == nil {
		return all
	}
	key, ok := c.X509.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Params().N.BitLen()%8 != 0 {
		return all
	}
	return key.Params().N.BitLen() / 8
}

// check converts what C_Sign returned and verifies it. Some libraries return the halves in the other order or the bytes
// reversed; whatever verifies is the signature.
func check(key algo.PublicKey, id algo.ID, in algo.Input, raw []byte) ([]byte, error) {
	var first error
	for _, layout := range layouts(raw) {
		sig, err := algo.FromPKCS11(id, layout)
		if err == nil {
			err = key.Verify(id, in, sig)
		}
		if err == nil {
			return sig, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// layouts lists the ways the bytes of a signature have been seen in, the standard's first.
func layouts(raw []byte) [][]byte {
	half := len(raw) / 2
	swapped := slices.Concat(raw[half:], raw[:half])
	reversed := slices.Clone(raw)
	slices.Reverse(reversed)
	both := slices.Clone(swapped)
	slices.Reverse(both)
	return [][]byte{raw, swapped, reversed, both}
}
