// SPDX-License-Identifier: GPL-3.0-or-later

// Package cert reads X.509 certificates the way people and signatures need them: whose it is, what the key may do, who
// issued it and whether that leads to a trusted root. It also issues the few certificates the demo token and the tests use.
//
// # Parsing
//
// Parse stands on crypto/x509, which decodes everything but GOST public keys; those come from algo. About 1.4 % of the
// certificates of Russian accredited CAs do not pass crypto/x509 (BER booleans, names made of sequences); for them Parse
// returns an error wrapping ErrFormat. A certificate whose key is of an unknown kind is parsed, and its Key verifies nothing.
//
// # People
//
// Person holds the subject fields of Russian qualified certificates (RFC 9215 section 5, order 795 of the FSB): INN, INNLE,
// OGRN, OGRNIP, SNILS beside the usual ones. Values are as found in the certificate; they are data from outside and are
// escaped by whoever shows them.
//
// # Paths
//
// Trust.Chain builds the path by issuer name, checks every signature through algo, validity, CA flag, path length, key
// usage and unknown critical extensions, with at most eight certificates and a budget of signature checks. It does not
// look at revocation. A chain through a CA with name constraints is refused: they are not evaluated.
//
// # Concurrency
//
// A *Certificate does not change after Parse. All functions may be called from many goroutines.
package cert

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
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
)

// maxDER bounds one certificate. The largest real ones are a few tens of kilobytes.
const maxDER = 256 << 10

// Certificate is a parsed certificate. X509 gives access to fields nobody here needed a name for; X509.PublicKey is nil
// for GOST, use Key. Key is never nil.
type Certificate struct {
	Raw  []byte
	X509 *x509.Certificate
	Key  algo.PublicKey

	subject, issuer Person
	signature       signature
	pku             period
}

// Parse reads one DER certificate. The bytes are copied.
func Parse(der []byte) (*Certificate, error) {
	if len(der) > maxDER {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(der))
	}
	x, err := x509.ParseCertificate(append([]byte(nil), der...))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	key, err := publicKey(x.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	c := &Certificate{Raw: x.Raw, X509: x, Key: key, subject: person(x.Subject.Names), issuer: person(x.Issuer.Names)}
	if c.signature, err = parseSignature(x.Raw); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	if c.pku, err = parsePeriod(x); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	return c, nil
}

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

// SelfIssued reports whether subject and issuer names are the same.
func (c *Certificate) SelfIssued() bool { return string(c.X509.RawSubject) == string(c.X509.RawIssuer) }

// period is the private key usage period (RFC 3280 section 4.2.1.4), zero times when absent.
type period struct{ from, to time.Time }

var oidPrivateKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 16}

func parsePeriod(x *x509.Certificate) (period, error) {
	for _, e := range x.Extensions {
		if !e.Id.Equal(oidPrivateKeyUsage) {
			continue
		}
		var v struct {
			From time.Time `asn1:"optional,tag:0,generalized"`
			To   time.Time `asn1:"optional,tag:1,generalized"`
		}
		if rest, err := asn1.Unmarshal(e.Value, &v); err != nil || len(rest) != 0 {
			return period{}, errors.New("malformed private key usage period")
		}
		return period{v.From, v.To}, nil
	}
	return period{}, nil
}

// PrivateKeyUsage is the period in which the private key may be used, when the certificate states one. A bound it does
// not state is the zero time.
func (c *Certificate) PrivateKeyUsage() (from, to time.Time, ok bool) {
	return c.pku.from, c.pku.to, !c.pku.from.IsZero() || !c.pku.to.IsZero()
}
