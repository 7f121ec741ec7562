// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"persten/internal/token/tokentest"
)

// TestNoPINInMemory logs in many times with PINs of several lengths and then looks for them in all writable memory of
// the child and in the log.
func TestNoPINInMemory(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not run: reading another process's memory needs root")
	}
	logins := 1000
	if testing.Short() {
		logins = 40
	}
	hsm := tokentest.SoftHSM(t)
	var w watched
	var log lockedLog
	o := inChild(moduleOf(hsm))
	o.Log = logger(&log)
	inv := newInventory(t, w.wrap(o))
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Wrong PINs go the same way as right ones; SoftHSM does not count them.
	pins := []string{hsm.PIN, "7391", "52640918", "4096738215604927", "83750261947385016294750183627495"}
	for n := range logins {
		pin := pins[n%len(pins)]
		session, err := keys[n%len(keys)].Open(t.Context(), tokentest.Answers(pin, hsm.PIN).PIN)
		if err != nil {
			t.Fatal(err)
		}
		if n%10 == 0 {
			id := keys[n%len(keys)].Algorithms()[0]
			if _, err := session.Sign(t.Context(), id, tokentest.Digest(id)); err != nil {
				t.Fatal(err)
			}
		}
		if n == logins-1 {
			// The search itself must be able to find something: the PIN of an environment nobody wiped.
			if hits := search(t, w.last(), []byte("SOFTHSM2_CONF")); hits == 0 {
				t.Fatal("the search finds nothing at all")
			}
		}
		session.Close()
	}
	time.Sleep(time.Second)
	for _, pin := range pins {
		if len(pin) < 8 {
			continue // too short to tell from chance; logged in with all the same
		}
		if n := search(t, w.last(), []byte(pin)); n > 0 {
			t.Errorf("%d copies of the PIN of %d characters", n, len(pin))
		}
		if n := search(t, w.last(), wide(pin)); n > 0 {
			t.Errorf("%d UTF-16 copies of the PIN of %d characters", n, len(pin))
		}
		if strings.Contains(log.String(), pin) {
			t.Error("PIN in the log")
		}
	}
}

func wide(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

// search counts occurrences in the writable memory of a process.
func search(t *testing.T, pid int, what []byte) int {
	t.Helper()
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	count := 0
	for s := bufio.NewScanner(maps); s.Scan(); {
		var from, to int64
		var perm string
		if n, _ := fmt.Sscanf(s.Text(), "%x-%x %s", &from, &to, &perm); n != 3 || !strings.HasPrefix(perm, "rw") {
			continue
		}
		count += searchRange(mem, from, to, what)
	}
	return count
}

func searchRange(mem *os.File, from, to int64, what []byte) int {
	const step = 1 << 20
	count := 0
	buf := make([]byte, step+len(what)-1)
	for at := from; at < to; at += step {
		n, _ := mem.ReadAt(buf[:min(int64(len(buf)), to-at)], at)
		count += bytes.Count(buf[:n], what)
	}
	return count
}
