// SPDX-License-Identifier: GPL-3.0-or-later

package rpc

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"persten/internal/ipc"
)

// TestBinary: what is binary goes to the taker, in its place among the requests; without one it ends the connection, and a
// connection that carries none says so.
func TestBinary(t *testing.T) {
	for _, taking := range []bool{true, false} {
		cc, sc := webSocketTransport(t)
		s := &testServer{notes: make(chan string, 10)}
		client, server := New(cc, nil), New(sc, s.handle)
		if taking && !server.OnBinary(func(r io.Reader) error {
			b, err := io.ReadAll(r)
			s.notes <- string(b)
			return err
		}) {
			t.Error("a WebSocket carries no binary messages")
		}
		var wg sync.WaitGroup
		var served error
		wg.Go(func() { client.Serve(context.Background()) })
		wg.Go(func() { served = server.Serve(context.Background()) })
		client.Notify("first", nil)
		cc.(*webPage).write(0x82, []byte{0, 1, 2})
		if taking {
			if got := <-s.notes; got != "\x00\x01\x02" {
				t.Errorf("took %q", got)
			}
			testEcho(t, client, s, nil)
			client.Close()
		}
		wg.Wait()
		if errors.Is(served, ipc.ErrProtocol) == taking {
			t.Errorf("taking %v: %v", taking, served)
		}
	}
	cc, _ := pairTransport(t)
	defer cc.Close()
	if New(cc, nil).OnBinary(func(io.Reader) error { return nil }) {
		t.Error("a pair carries binary messages")
	}
}
