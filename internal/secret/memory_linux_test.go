// SPDX-License-Identifier: GPL-3.0-or-later

package secret

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unsafe"
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
