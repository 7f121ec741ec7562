// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"errors"
	"slices"
	"time"

	"persten/internal/journal"
	"persten/internal/token"
	"persten/proto"
)

// maxChoices is how many certificates a person is offered; a real token holds a few.
const maxChoices = 64

var errChoice = errors.New("the prompt chose what was not offered")

// Select finds the key that fits purpose, KindSign or KindLogin: the only one, or the one the person chooses. Among are the ids of
// certificates to choose among; none means all. The journal keeps the choice.
func (e *Engine) Select(ctx context.Context, who Caller, purpose Kind, note string, among ...string) (token.Key, error) {
	fit, err := e.fitting(ctx, purpose, among)
	switch {
	case err != nil:
		return nil, err
	case len(fit) == 1:
		return fit[0], nil
	}
	q := who.question(KindSelect)
	q.For, q.Note = purpose, note
	for _, k := range fit {
		q.Choices = append(q.Choices, Choice{*card(k.Certificate()), k.Token()})
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

// chosen waits for the choice and journals it.
func (e *Engine) chosen(ctx context.Context, who Caller, q Question, p Prompt, fit []token.Key) (token.Key, error) {
	d, err := decide(ctx, p)
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
	return key, nil
}

// fitting lists the keys that can be used for purpose now; there is at least one.
func (e *Engine) fitting(ctx context.Context, purpose Kind, among []string) ([]token.Key, error) {
	keys, err := e.keys.Keys(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var fit []token.Key
	for _, k := range keys {
		if len(among) > 0 && (k.Certificate() == nil || !slices.Contains(among, k.ID()) && !slices.Contains(among, k.Certificate().Thumbprint())) {
			continue
		}
		if len(fit) < maxChoices && e.permitted(k, time.Now(), purpose) == nil && (purpose != KindLogin || loginAlgorithm(k) != "") {
			fit = append(fit, k)
		}
	}
	if len(fit) > 0 {
		return fit, nil
	}
	if err := hiding(err); err != nil {
		return nil, fault(err)
	}
	return nil, proto.E(proto.CodeCertificateNone, err)
}

// Choose is Select for a caller that wants to know the certificate alone.
func (e *Engine) Choose(ctx context.Context, who Caller, purpose Kind, note string, among ...string) (*proto.Certificate, error) {
	key, err := e.Select(ctx, who, purpose, note, among...)
	if err != nil {
		return nil, err
	}
	found := e.Listed([]token.Key{key}, true, time.Now())
	return &found[0], nil
}
