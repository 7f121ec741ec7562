// SPDX-License-Identifier: GPL-3.0-or-later

// Package test installs the packages on a machine of their own: a Debian with systemd in a container, whose network leads nowhere
// and whose changes stay in memory. make package-test runs it as root, with PERSTEN_PACKAGES and PERSTEN_PACKAGES_NEXT (the same
// of a later version); without them nothing is run.
package test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// base is the folder of the machine before anything is installed. It is made once and kept.
func base(t *testing.T, packages string) string {
	dir := os.Getenv("PERSTEN_MACHINE")
	if dir == "" {
		dir = "/var/tmp/persten-machine"
	}
	if _, err := os.Stat(filepath.Join(dir, ".complete")); err == nil {
		return dir
	}
	t.Log("making the machine: Debian 12, a browser, a software token")
	script, err := filepath.Abs("machine.sh")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(script, dir, packages).CombinedOutput()
	if err != nil {
		t.Fatalf("machine.sh: %v\n%s", err, out)
	}
	return dir
}

// machine is one that has booted.
type machine struct {
	t       *testing.T
	systemd string // its number here
}

// boot starts the machine with folders of this one in it: "here:there", to be read only.
func boot(t *testing.T, base string, folders ...string) *machine {
	args := []string{
		"--quiet", "--register=no", "--keep-unit", "--private-network", "--volatile=overlay", "--machine=persten-test",
		"--console=read-only", "--capability=CAP_IPC_LOCK", // without it nspawn forbids mlock, which PINs need
		"--directory=" + base, "--boot",
	}
	for _, f := range folders {
		args = append(args, "--bind-ro="+f)
	}
	cmd := exec.Command("systemd-nspawn", args...)
	var console bytes.Buffer
	cmd.Stdout, cmd.Stderr = &console, &console
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	m := &machine{t: t}
	t.Cleanup(func() {
		if m.systemd != "" {
			m.try("systemctl poweroff")
		}
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
	})
	until(t, "the machine boots", time.Minute, func() bool {
		out, _ := exec.Command("pgrep", "--parent", fmt.Sprint(cmd.Process.Pid)).Output()
		m.systemd = strings.TrimSpace(string(out))
		if m.systemd == "" {
			return false
		}
		state, _ := m.try("systemctl is-system-running")
		return strings.Contains(state, "running") || strings.Contains(state, "degraded")
	})
	m.root("umount /proc/kmsg") // nspawn's is a file that is no more, over which no sandbox can mount
	return m
}

// inside is the command line that runs a program in the machine.
func (m *machine) inside(args ...string) []string {
	if m.systemd == "" {
		m.t.Fatal("no machine to run anything in") // never on this one
	}
	return append([]string{
		"nsenter", "--target", m.systemd, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
		"env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
	}, args...)
}

// try runs a script as root; what it printed comes back with its failure.
func (m *machine) try(script string) (string, error) {
	return m.exec(m.inside("sh", "-c", script))
}

// root runs a script that must succeed.
func (m *machine) root(script string) string {
	m.t.Helper()
	out, err := m.try(script)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

// as runs a script in a logon session of a person: PAM, logind, the person's own service manager.
func (m *machine) as(person, script string) (string, error) {
	return m.exec(m.inside("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--property=PAMName=login",
		"--property=User="+person, "--property=WorkingDirectory=~", "--setenv=LANG=C.UTF-8", "sh", "-c", script))
}

// must is as for a script that must succeed.
func (m *machine) must(person, script string) string {
	m.t.Helper()
	out, err := m.as(person, script)
	if err != nil {
		m.t.Fatalf("as %s: %s: %v\n%s", person, script, err, out)
	}
	return out
}

func (m *machine) exec(args []string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	return string(out), err
}

func until(t *testing.T, what string, most time.Duration, f func() bool) {
	t.Helper()
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("timed out: %s", what)
}
