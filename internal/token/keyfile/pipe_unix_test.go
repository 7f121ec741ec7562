// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package keyfile

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A pipe in a file's place is no token, and nobody waits for what is written to it.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k.p12")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := OpenFiles(nil, filepath.Join(t.TempDir(), "list")).Describe(path)
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.As(err, new(*FormatError)) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the pipe is waited for")
	}
}
