// SPDX-License-Identifier: GPL-3.0-or-later

// Package client is a program's connection to the user's running session: greeting, calls, documents both ways.
//
// # Contract
//
// [Dial] connects and says hello; [Ask] calls one method and gives an answer that says no back as a *proto.Error;
// [Client.Upload] and [Client.Download] carry documents of any size in flat memory. A session that is not there is
// agent_not_running, one that goes away agent_lost. A Client is safe for concurrent use; uploads take turns.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"sync"
	"time"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/proto"
)

// dialPatience is how long a session that is there may take to accept.
const dialPatience = 500 * time.Millisecond

// helloPatience is how long it may take to say hello, for which it needs no token and no disk.
var helloPatience = 10 * time.Second

// Client is one connection.
type Client struct {
	Hello proto.AgentHelloResult // what the session said of itself

	conn      *rpc.Conn
	wire      ipc.BinarySender // under conn
	sending   *sending
	uploading sync.Mutex
}

// Dial connects to the session at socket and introduces itself. Notifications go to hear; ListenOnly ignores them. The
// connection ends with ctx.
func Dial(ctx context.Context, socket string, hello proto.AgentHelloParams, hear rpc.Handler) (*Client, error) {
	if _, err := os.Stat(socket); err != nil && runtime.GOOS != "windows" {
		return nil, proto.E(proto.CodeAgentNotRunning, err) // nothing to wait for
	}
	dial, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	wire, err := ipc.DialUser(dial, socket)
	if err != nil {
		return nil, proto.E(proto.CodeAgentNotRunning, err)
	}
	c := &Client{wire: wire, sending: newSending()}
	c.conn = rpc.New(wire, c.sending.hear(hear))
	go func() {
		defer close(c.sending.lost)
		c.conn.Serve(ctx)
	}()
	hello.Protocol = proto.Protocol
	greeting, enough := context.WithTimeout(ctx, helloPatience)
	defer enough()
	said, err := Ask[proto.AgentHelloResult](greeting, c, proto.MethodAgentHello, hello)
	if greeting.Err() != nil && ctx.Err() == nil {
		err = proto.E(proto.CodeAgentSilent, err)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	c.Hello = *said
	return c, nil
}

// ListenOnly hears notifications and answers nothing: the session has no questions to a command.
func ListenOnly(_ context.Context, r *rpc.Request) (any, error) {
	for _, f := range r.Files {
		f.Close()
	}
	if r.Notification {
		return nil, nil
	}
	return nil, &rpc.Error{Code: rpc.CodeUnknownMethod, Message: "method not found"}
}

// Close ends the connection.
func (c *Client) Close() { c.conn.Close() }

// Lost is closed when the connection has ended.
func (c *Client) Lost() <-chan struct{} { return c.sending.lost }

// Ask calls one method of the session.
func Ask[R any](ctx context.Context, c *Client, method string, params any) (*R, error) {
	var r R
	if err := c.conn.Call(ctx, method, params, &r); err != nil {
		return nil, remoteError(err)
	}
	return &r, nil
}

// remoteError gives an answer that says no its catalogue form back.
func remoteError(err error) error {
	var re *rpc.Error
	if !errors.As(err, &re) {
		if errors.Is(err, context.Canceled) {
			return err
		}
		return proto.E(proto.CodeAgentLost, err)
	}
	var d proto.ErrorData
	if json.Unmarshal(re.Data, &d) != nil || d.Code == "" {
		return proto.E(proto.CodeInternal, err)
	}
	return &proto.Error{Code: d.Code, Args: d.Args}
}

// FileError says of a file of the person's that it cannot be read or written.
func FileError(err *os.PathError) *proto.Error {
	code := proto.CodeFileUnreadable
	if err.Op != "open" && err.Op != "stat" && err.Op != "read" || errors.Is(err, os.ErrExist) {
		code = proto.CodeFileUnwritable
	}
	return proto.E(code, err, "file", err.Path)
}
