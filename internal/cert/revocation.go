// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"time"
)

var (
	oidNoRevocation = asn1.ObjectIdentifier{2, 5, 29, 56}
	oidShortTerm    = asn1.ObjectIdentifier{0, 4, 0, 194121, 2, 1}
)

// Why an answer does not help. They are found in Revocation.Problem.
var (
	ErrNoAnswer      = errors.New("there is no answer about it")
	ErrOutdated      = errors.New("the answer is out of date")
	ErrUnauthorized  = errors.New("the answer is not from the issuer nor from anybody it appointed")
	ErrForgotten     = errors.New("the answer was made after the certificate had expired and need not tell of it any more")
	errNotCovered    = errors.New("the answer is not about this certificate")
	errNotKnown      = errors.New("the responder does not know the certificate")
	errSomeReasons   = errors.New("the lists at hand do not cover all reasons")
	errFuture        = errors.New("the answer speaks of a time after it was made or fetched")
	errCircle        = errors.New("whether the signer of the list was revoked is told by the list itself")
	errTooManyChecks = errors.New("too many answers")
)

const (
	clockSkew = 10 * time.Minute
	openEnded = 24 * time.Hour // an answer that does not say when the next one comes is current that long
)

type parsedAnswer struct {
	list *CRL
	ocsp *OCSP
	err  error
}

// checked names a signature and who is to have made it.
type checked struct {
	body   *byte
	signer *Certificate
}

// parse reads an answer once.
func (v *validation) parse(a Answer) parsedAnswer {
	if a.list != nil {
		return parsedAnswer{list: a.list}
	}
	if len(a.DER) == 0 {
		return parsedAnswer{err: ErrNoAnswer}
	}
	p, ok := v.parsed[&a.DER[0]]
	if !ok {
		if a.OCSP {
			p.ocsp, p.err = ParseOCSP(a.DER)
		} else {
			p.list, p.err = ParseCRL(a.DER)
		}
		v.parsed[&a.DER[0]] = p
	}
	return p
}

// concerns reports whether the answer says that it is about c, or may be.
func (p parsedAnswer) concerns(c, issuer *Certificate) bool {
	switch {
	case p.err != nil:
		return false
	case p.ocsp != nil:
		_, ok := p.ocsp.Find(c, issuer)
		return ok
	}
	return p.list.scope.indirect || p.list.issuer.equal(c.issuerName)
}

// verify checks the signature of an answer, once and within the budget.
func (v *validation) verify(signer *Certificate, s signed) error {
	key := checked{&s.body[0], signer}
	err, ok := v.verified[key]
	if ok {
		return err
	}
	if v.checks <= 0 || v.trust.budget.signed <= 0 {
		v.cut = true
		return errTooManyChecks
	}
	v.checks--
	v.trust.budget.signed--
	err = v.trust.budget.verify(signer, s)
	v.verified[key] = err
	return err
}

// revocation weighs all answers about c. Where a limit kept it from an answer nobody knows that it is good: whoever was revoked
// may put a crowd of answers into a signature, and those come before what the network says.
func (v *validation) revocation(c, issuer, root *Certificate) *Revocation {
	before := v.cut
	v.cut = false
	defer func() { v.cut = v.cut || before }()
	r := v.weighAll(c, issuer, root)
	if r.Status == Good && (v.cut || v.trust.budget.left < 0) {
		return &Revocation{Problem: errTooManyChecks}
	}
	return r
}

func (v *validation) weighAll(c, issuer, root *Certificate) *Revocation {
	answers, err := v.trust.Source.Revocation(v.ctx, c, issuer)
	best := &Revocation{}
	problems := []error{err}
	consider := func(r *Revocation, err error) {
		if err != nil {
			problems = append(problems, err)
		} else if r != nil {
			best = heavier(best, r)
		}
	}
	var lists []heldList
	v.cut = v.cut || len(answers) > maxHeld
	concerned := 0
	for _, a := range answers[:min(len(answers), maxHeld)] {
		p := v.parse(a)
		if p.concerns(c, issuer) {
			if concerned++; concerned > maxAnswers {
				v.cut = true
				break
			}
		}
		switch {
		case p.err != nil:
			if len(problems) < maxAnswers {
				problems = append(problems, from(a, p.err))
			}
		case a.OCSP:
			r, err := v.byOCSP(a, p.ocsp, c, issuer, root)
			consider(r, from(a, err))
		default:
			lists = append(lists, heldList{a, p.list})
		}
	}
	if len(lists) > 0 {
		consider(v.byCRLs(lists, c, issuer, root))
	}
	if best.Status == Unknown {
		if best.Problem = errors.Join(problems...); best.Problem == nil {
			best.Problem = ErrNoAnswer
		}
	}
	return best
}

func from(a Answer, err error) error {
	if err == nil || a.From == "" {
		return err
	}
	return fmt.Errorf("%s: %w", a.From, err)
}

