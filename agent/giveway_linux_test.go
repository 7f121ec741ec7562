// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestGiveWayByEvent: where the kernel tells of a new version, nobody waits for the next look; what else happens in the folder is
// nobody's business, and a program behind a link is one, too.
func TestGiveWayByEvent(t *testing.T) {
	dir := t.TempDir()
	program, link := filepath.Join(dir, "persten-1"), filepath.Join(t.TempDir(), "persten")
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(program, "one")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	changed := changes(t.Context(), []string{link})
	if changed == nil {
		t.Fatal("the kernel tells nothing")
	}
	write(filepath.Join(dir, "other"), "x")
	select {
	case <-changed:
		t.Error("another file counts as a change")
	case <-time.After(200 * time.Millisecond):
	}
	gave := make(chan bool, 1)
	go func() {
		gave <- giveWay(t.Context(), []string{link}, func() bool { return true }, time.Hour, time.Millisecond)
	}()
	for deadline := time.After(30 * time.Second); ; { // again, should the first come before it watches
		write(program+".next", "two")
		if err := os.Rename(program+".next", program); err != nil {
			t.Fatal(err)
		}
		select {
		case yes := <-gave:
			if !yes {
				t.Error("it ended for another reason")
			}
			return
		case <-deadline:
			t.Fatal("it did not give way")
		case <-time.After(100 * time.Millisecond):
		}
	}
}
