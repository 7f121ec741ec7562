// SPDX-License-Identifier: GPL-3.0-or-later

package secret

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestPageFlags asks the kernel whether the page is locked and kept out of dumps and forks.
func TestPageFlags(t *testing.T) {
	b := filled(t, "1")
	flags := vmFlags(t, uintptr(unsafe.Pointer(&b.mem[0])))
	for _, want := range []string{"lo", "dd", "wf"} {
		if !strings.Contains(" "+flags+" ", " "+want+" ") {
			t.Errorf("page has flags %q, not %q", flags, want)
		}
	}
}

func vmFlags(t *testing.T, addr uintptr) string {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	inside := false
	for s := bufio.NewScanner(f); s.Scan(); {
		var from, to uintptr
		if n, _ := fmt.Sscanf(s.Text(), "%x-%x ", &from, &to); n == 2 {
			inside = from <= addr && addr < to
		}
		if rest, ok := strings.CutPrefix(s.Text(), "VmFlags:"); ok && inside {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatal("page not found")
	return ""
}

// TestRefused: where the system allows no locked memory, nothing that could hold a secret is made.
func TestRefused(t *testing.T) {
	if os.Getenv("SECRET_REFUSED") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRefused$", "-test.v")
		cmd.Env = append(os.Environ(), "SECRET_REFUSED=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestRefused") {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	if err := Lockable(); err != nil {
		t.Fatalf("before: %v", err)
	}
	runtime.LockOSThread() // a capability is the thread's
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{}); err != nil {
		t.Fatal(err)
	}
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		t.Fatal(err)
	}
	if err := Lockable(); !errors.Is(err, ErrUnlocked) {
		t.Errorf("Lockable: %v", err)
	}
	pin, w, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := pin.Read(); !errors.Is(err, ErrUnlocked) {
		t.Errorf("Read: %v", err)
	}
}

// TestHarden crashes a hardened child and looks for a core, and at what the kernel says of it.
func TestHarden(t *testing.T) {
	if os.Getenv("SECRET_HARDEN") != "" {
		if err := Harden(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		limits, _ := os.ReadFile("/proc/self/limits")
		for _, l := range strings.Split(string(limits), "\n") {
			if strings.HasPrefix(l, "Max core file size") {
				fmt.Println(strings.Join(strings.Fields(l)[4:6], " "))
			}
		}
		os.Exit(0)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestHarden$")
	cmd.Env = append(os.Environ(), "SECRET_HARDEN=1")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "0 0" {
		t.Errorf("core limits %q, %v", out, err)
	}
}
