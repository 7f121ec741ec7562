// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"

	"github.com/ddulesov/gogost/gost28147"
	"github.com/ddulesov/gogost/gost341194"
)

var (
	oidGOST2001     = cryptoPro(19)
	oidGOST2001Sign = cryptoPro(3)
	oidGOST94Params = cryptoPro(30, 1)
)

// newGOST94 starts a GOST R 34.11-94 hash with CryptoPro's parameters (RFC 5831, RFC 4357 section 11.2).
func newGOST94() hash.Hash {
	return gost341194.New(&gost28147.SboxIdGostR341194CryptoProParamSet)
}

// gost2001Key checks GOST R 34.10-2001 signatures (RFC 4491). The mathematics is that of 2012 with 256 bits; only the
// names and the digest differ.
type gost2001Key struct{ key *gostKey }

func parseGOST2001Key(s *spki) (PublicKey, error) {
	var p gostParams
	if rest, err := asn1.Unmarshal(s.Algorithm.Parameters.FullBytes, &p); err != nil || len(rest) != 0 {
		return nil, errors.New("public key: malformed GOST parameters")
	}
	if !p.Digest.Equal(oidGOST94Params) {
		return nil, fmt.Errorf("GOST R 34.11-94 parameter set %v: %w", p.Digest, ErrUnsupported)
	}
	same := *s
	same.Algorithm = pkix.AlgorithmIdentifier{Algorithm: oidGOST256, Parameters: s.Algorithm.Parameters}
	k, err := parseGOSTKey(&same)
	if err != nil {
		return nil, err
	}
	return &gost2001Key{k.(*gostKey)}, nil
}

func (k *gost2001Key) Algorithms() []ID { return []ID{GOST2001} }
func (k *gost2001Key) SPKI() []byte     { return k.key.SPKI() }
func (k *gost2001Key) Describe() string { return "GOST R 34.10-2001" }

// Equal: a key of 2012 on the same point is another key, since it signs other digests.
func (k *gost2001Key) Equal(o PublicKey) bool {
	p, ok := o.(*gost2001Key)
	return ok && p.key.Equal(k.key)
}

func (k *gost2001Key) Verify(id ID, in Input, sig []byte) error {
	_, digest, err := digestFor(id, familyGOST2001, in)
	if err != nil {
		return err
	}
	return k.key.Verify(GOST256, Input{Digest: digest}, sig)
}
