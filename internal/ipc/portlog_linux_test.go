// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"bytes"
	"log"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
)

// logged is a log that counts its lines.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) lines() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.b.Bytes(), []byte("\n"))
}

// TestSharedPortLog: a user who comes and goes at the port service does not fill the system's log.
func TestSharedPortLog(t *testing.T) {
	s := startSharing(t)
	l, before := &logged{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(l, nil)))
	t.Cleanup(func() { slog.SetDefault(before); log.SetOutput(os.Stderr) }) // the second undoes what the first SetDefault did to package log
	for range 300 {
		c, err := net.Dial("unix", s.socket)
		if err != nil {
			t.Fatal(err)
		}
		c.Read(make([]byte, 1)) // it was heard, or turned away
		c.Close()
	}
	s.stop()
	if n := l.lines(); n > 3 {
		t.Errorf("%d lines for 300 sessions", n)
	}
}
