// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"persten/internal/algo"
)

// signature is the outside of a certificate.
type signature struct {
	algorithm asn1.ObjectIdentifier
	value     []byte
}

func parseSignature(der []byte) (signature, error) {
	var v struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Value     asn1.BitString
	}
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) != 0 {
		return signature{}, errors.New("malformed signature")
	}
	return signature{v.Algorithm.Algorithm, v.Value.RightAlign()}, nil
}

// CheckSignatureFrom returns nil when parent's key made c's signature and parent is a CA allowed to sign certificates, else
// an error wrapping ErrSignature, and algo.ErrUnsupported when the signature is of a kind not checked here: SHA-1, MD5.
// GOST R 34.10-2001 is checked: the certificates of old documents have it. It does not look at names or dates.
func (c *Certificate) CheckSignatureFrom(parent *Certificate) error {
	if err := parent.mayIssue(); err != nil {
		return err
	}
	if a, ok := algo.CertificateAlgorithm(c.signature.algorithm); ok {
		err := parent.Key.Verify(a.ID, algo.Input{Message: c.X509.RawTBSCertificate}, c.signature.value)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, algo.ErrUnsupported) && len(parent.Key.Algorithms()) > 0:
			return fmt.Errorf("%w: %v", ErrSignature, err) // a key that is checked here, and not of the signature's kind
		}
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	// These have no row in the algorithm table. The list is closed: CheckSignature itself accepts SHA-1.
	switch c.X509.SignatureAlgorithm {
	case x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS, x509.PureEd25519:
		if err := parent.X509.CheckSignature(c.X509.SignatureAlgorithm, c.X509.RawTBSCertificate, c.signature.value); err != nil {
			return fmt.Errorf("%w: %w", ErrSignature, err)
		}
		return nil
	}
	return fmt.Errorf("%w: %v: %w", ErrSignature, c.signature.algorithm, algo.ErrUnsupported)
}

// mayIssue checks that c is a CA and its key is for certificates.
func (c *Certificate) mayIssue() error {
	if !c.X509.BasicConstraintsValid || !c.X509.IsCA {
		return fmt.Errorf("%w: %w: it is not a CA", ErrSignature, ErrIssuer)
	}
	if c.X509.KeyUsage != 0 && c.X509.KeyUsage&x509.KeyUsageCertSign == 0 {
		return fmt.Errorf("%w: %w: its key is not for certificates", ErrSignature, ErrIssuer)
	}
	return nil
}

// Trust is what paths are built from and checked against. At is the time of the check; the zero time means now.
type Trust struct {
	Roots         []*Certificate
	Intermediates []*Certificate
	At            time.Time

	budget *budget // of Bounded
}

// budget is what the Chain calls of one Bounded trust share: how many signatures may still be checked, and the answers so far.
type budget struct {
	left   int
	done   map[[2]*Certificate]error
	verify func(c, parent *Certificate) error
}

// Bounded returns t for a batch of Chain calls that together check at most n signatures, each pair of certificates once.
// The result is for one goroutine.
func (t Trust) Bounded(n int) Trust {
	t.budget = &budget{left: n, done: map[[2]*Certificate]error{}, verify: (*Certificate).CheckSignatureFrom}
	return t
}

var (
	errBudget           = errors.New("too many possible paths")
	errLong             = errors.New("the path is too long")
	errExtensionUnknown = errors.New("critical extension is not supported")
)

// check is CheckSignatureFrom within the budget.
func (b *budget) check(c, parent *Certificate) error {
	pair := [2]*Certificate{c, parent}
	err, ok := b.done[pair]
	if ok {
		return err
	}
	if b.left--; b.left < 0 {
		return errBudget
	}
	err = b.verify(c, parent)
	b.done[pair] = err
	return err
}

// Limits of path building. A signature check takes up to 15 ms, and intermediates come from outside.
const (
	maxDepth  = 8
	maxChecks = 32
)

// Chain returns the path from leaf to a root, both included, or an error wrapping ErrUntrusted, and ErrExpired,
// ErrNotYetValid or ErrSignature as well when that is what stood in the way. A leaf that is itself a root is its own path.
func (t Trust) Chain(leaf *Certificate) ([]*Certificate, error) {
	if t.budget == nil {
		t = t.Bounded(maxChecks)
	}
	b := builder{trust: t}
	if b.trust.At.IsZero() {
		b.trust.At = time.Now()
	}
	if err := leaf.fit(b.trust.At); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	if path := b.extend([]*Certificate{leaf}); path != nil {
		return path, nil
	}
	if b.reason != nil {
		return nil, fmt.Errorf("%w: %w", ErrUntrusted, b.reason)
	}
	return nil, ErrUntrusted
}

