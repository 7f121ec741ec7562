// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package browser

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRelativeManifest: on Windows a manifest may name the program relative to itself, and only there.
func TestRelativeManifest(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "native"), 0o700); err != nil {
		t.Fatal(err)
	}
	b, _ := Options{Executable: filepath.Join("..", "persten.exe")}.Manifest(Chromium)
	file := filepath.Join(dir, "native", "m.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "persten.exe")
	o := Options{Executable: program}
	windows := Target{Family: Chromium, Path: file, Key: `Software\Chromium`}
	if s, err := o.state(windows); err != nil || s.State != Installed || s.Executable != program {
		t.Errorf("%+v %v", s, err)
	}
	if s, err := o.state(Target{Family: Chromium, Path: file}); err != nil || s.State != Different {
		t.Errorf("without a registry: %+v %v", s, err)
	}
	if s, err := (Options{Executable: filepath.Join(dir, "other.exe")}).state(windows); err != nil || s.State != Different {
		t.Errorf("another program: %+v %v", s, err)
	}
}
