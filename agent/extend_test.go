// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestWriteChecked: what the check refuses, or could not be written, is not there, and what was there before is.
func TestWriteChecked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	write := func(text string) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}
	}
	check := func(r io.ReadSeeker) error {
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		if err == nil && string(b) != "good" {
			err = errors.New("bad")
		}
		return err
	}
	for _, text := range []string{"bad", "good", "bad"} {
		err := writeChecked(path, write(text), check)
		if (err == nil) != (text == "good") {
			t.Errorf("%s: %v", text, err)
		}
		left, _ := os.ReadDir(filepath.Dir(path))
		if got, _ := os.ReadFile(path); len(left) > 1 || string(got) != "" && string(got) != "good" || text == "good" && len(got) == 0 {
			t.Errorf("%s: %q, %v", text, got, left)
		}
	}
}
