// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// Identifier is the AlgorithmIdentifier of d in a CMS message: NULL parameters for Streebog, as in the TC26 examples, none
// for SHA-2 (RFC 5754 section 2).
func (d Digest) Identifier() pkix.AlgorithmIdentifier {
	id := pkix.AlgorithmIdentifier{Algorithm: d.OID()}
	if d == Streebog256 || d == Streebog512 {
		id.Parameters = asn1.NullRawValue
	}
	return id
}

// SignerIdentifier is the signatureAlgorithm of a CMS SignerInfo.
func (a Algorithm) SignerIdentifier() pkix.AlgorithmIdentifier {
	if a.PSS {
		return pssIdentifier(a.Digest)
	}
	id := pkix.AlgorithmIdentifier{Algorithm: a.SignatureOID}
	if a.family != familyECDSA && a.family != familyEdDSA {
		id.Parameters = asn1.NullRawValue
	}
	return id
}

// CertificateIdentifier is the signatureAlgorithm of an X.509 certificate (RFC 4055, RFC 5758, RFC 9215 section 2).
func (a Algorithm) CertificateIdentifier() pkix.AlgorithmIdentifier {
	if a.PSS {
		return pssIdentifier(a.Digest)
	}
	id := pkix.AlgorithmIdentifier{Algorithm: a.CertificateOID}
	if a.family == familyRSA {
		id.Parameters = asn1.NullRawValue
	}
	return id
}

// SignerAlgorithm finds the algorithm of a SignerInfo from its signatureAlgorithm and digestAlgorithm. It knows both ways
// of writing: the key's OID, and the OID of signature with digest, which must then agree with d. RSASSA-PSS is found when MGF1
// is over the same digest; Salt is then the one of the parameters. Other parameters are not looked at.
func SignerAlgorithm(id pkix.AlgorithmIdentifier, d Digest) (Algorithm, bool) {
	oid := id.Algorithm
	for _, a := range table {
		switch {
		case a.Digest != d || a.SignatureOID == nil:
		case a.PSS && oid.Equal(oidPSS):
			a.Salt = pssSalt(id, d)
			return a, a.Salt >= 0
		case !a.PSS && (oid.Equal(a.KeyOID) || oid.Equal(a.CertificateOID)):
			return a, true
		}
	}
	return Algorithm{}, false
}

// CertificateAlgorithm finds the algorithm of an X.509 signatureAlgorithm by its OID. RSASSA-PSS is not found: its OID
// names no digest.
func CertificateAlgorithm(oid asn1.ObjectIdentifier) (Algorithm, bool) {
	for _, a := range table {
		if !a.PSS && a.CertificateOID != nil && oid.Equal(a.CertificateOID) {
			return a, true
		}
	}
	return Algorithm{}, false
}

// FromPKCS11 turns what C_Sign returned into CMS form. ECDSA comes as r and s of equal length (PKCS#11 section 6.3.1);
// the others already have the form.
func FromPKCS11(id ID, raw []byte) ([]byte, error) {
	a, ok := Lookup(id)
	if !ok {
		return nil, fmt.Errorf("%q: %w", id, ErrUnsupported)
	}
	if a.family != familyECDSA {
		return raw, nil
	}
	if len(raw) == 0 || len(raw)%2 != 0 || len(raw) > 2*66 {
		return nil, fmt.Errorf("ECDSA signature of %d bytes from the token", len(raw))
	}
	half := len(raw) / 2
	r, s := new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])
	if r.Sign() == 0 || s.Sign() == 0 {
		return nil, errors.New("ECDSA signature with a zero from the token")
	}
	return asn1.Marshal(struct{ R, S *big.Int }{r, s})
}

// MechanismInput wraps a digest for CKM_RSA_PKCS (RFC 8017 section 9.2); algorithms whose mechanism takes the bare digest
// get it back unchanged.
func (a Algorithm) MechanismInput(digest []byte) ([]byte, error) {
	if len(digest) != a.Digest.Size() {
		return nil, fmt.Errorf("digest of %d bytes for %s: %w", len(digest), a.ID, ErrInput)
	}
	if !a.DigestInfo {
		return digest, nil
	}
	return asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}{pkix.AlgorithmIdentifier{Algorithm: a.Digest.OID(), Parameters: asn1.NullRawValue}, digest})
}
