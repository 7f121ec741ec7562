// SPDX-License-Identifier: GPL-3.0-or-later

package rpc

import (
	"context"
	"testing"

	"persten/internal/ipc"
)

// TestFarewell: a notification sent just before the connection closes reaches the handler.
func TestFarewell(t *testing.T) {
	for range 200 {
		ours, theirs, err := ipc.Pair()
		if err != nil {
			t.Fatal(err)
		}
		peer, err := ipc.Adopt(theirs)
		if err != nil {
			t.Fatal(err)
		}
		heard := 0
		served := make(chan error, 1)
		go func() {
			served <- New(peer, func(context.Context, *Request) (any, error) { heard++; return nil, nil }).Serve(context.Background())
		}()
		c := New(ours, nil)
		if err := c.Notify("bye", nil); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if err := <-served; err != nil || heard != 1 {
			t.Fatalf("heard %d, %v", heard, err)
		}
	}
}
