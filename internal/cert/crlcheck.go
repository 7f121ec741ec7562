// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

type heldList struct {
	answer Answer
	list   *CRL
}

// finding is what one list, together with a delta list, says about the certificate.
type finding struct {
	entry CRLEntry
	found bool
	err   error
}

// byCRLs runs RFC 5280 section 6.3.3: for every distribution point of c the lists that cover it, the newest first, until all
// reasons are covered. Older lists are looked at for a final revocation alone. Lists of others are passed over; nil and no
// error mean that there are no others.
func (v *validation) byCRLs(lists []heldList, c, issuer, root *Certificate) (*Revocation, error) {
	points, err := c.points()
	if err != nil {
		return nil, err
	}
	lists = slices.Clone(lists)
	slices.SortStableFunc(lists, func(a, b heldList) int { return b.list.ThisUpdate.Compare(a.list.ThisUpdate) })
	s := crlSearch{validation: v, lists: lists, c: c, issuer: issuer, root: root, found: map[*CRL]finding{}}
	for _, p := range points {
		for _, h := range lists {
			if r := s.consult(p, h); r != nil {
				return r, nil
			}
		}
	}
	switch {
	case s.covered == allReasons:
		return s.good, nil
	case s.covered != 0:
		s.problems = append(s.problems, errSomeReasons)
	case len(s.problems) == 0 && slices.ContainsFunc(lists, func(h heldList) bool { return h.list.issuer.equal(c.issuerName) }):
		s.problems = append(s.problems, errNotCovered)
	}
	return nil, errors.Join(s.problems...)
}

// crlSearch is one run of byCRLs.
type crlSearch struct {
	*validation
	lists           []heldList
	c, issuer, root *Certificate

	found    map[*CRL]finding
	covered  reasonFlags
	good     *Revocation // what the lists consulted so far say together
	problems []error
}

// consult looks into one list on behalf of one distribution point, and returns the result when it is a revocation.
func (s *crlSearch) consult(p point, h heldList) *Revocation {
	l := h.list
	mask := p.reasons & l.scope.reasons
	if l.Delta || !p.coveredBy(l, s.c) {
		return nil
	}
	news := mask&^s.covered != 0
	if f := s.look(l); !news && (!f.found || f.entry.Reason == ReasonCertificateHold) {
		return nil
	}
	r, err := s.ask(h)
	if err != nil {
		if err = from(h.answer, err); !slices.ContainsFunc(s.problems, func(e error) bool { return e.Error() == err.Error() }) {
			s.problems = append(s.problems, err)
		}
		return nil
	}
	if !r.At.IsZero() {
		return r
	}
	if news && (s.good == nil || r.ThisUpdate.Before(s.good.ThisUpdate)) {
		s.good = r
	}
	s.covered |= mask
	return nil
}

// coveredBy is section 6.3.3 (b): the list is from whom it must be from, at the right place, about this kind of certificate.
func (p point) coveredBy(l *CRL, c *Certificate) bool {
	if len(p.issuer) > 0 {
		if !l.scope.indirect || !shares(p.issuer, []generalName{{form: formDirectory, name: l.issuer}}) {
			return false
		}
	} else if !l.issuer.equal(c.issuerName) {
		return false
	}
	names := p.names
	if len(names) == 0 {
		names = p.issuer
	}
	ca := c.X509.BasicConstraintsValid && c.X509.IsCA
	return (l.scope.names == nil || shares(names, l.scope.names)) && !l.scope.others && !(l.scope.users && ca) && !(l.scope.cas && !ca)
}

// ask checks who signed the list, and reads it with the newest delta list that fits.
func (s *crlSearch) ask(h heldList) (*Revocation, error) {
	if err := s.authentic(h.list); err != nil {
		return nil, err
	}
	r := &Revocation{Status: Good, ThisUpdate: h.list.ThisUpdate, NextUpdate: h.list.NextUpdate, Answer: h.answer}
	f := s.look(h.list)
	if delta, ok := s.delta(h.list); ok && delta.list.ThisUpdate.After(r.ThisUpdate) {
		r.ThisUpdate, r.NextUpdate, r.Answer = delta.list.ThisUpdate, delta.list.NextUpdate, delta.answer
		if d := s.look(delta.list); d.err != nil || d.found {
			f = d
			f.found = d.entry.Reason != reasonRemove
		}
	}
	if f.err != nil {
		return nil, f.err
	}
	if f.found {
		r.Status, r.At, r.Reason = Revoked, f.entry.At, f.entry.Reason
	}
	return r, s.weigh(r, s.c, h.list.ExpiredCerts)
}

// look searches a list once.
func (s *crlSearch) look(l *CRL) finding {
	f, ok := s.found[l]
	if !ok {
		f.entry, f.found, f.err = l.Lookup(s.c)
		s.found[l] = f
	}
	return f
}

// delta finds the newest delta list for l (section 6.3.3 c): same issuer, scope and key, and l is not older than its base.
func (s *crlSearch) delta(l *CRL) (heldList, bool) {
	for _, h := range s.lists {
		d := h.list
		if d.Delta && d.base != nil && l.Number != nil && d.Number != nil && d.base.Cmp(l.Number) <= 0 && d.Number.Cmp(l.Number) >= 0 &&
			d.issuer.equal(l.issuer) && bytes.Equal(d.scope.raw, l.scope.raw) && bytes.Equal(d.authorityKey, l.authorityKey) &&
			s.authentic(d) == nil {
			return h, true
		}
	}
	return heldList{}, false
}

// authentic checks that the list was signed by the issuer of the certificate, or by another holder of the list's name who
// leads to the same root (section 6.3.3 f, g).
func (s *crlSearch) authentic(l *CRL) error {
	if l.strange != nil {
		return l.strange
	}
	problem := error(ErrUnauthorized)
	if l.IssuedBy(s.issuer) && s.issuer.mayList() {
		if problem = s.verify(s.issuer, l.outside); problem == nil {
			return nil
		}
	}
	for _, pool := range [][]*Certificate{s.trust.Roots, s.trust.Intermediates} {
		for _, c := range pool {
			if c == s.issuer || !l.IssuedBy(c) || !c.mayList() || s.verify(c, l.outside) != nil {
				continue
			}
			if problem = s.vouched(c); problem == nil {
				return nil
			}
		}
	}
	if errors.Is(problem, ErrUnauthorized) {
		return problem
	}
	return fmt.Errorf("%w: %w", ErrUnauthorized, problem)
}

// vouched checks the path of another signer of lists. One whose own state no other list tells than those it signs is taken
// at its word (PKITS 4.14.30); anything longer that leads back to itself is not.
func (s *crlSearch) vouched(c *Certificate) error {
	own := string(c.Raw)
	if s.busy[own] && c.Equal(s.c) {
		return nil
	}
	p := s.signers[c]
	if p == nil {
		if s.busy[own] || len(s.busy) == maxSigners {
			return errCircle
		}
		s.busy[own] = true
		p = s.path(c, UseCRL)
		delete(s.busy, own)
		s.signers[c] = p
	}
	if !p.Holds() {
		return p.Problem
	}
	if end := p.Links[len(p.Links)-1].Certificate; !end.Equal(s.root) && !end.subjectName.equal(s.root.subjectName) {
		return ErrUntrusted
	}
	return nil
}
