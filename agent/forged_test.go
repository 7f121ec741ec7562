// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"persten/internal/ipc/ipctest"
)

// TestForgedUpgrades sends the session, as it is shipped, 10,000 handshakes from where no handshake may come: it accepts none,
// asks the token nothing and does not grow; and it still accepts the approved site each time.
func TestForgedUpgrades(t *testing.T) {
	d := newDaemon(t, setting{})
	calls := d.spy()
	d.launch("session")
	pid, web := d.cmd.Process.Pid, ipctest.Server{Addr: d.web}
	accepted := func(times int) {
		t.Helper()
		for i := range times {
			status, err := web.Send(web.Right().String())
			for n := 0; status == http.StatusServiceUnavailable && n < 100; n++ { // those before are still being closed
				time.Sleep(20 * time.Millisecond)
				status, err = web.Send(web.Right().String())
			}
			if err != nil || status != http.StatusSwitchingProtocols {
				t.Fatalf("the approved site got %d the %d. time: %v", status, i+1, err)
			}
		}
	}
	accepted(10)
	if out, stderr, code := d.run("certs", "--json"); code != 0 || calls() == 0 {
		t.Fatalf("the spy sees no calls: %s %s", out, stderr)
	}
	requests, variants := web.Forged(10_000)
	if len(requests) < 10_000 || variants < 500 {
		t.Fatalf("only %d handshakes of %d variants", len(requests), variants)
	}
	before, asked := memory(pid), calls()
	statuses, err := web.SendAll(requests)
	if err != nil {
		t.Fatal(err)
	}
	grown := memory(pid) - before
	t.Logf("%d forged upgrades, %d variants of Origin and Host: statuses %v, RSS grew by %d KiB, %d PKCS#11 calls",
		len(requests), variants, statuses, grown, calls()-asked)
	if n := statuses[http.StatusSwitchingProtocols]; n != 0 {
		t.Errorf("%d accepted", n)
	}
	if n := calls() - asked; n != 0 {
		t.Errorf("%d calls to the token", n)
	}
	if grown > 50<<10 {
		t.Errorf("RSS grew by %d KiB", grown)
	}
	accepted(100)
	d.alive()
}

// spy puts OpenSC's PKCS#11 spy before the token, approves [ipctest.Approved], and returns what counts the calls that look for
// something on the token or use it. Waiting for a token to come is not counted.
func (d *daemon) spy() func() int {
	d.t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/pkcs11-spy.so")
	if len(found) == 0 {
		d.t.Skip("not run: no pkcs11-spy.so, which is in opensc-pkcs11")
	}
	output := d.path("spy.log")
	d.env = append(d.env, "PKCS11SPY="+d.token.Module, "PKCS11SPY_OUTPUT="+output)
	d.write("config.toml", fmt.Sprintf("[[module]]\nname = \"spy\"\npath = %q\n[ui]\napprover = \"pinentry\"\npinentry = %q\n[origins]\nallow = [%q]\n[listen]\nwebsocket = \"127.0.0.1:0\"\n",
		found[0], d.path("prompt", "pinentry"), ipctest.Approved))
	return func() int {
		f, err := os.Open(output)
		if err != nil {
			return 0
		}
		defer f.Close()
		n := 0
		for lines := bufio.NewScanner(f); lines.Scan(); {
			for _, call := range []string{"C_OpenSession", "C_Login", "C_FindObjectsInit", "C_GetAttributeValue", "C_SignInit", "C_Sign"} {
				if strings.HasSuffix(lines.Text(), ": "+call) {
					n++
				}
			}
		}
		return n
	}
}
