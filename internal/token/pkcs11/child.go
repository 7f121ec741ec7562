// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/token"
)

// Pauses before a module that keeps failing is started again.
const (
	firstPause   = 250 * time.Millisecond
	maxPause     = 30 * time.Second
	maxLoadPause = 10 * time.Minute // of a library that does not even load, unless a listing is refreshed
	patience     = time.Second      // a shorter pause is waited for, a longer one is answered with the last error
	killWait     = 2 * time.Second
)

// child is one running module process.
type child struct {
	conn *rpc.Conn
	raw  ipc.FileConn
	proc Process
	gone chan struct{} // closed when the process ended
}

// running returns the child, starting one if there is none.
func (k *keeper) running(ctx context.Context) (*child, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.child != nil && !k.child.dead() {
		return k.child, nil
	}
	if k.child != nil { // died while nobody was calling
		k.fail(k.child, k.error(token.ReasonCrashed, nil))
	}
	if err := k.pause(ctx); err != nil {
		return nil, err
	}
	conn, proc, err := k.o.Start(context.WithoutCancel(ctx), k.m)
	if err != nil {
		err := k.error(token.ReasonStart, err)
		k.fail(nil, err)
		return nil, err
	}
	k.o.Log.Debug("module started", "module", k.m.Name, "pid", proc.PID())
	k.child = k.attend(conn, proc)
	k.starts++
	k.entries = nil
	return k.child, nil
}

func (k *keeper) attend(conn ipc.FileConn, proc Process) *child {
	c := &child{raw: conn, proc: proc, gone: make(chan struct{})}
	c.conn = rpc.New(conn, func(_ context.Context, r *rpc.Request) (any, error) {
		closeFiles(r)
		if r.Notification {
			k.noted(c, r.Method)
			return nil, nil
		}
		return nil, &rpc.Error{Code: -32601, Message: "method not found"}
	})
	go func() {
		c.conn.Serve(context.Background())
		conn.Close()
	}()
	go func() {
		proc.Wait()
		conn.Close()
		close(c.gone)
	}()
	return c
}

func (c *child) dead() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// kill ends the process and waits until it is gone, so that nothing of it can still touch the token.
func (c *child) kill() {
	c.proc.Kill()
	c.raw.Close()
	select {
	case <-c.gone:
	case <-time.After(killWait):
	}
}

// pause waits until the module may be started again. The caller holds k.mu.
func (k *keeper) pause(ctx context.Context) error {
	wait := time.Until(k.notBefore)
	if wait <= 0 {
		return nil
	}
	if wait > patience {
		return k.last
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fail notes that c, or starting one, failed. The caller holds k.mu.
func (k *keeper) fail(c *child, err error) {
	if k.child != c {
		return // another call has seen to it
	}
	k.child, k.entries, k.last = nil, nil, err
	k.failures++
	longest := maxPause
	if k.unloaded() {
		longest = maxLoadPause
	}
	if k.failures > 1 {
		k.notBefore = time.Now().Add(min(firstPause<<min(k.failures-2, 16), longest))
	}
	if c != nil && c == k.watched {
		k.watched = nil
		var m *token.ModuleError
		k.blind = k.blind || errors.As(err, &m) && m.Reason == token.ReasonTimeout
	}
	k.o.Log.Warn("module failed", "module", k.m.Name, "path", k.m.Path, "error", err, "failures", k.failures)
}

// drop kills c and notes why.
func (k *keeper) drop(c *child, err error) error {
	c.kill()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail(c, err)
	return err
}

// retire ends c, which has done nothing wrong, unless somebody else is using it.
func (k *keeper) retire(c *child) {
	k.mu.Lock()
	shared := k.open > 1
	if k.child == c && !shared {
		k.child = nil
	}
	k.mu.Unlock()
	if !shared {
		c.kill()
	}
}

// request is one call to a child.
type request struct {
	method   string
	params   any
	reply    validator
	deadline time.Duration
	files    []*os.File
	grace    time.Duration // for the answer after the caller has given up
	spare    bool          // a missed deadline is no proof of a hang while another request uses the module
}

// call runs r on the running child.
func (k *keeper) call(ctx context.Context, r request) error {
	c, err := k.running(ctx)
	if err != nil {
		return err
	}
	return k.callOn(ctx, c, r)
}

// callOn runs r on c. It kills c when the deadline passes, when the answer is malformed, and when c is gone anyway.
func (k *keeper) callOn(ctx context.Context, c *child, r request) error {
	select {
	case k.calls <- struct{}{}:
		defer func() { <-k.calls }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err // with a place free, too
	}
	if r.grace > 0 {
		var end context.CancelFunc
		ctx, end = later(ctx, r.grace)
		defer end()
	}
	timed, cancel := context.WithTimeout(ctx, r.deadline)
	defer cancel()
	var raw json.RawMessage
	err := c.conn.Call(timed, r.method, r.params, &raw, r.files...)
	var wire *rpc.Error
	switch {
	case err == nil:
		if err := decode(raw, r.reply); err != nil {
			return k.drop(c, k.error(token.ReasonReply, err))
		}
		k.works()
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case timed.Err() != nil:
		if r.spare && k.inUse() {
			return fmt.Errorf("module %s: %w", k.m.Name, token.ErrBusy)
		}
		return k.drop(c, k.error(token.ReasonTimeout, fmt.Errorf("%s took more than %v", r.method, r.deadline)))
	case errors.As(err, &wire):
		return k.answered(c, wire)
	}
	return k.drop(c, k.error(token.ReasonCrashed, fmt.Errorf("during %s: %w", r.method, err)))
}

// later returns a context that ends a while after ctx does.
func later(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	long, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(while):
			cancel()
		case <-long.Done():
		}
	})
	return long, func() { stop(); cancel() }
}

// answered types an error the child gave. A library that did not load is tried again in a new process later.
func (k *keeper) answered(c *child, wire *rpc.Error) error {
	err := typed(k.m, wire)
	var failed *token.ModuleError
	if errors.As(err, &failed) && failed.Unloaded() {
		return k.drop(c, err)
	}
	return err
}

// works forgets past failures: the module answered.
func (k *keeper) works() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failures, k.notBefore = 0, time.Time{}
}

func (k *keeper) error(reason string, err error) error {
	return &token.ModuleError{Module: k.m.Name, Path: k.m.Path, Reason: reason, Err: err}
}
