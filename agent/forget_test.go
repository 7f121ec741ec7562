// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestForget: the key and documents under way go; decisions stay, the journal and what proves it, too, unless policy wants it gone.
func TestForget(t *testing.T) {
	for stays, want := range map[bool][]string{true: {"journal.jsonl", "journal.jsonl.head", "origins.json"}, false: {"origins.json"}} {
		home := t.TempDir()
		state := filepath.Join(home, "state")
		for _, name := range []string{"agent.key", "origins.json", "spool/content-1", "journal.jsonl", "journal.jsonl.head"} {
			put(t, filepath.Join(state, name))
		}
		if err := forget(home, "state", ownFiles(stays)); err != nil {
			t.Fatal(err)
		}
		if left := names(t, state); !slices.Equal(left, want) {
			t.Errorf("journal stays %t: left %q", stays, left)
		}
	}
}

func TestForgetNothing(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"empty", "none"} {
		if err := forget(home, state, leftovers); err != nil || len(names(t, filepath.Join(home, state))) > 0 {
			t.Errorf("%s: %v", state, err)
		}
	}
	if err := forget(filepath.Join(home, "nobody"), "state", leftovers); err != nil {
		t.Error(err)
	}
}

// TestForgetLinks: a person's links lead the system, which deletes for them, to nobody else's files.
func TestForgetLinks(t *testing.T) {
	for _, stays := range []bool{true, false} {
		for name, link := range map[string]func(home, other string) error{
			"state":    func(home, other string) error { return os.Symlink(other, filepath.Join(home, "a", "state")) },
			"climbing": func(home, _ string) error { return os.Symlink("../../other", filepath.Join(home, "a", "state")) },
			"on the way": func(home, other string) error {
				return errors.Join(os.Remove(filepath.Join(home, "a")), os.Symlink(other, filepath.Join(home, "a")))
			},
			"entry":       func(home, other string) error { return linkIn(home, "spool", other) },
			"entry above": func(home, _ string) error { return linkIn(home, "spool", "../../../other") },
		} {
			root := t.TempDir()
			home, other := filepath.Join(root, "home"), filepath.Join(root, "other")
			put(t, filepath.Join(other, "theirs"))
			put(t, filepath.Join(other, "state", "theirs"))
			err := errors.Join(os.MkdirAll(filepath.Join(home, "a"), 0o700), link(home, other))
			if err != nil {
				t.Fatal(err)
			}
			_ = forget(home, filepath.Join("a", "state"), append(ownFiles(stays), "theirs", "state"))
			if !slices.Equal(names(t, other), []string{"state", "theirs"}) || len(names(t, filepath.Join(other, "state"))) != 1 {
				t.Errorf("%s, journal stays %t: something of others was deleted", name, stays)
			}
		}
	}
}

func linkIn(home, name, to string) error {
	state := filepath.Join(home, "a", "state")
	return errors.Join(os.Mkdir(state, 0o700), os.Symlink(to, filepath.Join(state, name)))
}

func put(t *testing.T, file string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// names are the entries of a folder, none when it is not there.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}
