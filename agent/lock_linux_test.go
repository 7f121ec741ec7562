// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestWatchLock sends logind's signals over a bus of the test's own.
func TestWatchLock(t *testing.T) {
	for _, tool := range []string{"dbus-daemon", "dbus-send"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: 3 signals not run", tool)
		}
	}
	daemon := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { daemon.Process.Kill(); daemon.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", strings.TrimSpace(address))

	ctx, cancel := context.WithCancel(t.Context())
	away := make(chan struct{}, 100)
	ended := make(chan struct{})
	go func() { watchLock(ctx, func() { away <- struct{}{} }); close(ended) }()
	for _, s := range lockSignals {
		heard := false
		for range 50 { // the first may be sent before the match is there
			cmd := exec.Command("dbus-send", "--bus="+strings.TrimSpace(address), "--type=signal", "/org/freedesktop/login1", s.iface+"."+s.member, "boolean:true")
			if b, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, b)
			}
			select {
			case <-away:
				heard = true
			case <-time.After(200 * time.Millisecond):
				continue
			}
			break
		}
		if !heard {
			t.Errorf("%s.%s was not heard", s.iface, s.member)
		}
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the watch did not end")
	}
}
