// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/secret"
	"persten/internal/token"
)

// How quickly a pulled token is noticed while the library is signing.
const (
	presencePoll  = 300 * time.Millisecond
	presenceGrace = time.Second // for C_Sign to come back by itself
)

var (
	errNoKey     = errors.New("no private key of this certificate")
	errNoSession = errors.New("no such session")
	errSlotBusy  = errors.New("slot has an open session")
	errPulled    = errors.New("token left the slot while signing")

	errOtherListing = errors.New("another listing was begun")
)

// session is a login on a slot, the only one there.
type session struct {
	mu     sync.RWMutex // shared by signatures, each of which has a seat
	number uint
	slot   uint
	handle p11.SessionHandle
	keys   []candidate
	login  bool
	keypad bool           // the PIN is typed on the reader
	pin    *secret.Buffer // kept until Close for keys that always ask only
	closed bool

	seats seats
}

// candidate is a private key that may be the certificate's.
type candidate struct {
	handle p11.ObjectHandle
	always bool // CKA_ALWAYS_AUTHENTICATE: the PIN is given again before each signature
	named  bool // the id of the certificate is enough to find it, and it does not always ask
}

// open logs in and finds the key. The session's number is never used again, so that a late call cannot reach another's.
func (s *server) open(p openParams, pin secret.PIN) (*openReply, error) {
	o := &session{slot: p.Slot, login: p.Login, keypad: p.Keypad}
	if err := s.claim(o); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	err := s.start(o, p, pin)
	if err != nil {
		s.release(o)
		return nil, s.explain(p.Slot, err)
	}
	return &openReply{Session: o.number, Keys: len(o.keys), Named: o.keys[0].named}, nil
}

var lastSession struct {
	sync.Mutex
	n uint
}

// claim reserves the slot for o.
func (s *server) claim(o *session) error {
	lastSession.Lock()
	lastSession.n++
	o.number = lastSession.n
	lastSession.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[o.slot] != nil {
		return &reason{reasonSlotBusy, errSlotBusy}
	}
	s.sessions[o.slot] = o
	return nil
}

func (s *server) release(o *session) {
	o.closed = true
	o.pin.Wipe()
	o.pin = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[o.slot] == o {
		delete(s.sessions, o.slot)
	}
}

// start makes o usable or leaves nothing behind on the token.
func (s *server) start(o *session, p openParams, pin secret.PIN) (err error) {
	if err := s.agreed(p); err != nil {
		return err
	}
	if o.login && !o.keypad {
		if o.pin, err = s.pinFor(p, pin); err != nil {
			return err
		}
	}
	if o.handle, err = s.lib.ctx.OpenSession(o.slot, p11.CKF_SERIAL_SESSION); err != nil {
		return failed("C_OpenSession", err)
	}
	if err = s.unlock(o, p); err != nil {
		s.lib.ctx.CloseSession(o.handle)
		return err
	}
	o.seats.begin(o, p)
	return nil
}

// agreed looks whether the token is still in the state in which somebody agreed to log in.
func (s *server) agreed(p openParams) error {
	now, err := s.lib.token(p.Slot)
	if err != nil {
		return err
	}
	err = token.Agreed(flagged(slotInfo{Label: p.Label, Serial: p.Serial, Flags: p.Flags}), flagged(now))
	switch {
	case errors.Is(err, token.ErrRemoved):
		return &reason{reasonRemoved, err}
	case errors.Is(err, token.ErrLocked):
		return &reason{reasonLocked, err}
	case err != nil:
		return &reason{reasonChanged, err}
	}
	return nil
}

// pinFor is the PIN to log in with: the one given, or the one held from an earlier login.
func (s *server) pinFor(p openParams, given secret.PIN) (*secret.Buffer, error) {
	if p.Held {
		return s.heldPIN(p.Slot)
	}
	pin, err := given.Read()
	if err != nil {
		return nil, &reason{reasonPIN, err}
	}
	if pin.Len() == 0 {
		pin.Wipe()
		return nil, &reason{reasonPIN, errors.New("empty PIN")} // some tokens count it as a wrong one
	}
	return pin, nil
}

func (s *server) unlock(o *session, p openParams) error {
	if o.login {
		err := s.lib.login(o.handle, p11.CKU_USER, o.pin)
		if isRV(err, p11.CKR_USER_ALREADY_LOGGED_IN) {
			s.lib.ctx.Logout(o.handle) // whose login this was is unknown, so the PIN was not checked
		}
		if err != nil {
			s.dropHeld(o.slot)
			return err
		}
	}
	err := s.findKeys(o, p)
	if err != nil {
		if o.login {
			s.lib.ctx.Logout(o.handle)
		}
		return err
	}
	if o.pin != nil && !p.Held && p.Keep.Sliding > 0 {
		s.hold(o, p.Keep)
	}
	if !slices.ContainsFunc(o.keys, func(c candidate) bool { return c.always }) {
		o.pin.Wipe()
		o.pin = nil
	}
	return nil
}

func (s *server) findKeys(o *session, p openParams) error {
	var err error
	o.keys, err = s.lib.candidates(o.handle, p)
	return err
}

