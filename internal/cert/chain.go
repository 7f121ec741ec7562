// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Trust is what paths are built from and checked against. At is the time of the check; the zero time means now.
type Trust struct {
	Roots         []*Certificate
	Intermediates []*Certificate
	At            time.Time
	Source        Source   // asked about revocation and for absent issuers, by Validate alone; nil: neither is looked at
	Policies      Policies // what certificate policies are asked for

	budget *budget // of Bounded
}

// budget is what the calls of one Bounded trust share: how many signatures of certificates may still be checked, and the
// answers so far.
type budget struct {
	left   int
	steps  int // of searches: certificates looked for an issuer of
	signed int // signatures of answers about revocation
	done   map[[2]*Certificate]error
	verify func(signer *Certificate, s signed) error
}

// Bounded returns t for a batch of Chain, Explain and Validate calls that together check at most n signatures of
// certificates, each pair of certificates once, and at most n of answers about revocation, or what one Validate may when that is
// more. The result is for one goroutine.
func (t Trust) Bounded(n int) Trust {
	t.budget = &budget{
		left: n, steps: n * maxSteps, signed: max(n, maxSigned), done: map[[2]*Certificate]error{}, verify: (*Certificate).verify,
	}
	return t
}

// check is CheckSignatureFrom within the budget.
func (b *budget) check(c, parent *Certificate) error {
	if err := parent.mayIssue(); err != nil {
		return err
	}
	pair := [2]*Certificate{c, parent}
	err, ok := b.done[pair]
	if ok {
		return err
	}
	if b.left <= 0 {
		b.left = -1
		return ErrBudget
	}
	b.left--
	err = b.verify(parent, c.outside)
	b.done[pair] = err
	return err
}

// Limits of path building. A signature check takes up to 15 ms, and intermediates come from outside.
const (
	maxDepth  = 8
	maxChecks = 32
	maxPaths  = 16 // complete ones looked at for one leaf
	maxSteps  = 8  // of a search, for each signature: known signatures are followed again and again
)

// Chain returns the path from leaf to a root, both included, or an error wrapping ErrUntrusted, and ErrExpired,
// ErrNotYetValid or ErrSignature as well when that is what stood in the way. A leaf that is itself a root is its own path.
// It looks at everything of RFC 5280 section 6 but revocation, see Validate.
func (t Trust) Chain(leaf *Certificate) ([]*Certificate, error) {
	t = t.ready()
	b := builder{trust: t}
	var found []*Certificate
	b.paths(leaf, func(path []*Certificate) bool {
		found = path
		return true
	})
	if found != nil {
		return found, nil
	}
	return nil, b.failure()
}

// ready fills in the time and the budget.
func (t Trust) ready() Trust {
	if t.budget == nil {
		t = t.Bounded(maxChecks)
	}
	if t.At.IsZero() {
		t.At = time.Now()
	}
	return t
}

// builder looks for paths of one leaf.
type builder struct {
	trust    Trust
	reason   error          // the first obstacle met on the way
	complete int            // paths that reached a root
	ends     []*Certificate // where the way up ended for want of an issuer
}

func (b *builder) failure() error {
	if b.reason != nil {
		return fmt.Errorf("%w: %w", ErrUntrusted, b.reason)
	}
	return ErrUntrusted
}

// paths hands every sound path to yield, until that returns true.
func (b *builder) paths(leaf *Certificate, yield func([]*Certificate) bool) {
	if err := leaf.fit(b.trust.At); err != nil {
		b.note(err)
		return
	}
	b.extend([]*Certificate{leaf}, yield)
}

// extend completes path depth first, and reports whether to stop.
func (b *builder) extend(path []*Certificate, yield func([]*Certificate) bool) bool {
	last := path[len(path)-1]
	if b.trust.isRoot(last) {
		return b.reached(path, yield)
	}
	if len(path) == maxDepth {
		b.note(ErrPathLength)
		return false
	}
	if b.trust.budget.steps--; b.trust.budget.steps < 0 {
		b.note(ErrBudget)
		return true
	}
	parents := b.trust.issuers(path)
	if len(parents) == 0 {
		b.ends = append(b.ends, last)
	}
	for _, parent := range parents {
		if !b.step(path, parent) {
			continue
		}
		if b.extend(append(path[:len(path):len(path)], parent), yield) {
			return true
		}
	}
	return false
}

// reached looks at what can be seen only from the root down.
func (b *builder) reached(path []*Certificate, yield func([]*Certificate) bool) bool {
	if b.complete++; b.complete > maxPaths {
		b.note(ErrBudget)
		return true
	}
	if _, err := b.trust.whole(path); err != nil {
		b.note(err)
		return false
	}
	return yield(path)
}

