// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"context"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/proto"
)

var peak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMemory is the most memory this process held since it was last asked, in MiB.
func peakMemory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc here: memory was not measured")
	}
	kB, err := strconv.Atoi(string(peak.FindSubmatch(status)[1]))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
	return kB >> 10
}

// TestLargeDocument sends and signs 1 GiB each way, told at the start what it will be signed with and not told, and tells how
// fast that was. Memory stays flat. The client's own is in it.
func TestLargeDocument(t *testing.T) {
	if os.Getenv("PERSTEN_LONG") == "" {
		t.Skip("not run: PERSTEN_LONG=1 sends gigabytes")
	}
	gost := gostCertificate(t)
	for _, way := range ways {
		for _, ahead := range []string{"", gost} {
			b := newBench(t, &person{decide: yes}, demo)
			c := b.dialOver(t, websocket, way)
			data := noise(1 << 20)
			debug.FreeOSMemory()
			peakMemory(t)
			before := peakMemory(t)
			start := time.Now()
			s := begin(t, c, proto.ContentOpenParams{Name: "n", Size: 1 << 30, Certificate: ahead})
			for range 1 << 10 {
				s.write(t, data)
			}
			if got := s.close(t); got != "" {
				t.Fatal(got)
			}
			sent := time.Since(start)
			start = time.Now()
			p := proto.SignCMSParams{Certificate: gost, Content: &proto.Content{Handle: s.Handle}}
			if err := c.Call(t.Context(), proto.MethodSignCMS, p, nil); err != nil {
				t.Fatal(err)
			}
			signed := time.Since(start)
			grown := peakMemory(t) - before
			t.Logf("%s, hashed ahead %v: sent in %.1f s (%.0f MiB/s), signed in %.1f s, memory +%d MiB",
				way, ahead != "", sent.Seconds(), 1024/sent.Seconds(), signed.Seconds(), grown)
			if way != "host" && grown > 64 { // both ends are in this process, each with its window; make bench measures the session alone
				t.Errorf("memory grew by %d MiB", grown)
			}
			c.Close()
			<-c.ended
		}
	}
	start := time.Now()
	h := algo.Streebog256.New()
	data := noise(1 << 20)
	for range 1 << 10 {
		h.Write(data)
	}
	t.Logf("Streebog-256 of as much alone: %.1f s", time.Since(start).Seconds())
}

// gostCertificate is a GOST one of the demo token.
func gostCertificate(t *testing.T) string {
	t.Helper()
	keys, err := demo.Keys(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if a, ok := algo.Lookup(k.Algorithms()[0]); ok && a.Digest == algo.Streebog256 {
			return k.ID()
		}
	}
	t.Fatal("the demo token has no GOST key")
	return ""
}
