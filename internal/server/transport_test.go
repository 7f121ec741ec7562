// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"persten/internal/ipc"
)

// socketTransport is a connection of a command through the user's socket.
func socketTransport(t testing.TB) (server, client ipc.Conn) {
	t.Helper()
	path, conns := userSocket(t)
	c, err := ipc.DialUser(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return <-conns, c
}

// hostTransport is a page's channel through the native host, from the browser's end of its standard streams.
func hostTransport(t testing.TB) (server, client ipc.Conn) {
	t.Helper()
	path, conns := userSocket(t)
	const extension = "ldofnahphfbbgmklgggghnhbadlgdgmj"
	session, err := ipc.DialHost(t.Context(), path, extension)
	if err != nil {
		t.Fatal(err)
	}
	in, toHost := io.Pipe()
	fromHost, out := io.Pipe()
	go ipc.HostPipe(ipc.Stdio(in, out, ipc.MaxFrame), session, extension)
	b := &browserEnd{c: ipc.Stdio(fromHost, toHost, ipc.MaxFrame), ch: strings.Repeat("a", 32)}
	if err := b.c.Send(fmt.Appendf(nil, `{"ch":%q,"from":{"origin":%q,"top":%[2]q,"frame":"0"},"kind":"open"}`, b.ch, portal)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { toHost.Close(); fromHost.Close() })
	return <-conns, b
}

// userSocket listens and gives the connections that come.
func userSocket(t testing.TB) (path string, conns chan ipc.Conn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "s-") // a test's own folder may have too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "s.sock")
	l, err := ipc.ListenUser(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	conns, done := make(chan ipc.Conn, 1), make(chan struct{})
	go func() {
		defer close(done)
		l.Serve(ctx, func(c ipc.Conn, _ ipc.Peer) {
			conns <- c
			<-ctx.Done()
		})
	}()
	t.Cleanup(func() { cancel(); <-done; os.RemoveAll(dir) })
	return path, conns
}

// browserEnd is one channel of a native port, as the extension sees it.
type browserEnd struct {
	c  ipc.Conn
	ch string
}

func (b *browserEnd) Send(msg []byte) error {
	return b.c.Send(fmt.Appendf(nil, `{"ch":%q,"kind":"rpc","body":%s}`, b.ch, msg))
}

func (b *browserEnd) Recv() ([]byte, error) {
	var joined string
	for {
		frame, err := b.c.Recv()
		if err != nil {
			return nil, err
		}
		var e struct {
			Kind string
			More bool
			Body json.RawMessage
		}
		if err := json.Unmarshal(frame, &e); err != nil {
			return nil, err
		}
		var part string
		switch {
		case e.Kind == "rpc":
			return e.Body, nil
		case e.Kind == "close":
			return nil, io.EOF
		case e.Kind != "part" || json.Unmarshal(e.Body, &part) != nil:
			return nil, errors.New("not a frame of the host: " + string(frame))
		}
		if joined += part; !e.More {
			return []byte(joined), nil
		}
	}
}

// Close is the tab's end; the port stays.
func (b *browserEnd) Close() error {
	return errors.Join(b.c.Send(fmt.Appendf(nil, `{"ch":%q,"kind":"close"}`, b.ch)), b.c.Close())
}
