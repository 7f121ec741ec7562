// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPastedPath: what file managers put into the clipboard, and what is no file of this machine.
func TestPastedPath(t *testing.T) {
	for in, want := range map[string]string{
		"/home/user/Договор.pdf":                                  "/home/user/Договор.pdf",
		"file:///home/user/%D0%94.pdf\r\nfile:///home/user/b.pdf": "/home/user/Д.pdf",
		"copy\nfile:///home/user/a%20b.txt":                       "/home/user/a b.txt",
		"x-special/nautilus-clipboard\ncut\nfile://localhost/a":   "/a",
		`"/home/user/with space.txt"`:                             "/home/user/with space.txt",
		"/home/user/../etc/passwd":                                "/home/etc/passwd",
		"":                                                        "",
		"just words":                                              "",
		"file://server/share/a.txt":                               "",
		"http://site.example/a":                                   "",
		"file:///a?x=1":                                           "",
		"file:///a%00b":                                           "",
		"file:relative":                                           "",
		"../relative":                                             "",
		strings.Repeat("/a", 1<<16):                               "",
	} {
		got, ok := pastedPath(in)
		if got != want || ok != (want != "") {
			t.Errorf("%.60q: %q %v, want %q", in, got, ok, want)
		}
	}
}

func FuzzPastedPath(f *testing.F) {
	for _, s := range []string{"/a", "file:///a%20b", "copy\nfile:///x", "\x00", "file://[::1]/a", "%%%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if path, ok := pastedPath(s); ok && (!filepath.IsAbs(path) || strings.ContainsRune(path, 0) || filepath.Clean(path) != path) {
			t.Errorf("%q gives %q", s, path)
		}
	})
}

func TestUserDirs(t *testing.T) {
	got := parseUserDirs("# comment\nXDG_DESKTOP_DIR=\"$HOME/Рабочий стол\"\nXDG_DOWNLOAD_DIR=\"/data/загрузки\"\nXDG_DOCUMENTS_DIR=\"relative\"\nXDG_MUSIC_DIR=\"$HOME/x\"\n=\n", "/home/user")
	if len(got) != 2 || got["desktop"] != "/home/user/Рабочий стол" || got["downloads"] != "/data/загрузки" {
		t.Error(got)
	}
}

// TestListFolder: folders first, by name, hidden ones and other endings left out, links followed, nothing unsafe shown.
func TestListFolder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"б.PFX", "a.p12", "c.txt", ".hidden.pfx", "\u202eevil.pfx"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"z", "Y"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink(filepath.Join(dir, "a.p12"), filepath.Join(dir, "link.pfx"))
	os.Symlink(filepath.Join(dir, "none"), filepath.Join(dir, "dangling.pfx"))
	list, err := listFolder(dir, []string{".pfx", ".p12"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.shown)
	}
	if want := "Y z a.p12 link.pfx б.PFX ‹U+202E›evil.pfx"; strings.Join(got, " ") != want {
		t.Errorf("%q", got)
	}
	if _, err := listFolder(filepath.Join(dir, "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if list, err := listFolder(filepath.Join(dir, "z"), nil); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
}

// TestWriteNew: what is there stays, and what could not be written whole leaves nothing.
func TestWriteNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt.sig")
	say := func(s string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
	}
	for i, want := range []string{"a.txt.sig", "a.txt (2).sig", "a.txt (3).sig"} {
		got, err := writeNew(path, say(want))
		if err != nil || filepath.Base(got) != want {
			t.Errorf("%d: %q %v", i, got, err)
		}
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "a.txt.sig" {
		t.Errorf("the first is %q now, %v", b, err)
	}
	full := errors.New("full")
	got, err := writeNew(path, func(w io.Writer) error { io.WriteString(w, "half"); return full })
	if !errors.Is(err, full) {
		t.Error(err)
	}
	if _, err := os.Stat(got); !errors.Is(err, os.ErrNotExist) {
		t.Error("half a file is left:", err)
	}
}

// TestBeside: a signature finds its document and a document its signature, also when the signature is a second one.
func TestBeside(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"a.txt", "a.txt.sig", "a.txt (2).sig", "b.sig"} {
		if err := os.WriteFile(at(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.txt.sig", "a.txt (2).sig"} {
		if got, ok := documentBeside(at(name)); !ok || got != at("a.txt") {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, name := range []string{"b.sig", "a.txt"} {
		if got, ok := documentBeside(at(name)); ok {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got, ok := signatureBeside(at("a.txt")); !ok || got != at("a.txt.sig") {
		t.Error(got)
	}
}

// TestHomely: only what lies in the person's folder is shortened.
func TestHomely(t *testing.T) {
	t.Setenv("HOME", "/home/anna")
	t.Setenv("USERPROFILE", "/home/anna")
	for path, want := range map[string]string{"/home/anna/Documents": "~/Documents", "/home/anna": "~", "/home/annabel": "/home/annabel", "/etc": "/etc"} {
		if got := homely(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
