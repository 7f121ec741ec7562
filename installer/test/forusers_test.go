// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asked runs for-users for one person, nobody, from a terminal that is root's, and returns what the command wrote there.
func asked(t *testing.T, command string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("not run: only root can work as others")
	}
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("not run: script makes the terminal")
	}
	script, err := filepath.Abs("../linux/for-users.sh")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "home/.local/state/persten"), 0o755); err != nil {
		t.Fatal(err)
	}
	getent := "#!/bin/sh\ncase $2 in '' | 65534) echo 'nobody:x:65534:65534::" + dir + "/home:/bin/sh' ;; esac\n"
	if err := os.WriteFile(filepath.Join(dir, "getent"), []byte(getent), 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("timeout", "60", "script", "-qefc", "'"+script+"' sh -c '"+command+"'", "/dev/null")
	c.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "SHELL=/bin/sh")
	out, _ := c.CombinedOutput() // what the command ends with is not looked at
	return string(out)
}

// TestForUsersTerminal: a program of the person must not get hold of the terminal in which root removes the package: it could
// type there (TIOCSTI).
func TestForUsersTerminal(t *testing.T) {
	if got := asked(t, `id -u; if (: </dev/tty) 2>/dev/null; then echo has a terminal; else echo has none; fi`); !strings.Contains(got, "65534") || !strings.Contains(got, "has none") {
		t.Errorf("as the person: %q", got)
	}
}

// TestForUsersEnds: one who does not end when asked does not stop the installation.
func TestForUsersEnds(t *testing.T) {
	t.Parallel() // it sleeps
	began := time.Now()
	asked(t, `trap "" TERM; while :; do sleep 1; done`)
	if took := time.Since(began); took > 50*time.Second {
		t.Errorf("ended after %s", took)
	}
}
