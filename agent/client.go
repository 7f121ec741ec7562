// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"persten/internal/config"
	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/proto"
)

// client is a connection to the user's running session.
type client struct {
	conn    *rpc.Conn
	wire    ipc.BinarySender // under conn
	sending *sending
}

// connect reaches the session, or answers agent_not_running.
func (a *app) connect(ctx context.Context) (*client, error) { return a.connectWith(ctx, listenOnly) }

// connectWith is connect for a command that hears notifications.
func (a *app) connectWith(ctx context.Context, hear rpc.Handler) (*client, error) {
	socket, err := config.SocketPath()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(socket); err != nil && runtime.GOOS != "windows" {
		return nil, proto.E(proto.CodeAgentNotRunning, err) // nothing to wait for
	}
	dial, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	c, err := ipc.DialUser(dial, socket)
	if err != nil {
		return nil, proto.E(proto.CodeAgentNotRunning, err)
	}
	cl := &client{wire: c, sending: newSending()}
	cl.conn = rpc.New(c, cl.sending.hear(hear))
	go func() {
		defer close(cl.sending.lost)
		cl.conn.Serve(ctx)
	}()
	hello := proto.AgentHelloParams{Protocol: proto.Protocol, Lang: proto.Lang(a.lang), Client: "persten " + version}
	if _, err := ask[proto.AgentHelloResult](ctx, cl, proto.MethodAgentHello, hello); err != nil {
		cl.Close()
		return nil, err
	}
	return cl, nil
}

// listenOnly hears notifications and answers nothing: the session has no questions to a command.
func listenOnly(_ context.Context, r *rpc.Request) (any, error) {
	for _, f := range r.Files {
		f.Close()
	}
	if r.Notification {
		return nil, nil
	}
	return nil, &rpc.Error{Code: rpc.CodeUnknownMethod, Message: "method not found"}
}

func (c *client) Close() { c.conn.Close() }

// ask calls one method of the session.
func ask[R any](ctx context.Context, c *client, method string, params any) (*R, error) {
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

// writeWhole makes the file at path hold what write produces, or leaves it as it was.
func writeWhole(path string, write func(io.Writer) error) error {
	return writeChecked(path, write, func(io.ReadSeeker) error { return nil })
}

// writeChecked is writeWhole with a look at what was written, before it is at path.
func writeChecked(path string, write func(io.Writer) error, check func(io.ReadSeeker) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".persten-")
	if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
		return &os.PathError{Op: "create", Path: path, Err: pathErr.Err} // people know this name, not the one it has until it is whole
	}
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = write(f)
	if err == nil {
		err = check(f)
	}
	if err != nil {
		f.Close()
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
