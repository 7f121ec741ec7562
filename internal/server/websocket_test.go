// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	web "github.com/gorilla/websocket"

	"persten/internal/ipc"
)

// webPage is a page's end of a WebSocket.
type webPage struct {
	c  *web.Conn
	mu sync.Mutex
}

func (p *webPage) Send(b []byte) error { return p.write(web.TextMessage, b) }
func (p *webPage) Close() error        { return p.c.Close() }

func (p *webPage) Recv() ([]byte, error) {
	_, b, err := p.c.ReadMessage()
	if err != nil {
		return nil, io.EOF
	}
	return b, nil
}

func (p *webPage) write(kind int, b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.c.WriteMessage(kind, b)
}

// binary sends a piece of a stream.
func (p *webPage) binary(stream int, offset int64, data []byte) error {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 12+len(data)), uint32(stream))
	b = binary.BigEndian.AppendUint64(b, uint64(offset))
	return p.write(web.BinaryMessage, append(b, data...))
}

// binarySender sends pieces over c, or is nil.
func binarySender(c ipc.Conn) func(stream int, offset int64, data []byte) error {
	switch c := c.(type) {
	case *webPage:
		return c.binary
	case ipc.BinarySender:
		return func(stream int, offset int64, data []byte) error {
			head := binary.BigEndian.AppendUint32(nil, uint32(stream))
			return c.SendBinary(binary.BigEndian.AppendUint64(head, uint64(offset)), data)
		}
	}
	return nil
}

// webTransport is a connection through the listener pages use.
func webTransport(t testing.TB) (server, client ipc.Conn) {
	t.Helper()
	l, err := ipc.ListenWebSocket("127.0.0.1:0", ipc.WebSocketOptions{SiteRules: ipc.SiteRules{Allowed: func(string) bool { return true }}})
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
	t.Cleanup(func() { cancel(); <-done })
	dialer := web.Dialer{Subprotocols: []string{"persten.v1"}, HandshakeTimeout: 5 * time.Second, WriteBufferSize: 1 << 20}
	c, _, err := dialer.Dial("ws://"+l.Addr().String(), http.Header{"Origin": {portal}})
	if err != nil {
		t.Fatal(err)
	}
	return <-conns, &webPage{c: c}
}
