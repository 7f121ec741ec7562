// SPDX-License-Identifier: GPL-3.0-or-later

package client

import (
	"errors"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"persten/internal/ipc"
	"persten/proto"
)

// TestDialSilent: a session that takes the connection and says nothing does not keep a command waiting.
func TestDialSilent(t *testing.T) {
	patience := helloPatience
	helloPatience = 100 * time.Millisecond
	defer func() { helloPatience = patience }()
	path := `\\.\pipe\persten-test-silent`
	if runtime.GOOS != "windows" {
		path = filepath.Join(t.TempDir(), "run", "session.sock")
	}
	l, err := ipc.ListenUser(path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	end := make(chan struct{})
	go func() { done <- l.Serve(t.Context(), func(ipc.Conn, ipc.Peer) { <-end }) }()
	defer func() { close(end); l.Close(); <-done }()
	began := time.Now()
	c, err := Dial(t.Context(), path, proto.AgentHelloParams{Client: "test"}, ListenOnly)
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, proto.CodeAgentSilent) || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}
