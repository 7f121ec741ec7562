// SPDX-License-Identifier: GPL-3.0-or-later

package wincert

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/ipc"
	"persten/internal/secret"
	"persten/internal/token"
)

// Options configure an Inventory.
type Options struct {
	Label string // of the token, in the person's language
	// Start runs Serve somewhere else, usually in a child process, and returns the socket to it.
	Start func(ctx context.Context) (ipc.FileConn, Process, error)
}

// key is a certificate of the store and the private key behind it.
type key struct {
	store *Inventory
	cert  *cert.Certificate
	from  provider
}

func (k *key) ID() string                     { return k.cert.ID() }
func (k *key) Certificate() *cert.Certificate { return k.cert }
func (k *key) Algorithms() []algo.ID          { return k.from.algorithms(k.cert.Key) }

// Token implements token.Key. The model is the provider, of which each certificate has its own.
func (k *key) Token() token.Info {
	i := k.store.info()
	i.Model, i.LoginRequired = k.from.name, k.from.asks()
	return i
}

// Open implements token.Key.
func (k *key) Open(ctx context.Context, pin token.PINFunc) (token.Session, error) {
	s := &session{key: k}
	login := token.Login{
		Lease: k.store.lease, KeyLabel: k.cert.Subject().CommonName,
		State: func(context.Context) (token.Info, error) { return k.Token(), k.store.still(k.ID()) },
		Try:   s.start,
	}
	release, err := login.Run(ctx, pin)
	if err != nil {
		return nil, err
	}
	s.release = release
	return s, nil
}

// session is a process that holds the key open.
type session struct {
	key     *key
	release func()

	mu    sync.Mutex
	child *child // nil once closed
}

// start brings the process up and lets it open the key, with the PIN where one was asked for.
func (s *session) start(ctx context.Context, pin secret.PIN) error {
	conn, proc, err := s.key.store.o.Start(context.WithoutCancel(ctx))
	if err != nil {
		return &token.ModuleError{Module: token.WindowsStore, Reason: token.ReasonStart, Err: err}
	}
	c := attend(conn, proc, s.key.from.name)
	p := openParams{ID: s.key.ID(), Silent: token.Remembers(ctx)}
	var files []*os.File
	if f := pin.File(); f != nil {
		p.PIN, p.Silent, files = true, true, append(files, f)
	}
	if _, err := c.call(ctx, methodOpen, p, files...); err != nil {
		c.end()
		return err
	}
	s.child = c
	return nil
}

// Sign implements token.Session.
func (s *session) Sign(ctx context.Context, id algo.ID, in algo.Input) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil {
		return nil, token.ErrClosed
	}
	a, ok := algo.Lookup(id)
	if !ok || !slices.Contains(s.key.Algorithms(), id) {
		return nil, fmt.Errorf("%s: %w", id, token.ErrUnsupported)
	}
	if in.Digest == nil && in.Message != nil {
		in.Digest = a.Digest.Sum(in.Message)
	}
	if len(in.Digest) != a.Digest.Size() {
		return nil, fmt.Errorf("digest of %d bytes for %s: %w", len(in.Digest), id, algo.ErrInput)
	}
	raw, err := s.child.call(ctx, methodSign, signParams{Algorithm: id, Digest: in.Digest})
	if err != nil {
		return nil, err
	}
	var r signReply
	if err := r.decode(raw); err != nil {
		return nil, s.child.failed(token.ReasonReply, err)
	}
	sig, err := settle(s.key.cert.Key, id, in, r)
	if err != nil {
		return nil, s.child.failed(token.ReasonSelfCheck, err)
	}
	return sig, nil
}

// Close implements token.Session. The login ends with the process.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil {
		return nil
	}
	s.child.end()
	s.child = nil
	s.release()
	return nil
}
