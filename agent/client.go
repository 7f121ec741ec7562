// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	remote "persten/internal/client"
	"persten/internal/config"
	"persten/internal/rpc"
	"persten/proto"
)

// client is a connection to the user's running session.
type client = remote.Client

// connect reaches the session, or answers agent_not_running.
func (a *app) connect(ctx context.Context) (*client, error) {
	return a.connectWith(ctx, remote.ListenOnly)
}

// connectWith is connect for a command that hears notifications.
func (a *app) connectWith(ctx context.Context, hear rpc.Handler) (*client, error) {
	socket, err := config.SocketPath()
	if err != nil {
		return nil, err
	}
	return remote.Dial(ctx, socket, proto.AgentHelloParams{Lang: proto.Lang(a.lang), Client: "persten " + version}, hear)
}

// ask calls one method of the session.
func ask[R any](ctx context.Context, c *client, method string, params any) (*R, error) {
	return remote.Ask[R](ctx, c, method, params)
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
