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

// pieceSize is how much of a document one message carries.
const pieceSize = 512 << 10

// client is a connection to the user's running session.
type client struct{ conn *rpc.Conn }

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
	conn := rpc.New(c, hear)
	go conn.Serve(ctx)
	cl := &client{conn}
	hello := proto.AgentHelloParams{Protocol: proto.Protocol, Lang: proto.Lang(a.lang), Client: "persten " + version}
	if _, err := ask[proto.AgentHelloResult](ctx, cl, proto.MethodAgentHello, hello); err != nil {
		conn.Close()
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

// upload hands a file over in pieces and returns its handle.
func (c *client) upload(ctx context.Context, as proto.ContentOpenParams, r io.Reader) (string, error) {
	opened, err := ask[proto.ContentOpenResult](ctx, c, proto.MethodContentOpen, as)
	if err != nil {
		return "", err
	}
	buf := make([]byte, pieceSize)
	for size := int64(0); ; {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			size += int64(n)
			p := proto.ContentAppendParams{Handle: opened.Handle, Data: buf[:n], Size: size}
			if _, err := ask[proto.ContentAppendResult](ctx, c, proto.MethodContentAppend, p); err != nil {
				return "", err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return "", err
		}
	}
	_, err = ask[proto.ContentCloseResult](ctx, c, proto.MethodContentClose, proto.ContentCloseParams{Handle: opened.Handle})
	return opened.Handle, err
}

// uploadShown is upload of a file that will be signed with a certificate, with a bar.
func (a *app) uploadShown(ctx context.Context, c *client, certificate string, in *os.File) (string, error) {
	b := a.bar("cli.progress.sending", size(in))
	defer b.clear()
	as := proto.ContentOpenParams{Name: filepath.Base(in.Name()), Size: size(in), Certificate: certificate}
	return c.upload(ctx, as, b.reader(in))
}

// downloadShown is download with a bar.
func (a *app) downloadShown(ctx context.Context, c *client, from proto.Content, w io.Writer) error {
	b := a.bar("cli.progress.receiving", 0)
	defer b.clear()
	return c.download(ctx, from, io.MultiWriter(w, writerFunc(b.add)))
}

type writerFunc func(n int)

func (f writerFunc) Write(p []byte) (int, error) {
	f(len(p))
	return len(p), nil
}

// download writes a content to w.
func (c *client) download(ctx context.Context, from proto.Content, w io.Writer) error {
	if from.Handle == "" {
		_, err := w.Write(from.Inline)
		return err
	}
	for offset := int64(0); ; {
		p := proto.ContentReadParams{Handle: from.Handle, Offset: offset, Length: pieceSize}
		piece, err := ask[proto.ContentReadResult](ctx, c, proto.MethodContentRead, p)
		if err != nil {
			return err
		}
		if _, err := w.Write(piece.Data); err != nil {
			return err
		}
		if len(piece.Data) == 0 && !piece.EOF {
			return proto.E(proto.CodeAgentLost, io.ErrUnexpectedEOF)
		}
		if offset += int64(len(piece.Data)); piece.EOF {
			return nil
		}
	}
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
