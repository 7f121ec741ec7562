// SPDX-License-Identifier: GPL-3.0-or-later

package logon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

func init() {
	if len(os.Args) == 4 && os.Args[2] == "--until" { // this test binary as the process of a session
		os.Exit(sessionMain(os.Args[1], os.Args[3]))
	}
}

// sessionMain says that it runs and ends when told, or not at all.
func sessionMain(mode, event string) int {
	said := filepath.Join(os.TempDir(), "persten-logon-test")
	switch mode {
	case "quits":
		return Wanted
	case "killed":
		return 0
	}
	told := make(chan struct{})
	if mode != "deaf" {
		if err := Until(event, func() { close(told) }); err != nil {
			os.WriteFile(said, []byte(err.Error()), 0o600)
			return 2
		}
	}
	os.WriteFile(said, []byte("runs"), 0o600)
	select {
	case <-told:
	case <-time.After(time.Minute):
	}
	os.WriteFile(said, []byte("told"), 0o600)
	return 0
}

// TestMachine starts a process in this test's own logon session and ends it in both ways. Only LocalSystem may, and wine.
func TestMachine(t *testing.T) {
	var session uint32
	if err := windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &session); err != nil {
		t.Fatal(err)
	}
	if list, err := Machine(os.Args[0]).Sessions(); err != nil || !slices.Contains(list, session) {
		t.Errorf("own session %d is not in %v: %v", session, list, err)
	}
	said := filepath.Join(os.TempDir(), "persten-logon-test")
	for mode, last := range map[string]string{"hears": "told", "deaf": "runs"} {
		os.Remove(said)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		began := time.Now()
		go func() { ended <- Machine(os.Args[0], mode).Run(ctx, session) }()
		for {
			if b, _ := os.ReadFile(said); string(b) == "runs" {
				break
			}
			select {
			case err := <-ended:
				cancel()
				if errors.Is(err, windows.ERROR_PRIVILEGE_NOT_HELD) || errors.Is(err, windows.ERROR_ACCESS_DENIED) {
					t.Skip("NOT RUN: this is not LocalSystem:", err)
				}
				t.Fatal(mode, err)
			case <-time.After(20 * time.Millisecond):
			}
			if time.Since(began) > 20*time.Second {
				t.Fatal("the process does not run")
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", mode, err)
		}
		if b, _ := os.ReadFile(said); string(b) != last {
			t.Errorf("%s: it said %q at last", mode, b)
		}
	}
	os.Remove(said)
}

// TestMachineWanted: an end that the person wanted is told from all others.
func TestMachineWanted(t *testing.T) {
	var session uint32
	if err := windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &session); err != nil {
		t.Fatal(err)
	}
	err := Machine(os.Args[0], "quits").Run(t.Context(), session)
	if errors.Is(err, windows.ERROR_PRIVILEGE_NOT_HELD) || errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		t.Skip("NOT RUN: this is not LocalSystem:", err)
	}
	if err != nil {
		t.Error("wanted:", err)
	}
	if err := Machine(os.Args[0], "killed").Run(t.Context(), session); err == nil {
		t.Error("a killed process counts as wanted")
	}
}

// TestConfine leaves three privileges and the one that every process has.
func TestConfine(t *testing.T) {
	if err := Confine(); err != nil {
		t.Fatal(err)
	}
	var token windows.Token
	if err := windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_QUERY, &token); err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	held, err := privileges(token)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(held.AllPrivileges()); n > len(Privileges)+1 {
		t.Errorf("%d privileges are left", n)
	}
}
