// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/algo"
)

// TC26's vendor range, in which the mechanisms of GOST R 34.10-2012 live beside the standard's 256-bit ones.
const (
	ckmGOSTKeyPair              = p11.CKM_GOSTR3410_KEY_PAIR_GEN
	ckmGOST512KeyPair           = 0xD4321005
	ckmGOST2012Derive           = 0xD4321007
	ckmGOSTWithStreebog256      = 0xD4321008
	ckmGOSTWithStreebog512      = 0xD4321009
	ckmGOSTOldHeaders           = 0x201 // CKM_GOSTR3410 in headers of before 2010; CKM_MD2_HMAC in the standard
	ckmECDSASHA256              = 0x1044
	ckmECDSASHA384              = 0x1045
	ckmECDSASHA512              = 0x1046
	ckmRSAPKCS                  = p11.CKM_RSA_PKCS
	gostTypeWanted         uint = ckkGOST
)

// form is what a mechanism takes.
type form int

const (
	formDigest  form = iota
	formInfo         // the digest in a DigestInfo
	formMessage      // what was to be hashed: the token hashes it
)

// way is one way to make a signature: a mechanism and what it takes.
type way struct {
	mechanism mechanism
	form      form
	keyType   uint // the number means this only where a key object of this type is seen; 0: always
}

// waysOf lists the ways of an algorithm, the one that works on most tokens first: the host hashes. Which of them a token
// has is read from its mechanism list, never guessed from its name.
func waysOf(a algo.Algorithm) []way {
	if a.Pure {
		return nil // no token that does it has been seen here
	}
	raw := way{mechanism: mechanism{Number: a.Mechanism, Param: pssParam(a)}}
	if a.DigestInfo {
		raw.form = formInfo
	}
	ways := []way{raw}
	if a.ID == algo.GOST256 {
		ways = append(ways, way{mechanism: mechanism{Number: ckmGOSTOldHeaders}, keyType: gostTypeWanted})
	}
	if n, ok := hashing[a.ID]; ok {
		w := way{mechanism: mechanism{Number: n, Param: pssParam(a)}, form: formMessage}
		if a.ID == algo.GOST256 || a.ID == algo.GOST512 {
			w.mechanism.Param, _ = asn1.Marshal(a.Digest.OID())
		}
		ways = append(ways, w)
	}
	return ways
}

// hashing are the mechanisms of tokens that hash by themselves.
var hashing = map[algo.ID]uint{
	algo.RSASHA256: p11.CKM_SHA256_RSA_PKCS, algo.RSASHA384: p11.CKM_SHA384_RSA_PKCS, algo.RSASHA512: p11.CKM_SHA512_RSA_PKCS,
	algo.ECDSASHA256: ckmECDSASHA256, algo.ECDSASHA384: ckmECDSASHA384, algo.ECDSASHA512: ckmECDSASHA512,
	algo.GOST256: ckmGOSTWithStreebog256, algo.GOST512: ckmGOSTWithStreebog512,
	algo.RSAPSSSHA256: p11.CKM_SHA256_RSA_PKCS_PSS, algo.RSAPSSSHA384: p11.CKM_SHA384_RSA_PKCS_PSS,
	algo.RSAPSSSHA512: p11.CKM_SHA512_RSA_PKCS_PSS,
}

// pssParam is CK_RSA_PKCS_PSS_PARAMS, nil for what is not RSASSA-PSS. Its numbers have the width of this platform's CK_ULONG,
// which is also the child's: both are this program.
func pssParam(a algo.Algorithm) []byte {
	if !a.PSS {
		return nil
	}
	hash := map[algo.Digest][2]uint{
		algo.SHA256: {p11.CKM_SHA256, p11.CKG_MGF1_SHA256}, algo.SHA384: {p11.CKM_SHA384, p11.CKG_MGF1_SHA384},
		algo.SHA512: {p11.CKM_SHA512, p11.CKG_MGF1_SHA512},
	}[a.Digest]
	return p11.NewPSSParams(hash[0], hash[1], uint(a.Digest.Size()))
}

// wayOn is the best way of an algorithm on a token with these mechanisms, for a key object of the given type.
func wayOn(a algo.Algorithm, mechanisms []uint, keyType uint) (way, bool) {
	for _, w := range waysOf(a) {
		if slices.Contains(mechanisms, w.mechanism.Number) && (w.keyType == 0 || w.keyType == keyType) {
			return w, true
		}
	}
	return way{}, false
}

// usable keeps the algorithms that a token with these mechanisms can do with the key.
func usable(public algo.PublicKey, mechanisms []uint, keyType uint) []algo.ID {
	if public == nil {
		return nil
	}
	var ids []algo.ID
	for _, id := range algo.Signing(public) {
		if a, ok := algo.Lookup(id); ok {
			if _, ok := wayOn(a, mechanisms, keyType); ok {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// prepare turns the digest into what the mechanism takes. A digest of any other length than the algorithm's is refused
// here, because tokens have been seen to sign it. most is what orderSize says of the key.
func (w way) prepare(a algo.Algorithm, most int, in algo.Input) ([]byte, error) {
	digest := in.Digest
	if digest == nil && in.Message != nil {
		digest = a.Digest.Sum(in.Message)
	}
	if len(digest) != a.Digest.Size() {
		return nil, fmt.Errorf("digest of %d bytes for %s: %w", len(digest), a.ID, algo.ErrInput)
	}
	switch w.form {
	case formMessage:
		return message(a, in)
	case formInfo:
		return asn1.Marshal(struct {
			Algorithm pkix.AlgorithmIdentifier
			Digest    []byte
		}{pkix.AlgorithmIdentifier{Algorithm: a.Digest.OID(), Parameters: asn1.NullRawValue}, digest})
	}
	return digest[:min(len(digest), most)], nil
}

// message is what a token that hashes by itself gets: the message, if we have it and it is the one whose digest was
// approved.
func message(a algo.Algorithm, in algo.Input) ([]byte, error) {
	switch {
	case len(in.Message) == 0 || len(in.Message) > maxData:
		return nil, fmt.Errorf("%s on a token that hashes by itself, without the message: %w", a.ID, algo.ErrUnsupported)
	case in.Digest != nil && !slices.Equal(a.Digest.Sum(in.Message), in.Digest):
		return nil, fmt.Errorf("message and digest differ: %w", algo.ErrInput)
	}
	return in.Message, nil
}
