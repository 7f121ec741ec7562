// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/secret"
	"persten/internal/token"
)

// closeTimeout is what a library gets to log out; one that pulled tokens or cancelled requests left hanging is killed.
const closeTimeout = 2 * time.Second

// key is a certificate on a token.
type key struct {
	k          *keeper
	slot       uint
	info       token.Info
	entry      entry
	algorithms []algo.ID
}

func (k *key) ID() string                     { return k.entry.cert.ID() }
func (k *key) Certificate() *cert.Certificate { return k.entry.cert }
func (k *key) Token() token.Info              { return k.info }
func (k *key) Algorithms() []algo.ID          { return slices.Clone(k.algorithms) }

// Open implements token.Key.
func (k *key) Open(ctx context.Context, pin token.PINFunc) (token.Session, error) {
	if len(k.algorithms) == 0 {
		return nil, token.ErrUnsupported
	}
	s := &lease{key: k}
	login := token.Login{
		Lease:    k.k.o.Leases.Of(leaseKey(k.info)),
		Wait:     k.k.o.LeaseWait,
		KeyLabel: k.entry.object.Label,
		State:    k.state,
		Try:      func(ctx context.Context, pin secret.PIN) error { return s.login(ctx, pin) },
	}
	release, err := login.Run(ctx, pin)
	if err != nil {
		return nil, err
	}
	s.release = release
	return s, nil
}

// leaseKey names a token, the same through whatever module it is seen.
func leaseKey(i token.Info) string {
	if i.Serial == "" {
		return i.Path + "#" + i.Slot
	}
	return i.Serial + "#" + i.Label
}

// state reads the token's flags now.
func (k *key) state(ctx context.Context) (token.Info, error) {
	slots, err := k.k.slots(ctx)
	if err != nil {
		return token.Info{}, err
	}
	for _, s := range slots {
		if s.Slot == k.slot && s.Serial == k.info.Serial && s.Label == k.info.Label {
			return k.k.info(s), nil
		}
	}
	return token.Info{}, token.ErrRemoved
}

// lease is a session: a login in one child, which no later child inherits.
type lease struct {
	key     *key
	release func()

	mu      sync.Mutex
	child   *child
	session uint
	closed  bool
	broken  bool // the last call did not come back
}

// login tries the PIN once, in the running child.
func (s *lease) login(ctx context.Context, pin secret.PIN) error {
	k := s.key.k
	c, err := k.running(ctx)
	if err != nil {
		return err
	}
	k.use(+1)
	reply, err := s.open(ctx, c, pin)
	if err != nil {
		k.use(-1)
		return s.refused(ctx, err)
	}
	s.child, s.session = c, reply.Session
	return nil
}

// open asks the child to log in. A caller who gives up meanwhile must not leave a login behind, so then the child gets a
// moment to finish, and the login is undone or dies with the child.
func (s *lease) open(ctx context.Context, c *child, pin secret.PIN) (*openReply, error) {
	k, info := s.key.k, s.key.info
	var files []*os.File
	if f := pin.File(); f != nil {
		files = append(files, f)
	}
	r := request{method: methodOpen, deadline: k.o.LoginTimeout, files: files, params: openParams{
		Slot: s.key.slot, ID: s.key.entry.object.ID, SPKI: s.key.entry.cert.Key.SPKI(),
		Login: info.LoginRequired, Keypad: info.PINPad,
	}}
	var reply openReply
	r.reply = &reply
	done := make(chan error, 1)
	go func() { done <- k.callOn(context.WithoutCancel(ctx), c, r) }()
	select {
	case err := <-done:
		return &reply, err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		if err == nil {
			s.child, s.session = c, reply.Session
			s.logout()
		}
	case <-time.After(closeTimeout):
		k.drop(c, k.error("cancelled", ctx.Err()))
		<-done
	}
	return nil, ctx.Err()
}

// refused adds to a wrong PIN what the token tells about the attempts left.
func (s *lease) refused(ctx context.Context, err error) error {
	var bad *token.PINError
	if !errors.As(err, &bad) {
		return err
	}
	now, stateErr := s.key.state(ctx)
	switch {
	case stateErr != nil:
		return err
	case now.Locked:
		return token.ErrLocked
	}
	return &token.PINError{Attempts: now.Attempts, Final: now.Final}
}

// Sign implements token.Session.
func (s *lease) Sign(ctx context.Context, id algo.ID, in algo.Input) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.broken {
		return nil, token.ErrClosed
	}
	a, ok := algo.Lookup(id)
	if !ok || !slices.Contains(s.key.algorithms, id) {
		return nil, fmt.Errorf("%s: %w", id, token.ErrUnsupported)
	}
	data, err := prepare(a, s.key.entry.cert, in)
	if err != nil {
		return nil, err
	}
	k := s.key.k
	var reply signReply
	err = k.callOn(ctx, s.child, request{
		method: methodSign, deadline: k.o.SignTimeout, reply: &reply,
		params: signParams{Session: s.session, Mechanism: a.Mechanism, Data: data},
	})
	if err != nil {
		s.broken = ctx.Err() != nil || errors.Is(err, token.ErrRemoved)
		return nil, err
	}
	sig, err := check(s.key.entry.cert.Key, a.ID, in, reply.Signature)
	if err != nil {
		return nil, k.error("self_check", err)
	}
	return sig, nil
}

// Close implements token.Session.
func (s *lease) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	defer s.release()
	defer s.key.k.use(-1)
	return s.logout()
}

// logout ends the login, with the child where the library does not.
func (s *lease) logout() error {
	if s.child.dead() {
		return nil
	}
	k := s.key.k
	err := k.callOn(context.Background(), s.child, request{
		method: methodClose, params: closeParams{Session: s.session}, reply: &nothing{}, deadline: closeTimeout,
	})
	var failed *token.ModuleError
	switch {
	case err == nil, errors.Is(err, token.ErrClosed):
		return nil
	case errors.Is(err, token.ErrRemoved):
		k.retire(s.child) // the login went with the token, but a library may remember it
		return nil
	case errors.As(err, &failed) && failed.Reason == "crashed":
		return nil
	case s.child.dead():
		return err
	}
	return k.drop(s.child, err) // still logged in, perhaps: only the end of the process is certain
}
