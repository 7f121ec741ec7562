// SPDX-License-Identifier: GPL-3.0-or-later

package token

import (
	"context"
	"sync"
	"time"
)

// LeaseWait is how long a request waits for a token that another request is using.
const LeaseWait = 10 * time.Second

// Leases hands out one lease per token. The zero value is ready; share one between all inventories that may reach the
// same token.
type Leases struct {
	mu     sync.Mutex
	tokens map[string]*Lease
}

// Of returns the lease of the token that key names, always the same one for the same key.
func (l *Leases) Of(key string) *Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tokens == nil {
		l.tokens = map[string]*Lease{}
	}
	if l.tokens[key] == nil {
		l.tokens[key] = NewLease()
	}
	return l.tokens[key]
}

// Lease is the right to be logged in to one token.
type Lease struct{ held chan struct{} }

// NewLease returns a free lease.
func NewLease() *Lease { return &Lease{held: make(chan struct{}, 1)} }

// Take waits up to wait for the lease and returns the function that gives it back, which may be called twice.
// It returns ErrBusy when the wait was in vain.
func (l *Lease) Take(ctx context.Context, wait time.Duration) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	release := sync.OnceFunc(func() { <-l.held })
	select {
	case l.held <- struct{}{}: // free now, whatever the wait
		return release, nil
	default:
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case l.held <- struct{}{}:
		return release, nil
	case <-t.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
