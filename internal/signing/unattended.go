// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"persten/internal/journal"
	"persten/internal/secret"
	"persten/internal/token"
	"persten/proto"
)

// Grant is a signature that machine policy approves in advance. Exactly one of Origin and User is set.
type Grant struct {
	Origin      string // a site whose page is not inside another site's
	User        string // an operating-system user, calling by the user socket
	Certificate string // id (SHA-256) or SHA-1 thumbprint, lower hex
	PerHour     int    // most signatures in any hour, 0 for no such limit
	PerDay      int    // most signatures in any day, 0 for no such limit
	PINFile     string // absolute, or empty
}

// covers reports whether q asks for exactly what g grants. Whatever is not known for certain is not covered, nor is a bare
// value: it may be of anything, a signature of another form among it.
func (g Grant) covers(q Question) bool {
	if q.Kind != KindSign || q.Raw || q.Certificate == nil || g.Certificate == "" || (g.Origin == "") == (g.User == "") {
		return false
	}
	if g.Certificate != q.Certificate.ID && g.Certificate != q.Certificate.Thumbprint {
		return false
	}
	if g.User != "" {
		return q.Via == ViaSocket && q.Origin == "" && q.Top == "" && q.User == g.User
	}
	return (q.Via == ViaNative || q.Via == ViaWebSocket) && q.Origin == g.Origin && (q.Top == "" || q.Top == q.Origin)
}

const (
	maxUnattended = 64          // requests of one grant at a time; the token's lease lets one of them sign
	turnWait      = time.Minute // for the requests before this one to log in; a slow token needs longer than one lease's wait
	noteRefusals  = time.Minute // a refusal of one grant is journalled once in this time, so that nobody fills the journal
)

// Unattended is the Approver placed before people: it says yes to what a grant covers, up to the grant's limits, and sends
// every other question on. What a grant covers is never asked of a person, not even when the limit is reached or the PIN is
// not to be had: on a server nobody would see the window, and on a desktop a click would undo the limit just when something
// runs wild.
//
// A PIN that was refused is not tried again: the grants of its file stop until the file is another and the session starts
// anew (see stops). It is safe for concurrent use.
type Unattended struct {
	next   Approver
	grants []*grant
	turns  token.Leases // one login at a time with one file's PIN, so that a wrong one is tried once
	stops  stops

	mu      sync.Mutex
	paused  bool            // by the person
	pausing chan struct{}   // closed when they pause, and made anew when they let it go on
	used    map[string]uses // by usesKey
	damaged error           // why the uses before this session cannot be counted
}

// grant is a Grant and what goes on with it, guarded by Unattended.mu.
type grant struct {
	Grant
	open  int       // requests under way
	noted time.Time // when a refusal was last journalled
}

// NewUnattended puts grants before next. It counts the uses of the last day in the journal at path, and keeps what it must
// not forget in files of the folder state.
func NewUnattended(next Approver, grants []Grant, path, state string) *Unattended {
	u := &Unattended{next: next, used: map[string]uses{}, stops: newStops(state), pausing: make(chan struct{})}
	for _, g := range grants {
		u.grants = append(u.grants, &grant{Grant: g})
		u.stops.recall(g.PINFile)
	}
	u.damaged = journal.Recent(path, time.Now().Add(-day), func(l journal.Line) {
		if l.Type == journal.TypeBegin && l.By == journal.ByPolicy {
			key := usesKey(l.Origin, l.User, l.Thumbprint)
			u.used[key] = append(u.used[key], slices.Repeat([]int64{l.Time.UnixNano()}, max(1, len(l.Documents)))...)
		}
	})
	for _, moments := range u.used {
		slices.Sort(moments)
	}
	if u.damaged != nil {
		slog.Error("unattended signing is off: the journal that it is counted by cannot be read", "cause", u.damaged)
	}
	return u
}

// Active is the number of grants that can be used now.
func (u *Unattended) Active() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for _, g := range u.grants {
		if u.damaged == nil && !u.paused && !u.stops.stopped(g.PINFile) {
			n++
		}
	}
	return n
}

// Pause refuses what grants cover, or no longer. A batch that is under way stops.
func (u *Unattended) Pause(paused bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case paused && !u.paused:
		close(u.pausing)
	case !paused && u.paused:
		u.pausing = make(chan struct{})
	}
	u.paused = paused
}

