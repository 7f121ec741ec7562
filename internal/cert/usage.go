// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import "crypto/x509"

// Usage is what the certificate lets its key do.
type Usage struct {
	ContentCommitment bool // keyUsage contentCommitment (non-repudiation)
	DigitalSignature  bool // keyUsage digitalSignature
	Unrestricted      bool // no keyUsage extension at all
	ClientAuthOnly    bool // for logging in, not for documents: digitalSignature without contentCommitment, and clientAuth alone
	ClientAuth        bool // extendedKeyUsage allows logging in, or there is none
	CA                bool
}

// Usage reads keyUsage, extendedKeyUsage and basicConstraints.
func (c *Certificate) Usage() Usage {
	x := c.X509
	u := Usage{
		ContentCommitment: x.KeyUsage&x509.KeyUsageContentCommitment != 0,
		DigitalSignature:  x.KeyUsage&x509.KeyUsageDigitalSignature != 0,
		Unrestricted:      !c.restricted(),
		CA:                x.BasicConstraintsValid && x.IsCA,
	}
	alone := len(x.ExtKeyUsage) == 1 && x.ExtKeyUsage[0] == x509.ExtKeyUsageClientAuth && len(x.UnknownExtKeyUsage) == 0
	u.ClientAuthOnly = alone && !u.ContentCommitment
	purposes, limited, err := c.extendedUsage()
	u.ClientAuth = !limited || err == nil && (containsOID(purposes, oidClientAuth) || containsOID(purposes, oidAnyUsage))
	return u
}

// restricted reports whether there is a keyUsage at all. One without a bit allows nothing (RFC 5280 section 4.2.1.3).
func (c *Certificate) restricted() bool {
	_, ok := extension(c.X509, oidKeyUsage)
	return ok || c.X509.KeyUsage != 0
}

// Login reports whether the key may answer a login challenge. A key for contentCommitment alone signs documents and nothing else.
func (u Usage) Login() bool {
	return (u.Unrestricted || u.DigitalSignature) && u.ClientAuth
}

// Documents reports whether the key may sign documents.
func (u Usage) Documents() bool {
	return (u.Unrestricted || u.DigitalSignature || u.ContentCommitment) && !u.ClientAuthOnly
}
