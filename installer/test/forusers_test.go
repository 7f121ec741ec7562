// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// asked runs for-users for one person, nobody, from a terminal that is root's. It returns what the command wrote into $OUT, and what
// the terminal showed.
func asked(t *testing.T, command string) (said, shown string) {
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
	dir, err := os.MkdirTemp("", "forusers")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	out := filepath.Join(dir, "out")
	getent := "#!/bin/sh\ncase $2 in '' | 65534) echo 'nobody:x:65534:65534::" + dir + "/home:/bin/sh' ;; esac\n"
	err = errors.Join(
		os.Chmod(dir, 0o755),
		os.MkdirAll(filepath.Join(dir, "home/.local/state/persten"), 0o755),
		os.WriteFile(out, nil, 0o600), os.Chown(out, 65534, 65534),
		os.WriteFile(filepath.Join(dir, "getent"), []byte(getent), 0o755),
	)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("timeout", "60", "script", "-qefc", "'"+script+"' sh -c 'OUT="+out+"; "+command+"'", "/dev/null")
	c.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "SHELL=/bin/sh")
	terminal, _ := c.CombinedOutput() // what the command ends with is not looked at
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), string(terminal)
}

// TestForUsersTerminal: a program of the person must not get hold of the terminal in which root removes the package: it could
// type there (TIOCSTI), and read what root types.
func TestForUsersTerminal(t *testing.T) {
	said, shown := asked(t, `echo shown; { id -u; if (: </dev/tty) 2>/dev/null; then echo has a terminal; fi; ls -l /proc/self/fd | grep /dev/pts; true; } >$OUT`)
	if said != "65534\n" || shown != "" {
		t.Errorf("as the person: %q; in the terminal: %q", said, shown)
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
