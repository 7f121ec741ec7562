// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// init makes a process that TestTrustedInUserNamespace starts judge a file.
func init() {
	if file := os.Getenv("PERSTEN_TEST_TRUSTED"); file != "" {
		if err := Trusted(file); err != nil {
			os.Stdout.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// A library of root's counts where root has no number, as in the sandboxed unit, and what the user could have written does not.
func TestTrustedInUserNamespace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root: a user namespace without root was not tried")
	}
	const someone = 12345
	dir := t.TempDir()
	for p := dir; p != os.TempDir(); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	own := filepath.Join(dir, "own.so")
	me, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "test")
	for _, err := range []error{os.WriteFile(own, nil, 0o644), os.Chown(own, someone, someone), os.WriteFile(program, me, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	system, err := filepath.EvalSymlinks("/usr/bin/env")
	if err != nil {
		t.Fatal(err)
	}
	one := []syscall.SysProcIDMap{{ContainerID: 1000, HostID: someone, Size: 1}}
	for file, counts := range map[string]bool{system: true, own: false} {
		cmd := exec.Command(program)
		cmd.Env = []string{"PERSTEN_TEST_TRUSTED=" + file}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER, UidMappings: one, GidMappings: one, Credential: &syscall.Credential{Uid: 1000, Gid: 1000, NoSetGroups: true},
		}
		out, err := cmd.Output()
		if err != nil && cmd.ProcessState == nil {
			t.Skipf("not run: no user namespaces here: %v", err)
		}
		if counts != (err == nil) || !counts && !strings.Contains(string(out), "may be changed") {
			t.Errorf("%s: %v %s", file, err, out)
		}
	}
}