type builder struct {
	trust  Trust
	reason error // the first obstacle met on the way
}

// extend completes path depth first, roots before intermediates.
func (b *builder) extend(path []*Certificate) []*Certificate {
	last := path[len(path)-1]
	if b.trust.isRoot(last) {
		return path
	}
	if len(path) == maxDepth {
		b.note(errLong)
		return nil
	}
	for i, pool := range [][]*Certificate{b.trust.Roots, b.trust.Intermediates} {
		for _, parent := range pool {
			if !last.namesIssuer(parent) || contains(path, parent) || !b.step(path, parent) {
				continue
			}
			next := append(path[:len(path):len(path)], parent)
			if i == 0 {
				return next
			}
			if found := b.extend(next); found != nil {
				return found
			}
		}
	}
	return nil
}

// step checks that parent may stand above path.
func (b *builder) step(path []*Certificate, parent *Certificate) bool {
	if err := parent.fit(b.trust.At); err != nil {
		b.note(fmt.Errorf("issuer: %w", err))
		return false
	}
	if err := parent.roomFor(path); err != nil {
		b.note(err)
		return false
	}
	if err := b.trust.budget.check(path[len(path)-1], parent); err != nil {
		b.note(err)
		return false
	}
	return true
}

func (b *builder) note(err error) {
	if b.reason == nil {
		b.reason = err
	}
}

// roomFor checks the path length constraint of c against the path below it.
func (c *Certificate) roomFor(path []*Certificate) error {
	x := c.X509
	if x.BasicConstraintsValid && (x.MaxPathLen > 0 || x.MaxPathLenZero) && intermediates(path) > x.MaxPathLen {
		return fmt.Errorf("%w: the issuer allows fewer certificates below it", errLong)
	}
	return nil
}

// intermediates counts what a path length constraint counts: CAs below, self-issued ones left out (RFC 5280 section 4.2.1.9).
func intermediates(path []*Certificate) int {
	n := 0
	for _, c := range path[1:] {
		if !c.SelfIssued() {
			n++
		}
	}
	return n
}

// known lists extensions that are understood although crypto/x509 does not handle them: the sign tools, which some CAs mark
// critical, the way of identification (RFC 9215 section 5, appendix B), and the private key usage period. They say nothing about paths.
var known = []asn1.ObjectIdentifier{oidSubjectSignTool, oidIssuerSignTool, oidIdentification, oidPrivateKeyUsage}

// fit checks what does not depend on the path: dates, and that every critical extension is understood.
func (c *Certificate) fit(at time.Time) error {
	if err := c.ValidAt(at); err != nil {
		return err
	}
	for _, oid := range c.X509.UnhandledCriticalExtensions {
		if !containsOID(known, oid) {
			return fmt.Errorf("%w: %v", errExtensionUnknown, oid)
		}
	}
	if c.constrainsNames() {
		return fmt.Errorf("%w: name constraints", errExtensionUnknown)
	}
	return nil
}

var oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

func (c *Certificate) constrainsNames() bool {
	for _, e := range c.X509.Extensions {
		if e.Id.Equal(oidNameConstraints) {
			return true
		}
	}
	return false
}

// namesIssuer compares names byte for byte, and key identifiers where both certificates have them.
func (c *Certificate) namesIssuer(parent *Certificate) bool {
	if !bytes.Equal(c.X509.RawIssuer, parent.X509.RawSubject) {
		return false
	}
	aki, ski := c.X509.AuthorityKeyId, parent.X509.SubjectKeyId
	return len(aki) == 0 || len(ski) == 0 || bytes.Equal(aki, ski)
}

// contains also stops loops through different certificates of one CA and key.
func contains(path []*Certificate, c *Certificate) bool {
	for _, p := range path {
		if p.Equal(c) || bytes.Equal(p.X509.RawSubject, c.X509.RawSubject) && p.Key.Equal(c.Key) {
			return true
		}
	}
	return false
}

func containsOID(list []asn1.ObjectIdentifier, oid asn1.ObjectIdentifier) bool {
	for _, o := range list {
		if o.Equal(oid) {
			return true
		}
	}
	return false
}
