// SPDX-License-Identifier: GPL-3.0-or-later

// Package cert reads X.509 certificates the way people and signatures need them: whose it is, what the key may do, who
// issued it and whether that leads to a trusted root. It also issues the few certificates the demo token and the tests use.
//
// # Parsing
//
// Parse stands on crypto/x509, which decodes everything but GOST public keys; those come from algo. About 1.4 % of the
// certificates of Russian accredited CAs do not pass crypto/x509 for a BER boolean in basicConstraints or a postal address
// that is a sequence; these are read all the same, and so are negative serial numbers and distribution points with a relative
// name, every Raw field staying as it came (in X509.Subject.Names the postal address of such a certificate is its undecoded
// bytes). What crypto/x509 refuses otherwise, and still has the outline of a certificate, is read by hand for its card:
// Certificate.Fault tells why, and no path goes through it. Anything else is an error wrapping ErrFormat. A certificate whose
// key is of an unknown kind is parsed, and its Key verifies nothing.
//
// # People
//
// Person holds the subject fields of Russian qualified certificates (RFC 9215 section 5, order 795 of the FSB): INN, INNLE,
// OGRN, OGRNIP, SNILS beside the usual ones. Values are as found in the certificate; they are data from outside and are
// escaped by whoever shows them.
//
// # Cards
//
// Certificate.Card gathers all that people are shown, with stable names for what has a text in internal/text. Trust.Explain
// gives the chain with its broken links marked.
//
// # Paths
//
// Trust.Chain builds the path and checks RFC 5280 section 6 but revocation: names compared as in section 7.1, signatures
// through algo, validity, CA flag, path length, key usage, name constraints, certificate policies (as the graph of RFC
// 9618), unknown critical extensions; with at most eight certificates and a budget of signature checks. Key identifiers set
// the order of the search and decide nothing. What a root states about names and path length counts, too (RFC 5937).
//
// # Revocation
//
// Trust.Validate adds the use and, with a Source, revocation: CRLs of every kind (RFC 5280 section 6.3: by reasons,
// indirect, delta, signed with another key of the CA) and OCSP (RFC 6960) at any time of interest. ParseCRL and ParseOCSP
// are parsers of our own, for GOST and for lists of a million entries.
//
// # Concurrency
//
// A *Certificate does not change after Parse. All functions may be called from many goroutines.
package cert

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"persten/internal/algo"
)

// Errors callers branch on.
var (
	ErrFormat      = errors.New("not a certificate this program can read")
	ErrTooLarge    = errors.New("certificate is too large")
	ErrSignature   = errors.New("certificate signature does not match its issuer")
	ErrUntrusted   = errors.New("no path to a trusted root")
	ErrExpired     = errors.New("certificate has expired")
	ErrNotYetValid = errors.New("certificate is not yet valid")
	ErrIssuer      = errors.New("issuer may not issue certificates") // comes with ErrSignature

	ErrKeyExpired     = errors.New("private key usage period has ended")
	ErrKeyNotYetValid = errors.New("private key usage period has not begun")
)

// maxDER bounds one certificate. The largest real ones are a few tens of kilobytes.
const maxDER = 256 << 10

// Certificate is a parsed certificate. X509 gives access to fields nobody here needed a name for; X509.PublicKey is nil
// for GOST, use Key. Key is never nil.
type Certificate struct {
	Raw  []byte
	X509 *x509.Certificate
	Key  algo.PublicKey

	subject, issuer         Person
	subjectName, issuerName name
	serial                  []byte // content of the INTEGER
	outside                 signed
	pku                     period
	fault                   error // why it may not stand in a path although it was read
}

// Parse reads one DER certificate. The bytes are copied.
func Parse(der []byte) (*Certificate, error) {
	if len(der) > maxDER {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(der))
	}
	x, fault, err := parseX509(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	key, err := publicKey(x.RawSubjectPublicKeyInfo)
	if err != nil && fault != nil {
		key, err = algo.Opaque(x.RawSubjectPublicKeyInfo)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	c := &Certificate{
		Raw: x.Raw, X509: x, Key: key, fault: fault, subject: person(x.Subject.Names), issuer: person(x.Issuer.Names),
		subjectName: parseName(x.RawSubject), issuerName: parseName(x.RawIssuer),
	}
	if c.outside, err = parseSigned(x.Raw); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	c.serial = serialOf(x.RawTBSCertificate)
	c.pku, _ = readPeriod(x) // one that cannot be read is noted on the card
	return c, nil
}

// Fault tells why the certificate serves for nothing but a look at it; nil for a well-formed one.
func (c *Certificate) Fault() error { return c.fault }

// publicKey reads the key; an unknown kind becomes a key that verifies nothing, a malformed key is an error.
func publicKey(spki []byte) (algo.PublicKey, error) {
	key, err := algo.ParsePublicKey(spki)
	if errors.Is(err, algo.ErrUnsupported) {
		return algo.Opaque(spki)
	}
	return key, err
}

// ID is the SHA-256 of the DER in lower hex, the name of the certificate everywhere in the product.
func (c *Certificate) ID() string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// Thumbprint is the SHA-1 of the DER in lower hex, as other software shows it.
func (c *Certificate) Thumbprint() string {
	sum := sha1.Sum(c.Raw)
	return hex.EncodeToString(sum[:])
}

// Subject is whose certificate it is.
func (c *Certificate) Subject() Person { return c.subject }

// Issuer is who issued it.
func (c *Certificate) Issuer() Person { return c.issuer }

// Serial is the serial number in lower hex, an even number of digits; a negative one starts with a minus.
func (c *Certificate) Serial() string {
	n := c.X509.SerialNumber
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	if n.Sign() == 0 {
		return "00"
	}
	return sign + hex.EncodeToString(n.Bytes())
}

// NotBefore and NotAfter bound the validity of the certificate.
func (c *Certificate) NotBefore() time.Time { return c.X509.NotBefore }

// NotAfter is the last second of validity.
func (c *Certificate) NotAfter() time.Time { return c.X509.NotAfter }

// ValidAt returns nil, ErrNotYetValid or ErrExpired.
func (c *Certificate) ValidAt(t time.Time) error {
	switch {
	case t.Before(c.X509.NotBefore):
		return ErrNotYetValid
	case t.After(c.X509.NotAfter):
		return ErrExpired
	}
	return nil
}

// Equal reports whether both are the same bytes.
func (c *Certificate) Equal(o *Certificate) bool {
	return c != nil && o != nil && string(c.Raw) == string(o.Raw)
}

// SelfIssued reports whether subject and issuer names are the same (RFC 5280 section 7.1).
func (c *Certificate) SelfIssued() bool { return c.subjectName.equal(c.issuerName) }
