// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package doctor

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A pipe, or a device, in a certificate's place is refused, and nobody waits for what is written to it.
func TestImportPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "root.cer")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{pipe, "/dev/zero", t.TempDir()} {
		done := make(chan error, 1)
		go func() { done <- importRoot(t.Context(), &Machine{}, map[string]string{"file": file}) }()
		select {
		case err := <-done:
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s: %v", file, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s is waited for", file)
		}
	}
}
