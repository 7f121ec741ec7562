// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"sync"
)

// merged lets callers who want the same thing at the same time share one call for it. The zero value is ready.
type merged[T any] struct {
	mu  sync.Mutex
	now *flight[T]
}

type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// do calls f, or waits for the call under way. A caller who gives up leaves the call to the others: f gets a context of
// its own and has to end by itself.
func (m *merged[T]) do(ctx context.Context, f func(ctx context.Context) (T, error)) (T, error) {
	m.mu.Lock()
	c := m.now
	if c == nil {
		c = &flight[T]{done: make(chan struct{})}
		m.now = c
		go func() {
			c.value, c.err = f(context.WithoutCancel(ctx))
			m.mu.Lock()
			m.now = nil
			m.mu.Unlock()
			close(c.done)
		}()
	}
	m.mu.Unlock()
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
