// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
)

var (
	oidAnyUsage     = asn1.ObjectIdentifier{2, 5, 29, 37, 0}
	oidClientAuth   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	oidTimeStamping = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
	oidOCSPSigning  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9}
)

// fits returns nil or an error wrapping ErrUse. Whoever restricts its own use by an extended key usage must include it; a CA
// so restricted can pass on only what it has.
func (u Use) fits(c *Certificate, leaf bool) error {
	var purpose asn1.ObjectIdentifier
	switch u {
	case UseTimeStamping:
		purpose = oidTimeStamping
	case UseOCSP:
		purpose = oidOCSPSigning
	case UseDocument:
		if leaf && !c.Usage().Documents() {
			return fmt.Errorf("%w: its key is not for documents", ErrUse)
		}
	case UseLogin:
		if leaf && !c.Usage().Login() {
			return fmt.Errorf("%w: its key is not for logging in", ErrUse)
		}
	case UseCRL:
		if leaf && !c.mayList() {
			return fmt.Errorf("%w: its key is not for revocation lists", ErrUse)
		}
	}
	if purpose == nil {
		return nil
	}
	const signing = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	if leaf && c.restricted() && c.X509.KeyUsage&signing == 0 {
		return fmt.Errorf("%w: its key is not for signatures", ErrUse)
	}
	oids, restricted, err := c.extendedUsage()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUse, err)
	case leaf && !containsOID(oids, purpose), !leaf && restricted && !containsOID(oids, purpose) && !containsOID(oids, oidAnyUsage):
		return fmt.Errorf("%w: it lacks the extended key usage %v", ErrUse, purpose)
	}
	return nil
}

func (c *Certificate) extendedUsage() (oids []asn1.ObjectIdentifier, present bool, err error) {
	_, present = extension(c.X509, oidExtKeyUsage)
	err = read(c.X509, oidExtKeyUsage, &oids)
	return oids, present, err
}

// mayList reports whether the key may sign revocation lists.
func (c *Certificate) mayList() bool {
	return !c.restricted() || c.X509.KeyUsage&x509.KeyUsageCRLSign != 0
}

// mayAnswer reports whether c may answer for its issuer by OCSP (RFC 6960 section 4.2.2.2).
func (c *Certificate) mayAnswer() bool { return UseOCSP.fits(c, true) == nil }
