// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/secret"
	"persten/internal/token"
)

// closeTimeout is what a library gets to log out; one that pulled tokens or cancelled requests left hanging is killed.
const closeTimeout = 2 * time.Second

// key is a key on a token, usually with its certificate.
type key struct {
	k          *keeper
	slot       uint
	info       token.Info
	entry      *entry
	mechanisms []uint
	algorithms []algo.ID
	stale      *atomic.Bool // set when the listing it is from turned out wrong
}

// ID is the certificate's, or that of the public key alone where there is none.
func (k *key) ID() string                     { return k.entry.id }
func (k *key) Certificate() *cert.Certificate { return k.entry.cert }
func (k *key) Token() token.Info              { return k.info }
func (k *key) Algorithms() []algo.ID          { return slices.Clone(k.algorithms) }

// Reason implements token.Explainer.
func (k *key) Reason() string {
	switch {
	case k.entry.public == nil:
		return token.NoSupport
	case len(k.algorithms) > 0:
		return ""
	case k.entry.keyless() || !k.entry.object.Key && !k.info.LoginRequired:
		return token.NoKey
	}
	return token.NoMechanism
}

// Pair implements token.Paired.
func (k *key) Pair() (id []byte, proven bool) { return k.entry.object.ID, k.entry.object.Proven }

// PublicKey is the key's public half, for keys without a certificate.
func (k *key) PublicKey() algo.PublicKey { return k.entry.public }

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
		State:    s.state,
		Try:      s.login,
		Careful:  true,
	}
	if k.k.o.PINCache.Sliding > 0 {
		login.Held = func() bool {
			s.useHeld = s.held
			return s.held
		}
	}
	release, err := login.Run(ctx, pin)
	if err != nil {
		return nil, err
	}
	s.release = release
	return s, nil
}

// Held implements token.Holder.
func (k *key) Held(ctx context.Context) bool {
	if k.k.o.PINCache.Sliding == 0 {
		return false
	}
	s := &lease{key: k}
	_, err := s.state(ctx)
	return err == nil && s.held
}

// leaseKey names a token, the same through whatever module it is seen.
func leaseKey(i token.Info) string {
	if i.Serial == "" {
		return i.Path + "#" + i.Slot
	}
	return i.Serial + "#" + i.PlainLabel()
}

// state reads the token's flags now. The child looks again before it logs in.
func (s *lease) state(ctx context.Context) (token.Info, error) {
	i, err := s.key.now(ctx)
	if err != nil {
		return token.Info{}, err
	}
	s.held, s.seen = i.Held, i
	return s.key.k.info(i), nil
}

// now is what the child says of the token of k. One that is not there any more is ErrRemoved.
func (k *key) now(ctx context.Context) (slotInfo, error) {
	i, err := k.k.look(ctx, k.slot)
	if err == nil && (i.Serial != k.info.Serial || i.Label != k.info.Label || !i.usable()) {
		err = token.ErrRemoved
	}
	return i, err
}

// lease is a session: a login in one child, which no later child inherits.
type lease struct {
	key     *key
	release func()
	held    bool     // the child had the PIN when the token was last looked at
	useHeld bool     // and is to log in with it
	seen    slotInfo // the token when it was last looked at

	mu      sync.RWMutex // shared by signatures once the key is settled
	child   *child
	session uint
	closed  bool

	candidates, candidate int                   // private keys that may be the certificate's, and the one in use
	settled               bool                  // the one in use has signed
	several               atomic.Bool           // more than one signature is wanted
	last, loggedOut       bool                  // nothing follows the next signature; the child has logged out after it
	doing                 atomic.Pointer[doing] // of the algorithm used last
	bundles               bundles
	broken                atomic.Pointer[error] // why a call did not come back
}

// login tries the PIN once, in the running child.
func (s *lease) login(ctx context.Context, pin secret.PIN) error {
	k := s.key.k
	c, err := k.running(ctx)
	if err != nil {
		return err
	}
	k.use(+1)
	k.overlook(s.key.slot) // a login changes what was seen
	reply, err := s.open(ctx, c, pin)
	if err != nil {
		k.use(-1)
		return s.refused(ctx, err)
	}
	k.met(s.seen)
	s.child, s.session, s.candidates = c, reply.Session, reply.Keys
	s.key.entry.named.Store(reply.Named)
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
		Slot: s.key.slot, ID: s.key.entry.object.ID, SPKI: s.key.entry.public.SPKI(),
		Login: info.LoginRequired, Keypad: info.PINPad, Held: s.useHeld, Named: s.key.entry.named.Load(),
		Serial: info.Serial, Label: info.Label, Flags: s.seen.Flags,
		Keep: keep{Sliding: k.o.PINCache.Sliding.Milliseconds(), Hard: k.o.PINCache.Hard.Milliseconds()},
	}}
	s.useHeld = false
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
	if s.key.entry != nil && errors.Is(err, token.ErrAbsent) {
		s.key.entry.lacks.Store(true) // until the token is read again
		s.key.stale.Store(true)
	}
	if !errors.As(err, &bad) {
		return err
	}
	s.key.k.overlook(s.key.slot)
	now, stateErr := s.state(ctx)
	switch {
	case stateErr != nil:
		return err
	case now.Locked:
		return token.ErrLocked
	}
	return &token.PINError{Attempts: now.Attempts, Final: now.Final}
}

// Close implements token.Session.
func (s *lease) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if !s.settled {
		s.key.entry.named.Store(false)
	}
	defer s.release()
	defer s.key.k.use(-1)
	return s.logout()
}

// logout ends the login, with the child where the library does not.
func (s *lease) logout() error {
	if s.loggedOut || s.child.dead() {
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
	case errors.As(err, &failed) && failed.Reason == token.ReasonCrashed:
		return nil
	case s.child.dead():
		return err
	}
	return k.drop(s.child, err) // still logged in, perhaps: only the end of the process is certain
}
