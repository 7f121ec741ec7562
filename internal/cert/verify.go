// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"persten/internal/algo"
)

// signed is anything with the outer shape of a certificate: SIGNED{} of X.509.
type signed struct {
	algorithm pkix.AlgorithmIdentifier
	body      []byte
	value     []byte
}

// maxAlgorithm bounds an algorithm with its parameters.
const maxAlgorithm = 4 << 10

func parseSigned(der []byte) (signed, error) {
	var v struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Value     asn1.BitString
	}
	in := cryptobyte.String(der)
	var outer, algorithm cryptobyte.String
	if !in.ReadASN1(&outer, casn1.SEQUENCE) || !outer.SkipASN1(casn1.SEQUENCE) ||
		!outer.ReadASN1(&algorithm, casn1.SEQUENCE) || len(algorithm) > maxAlgorithm {
		return signed{}, errors.New("malformed signature")
	}
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) != 0 {
		return signed{}, errors.New("malformed signature")
	}
	return signed{v.Algorithm, v.TBS.FullBytes, v.Value.RightAlign()}, nil
}

// CheckSignatureFrom returns nil when parent's key made c's signature and parent is a CA allowed to sign certificates, else
// an error wrapping ErrSignature, and algo.ErrUnsupported when the signature is of a kind not checked here: SHA-1, MD5.
// GOST R 34.10-2001 is checked: the certificates of old documents have it. It does not look at names or dates.
func (c *Certificate) CheckSignatureFrom(parent *Certificate) error {
	if err := parent.mayIssue(); err != nil {
		return err
	}
	return parent.verify(c.outside)
}

// verify checks a signature made with c's key over a certificate, a CRL or an OCSP response.
func (c *Certificate) verify(s signed) error {
	a, ok := certificateAlgorithm(s.algorithm)
	if !ok {
		return fmt.Errorf("%w: %v: %w", ErrSignature, s.algorithm.Algorithm, algo.ErrUnsupported)
	}
	err := a.Verify(c.Key, algo.Input{Message: s.body}, s.value)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, algo.ErrUnsupported) && len(c.Key.Algorithms()) > 0:
		return fmt.Errorf("%w: %v", ErrSignature, err) // a key that is checked here, and not of the signature's kind
	}
	return fmt.Errorf("%w: %w", ErrSignature, err)
}

var oidPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}

// certificateAlgorithm also finds RSASSA-PSS, whose digest stands in its parameters.
func certificateAlgorithm(id pkix.AlgorithmIdentifier) (algo.Algorithm, bool) {
	if !id.Algorithm.Equal(oidPSS) {
		return algo.CertificateAlgorithm(id.Algorithm)
	}
	for _, d := range []algo.Digest{algo.SHA256, algo.SHA384, algo.SHA512} {
		if a, ok := algo.SignerAlgorithm(id, d); ok {
			return a, true
		}
	}
	return algo.Algorithm{}, false
}

// mayIssue checks that c is a CA and its key is for certificates.
func (c *Certificate) mayIssue() error {
	if c.fault != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, c.fault)
	}
	if !c.X509.BasicConstraintsValid || !c.X509.IsCA {
		return fmt.Errorf("%w: %w: it is not a CA", ErrSignature, ErrIssuer)
	}
	if c.restricted() && c.X509.KeyUsage&x509.KeyUsageCertSign == 0 {
		return fmt.Errorf("%w: %w: its key is not for certificates", ErrSignature, ErrIssuer)
	}
	return nil
}
