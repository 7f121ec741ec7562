// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"persten/internal/cert"
	"persten/internal/journal"
	"persten/internal/token"
	"persten/proto"
)

// maxChoices is how many certificates a person is offered; a real token holds a few.
const maxChoices = 64

var errChoice = errors.New("the prompt chose what was not offered")

// SelectRequest asks for a certificate.
type SelectRequest struct {
	Purpose Kind     // KindSign or KindLogin
	Note    string   // "the site says"
	Among   []string // ids or thumbprints: the others are not shown; none means all
	Filter  proto.CertificateFilter
}

// Select finds the key that fits: the only one, or the one the person chooses. Certificates that do not fit stand in the window
// with what they lack, also when none does; they cannot be chosen. The journal keeps a choice.
func (e *Engine) Select(ctx context.Context, who Caller, r SelectRequest) (token.Key, error) {
	fit, refused, err := e.sorted(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case len(fit) == 1:
		return fit[0], nil
	}
	q := who.question(KindSelect)
	if err := e.rules.admit(q, false); err != nil {
		return nil, err
	}
	q.For, q.Note, q.Choices = r.Purpose, r.Note, e.choices(who, r, fit, refused)
	if len(fit) == 0 {
		return nil, e.explainNone(ctx, q)
	}
	p, leave, err := e.desk.open(ctx, q)
	if err != nil {
		return nil, err
	}
	defer leave()
	key, err := e.chosen(ctx, who, q, p, fit)
	p.Close(outcome(err))
	return key, err
}

// choices are those that fit, in their order, and then the refused ones.
func (e *Engine) choices(who Caller, r SelectRequest, fit []token.Key, refused []Choice) []Choice {
	last := e.known.last(who.Origin)
	var list []Choice
	for _, k := range fit {
		c := k.Certificate()
		list = append(list, Choice{Certificate: *card(c), Token: k.Token(), Attorney: attorney(c, r.Filter), Last: c.ID() == last})
	}
	return append(list, refused...)
}

// explains reports whether q only tells why no certificate can be chosen.
func (q Question) explains() bool {
	return q.Kind == KindSelect && !slices.ContainsFunc(q.Choices, func(c Choice) bool { return c.Refusal == nil })
}

// explainNone shows why nothing fits, where somebody can be shown, and returns the answer for the caller: codes, no certificates.
func (e *Engine) explainNone(ctx context.Context, q Question) error {
	var reasons []string
	for _, c := range q.Choices {
		if !slices.Contains(reasons, c.Refusal.Code) {
			reasons = append(reasons, c.Refusal.Code)
		}
	}
	none := proto.E(proto.CodeCertificateNone, nil, "reasons", strings.Join(reasons, " "))
	p, leave, err := e.desk.open(ctx, q)
	if err == nil {
		defer leave()
		_, err = e.desk.decide(ctx, q, p)
		p.Close(outcome(proto.E(proto.CodeUserRejected, nil))) // there was nothing to say yes to
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if c := code(err); c == proto.CodeOriginCooldown || c == proto.CodeRequestLimit {
		return err // the reasons would tell a site, unseen by the person, who is among the certificates
	}
	logFault("certificates that do not fit could not be shown", err)
	return none
}

// chosen waits for the choice and journals it.
func (e *Engine) chosen(ctx context.Context, who Caller, q Question, p Prompt, fit []token.Key) (token.Key, error) {
	d, err := e.desk.decide(ctx, q, p)
	if err != nil {
		return nil, e.refused(who, q, fault(err))
	}
	if d.Chosen < 0 || d.Chosen >= len(fit) {
		return nil, proto.E(proto.CodeInternal, errChoice)
	}
	key := fit[d.Chosen]
	q.Certificate, q.Token = card(key.Certificate()), key.Token()
	r := e.record(who, q, string(KindSelect))
	r.Result = journal.OK
	if err := e.log.Note(r); err != nil {
		return nil, proto.E(proto.CodeJournalUnwritable, err)
	}
	e.known.choose(who.Origin, key.Certificate().ID())
	return key, nil
}

// sorted lists the keys that fit now and the certificates that do not; there is at least one of them.
func (e *Engine) sorted(ctx context.Context, r SelectRequest) (fit []token.Key, refused []Choice, err error) {
	keys, listErr := e.list(ctx)
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	there := map[string]bool{}
	for _, k := range keys {
		c := k.Certificate()
		if c == nil || !r.among(c) {
			continue
		}
		there[c.ID()] = true
		switch bad := e.refusal(k, r); {
		case bad == nil && len(fit) < maxChoices:
			fit = append(fit, k)
		case bad != nil && !c.Usage().CA: // issuers lie on tokens too, and are nobody's choice
			refused = append(refused, Choice{Certificate: *card(c), Token: k.Token(), Refusal: bad, Attorney: attorney(c, r.Filter)})
		}
	}
	if len(fit) == 0 {
		if err := hiding(listErr); err != nil {
			return nil, nil, fault(err)
		}
	}
	refused = append(refused, e.unplugged(r, there)...)
	if len(fit)+len(refused) == 0 {
		return nil, nil, proto.E(proto.CodeCertificateNone, listErr)
	}
	return fit, refused[:min(len(refused), maxChoices-len(fit))], nil
}

// unplugged are the certificates that would fit if their tokens were here.
func (e *Engine) unplugged(r SelectRequest, there map[string]bool) (list []Choice) {
	for _, k := range e.known.all() {
		if c := k.Certificate(); !there[c.ID()] && r.among(c) && e.refusal(k, r) == nil {
			why := &Refusal{string(proto.CodeTokenAbsent), map[string]string{"label": k.info.PlainLabel(), "serial": k.info.Serial}}
			list = append(list, Choice{Certificate: *card(c), Token: k.info, Refusal: why, Attorney: attorney(c, r.Filter)})
		}
	}
	return list
}

// among reports whether c is one of those that the caller named.
func (r SelectRequest) among(c *cert.Certificate) bool {
	return len(r.Among) == 0 || slices.Contains(r.Among, c.ID()) || slices.Contains(r.Among, c.Thumbprint())
}

// Choose is Select for a caller that wants to know the certificate alone.
func (e *Engine) Choose(ctx context.Context, who Caller, r SelectRequest) (*proto.Certificate, error) {
	key, err := e.Select(ctx, who, r)
	if err != nil {
		return nil, err
	}
	found := e.Listed([]token.Key{key}, true, time.Now())
	return &found[0], nil
}
