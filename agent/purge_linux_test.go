// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"persten/internal/token/tokentest"
)

// TestPurge: before the program is removed, its session ends and what it made for itself goes; decisions of the person stay, and the
// journal unless policy says otherwise.
func TestPurge(t *testing.T) {
	for policy, stays := range map[string]bool{"": true, "[journal]\nstay = true\n": true, "[journal]\nstay = false\n": false} {
		t.Run(policy, func(t *testing.T) {
			d := newDaemon(t, setting{})
			d.policy(policy)
			if out, errOut, code := d.run("purge"); code != 0 || exists(d.path("state", "persten")) || exists(d.path("config", "persten", "roots")) {
				t.Fatalf("before anything was done: %d, %s%s", code, out, errOut)
			}
			d.write("doc.txt", "text")
			sign := d.command("sign", "cms", "--cert", d.token.IDs[0], "--in", d.path("doc.txt"), "--out", d.path("doc.p7s"), "--pin-fd", "0")
			sign.Stdin = strings.NewReader(tokentest.SoftHSMPIN)
			if out, err := sign.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			d.run("origins", "allow", "https://mine.example")
			d.launch("session", "--headless")
			manifest := filepath.Join("config", "chromium", "NativeMessagingHosts", "persten.agent.json")
			if err := os.MkdirAll(d.path("config", "chromium"), 0o700); err != nil {
				t.Fatal(err)
			}
			d.run("browser", "install")
			for _, name := range []string{"journal.jsonl", "agent.key", "spool", "origins.json"} {
				if !exists(d.path("state", "persten", name)) {
					t.Fatalf("%s is not there", name)
				}
			}
			if !exists(d.path(manifest)) {
				t.Fatal("no browser was told")
			}
			for range 2 { // nothing is left to do the second time
				purge := d.command("purge")
				underEtc(purge, d.etc)
				if out, err := purge.CombinedOutput(); err != nil || strings.Contains(string(out), "journal.jsonl") != stays {
					t.Fatalf("%v: %s", err, out)
				}
			}
			d.eventually(5*time.Second, "the session is gone", func() bool { return !running(d.cmd.Process.Pid) })
			left, err := os.ReadDir(d.path("state", "persten"))
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"origins.json", "origins.json.lock"}
			if stays {
				want = append([]string{"journal.jsonl", "journal.jsonl.head"}, want...)
			}
			var names []string
			for _, f := range left {
				names = append(names, f.Name())
			}
			if !slices.Equal(names, want) {
				t.Errorf("left: %v, want %v", names, want)
			}
			if exists(d.path(manifest)) {
				t.Error("the browser still knows")
			}
		})
	}
}
