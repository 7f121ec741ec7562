// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"persten/internal/secret"
	"persten/internal/token"
	"persten/proto"
)

// The limits of asking: a person answers one question of one site at a time, and few sites at once.
const (
	maxPrompts  = 3                // windows at once
	maxWaiting  = 16               // further requests of one origin
	decideLimit = 30 * time.Minute // for a person to answer, when policy says nothing shorter
	redeemLimit = 120 * time.Second
)

// desk lets questions through to the Approver a few at a time.
type desk struct {
	ask     Approver
	changed func()         // called when a prompt opens or closes
	cooled  func(Question) // called when the person's refusals make a site wait
	refused patience
	wait    time.Duration // for a person's answer

	explained patience // windows that only say why nothing can be chosen: closing one refuses nothing, yet may be wanted too often

	mu      sync.Mutex
	slots   chan struct{}
	origins map[string]*line
	shown   []Open
}

// line is the queue of one origin; turn holds one place.
type line struct {
	turn    chan struct{}
	waiting int
}

func newDesk(ask Approver, changed func(), wait time.Duration) *desk {
	return &desk{ask: ask, changed: changed, wait: wait, slots: make(chan struct{}, maxPrompts), origins: map[string]*line{}, refused: newPatience(), explained: newPatience()}
}

// open waits for a place at the desk and opens the prompt. The returned release gives the place back.
func (d *desk) open(ctx context.Context, q Question) (Prompt, func(), error) {
	if u, ok := d.ask.(*Unattended); ok {
		if g := u.find(q); g != nil { // nobody is asked: no place at the desk, no window
			p, err := u.admit(g, q)
			if err != nil {
				return nil, nil, err
			}
			return p, p.leave, nil
		}
	}
	leave, err := d.enter(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	opened := false
	defer func() {
		if !opened { // also when Ask panics: the place must not be lost for good
			leave()
		}
	}()
	p, err := d.ask.Ask(ctx, q)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, nil, ctx.Err()
	case err != nil && code(err) == "":
		return nil, nil, proto.E(proto.CodePromptUnavailable, err)
	case err != nil:
		return nil, nil, err
	}
	opened = true
	hide := d.show(q, p)
	return p, func() { hide(); leave() }, nil
}

// decided reports whether policy answers q.
func (d *desk) decided(q Question) bool {
	u, ok := d.ask.(*Unattended)
	return ok && u.find(q) != nil
}

// rested is the error of a site that has to wait before a question of it is shown.
func (d *desk) rested(q Question) error {
	err := d.refused.check(q.Origin)
	if err == nil && q.explains() {
		err = d.explained.check(q.Origin)
	}
	return err
}

func (d *desk) enter(ctx context.Context, q Question) (leave func(), err error) {
	if err := d.rested(q); err != nil {
		return nil, err
	}
	origin := q.Origin
	d.mu.Lock()
	l := d.origins[origin]
	if l == nil {
		l = &line{turn: make(chan struct{}, 1)}
		d.origins[origin] = l
	}
	if l.waiting > maxWaiting {
		d.mu.Unlock()
		return nil, proto.E(proto.CodeRequestLimit, nil, "limit", strconv.Itoa(maxWaiting))
	}
	l.waiting++
	d.mu.Unlock()

	done := func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if l.waiting--; l.waiting == 0 {
			delete(d.origins, origin)
		}
	}
	if err := take(ctx, l.turn); err != nil {
		done()
		return nil, err
	}
	err = d.rested(q) // the person may have refused it meanwhile
	if err == nil {
		err = take(ctx, d.slots)
	}
	if err != nil {
		<-l.turn
		done()
		return nil, err
	}
	return func() { <-d.slots; <-l.turn; done(); d.changed() }, nil
}

// prompts counts the open ones, for the tray and agent.status.
func (d *desk) prompts() int { return len(d.slots) }

func take(ctx context.Context, place chan struct{}) error {
	select {
	case place <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// approval is one person's yes to one Question. It is redeemed once, soon after the person's last act.
type approval struct {
	id string

	mu       sync.Mutex
	deadline time.Time
	left     int // uses of the key it still covers
}

func newApproval(uses int) *approval {
	return &approval{id: randomID(), deadline: time.Now().Add(redeemLimit), left: uses}
}

// renew restarts the clock: the person has just typed a PIN.
func (a *approval) renew() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deadline = time.Now().Add(redeemLimit)
}

var errNotApproved = errors.New("the approval is used up or too old")

// redeem takes one use of the key.
func (a *approval) redeem() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left == 0 || time.Now().After(a.deadline) {
		return errNotApproved
	}
	a.left--
	return nil
}

// decide waits for the person, for a limited time.
func decide(ctx context.Context, p Prompt, wait time.Duration) (Decision, error) {
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	d, err := p.Decide(limited)
	if late := overdue(ctx, limited, err); late != nil {
		return Decision{}, late
	}
	if err == nil && !d.Approved {
		return d, proto.E(proto.CodeUserRejected, nil)
	}
	return d, err
}

// decide waits for the person's answer to q, which counts for the site that asks.
func (d *desk) decide(ctx context.Context, q Question, p Prompt) (Decision, error) {
	answer, err := decide(ctx, p, d.wait)
	answered := err == nil || code(err) == proto.CodeUserRejected
	counted := &d.refused
	if q.explains() {
		counted = &d.explained
	}
	if answered && approvedBy(p) == "" && counted.answered(q.Origin, err == nil, time.Now()) {
		d.cooled(q)
	}
	return answer, err
}

// overdue is why an answer given under limited came too late: the request is gone, or the person took too long.
func overdue(ctx, limited context.Context, cause error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return proto.E(proto.CodeUserTimeout, cause)
	}
	return nil
}

// askPIN asks the prompt for a PIN, unless neither it nor the token's process could keep it in locked memory.
func askPIN(ctx context.Context, p Prompt, r token.PINRequest) (secret.PIN, error) {
	if err := secret.Lockable(); err != nil {
		return secret.PIN{}, err
	}
	return p.PIN(ctx, r)
}

// pins asks the prompt for PINs, notes wrong ones in the journal and keeps the approval fresh.
func pins(p Prompt, a *approval, wait time.Duration, wrong func(token.PINRequest)) token.PINFunc {
	return func(ctx context.Context, r token.PINRequest) (secret.PIN, error) {
		if r.Wrong {
			wrong(r)
		}
		p.Progress(StepWaiting)
		limited, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		pin, err := askPIN(limited, p, r)
		if late := overdue(ctx, limited, err); late != nil {
			pin.Close()
			return secret.PIN{}, late
		}
		if err != nil {
			return pin, err
		}
		a.renew()
		p.Progress(StepSigning)
		return pin, nil
	}
}

// keypad shows that the PIN is to be typed on the reader. The last try is not spent there: the reader cannot be asked to
// confirm it twice, and the vendor's own program can.
func keypad(p Prompt, a *approval, wrong func(token.PINRequest)) token.KeypadFunc {
	return func(_ context.Context, r token.PINRequest) error {
		if approvedBy(p) != "" {
			return proto.E(proto.CodeUnattendedKeypad, nil)
		}
		if r.Wrong {
			wrong(r)
		}
		if r.Final {
			return &token.PINError{Attempts: r.Attempts, Final: true}
		}
		a.renew()
		p.Progress(StepKeypad)
		return nil
	}
}
