// SPDX-License-Identifier: GPL-3.0-or-later

// Package rpc speaks JSON-RPC 2.0 (https://www.jsonrpc.org/specification) both ways over an ipc.Conn: requests, answers,
// notifications and cancellation, with descriptors beside a request where the connection carries them.
//
// # Use
//
// [New] binds a connection and a handler; [Conn.Serve] reads until the connection ends and must be running for
// [Conn.Call] to get answers. Both sides may call. A handler runs in a goroutine of its own for each request and may call
// back over Request.Conn. Notifications, and requests for the methods named to [Conn.InOrder], are handled one after another,
// in the order they came. [Conn.OnBinary] takes the binary messages of a connection that carries them. A Conn is safe for
// concurrent use.
//
// # Cancellation
//
// When the context of a Call ends, Call returns its error at once and sends the notification "$/cancel" with the request's
// id; the other side cancels that handler's context and still answers. When the connection or Serve's context ends, the
// contexts of all handlers are cancelled and every waiting Call fails with [ErrClosed]. Serve returns when the last handler
// has returned.
//
// # What is refused
//
// Beyond the specification: batches, positional params, ids that are not strings or integers (1 to 128 bytes), unknown
// members of a message, repeated members at any depth, nesting beyond [MaxDepth], anything after the message, bad UTF-8, an id already in
// flight, more than [MaxInFlight] requests at a time. Each gets an answer with a code and the connection goes on; sizes
// are package ipc's to limit.
//
// # Errors
//
// A handler's *[Error] goes to the peer as it is. Any other error is logged here and becomes "internal error": causes do
// not leave the process.
package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"persten/internal/ipc"
)

// Limits of one connection.
const (
	MaxInFlight = 64
	MaxDepth    = 32

	maxID            = 128
	maxMethod        = 128
	maxNotifications = 256
	cancelMethod     = "$/cancel"
)

// ErrClosed is what a Call gets when the connection ends before the answer.
var ErrClosed = errors.New("rpc connection is closed")

// Codes the specification reserves, and one the wider practice adds.
const (
	CodeParse          = -32700
	CodeInvalidRequest = -32600
	CodeUnknownMethod  = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603
	CodeCancelled      = -32800
)

// Error is an answer that says no.
type Error struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

func (e *Error) Error() string { return fmt.Sprintf("rpc error %d: %s", e.Code, e.Message) }

// Request is one request or notification as the handler gets it. The handler owns Files and closes them.
type Request struct {
	ID           json.RawMessage // as the peer wrote it; nil for a notification
	Method       string
	Params       json.RawMessage // an object, or nil when absent
	Files        []*os.File
	Notification bool
	Conn         *Conn
}

// Handler answers one request; the result is marshalled with encoding/json. The result of a notification is dropped.
type Handler func(ctx context.Context, r *Request) (any, error)

// Conn is one side of a conversation.
type Conn struct {
	c ipc.Conn
	h Handler

	binary  func(io.Reader) error
	inOrder []string
	before  chan struct{} // closed when the last request of inOrder has been handled

	mu       sync.Mutex
	last     int64
	calls    map[int64]chan answer
	handlers map[string]context.CancelFunc
	closed   bool

	notes chan *Request
	wg    sync.WaitGroup
}

type answer struct {
	result json.RawMessage
	err    error
}

// New makes one side of a conversation over c. A nil h answers every request with "method not found".
func New(c ipc.Conn, h Handler) *Conn {
	if h == nil {
		h = func(_ context.Context, r *Request) (any, error) {
			closeAll(r.Files)
			return nil, &Error{Code: CodeUnknownMethod, Message: "method not found", Data: data("request_unknown_method", "method", r.Method)}
		}
	}
	return &Conn{
		c: c, h: h,
		calls:    map[int64]chan answer{},
		handlers: map[string]context.CancelFunc{},
		notes:    make(chan *Request, maxNotifications),
	}
}

// OnBinary has take read each binary message, in Serve's own goroutine: while take runs nothing else is received. An error of
// take ends the connection. It reports whether the connection carries binary messages at all. It is called before Serve.
func (c *Conn) OnBinary(take func(r io.Reader) error) bool {
	c.binary = take
	_, ok := c.c.(ipc.BinaryConn)
	return ok
}

// InOrder has requests for these methods handled one after another, in the order they came. It is called before Serve.
func (c *Conn) InOrder(methods ...string) { c.inOrder = methods }

// Close ends the connection; Serve returns after it.
func (c *Conn) Close() { c.c.Close() }

// Notify sends a notification.
func (c *Conn) Notify(method string, params any) error {
	msg, err := encodeRequest(nil, method, params)
	if err != nil {
		return err
	}
	return c.c.Send(msg)
}

// Call sends a request and waits for its answer, which is decoded into result unless that is nil. An answer that says no
// is an *[Error]. Files travel with the request and stay the caller's to close; the connection must be an ipc.FileConn.
func (c *Conn) Call(ctx context.Context, method string, params, result any, files ...*os.File) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	id, wait, err := c.register()
	if err != nil {
		return err
	}
	defer c.forget(id)
	msg, err := encodeRequest(&id, method, params)
	if err != nil {
		return err
	}
	if err := c.send(msg, files); err != nil {
		return err
	}
	select {
	case a := <-wait:
		return a.decode(result)
	case <-ctx.Done():
		_ = c.Notify(cancelMethod, cancelParams{ID: id})
		return ctx.Err()
	}
}

type cancelParams struct {
	ID int64 `json:"id"`
}

func (a answer) decode(result any) error {
	if a.err != nil || result == nil {
		return a.err
	}
	if err := json.Unmarshal(a.result, result); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}

func (c *Conn) register() (int64, chan answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, nil, ErrClosed
	}
	c.last++
	wait := make(chan answer, 1)
	c.calls[c.last] = wait
	return c.last, wait, nil
}

func (c *Conn) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, id)
}

func (c *Conn) send(msg []byte, files []*os.File) error {
	if len(files) == 0 {
		return c.c.Send(msg)
	}
	fc, ok := c.c.(ipc.FileConn)
	if !ok {
		return fmt.Errorf("send files: %w", ipc.ErrUnsupported)
	}
	return fc.SendFiles(msg, files...)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
