// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// ckmRSAPKCSPSS signs a ready digest; its parameter names the digest again.
const ckmRSAPKCSPSS = 0x0000000D

var (
	oidPSS  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidMGF1 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
)

func rowPSS(id ID, d Digest, name, uri string) Algorithm {
	return Algorithm{
		ID: id, Digest: d, Name: name, KeyOID: oidRSA, SignatureOID: oidPSS, CertificateOID: oidPSS,
		XMLSignature: xmlMore07 + uri, Mechanism: ckmRSAPKCSPSS, PSS: true, Salt: d.Size(), family: familyRSA,
	}
}

// pssParams is RSASSA-PSS-params (RFC 4055 section 3.1). What is absent means SHA-1, a salt of 20 bytes and trailer 1.
type pssParams struct {
	Hash    pkix.AlgorithmIdentifier `asn1:"explicit,tag:0,optional"`
	MGF     pkix.AlgorithmIdentifier `asn1:"explicit,tag:1,optional"`
	Salt    int                      `asn1:"explicit,tag:2,optional,default:20"`
	Trailer int                      `asn1:"explicit,tag:3,optional,default:1"`
}

// pssIdentifier is id-RSASSA-PSS with the parameters of d. The hash inside has NULL parameters, as RFC 4055 section 2.1
// has it; the trailer is the default and so absent.
func pssIdentifier(d Digest) pkix.AlgorithmIdentifier {
	hash := pkix.AlgorithmIdentifier{Algorithm: d.OID(), Parameters: asn1.NullRawValue}
	mgf, _ := asn1.Marshal(hash)
	params, _ := asn1.Marshal(pssParams{
		Hash: hash, MGF: pkix.AlgorithmIdentifier{Algorithm: oidMGF1, Parameters: asn1.RawValue{FullBytes: mgf}},
		Salt: d.Size(), Trailer: 1,
	})
	return pkix.AlgorithmIdentifier{Algorithm: oidPSS, Parameters: asn1.RawValue{FullBytes: params}}
}

// pssSalt returns the length of the salt, when id is RSASSA-PSS over d in the one form that is used: the same digest in MGF1,
// trailer 1, and some salt. The length is -1 for any other form.
func pssSalt(id pkix.AlgorithmIdentifier, d Digest) int {
	var p pssParams
	if rest, err := asn1.Unmarshal(id.Parameters.FullBytes, &p); err != nil || len(rest) != 0 {
		return -1
	}
	var mgf pkix.AlgorithmIdentifier
	if rest, err := asn1.Unmarshal(p.MGF.Parameters.FullBytes, &mgf); err != nil || len(rest) != 0 {
		return -1
	}
	if !hashIs(p.Hash, d) || !p.MGF.Algorithm.Equal(oidMGF1) || !hashIs(mgf, d) || p.Salt < 1 || p.Salt > maxRSA/8 || p.Trailer != 1 {
		return -1
	}
	return p.Salt
}

// hashIs accepts the digest with NULL and with absent parameters, as RFC 4055 section 2.1 asks.
func hashIs(id pkix.AlgorithmIdentifier, d Digest) bool {
	params := id.Parameters.FullBytes
	return id.Algorithm.Equal(d.OID()) && (len(params) == 0 || bytes.Equal(params, asn1.NullBytes))
}

// pssFits reports whether a digest and a salt of its length fit into the modulus (RFC 8017 section 9.1.1).
func pssFits(k *rsa.PublicKey, d Digest) bool {
	return (k.N.BitLen()-1+7)/8 >= 2*d.Size()+2
}

// Verify is key.Verify for a row of SignerAlgorithm: it minds its Salt.
func (a Algorithm) Verify(key PublicKey, in Input, sig []byte) error {
	k, ok := key.(*rsaKey)
	if !ok || !a.PSS || a.Salt == a.Digest.Size() {
		return key.Verify(a.ID, in, sig)
	}
	_, digest, err := digestFor(a.ID, familyRSA, in)
	if err != nil {
		return err
	}
	hash := cryptoHash[a.Digest]
	salt := &rsa.PSSOptions{SaltLength: a.Salt, Hash: hash}
	if a.Salt < 1 || rsa.VerifyPSS(k.key, hash, digest, sig, salt) != nil {
		return ErrSignature
	}
	return nil
}

func pssOptions(d Digest) *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: cryptoHash[d]}
}