// candidates are the private keys that may be the certificate's.
func (l *library) candidates(h p11.SessionHandle, p openParams) (keys []candidate, err error) {
	var found keyObjects
	named := p.Named
	if named {
		found, err = l.namedKey(h, p.ID)
	}
	if found == nil && err == nil {
		found, named, err = l.privateKeys(h, p.ID, p.SPKI)
	}
	if err != nil {
		return nil, err
	}
	if p.Named && named {
		return []candidate{{handle: found[0].handle, named: true}}, nil
	}
	for _, k := range found {
		always, err := l.alwaysAuthenticate(h, k.handle)
		if err != nil {
			return nil, err
		}
		keys = append(keys, candidate{k.handle, always, named && !always})
	}
	return keys, nil
}

func (l *library) alwaysAuthenticate(h p11.SessionHandle, key p11.ObjectHandle) (bool, error) {
	v, err := l.attribute(h, key, p11.CKA_ALWAYS_AUTHENTICATE)
	if removed(err) {
		return false, err
	}
	return err == nil && len(v) > 0 && v[0] != 0, nil
}

// sign makes one signature, watching that the token stays in its slot.
func (s *server) sign(ctx context.Context, p signParams) (*signReply, error) {
	o, err := s.session(p.Session)
	if err != nil {
		return nil, err
	}
	type answer struct {
		reply *signReply
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		r, err := s.signAll(ctx, o, p)
		done <- answer{r, err}
	}()
	poll := time.NewTicker(presencePoll)
	defer poll.Stop()
	for {
		select {
		case a := <-done:
			if a.err != nil {
				return nil, s.explain(o.slot, a.err)
			}
			return a.reply, nil
		case <-poll.C:
		}
		if s.lib.present(o.slot) {
			continue
		}
		select {
		case a := <-done:
			if a.err == nil {
				return a.reply, nil
			}
		case <-time.After(presenceGrace):
		}
		return nil, &reason{reasonRemoved, errPulled}
	}
}

// signLast signs and logs out. A session that cannot be closed stays for the daemon to close, which then learns why.
func (s *server) signLast(ctx context.Context, p signParams) (*signReply, error) {
	r, err := s.sign(ctx, p)
	if err != nil || !p.Last {
		return r, err
	}
	if o, err := s.session(p.Session); err == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if !o.closed && s.end(o) == nil {
			s.release(o)
			r.Closed = true
		}
	}
	return r, nil
}

// signAll signs the data of one call, one after the other, until one fails.
func (s *server) signAll(ctx context.Context, o *session, p signParams) (*signReply, error) {
	if len(p.More) >= maxBundle {
		return nil, &reason{reasonNoKey, errNoKey}
	}
	sig, err := s.signNow(ctx, o, p)
	if err != nil {
		return nil, err
	}
	r := &signReply{Signature: sig}
	for _, p.Data = range p.More {
		if sig, err = s.signNow(ctx, o, p); err != nil {
			break
		}
		r.More = append(r.More, sig)
	}
	return r, nil
}

func (s *server) signNow(ctx context.Context, o *session, p signParams) ([]byte, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.closed {
		return nil, &reason{reasonNoSession, errNoSession}
	}
	at := s.seat(o)
	defer o.seats.leave(at)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.Key < 0 || p.Key >= len(at.keys) || len(p.Data) == 0 || len(p.Data) > maxData {
		return nil, &reason{reasonNoKey, errNoKey}
	}
	key := at.keys[p.Key]
	if key.always && o.seats.refused != nil {
		return nil, o.seats.refused
	}
	if err := s.lib.signInit(at.handle, p.Mechanism, key.handle); err != nil {
		return nil, err
	}
	if key.always {
		if err := s.lib.login(at.handle, p11.CKU_CONTEXT_SPECIFIC, o.pin); err != nil {
			o.pin.Wipe()
			o.seats.refused = fmt.Errorf("key asks for the PIN each time: %w", err)
			return nil, o.seats.refused
		}
	}
	return s.lib.signFinish(at.handle, p.Data)
}

// close logs out. A session that is not there is closed already.
func (s *server) close(number uint) (*nothing, error) {
	o, err := s.session(number)
	if err != nil {
		return &nothing{}, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return &nothing{}, nil
	}
	defer s.release(o)
	return &nothing{}, s.end(o)
}

// end logs out. The caller holds o.mu.
func (s *server) end(o *session) error {
	for _, handle := range o.seats.others(o.handle) {
		s.lib.ctx.CloseSession(handle)
	}
	var logout error
	if o.login {
		logout = failed("C_Logout", s.lib.ctx.Logout(o.handle))
	}
	if err := s.lib.ctx.CloseSession(o.handle); err != nil && logout == nil {
		logout = failed("C_CloseSession", err)
	}
	return logout
}

func (s *server) session(number uint) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.sessions {
		if o.number == number {
			return o, nil
		}
	}
	return nil, &reason{reasonNoSession, errNoSession}
}

// explain replaces a vague error by the real one when the token is gone.
func (s *server) explain(slot uint, err error) error {
	var rv *ckr
	if errors.As(err, &rv) && !removed(err) && vague(rv.RV) && !s.lib.present(slot) {
		return &reason{reasonRemoved, err}
	}
	return err
}
