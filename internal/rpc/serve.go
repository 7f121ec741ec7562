// SPDX-License-Identifier: GPL-3.0-or-later

package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strconv"

	"persten/internal/ipc"
)

// Serve reads and answers until the connection ends or ctx does, then cancels every handler and waits for them. It
// returns nil when either side closed, ctx's error when that ended, else what the connection said. It is called once.
func (c *Conn) Serve(ctx context.Context) error {
	inner, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, c.Close)
	c.wg.Add(1)
	go c.handleNotes(ctx) // not inner: what the other side said before it closed still counts
	err := c.read(inner)
	stop()
	cancel()
	c.c.Close()
	c.fail()
	close(c.notes)
	c.wg.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case ended(err):
		return nil
	}
	return err
}

// ended reports whether one of the sides simply closed.
func ended(err error) bool {
	for _, e := range []error{io.EOF, ipc.ErrClosed, net.ErrClosed, os.ErrClosed, io.ErrClosedPipe} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// fail ends every waiting Call.
func (c *Conn) fail() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for id, wait := range c.calls {
		wait <- answer{err: ErrClosed} // has room: at most one answer is ever sent
		delete(c.calls, id)
	}
}

func (c *Conn) read(ctx context.Context) error {
	for {
		b, files, err := c.recv()
		if err != nil {
			return err
		}
		if err := c.take(ctx, b, files); err != nil {
			return err
		}
	}
}

func (c *Conn) recv() ([]byte, []*os.File, error) {
	if fc, ok := c.c.(ipc.FileConn); ok {
		return fc.RecvFiles()
	}
	if bc, ok := c.c.(ipc.BinaryConn); ok && c.binary != nil {
		b, err := bc.RecvBinary(c.binary)
		return b, nil, err
	}
	b, err := c.c.Recv()
	return b, nil, err
}

// take deals with one message. Its error is the connection's: a bad message is answered and survived.
func (c *Conn) take(ctx context.Context, b []byte, files []*os.File) error {
	m, bad := parse(b)
	if bad != nil {
		closeAll(files)
		return c.refuse(m.id, bad)
	}
	if m.answer() {
		closeAll(files)
		c.settle(m)
		return nil
	}
	r := &Request{ID: m.id, Method: m.method, Params: m.params, Files: files, Notification: m.id == nil, Conn: c}
	if r.Notification {
		c.note(r)
		return nil
	}
	return c.begin(ctx, r)
}

// settle gives an answer to the Call that waits for it. An answer nobody waits for is late and dropped.
func (c *Conn) settle(m *message) {
	id, err := strconv.ParseInt(string(m.id), 10, 64)
	if err != nil {
		return
	}
	c.mu.Lock()
	wait, ok := c.calls[id]
	delete(c.calls, id)
	c.mu.Unlock()
	if !ok {
		return
	}
	a := answer{result: m.result}
	if m.err != nil {
		a.err = m.err
	}
	wait <- a
}

func (c *Conn) note(r *Request) {
	if r.Method == cancelMethod {
		closeAll(r.Files)
		c.cancel(r.Params)
		return
	}
	select {
	case c.notes <- r:
	default:
		closeAll(r.Files)
		slog.Warn("notification dropped: too many wait", "method", r.Method)
	}
}

func (c *Conn) cancel(params json.RawMessage) {
	var p struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(params, &p) != nil || checkID(p.ID) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel, ok := c.handlers[key(p.ID)]; ok {
		cancel()
	}
}

// begin starts a handler, or refuses when the id or the room for it is taken.
func (c *Conn) begin(ctx context.Context, r *Request) error {
	k := key(r.ID)
	c.mu.Lock()
	_, taken := c.handlers[k]
	full := len(c.handlers) >= MaxInFlight
	if !taken && !full {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		c.handlers[k] = cancel
		c.wg.Add(1)
	}
	c.mu.Unlock()
	switch {
	case taken:
		closeAll(r.Files)
		return c.refuse(r.ID, malformed(CodeInvalidRequest, errors.New("id is in use")))
	case full:
		closeAll(r.Files)
		return c.refuse(r.ID, &Error{Code: CodeInvalidRequest, Message: "too many requests at a time",
			Data: data("request_limit", "limit", strconv.Itoa(MaxInFlight))})
	}
	before, done := c.queue(r.Method)
	go c.run(ctx, k, r, before, done)
	return nil
}

// queue gives a request of InOrder what it waits for and what it closes when it has been handled; nil is nothing.
func (c *Conn) queue(method string) (before <-chan struct{}, done chan struct{}) {
	if slices.Contains(c.inOrder, method) {
		done = make(chan struct{})
		before, c.before = c.before, done
	}
	return before, done
}

func (c *Conn) run(ctx context.Context, k string, r *Request, before <-chan struct{}, done chan struct{}) {
	defer c.wg.Done()
	if before != nil {
		<-before
	}
	result, err := c.call(ctx, r)
	if done != nil {
		close(done)
	}
	c.mu.Lock()
	c.handlers[k]()
	delete(c.handlers, k) // before the answer: the peer may use the id again once it has it
	c.mu.Unlock()
	if err != nil {
		err = c.refuse(r.ID, c.wire(r.Method, err))
	} else {
		err = c.reply(r, result)
	}
	if err != nil {
		c.Close() // an answer that cannot be sent: the peer must not wait for it for ever
	}
}

// call runs the handler; its panic is an error of this request alone.
func (c *Conn) call(ctx context.Context, r *Request) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			slog.Error("handler panicked", "method", r.Method, "stack", string(debug.Stack()))
			err = fmt.Errorf("handler panicked: %T", p)
		}
	}()
	return c.h(ctx, r)
}

func (c *Conn) handleNotes(ctx context.Context) {
	defer c.wg.Done()
	for r := range c.notes {
		if ctx.Err() != nil {
			closeAll(r.Files)
			continue
		}
		if _, err := c.call(ctx, r); err != nil {
			slog.Warn("notification failed", "method", r.Method, "err", err)
		}
	}
}

// wire turns a handler's error into what the peer may see.
func (c *Conn) wire(method string, err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled):
		return &Error{Code: CodeCancelled, Message: "request cancelled", Data: data("request_cancelled")}
	}
	slog.Error("request failed", "method", method, "err", err)
	return &Error{Code: CodeInternal, Message: "internal error", Data: data("internal", "ref", "")}
}

func (c *Conn) reply(r *Request, result any) error {
	b, err := marshal(wireAnswer{JSONRPC: "2.0", ID: r.ID, Result: result})
	if err != nil {
		return c.refuse(r.ID, c.wire(r.Method, fmt.Errorf("encode result: %w", err)))
	}
	err = c.c.Send(b)
	var large *ipc.FrameError
	if errors.As(err, &large) {
		return c.refuse(r.ID, &Error{Code: CodeInternal, Message: "answer is too large",
			Data: data("request_too_large", "limit", strconv.FormatInt(large.Max, 10))})
	}
	return err
}

func (c *Conn) refuse(id json.RawMessage, e *Error) error {
	if id == nil {
		id = json.RawMessage("null")
	}
	b, err := marshal(wireError{JSONRPC: "2.0", ID: id, Error: e})
	if err != nil { // Data that is no JSON
		b, _ = marshal(wireError{JSONRPC: "2.0", ID: id, Error: &Error{Code: e.Code, Message: e.Message}})
	}
	return c.c.Send(b)
}