// heavier prefers a final revocation, then the newest answer.
func heavier(a, b *Revocation) *Revocation {
	switch {
	case b.Status == Unknown || a.final() && !b.final():
		return a
	case a.Status == Unknown || b.final() && !a.final():
		return b
	case b.ThisUpdate.After(a.ThisUpdate):
		return b
	}
	return a
}

// final reports a revocation that is never taken back.
func (r *Revocation) final() bool { return r.Status == Revoked && r.Reason != ReasonCertificateHold }

// weigh completes r, what an authentic answer says about c, with the view at v.trust.At. keptSince is the extension about
// expired certificates.
func (v *validation) weigh(r *Revocation, c *Certificate, keptSince time.Time) error {
	at := v.trust.At
	got := r.Answer.Got
	if got.IsZero() {
		got = time.Now()
	}
	if r.ThisUpdate.After(got.Add(clockSkew)) || !r.ProducedAt.IsZero() && r.ThisUpdate.After(r.ProducedAt.Add(clockSkew)) {
		return errFuture
	}
	if r.Status == Revoked {
		if r.At.After(at) {
			r.Status = Good
		}
		return nil
	}
	next := r.NextUpdate
	if next.IsZero() {
		next = r.ThisUpdate.Add(openEnded)
	}
	if at.After(next) {
		return fmt.Errorf("%w: good until %s", ErrOutdated, next.UTC().Format(time.RFC3339))
	}
	if end := c.NotAfter(); r.ThisUpdate.After(end) && (keptSince.IsZero() || keptSince.After(end)) {
		return ErrForgotten
	}
	return nil
}

// byOCSP takes a response for what it says about c.
func (v *validation) byOCSP(a Answer, o *OCSP, c, issuer, root *Certificate) (*Revocation, error) {
	if o.strange != nil {
		return nil, o.strange
	}
	s, ok := o.Find(c, issuer)
	if !ok {
		return nil, errNotCovered
	}
	end, err := v.responder(o, issuer, root)
	if err != nil {
		return nil, err
	}
	if s.Status == Unknown {
		return nil, errNotKnown
	}
	r := &Revocation{
		Status: s.Status, At: s.Revoked.At, Reason: s.Revoked.Reason, Answer: a,
		ThisUpdate: s.ThisUpdate, NextUpdate: s.NextUpdate, ProducedAt: o.ProducedAt,
	}
	err = v.weigh(r, c, s.ArchiveCutoff)
	if err == nil && r.At.IsZero() && !end.IsZero() && v.trust.At.After(end) {
		err = fmt.Errorf("%w: its responder's certificate ended %s", ErrOutdated, end.UTC().Format(time.RFC3339))
	}
	return r, err
}

// responder checks who signed: the issuer itself, or a responder that issuer appointed with a certificate of its own
// (RFC 6960 section 4.2.2.2). A responder without ocsp-nocheck must not be known as revoked; not to know is not held against
// it, since many responders cannot be asked about. end is when an appointment ran out: nobody revokes its key any more, so
// that what it says is good does not outlast it.
func (v *validation) responder(o *OCSP, issuer, root *Certificate) (end time.Time, err error) {
	problem := error(ErrUnauthorized)
	if o.isFrom(issuer) {
		if problem = v.verify(issuer, o.outside); problem == nil {
			return time.Time{}, nil
		}
	}
	for _, pool := range [][]*Certificate{o.Certificates, v.trust.Intermediates} {
		for _, c := range pool {
			if !c.namesIssuer(issuer) || c.Equal(issuer) || !o.isFrom(c) || !c.mayAnswer() {
				continue
			}
			if problem = v.appointed(o, c, issuer, root); problem == nil {
				return c.NotAfter(), nil
			}
		}
	}
	if errors.Is(problem, ErrUnauthorized) {
		return time.Time{}, problem
	}
	return time.Time{}, fmt.Errorf("%w: %w", ErrUnauthorized, problem)
}

func (v *validation) appointed(o *OCSP, c, issuer, root *Certificate) error {
	if err := c.fit(o.ProducedAt); err != nil {
		return err
	}
	if err := v.trust.budget.check(c, issuer); err != nil {
		return err
	}
	if err := v.verify(c, o.outside); err != nil {
		return err
	}
	own := string(c.Raw) // it comes anew with every response
	if _, ok := extension(c.X509, oidNoCheck); ok || c.shortLived() || v.busy[own] {
		return nil
	}
	if len(v.busy) == maxSigners {
		return errCircle
	}
	v.busy[own] = true
	defer delete(v.busy, own)
	r := v.revocation(c, issuer, root)
	later := !r.At.IsZero() && (r.Reason == ReasonKeyCompromise || r.At.Before(o.ProducedAt)) // after t.At, and before it signed
	if r.Status == Revoked || later {
		return &RevokedError{Certificate: c, At: r.At, Reason: r.Reason}
	}
	return nil
}
