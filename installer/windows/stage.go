// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"persten/internal/browser"
)

// stageFiles puts beside the programs what else a package holds.
func stageFiles(dir string) error {
	licence, err := os.ReadFile(filepath.Join(moduleRoot(), "LICENSE"))
	if err != nil {
		return err
	}
	picture, err := icon()
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"persten.ico":                 picture,
		"LICENSE.txt":                 licence,
		"persten.agent.chromium.json": manifest(browser.Chromium),
		"persten.agent.firefox.json":  manifest(browser.Firefox),
	}
	policy, err := templates()
	if err != nil {
		return err
	}
	for name, data := range policy {
		files[strings.ReplaceAll(name, "/persten", "")] = data
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// manifest is the native-host manifest of a family. On Windows its path may be relative to the manifest, so it is the same
// wherever the program is installed.
func manifest(f browser.Family) []byte {
	b, _ := browser.Options{Executable: `..\persten.exe`}.Manifest(f) // both families have an id of ours
	return b
}

// moduleRoot is the folder of go.mod: tests run in a folder below it.
func moduleRoot() string {
	said, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "."
	}
	return filepath.Dir(strings.TrimSpace(string(said)))
}

// epoch is the date of everything in a package.
func epoch() (time.Time, error) {
	s := os.Getenv("SOURCE_DATE_EPOCH")
	if s == "" {
		return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(n, 0).UTC(), nil
}

// settle gives every file in dir the same date, which goes into the package.
func settle(dir string) error {
	day, err := epoch()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Chtimes(filepath.Join(dir, e.Name()), day, day); err != nil {
			return err
		}
	}
	return nil
}

// fixDates puts the date of everything in place of the two at which wixl says that it made the file. They are FILETIMEs, and
// no other eight bytes after their mark stand for a moment since then.
func fixDates(file string, began time.Time) error {
	day, err := epoch()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	mark, found := []byte{0x40, 0, 0, 0}, 0
	for at := 0; ; {
		i := bytes.Index(data[at:], mark)
		if at += i + len(mark); i < 0 || at+8 > len(data) {
			break
		}
		if t := fileTime(data[at:]); t.After(began.Add(-2*time.Second)) && t.Before(time.Now().Add(2*time.Second)) {
			putFileTime(data[at:], day)
			found++
		}
	}
	if found != 2 {
		return fmt.Errorf("%s has %d dates of its making, not 2", filepath.Base(file), found)
	}
	return os.WriteFile(file, data, 0o644)
}

// A FILETIME counts tenths of a microsecond since 1601.
const filetimeUnix = 116444736000000000

func fileTime(b []byte) time.Time {
	n := int64(binary.LittleEndian.Uint64(b)) - filetimeUnix
	return time.Unix(n/1e7, n%1e7*100)
}

func putFileTime(b []byte, t time.Time) {
	binary.LittleEndian.PutUint64(b, uint64(t.UnixNano()/100+filetimeUnix))
}