// whole checks names and policies along a complete path, and tells which certificate is at fault.
func (t Trust) whole(path []*Certificate) (int, error) {
	if i, err := checkNames(path); err != nil {
		return i, err
	}
	return t.Policies.check(path)
}

// issuers lists who may stand above path: by name, those whose key identifier fits first, roots before others.
func (t Trust) issuers(path []*Certificate) []*Certificate {
	type candidate struct {
		c       *Certificate
		kinship int
	}
	last := path[len(path)-1]
	var list []candidate
	for _, pool := range [][]*Certificate{t.Roots, t.Intermediates} {
		for _, parent := range pool {
			if last.namesIssuer(parent) && !contains(path, parent) {
				list = append(list, candidate{parent, last.kinship(parent)})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return b.kinship - a.kinship })
	out := make([]*Certificate, len(list))
	for i, one := range list {
		out[i] = one.c
	}
	return out
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
		return fmt.Errorf("%w: the issuer allows fewer certificates below it", ErrPathLength)
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
// critical, the way of identification (RFC 9215 section 5, appendix B), and the private key usage period, which say nothing
// about paths; names and constraints of every form, which are looked at here; what concerns revocation.
var known = []asn1.ObjectIdentifier{
	oidSubjectSignTool, oidIssuerSignTool, oidIdentification, oidPrivateKeyUsage,
	oidSubjectAltName, oidIssuerAltName, oidNameConstraints, oidPolicies, oidPolicyMappings, oidPolicyConstraints, oidInhibitAnyPolicy,
	oidDistributionPoints, oidAuthorityKeyID, oidSubjectKeyID,
}

var oidIssuerAltName = asn1.ObjectIdentifier{2, 5, 29, 18}

// fit checks what does not depend on the path: form, dates, and that every critical extension is understood.
func (c *Certificate) fit(at time.Time) error {
	if c.fault != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, c.fault)
	}
	if err := c.ValidAt(at); err != nil {
		return err
	}
	for _, oid := range c.X509.UnhandledCriticalExtensions {
		if !containsOID(known, oid) {
			return fmt.Errorf("%w: %v", ErrExtension, oid)
		}
	}
	return nil
}

// namesIssuer compares names as RFC 5280 section 7.1 has it.
func (c *Certificate) namesIssuer(parent *Certificate) bool {
	return bytes.Equal(c.X509.RawIssuer, parent.X509.RawSubject) || c.issuerName.equal(parent.subjectName)
}

// kinship tells how well the authority key identifier of c points to parent: 1 it does, 0 it says nothing, -1 it points
// elsewhere. It is a hint for the order of the search; the signature decides.
func (c *Certificate) kinship(parent *Certificate) int {
	aki, ski := c.X509.AuthorityKeyId, parent.X509.SubjectKeyId
	switch {
	case len(aki) > 0 && len(ski) > 0 && bytes.Equal(aki, ski):
		return 1
	case len(aki) > 0 && len(ski) > 0:
		return -1
	}
	if issuer, serial, ok := c.authority(); ok {
		if bytes.Equal(serial, parent.serial) && shares(issuer, []generalName{directoryName(parent.X509.RawIssuer)}) {
			return 1
		}
		return -1
	}
	return 0
}

// authority reads the other way of pointing to the issuer: its own issuer and serial number (RFC 5280 section 4.2.1.1).
func (c *Certificate) authority() (issuer []generalName, serial []byte, ok bool) {
	body, _, err := c.extensionBody(oidAuthorityKeyID)
	if err != nil {
		return nil, nil, false
	}
	var names, number cryptobyte.String
	var named, numbered bool
	if !body.SkipOptionalASN1(casn1.Tag(0).ContextSpecific()) ||
		!body.ReadOptionalASN1(&names, &named, casn1.Tag(1).ContextSpecific().Constructed()) ||
		!body.ReadOptionalASN1(&number, &numbered, casn1.Tag(2).ContextSpecific()) || !named || !numbered {
		return nil, nil, false
	}
	issuer, err = readGeneralNames(names, maxPlaceNames)
	return issuer, number, err == nil
}

// contains also stops loops through different certificates of one CA and key.
func contains(path []*Certificate, c *Certificate) bool {
	for _, p := range path {
		if p.Equal(c) || p.Key.Equal(c.Key) && p.subjectName.equal(c.subjectName) {
			return true
		}
	}
	return false
}

func containsOID(list []asn1.ObjectIdentifier, oid asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(list, oid.Equal)
}
