// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/secret"
	"persten/internal/token"
)

// source is a token made of files: what a key needs to be opened.
type source interface {
	info() (token.Info, error)
	lease() *token.Lease
	// unlock opens a private key with one attempt at the password.
	unlock(pin secret.PIN, file string, want listed) (algo.PrivateKey, error)
}

// key is one certificate in one file.
type key struct {
	from source
	now  token.Info
	file string
	at   listed
}

func (k *key) ID() string                     { return k.at.cert.ID() }
func (k *key) Certificate() *cert.Certificate { return k.at.cert }
func (k *key) Token() token.Info              { return k.now }
func (k *key) Algorithms() []algo.ID          { return algo.Signing(k.at.cert.Key) }

// Open implements token.Key.
func (k *key) Open(ctx context.Context, pin token.PINFunc) (token.Session, error) {
	var priv algo.PrivateKey
	login := token.Login{
		Lease:    k.from.lease(),
		KeyLabel: k.at.name,
		State:    func(context.Context) (token.Info, error) { return k.from.info() },
		Try: func(ctx context.Context, pin secret.PIN) (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			priv, err = k.from.unlock(pin, k.file, k.at)
			return err
		},
	}
	release, err := login.Run(ctx, pin)
	if err != nil {
		return nil, err
	}
	return &session{key: k, priv: priv, release: release}, nil
}

// session holds a decrypted key.
type session struct {
	key     *key
	release func()

	mu   sync.Mutex
	priv algo.PrivateKey // nil once closed
}

// Sign implements token.Session.
func (s *session) Sign(ctx context.Context, id algo.ID, in algo.Input) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.priv == nil {
		return nil, token.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := s.key.from.info(); err != nil {
		return nil, err // the file was taken away: so is the token
	}
	public := s.key.at.cert.Key
	if !slices.Contains(algo.Signing(public), id) {
		return nil, fmt.Errorf("%s: %w", id, token.ErrUnsupported)
	}
	sig, err := s.priv.Sign(rand.Reader, id, in)
	if err != nil {
		return nil, err
	}
	if err := public.Verify(id, in, sig); err != nil {
		return nil, &token.ModuleError{Module: s.key.now.Module, Path: s.key.file, Reason: "self_check", Err: err}
	}
	return sig, nil
}

// Close implements token.Session.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.priv == nil {
		return nil
	}
	s.priv.Wipe()
	s.priv = nil
	s.release()
	return nil
}
