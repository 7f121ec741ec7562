// SPDX-License-Identifier: GPL-3.0-or-later

package wincert

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/token"
)

// How long things may take. A provider's window waits for a person, as long as an approval waits for the first use of the key.
const (
	callTime  = 2 * time.Minute
	leaveTime = 2 * time.Second // for a process to end by itself
)

// Process is the handle of a child.
type Process interface {
	Kill() error
	Wait() error // until it is gone; called once
}

// child is the process of one session.
type child struct {
	conn     *rpc.Conn
	raw      ipc.FileConn
	proc     Process
	provider string
	gone     chan struct{} // closed when the process ended
}

func attend(conn ipc.FileConn, proc Process, provider string) *child {
	c := &child{conn: rpc.New(conn, nil), raw: conn, proc: proc, provider: provider, gone: make(chan struct{})}
	go c.conn.Serve(context.Background())
	go func() {
		proc.Wait()
		conn.Close()
		close(c.gone)
	}()
	return c
}

// end closes the socket, which ends the process, and kills it if that takes too long.
func (c *child) end() {
	c.raw.Close()
	select {
	case <-c.gone:
	case <-time.After(leaveTime):
		c.kill()
	}
}

func (c *child) kill() {
	c.proc.Kill()
	c.raw.Close()
	select {
	case <-c.gone:
	case <-time.After(leaveTime):
	}
}

// call makes one call. When it does not come back, the process is killed, and nothing of it can still use the key.
func (c *child) call(ctx context.Context, method string, params any, files ...*os.File) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	timed, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var raw json.RawMessage
	err := c.conn.Call(timed, method, params, &raw, files...)
	var wire *rpc.Error
	switch {
	case err == nil:
		return raw, nil
	case errors.As(err, &wire):
		return nil, answered(wire, c.provider)
	}
	c.kill()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case timed.Err() != nil:
		return nil, c.failed(token.ReasonTimeout, err)
	}
	return nil, c.failed(token.ReasonCrashed, err)
}

func (c *child) failed(reason string, err error) error {
	return &token.ModuleError{Module: c.provider, Reason: reason, Err: err}
}
