// SPDX-License-Identifier: GPL-3.0-or-later

package browserext

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"testing"
)

// read returns an embedded file, or nil when npm has not built it; the embedded tree must then match the one on disk.
func read(t *testing.T, f fs.FS, name, disk string) []byte {
	t.Helper()
	b, err := fs.ReadFile(f, name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(disk); err == nil {
			t.Fatalf("%s is built but not embedded", disk)
		}
		t.Logf("%s: content not checked, npm run build has not been run", disk)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDemo(t *testing.T) {
	b := read(t, Demo(), "index.html", "dist/demo/index.html")
	if b != nil && !bytes.Contains(b, []byte(`src="index.js"`)) {
		t.Error("index.html does not load its module")
	}
}

func TestHelp(t *testing.T) {
	b := read(t, Help(), "index.html", "dist/demo/help/index.html")
	if b != nil && !bytes.Contains(b, []byte(`<article id="pin_locked">`)) {
		t.Error("the help page does not explain pin_locked")
	}
}

func TestExtension(t *testing.T) {
	b := read(t, Extension(), "manifest.json", "dist/chrome/manifest.json")
	if b == nil {
		return
	}
	var m struct {
		Version int    `json:"manifest_version"`
		Key     string `json:"key"`
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if m.Version != 3 || m.Key == "" {
		t.Errorf("manifest_version %d, key %q: want Chromium's manifest", m.Version, m.Key)
	}
}
