// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"persten/internal/signing"
)

// Only the desktop program beside this one is Persten's own window: by path, and by the file its process runs.
func TestOwn(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	beside := filepath.Join(dir, "persten-desktop")
	if err := os.WriteFile(beside, content, 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(path string) int {
		cmd := exec.Command(path, "60")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		return cmd.Process.Pid
	}
	window := signing.Question{Kind: signing.KindTest, Via: signing.ViaSocket, PID: run(beside), Program: beside}
	self := filepath.Join(dir, "persten")
	if !own(self, window) {
		t.Error("our own window is taken for a stranger")
	}
	for what, change := range map[string]func(*signing.Question){
		"a page":            func(q *signing.Question) { q.Origin = "https://a.example" },
		"a WebSocket":       func(q *signing.Question) { q.Via = signing.ViaWebSocket },
		"another program":   func(q *signing.Question) { q.Program = sleep },
		"another's process": func(q *signing.Question) { q.PID = run(sleep) },
		"a dead process":    func(q *signing.Question) { q.PID = 1 << 30 },
		"another folder":    func(q *signing.Question) { q.Program = "/tmp/persten-desktop" },
	} {
		q := window
		change(&q)
		if own(self, q) {
			t.Errorf("%s passes for our own window", what)
		}
	}
	if own("", window) {
		t.Error("a program without a path has a window of its own")
	}
}
