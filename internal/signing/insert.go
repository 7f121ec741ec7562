// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/token"
	"persten/proto"
)

const (
	insertLimit = decideLimit     // for a person to find the token
	insertLook  = 5 * time.Second // how often tokens are listed while one is waited for; those that tell of themselves are heard at once
)

// absentKey is the key of a certificate whose token was seen and is not plugged in. It says what a question needs; inserted turns
// it into the real one.
type absentKey struct {
	certificate *cert.Certificate
	info        token.Info
	algorithms  []algo.ID
}

func (k absentKey) ID() string                     { return k.certificate.ID() }
func (k absentKey) Certificate() *cert.Certificate { return k.certificate }
func (k absentKey) Token() token.Info              { return k.info }
func (k absentKey) Algorithms() []algo.ID          { return k.algorithms }

func (k absentKey) Open(context.Context, token.PINFunc) (token.Session, error) {
	return nil, token.ErrAbsent
}

// wanted is find, which also knows certificates whose tokens are not plugged in.
func (e *Engine) wanted(ctx context.Context, id string) (token.Key, error) {
	key, err := e.find(ctx, id)
	if code(err) == proto.CodeCertificateAbsent {
		if k, ok := e.known.find(id); ok {
			return k, nil
		}
	}
	return key, err
}

// absent marks the question when the key's token is not there.
func (q *Question) absent(key token.Key) {
	_, q.Absent = key.(absentKey)
}

// ask opens the prompt of a question about a key. A token that is not there is waited for only where a person can be told.
func (e *Engine) ask(ctx context.Context, q Question) (Prompt, func(), error) {
	gone := func(cause error) error {
		return proto.E(proto.CodeCertificateAbsent, cause, "id", q.Certificate.ID)
	}
	decided := e.desk.decided(q)
	if q.Absent && decided {
		return nil, nil, gone(nil)
	}
	if err := e.rules.admit(q, decided); err != nil {
		return nil, nil, err
	}
	p, leave, err := e.desk.open(ctx, q)
	if q.Absent && code(err) == proto.CodePromptUnavailable {
		return nil, nil, gone(err)
	}
	return p, leave, err
}

// on reports whether t is the token that the question named. Another one with the same certificate is not what was approved: the
// journal would name the wrong one, and it would get the PIN of the right one.
func (k absentKey) on(t token.Info) bool {
	return t.Serial == k.info.Serial && t.Label == k.info.Label && t.Model == k.info.Model
}

// inserted is key, or the same one on its token once that is plugged in. Until then the prompt says which it is, and the person can
// give up. Their act makes the approval fresh again.
func (e *Engine) inserted(ctx context.Context, key token.Key, p Prompt, a *approval) (token.Key, error) {
	approved, ok := key.(absentKey)
	if !ok {
		return key, nil
	}
	tell(ctx, p, StepInsert)
	limited, cancel := context.WithTimeout(ctx, insertLimit)
	defer cancel()
	var stopped <-chan struct{}
	if s, ok := p.(Stopper); ok {
		stopped = s.Stopped()
	}
	found, err := e.await(limited, approved, stopped)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		return nil, proto.E(proto.CodeTokenAbsent, limited.Err())
	case err != nil:
		return nil, err
	case !found.Certificate().Equal(approved.certificate):
		return nil, proto.E(proto.CodeInternal, errNotApproved)
	}
	a.renew()
	return found, nil
}

// await waits until the key can be found on its token.
func (e *Engine) await(ctx context.Context, k absentKey, stopped <-chan struct{}) (token.Key, error) {
	events := e.keys.Events(ctx)
	look := time.NewTicker(insertLook)
	defer look.Stop()
	for {
		key, err := e.findOn(ctx, k.ID(), k.on)
		if err == nil || ctx.Err() != nil {
			return key, err
		}
		select {
		case _, open := <-events:
			if !open {
				events = nil
			}
		case <-look.C:
		case <-stopped:
			return nil, proto.E(proto.CodeUserRejected, nil)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
