// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Limits of one Validate.
const (
	maxJudged  = 4           // sound paths whose revocation is looked at
	maxAnswers = 64          // about one certificate, from its issuer by their own account
	maxHeld    = 4096        // that a source hands out for one certificate
	maxSigned  = 96          // signatures of answers
	maxFetched = 16          // certificates of issuers, from one address
	maxWait    = time.Minute // for all that the source is asked
	maxSigners = 3           // signers of lists that are vouched for by lists of further signers, and so on
)

// Validate builds the path of leaf and checks it: RFC 5280 section 6, the use, and with a Source the revocation of every link
// but the root (section 6.3, RFC 6960). Issuers that are absent are asked of the Source, too. Among several paths it prefers
// one that holds. It always returns a path, of at least the leaf.
//
// Revocation is that of t.At, told by the newest answers: a certificate revoked later is Good, and Revocation.At tells when
// it will be. An answer counts when it was made after t.At or was the current one then. An answer made after the certificate
// expired says nothing by silence, unless it states that expired certificates are kept. A revocation counts however old
// the answer, a certificate on hold by the newest only. The Source is asked about links of a sound path to a root alone, and for a
// minute in all: what it has not said by then is not known.
func (t Trust) Validate(ctx context.Context, leaf *Certificate, use Use) *Path {
	if t.budget == nil {
		t = t.Bounded(2 * maxChecks)
	}
	t = t.ready()
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	v := &validation{
		ctx: ctx, trust: t, checks: maxSigned, parsed: map[*byte]parsedAnswer{}, verified: map[checked]error{},
		signers: map[*Certificate]*Path{}, busy: map[string]bool{}, asked: map[*Certificate]bool{},
	}
	return v.path(leaf, use)
}

// validation is the work of one Validate.
type validation struct {
	ctx      context.Context
	trust    Trust
	checks   int // signatures of answers that may still be checked
	parsed   map[*byte]parsedAnswer
	verified map[checked]error
	signers  map[*Certificate]*Path // of lists, as far as they were looked at
	busy     map[string]bool        // whose own state is being looked up, by their DER
	cut      bool                   // an answer was passed over because of a limit
	asked    map[*Certificate]bool  // whose issuers the source was asked for
}

func (v *validation) path(leaf *Certificate, use Use) *Path {
	for {
		found, ends := v.search(leaf, use)
		if found != nil {
			return found
		}
		links := v.trust.Explain(leaf)
		if last := links[len(links)-1]; errors.Is(last.Problem, ErrIssuerAbsent) {
			ends = append(ends, last.Certificate)
		}
		if !v.fetch(ends) {
			return v.unsound(links, use)
		}
	}
}

// search returns the best of the sound paths, or else where the ways up ended.
func (v *validation) search(leaf *Certificate, use Use) (best *Path, ends []*Certificate) {
	b := builder{trust: v.trust}
	judged := 0
	b.paths(leaf, func(path []*Certificate) bool {
		p := v.judge(sound(path), use)
		if best == nil || p.Holds() {
			best = p
		}
		judged++
		return p.Holds() || judged == maxJudged || v.ctx.Err() != nil
	})
	return best, b.ends
}

// fetch asks the source for the issuers of certificates it was not asked about before, and reports whether there are new ones.
func (v *validation) fetch(ends []*Certificate) bool {
	if v.trust.Source == nil {
		return false
	}
	grown := false
	for _, c := range ends {
		if v.asked[c] || c.SelfIssued() || len(v.asked) == maxDepth || v.ctx.Err() != nil {
			continue
		}
		v.asked[c] = true
		found, _ := v.trust.Source.Issuers(v.ctx, c) // what cannot be got is absent, and the path says so
		for _, parent := range found[:min(len(found), maxFetched)] {
			if c.namesIssuer(parent) && !slices.ContainsFunc(v.trust.Intermediates, parent.Equal) {
				v.trust.Intermediates = append(slices.Clip(v.trust.Intermediates), parent)
				grown = true
			}
		}
	}
	return grown
}

// judge looks at the use and the revocation of every link of a path to a root.
func (v *validation) judge(links []Link, use Use) *Path {
	top := len(links) - 1
	trusted := join(links) == nil
	for i := range links {
		if i < top || top == 0 {
			links[i].mark(use.fits(links[i].Certificate, i == 0))
		}
	}
	if v.trust.Source != nil {
		for i := top - 1; i >= 0; i-- {
			v.lookUp(&links[i], links[i+1].Certificate, links[top].Certificate)
		}
	}
	if trusted { // what revocation and use have against a path is not a want of trust
		return &Path{Links: links, Problem: join(links)}
	}
	return untrusted(links)
}

// unsound judges what can be judged of a path that does not hold: one that only dates stand against is looked at in full.
func (v *validation) unsound(links []Link, use Use) *Path {
	dated := links[len(links)-1].Root
	for _, l := range links {
		dated = dated && (l.Problem == nil || l.Reason() == "expired" || l.Reason() == "early")
	}
	if dated {
		return v.judge(links, use)
	}
	return untrusted(links)
}

func untrusted(links []Link) *Path {
	return &Path{Links: links, Problem: fmt.Errorf("%w: %w", ErrUntrusted, join(links))}
}

func join(links []Link) error {
	var errs []error
	for _, l := range links {
		errs = append(errs, l.Problem)
	}
	return errors.Join(errs...)
}

// lookUp finds the state of a link and marks it.
func (v *validation) lookUp(l *Link, issuer, root *Certificate) {
	if l.Certificate.shortLived() {
		return
	}
	l.Revocation = v.revocation(l.Certificate, issuer, root)
	switch r := l.Revocation; r.Status {
	case Revoked:
		l.mark(&RevokedError{Certificate: l.Certificate, At: r.At, Reason: r.Reason})
	case Unknown:
		l.mark(fmt.Errorf("%w: %v", ErrRevocationUnknown, r.Problem)) // what is wrong with the answers is not wrong with the link
	}
}

// shortLived reports whether the issuer states that it never tells about revocation (RFC 9608, ETSI EN 319 412-1 section
// 5.2.2).
func (c *Certificate) shortLived() bool {
	for _, e := range c.X509.Extensions {
		if e.Id.Equal(oidNoRevocation) || e.Id.Equal(oidShortTerm) {
			return !c.X509.IsCA
		}
	}
	return false
}