func (u *Unattended) isPaused() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.paused
}

// find is the first grant that covers q, or nil.
func (u *Unattended) find(q Question) *grant {
	for _, g := range u.grants {
		if g.covers(q) {
			return g
		}
	}
	return nil
}

// expects reports whether a grant names this caller and certificate; whether it covers the request is seen later.
func (u *Unattended) expects(who Caller, certificate string) bool {
	return slices.ContainsFunc(u.grants, func(g *grant) bool {
		caller := g.Origin == who.Origin
		if g.User != "" {
			caller = who.Local() && g.User == who.User
		}
		return caller && g.Certificate == strings.ToLower(certificate)
	})
}

// Ask implements Approver.
func (u *Unattended) Ask(ctx context.Context, q Question) (Prompt, error) {
	g := u.find(q)
	if g == nil {
		return u.next.Ask(ctx, q)
	}
	p, err := u.admit(g, q)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// admit decides about q and, when it is approved, counts it as used. A refusal that is to be journalled is a prompt too.
func (u *Unattended) admit(g *grant, q Question) (*policyPrompt, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if g.open == maxUnattended {
		return nil, proto.E(proto.CodeRequestLimit, nil, "limit", strconv.Itoa(maxUnattended))
	}
	now := time.Now()
	refusal := u.refusal(g, q, now)
	if refusal != nil {
		if !g.noted.IsZero() && now.Sub(g.noted) < noteRefusals {
			return nil, refusal
		}
		g.noted = now
		slog.Warn("unattended signature refused", "origin", q.Origin, "user", q.User, "code", code(refusal))
	}
	g.open++
	return &policyPrompt{u: u, g: g, token: q.Token, refusal: refusal, paused: u.pausing}, nil
}

// refusal is why policy says no to what g covers, or nil; then the uses are taken. It needs u.mu.
func (u *Unattended) refusal(g *grant, q Question, now time.Time) error {
	switch {
	case u.damaged != nil:
		return proto.E(proto.CodeUnattendedStopped, u.damaged)
	case u.paused:
		return proto.E(proto.CodeAgentPaused, nil)
	case u.stops.stopped(g.PINFile):
		return proto.E(proto.CodeUnattendedStopped, nil)
	case q.Token.PINPad && q.Token.LoginRequired:
		return proto.E(proto.CodeUnattendedKeypad, nil)
	}
	key := usesKey(q.Origin, q.User, q.Certificate.Thumbprint)
	n := max(1, len(q.Documents))
	err := u.used[key].room(now, n, g.PerHour, g.PerDay, proto.CodeUnattendedLimit)
	if err == nil {
		u.used[key] = u.used[key].take(now, n, g.PerDay)
	}
	return err
}

// policyPrompt is a question that policy answered. Nothing is shown.
type policyPrompt struct {
	u       *Unattended
	g       *grant
	token   token.Info
	refusal error // nil: approved
	paused  <-chan struct{}

	gone    func() error // why the caller waits no longer, nil while it does
	file    fileStamp    // of the PIN file, once a PIN was taken from it
	release func()       // gives back the turn to log in with it
	leaving sync.Once
}

// Decide says what policy says.
func (p *policyPrompt) Decide(context.Context) (Decision, error) {
	return Decision{Approved: p.refusal == nil}, p.refusal
}

// Stopped is closed when the person pauses what policy approves.
func (p *policyPrompt) Stopped() <-chan struct{} { return p.paused }

// Progress is for people.
func (p *policyPrompt) Progress(Step) {}

// PIN takes the PIN from the grant's file, for one try.
func (p *policyPrompt) PIN(ctx context.Context, r token.PINRequest) (secret.PIN, error) {
	if r.Wrong {
		p.stop("the token refused the PIN")
		return secret.PIN{}, &token.PINError{Attempts: r.Attempts, Final: r.Final}
	}
	if p.g.PINFile == "" {
		return secret.PIN{}, proto.E(proto.CodeUnattendedPINFile, errors.New("policy names no pin_file"))
	}
	if err := p.turn(ctx); err != nil {
		return secret.PIN{}, err
	}
	if p.u.isPaused() { // while this request waited for its turn
		return secret.PIN{}, proto.E(proto.CodeAgentPaused, nil)
	}
	if p.u.stopped(p.g, r) { // also by a request that had its turn before
		return secret.PIN{}, proto.E(proto.CodeUnattendedStopped, nil)
	}
	pin, file, err := pinFromFile(p.g.PINFile)
	if err != nil {
		slog.Error("PIN file of an unattended rule", "file", p.g.PINFile, "cause", err)
		return secret.PIN{}, proto.E(proto.CodeUnattendedPINFile, err)
	}
	p.file = file
	return pin, nil
}

// turn waits until no other request logs in with the same PIN: until then nobody knows whether it is right.
func (p *policyPrompt) turn(ctx context.Context) error {
	if p.release != nil {
		return nil // the token changed and wants the PIN once more; it was not tried
	}
	if p.gone != nil && p.gone() != nil {
		return p.gone()
	}
	turn := p.u.turns.Of(p.g.PINFile + "\x00" + p.token.Serial + "\x00" + p.token.Label)
	release, err := turn.Take(ctx, turnWait)
	if err != nil {
		return err
	}
	p.release = release
	if p.gone != nil {
		return p.gone()
	}
	return nil
}

// opened hears how opening the key ended.
func (p *policyPrompt) opened(err error) {
	var bad *token.PINError
	var module *token.ModuleError
	switch {
	case errors.As(err, &bad), errors.Is(err, token.ErrLocked):
		p.stop("the token refused the PIN or is locked")
	case errors.As(err, &module) && p.file != (fileStamp{}):
		p.u.doubt(p, true)
	case err == nil:
		p.u.doubt(p, false)
	}
	if p.release != nil {
		p.release()
		p.release = nil
	}
}

// Close hears how the request ended; a key that asks for the PIN before each signature may have refused it late.
func (p *policyPrompt) Close(o Outcome) error {
	if c := proto.Code(o.Code); c == proto.CodePINIncorrect || c == proto.CodePINLocked {
		p.stop("the token refused the PIN or is locked")
	}
	p.leave()
	return nil
}

// leave gives the request's place back; it may be called twice.
func (p *policyPrompt) leave() {
	p.leaving.Do(func() {
		if p.release != nil {
			p.release()
		}
		p.u.mu.Lock()
		defer p.u.mu.Unlock()
		p.g.open--
	})
}

func (p *policyPrompt) stop(why string) {
	p.u.mu.Lock()
	defer p.u.mu.Unlock()
	p.u.stops.stop(p.g.PINFile, p.file, why)
}

// stopped reports whether no PIN of g may be tried on a token in the state of r: not the last try, and not after a login of
// which nobody knows how it ended if the token has seen a wrong PIN.
func (u *Unattended) stopped(g *grant, r token.PINRequest) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case r.Final:
		u.stops.stop(g.PINFile, fileStamp{}, "one more wrong PIN would lock the token")
	case r.Low && u.stops.doubted[g.PINFile]:
		u.stops.stop(g.PINFile, fileStamp{}, "the module failed while logging in, and the token saw a wrong PIN")
	}
	return u.stops.stopped(g.PINFile)
}

// doubt notes whether the last login ended without anybody knowing if the PIN was right, because the module failed.
func (u *Unattended) doubt(p *policyPrompt, unsure bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stops.doubted[p.g.PINFile] = unsure
}

// openKey opens a key with the PINs of p. Where policy gives them, a caller who goes away does not cut the login short: it
// must become known whether the PIN was right.
func openKey(ctx context.Context, key token.Key, p Prompt, pin token.PINFunc) (token.Session, error) {
	policy, ok := p.(*policyPrompt)
	if !ok {
		return key.Open(ctx, pin)
	}
	policy.gone = ctx.Err
	session, err := key.Open(context.WithoutCancel(ctx), pin)
	policy.opened(err)
	if err == nil && policy.u.isPaused() { // while this request waited for the token
		closing(session)()
		return nil, proto.E(proto.CodeAgentPaused, nil)
	}
	return session, err
}

// approvedBy is who answers p, for the journal: empty for a person.
func approvedBy(p Prompt) string {
	if _, ok := p.(*policyPrompt); ok {
		return journal.ByPolicy
	}
	return ""
}
