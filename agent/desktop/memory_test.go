// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"persten/internal/signing"
	"persten/internal/token"
)

// TestPINLeavesTheMemoryOfTheWindow types a PIN and looks for it, in three spellings, in everything the prompt process can
// write to, one second after the PIN was sent.
func TestPINLeavesTheMemoryOfTheWindow(t *testing.T) {
	s := newScreen(t)
	a := s.ask(t.Context(), question(t, "en"))
	const pin = "7351926408xq"
	s.typed(pin)
	s.keys("Return")
	if !s.decision(a).Approved {
		t.Fatal("not approved")
	}
	if got, err := s.pin(a, token.PINRequest{Attempts: -1}, nil); err != nil || got != pin {
		t.Fatalf("PIN %q, %v", got, err)
	}
	a.Progress(signing.StepSigning)
	time.Sleep(time.Second)
	memory, err := writable(s.prompt.Process.Pid)
	if err != nil {
		t.Skipf("the memory of the prompt is closed to this user: %v", err)
	}
	if !bytes.Contains(memory, []byte("Demonstration Company")) {
		t.Error("the scan does not see what is on screen")
	}
	var runes, wide []byte
	for _, c := range pin {
		runes = append(runes, byte(c), 0, 0, 0)
		wide = append(wide, byte(c), 0)
	}
	for name, spelling := range map[string][]byte{"bytes": []byte(pin), "UTF-16": wide, "runes": runes} {
		if n := bytes.Count(memory, spelling); n != 0 {
			t.Errorf("the PIN is in memory %d times as %s", n, name)
		}
	}
}

// writable reads all writable memory of a process, files and devices left out.
func writable(pid int) ([]byte, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, err
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, err
	}
	defer mem.Close()
	var all []byte
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var mode string
		fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode)
		if !strings.HasPrefix(mode, "rw") || to-from > 1<<28 {
			continue
		}
		part := make([]byte, to-from)
		if n, _ := mem.ReadAt(part, int64(from)); n > 0 { // guard pages and devices give nothing
			all = append(all, part[:n]...)
		}
	}
	return all, nil
}
