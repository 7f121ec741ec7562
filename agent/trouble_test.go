// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"persten/proto"
)

// moduleChild finds the process that holds the library at path.
func (d *daemon) moduleChild(path string) int {
	d.t.Helper()
	for _, pid := range descendants(d.cmd.Process.Pid) {
		if line := commandLine(pid); strings.Contains(line, " module ") && strings.HasSuffix(line, path) {
			return pid
		}
	}
	d.t.Fatalf("no child holds %s", path)
	return 0
}

// TestModuleKilled: the driver's process is killed in the middle of a signature. The page gets a typed error, the session
// is the same process, and the next signature, PIN and all, is there within 2 s.
func TestModuleKilled(t *testing.T) {
	d := newDaemon(t, setting{start: true, fault: "C_Sign:0:hang"})
	d.answers(yesSoftHSM)
	p := d.webPage(webSite)
	id := d.token.IDs[0]
	call := later(func() error { _, err := p.call("sign.cms", signRequest(id)); return err })
	d.eventually(10*time.Second, "the module is inside C_Sign", func() bool { return exists(d.path("fault")) })
	child := d.moduleChild("faults.so")
	killed := time.Now()
	if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	err := within(t, 2*time.Second, "the error", call)
	wantCode(t, "killed inside C_Sign", err, proto.CodeModuleFailed)
	told := time.Since(killed)
	if _, err := p.call("sign.cms", signRequest(id)); err != nil {
		t.Errorf("next signature: %v", err)
	}
	took := time.Since(killed)
	t.Logf("typed error %v after the kill, next signature after %v", told.Round(time.Millisecond), took.Round(time.Millisecond))
	if took > 2*time.Second {
		t.Errorf("the next signature took %v, want at most 2 s", took)
	}
	if next := d.moduleChild("faults.so"); next == child {
		t.Error("the child is the one that was killed")
	}
	if begun, good := d.signed(); begun != 2 || good != 1 {
		t.Errorf("journal: %d begun, %d good; want 2 and 1", begun, good)
	}
	d.alive()
}

// TestTokenPulled: the token goes away while it signs. The page hears token_removed within 2 s, the session lives, waits for
// the token of the next signature, and makes it when the token is back.
func TestTokenPulled(t *testing.T) {
	d := newDaemon(t, setting{start: true, fault: "C_Sign:0:slow=700"})
	d.answers(yesSoftHSM)
	p := d.chromium().page(nativeSite)
	id := d.token.IDs[0]
	call := later(func() error { _, err := p.call("sign.cms", signRequest(id)); return err })
	d.eventually(10*time.Second, "the token signs", func() bool { return exists(d.path("fault")) })
	d.write("gone", "")
	pulled := time.Now()
	err := within(t, 2*time.Second, "the error", call)
	wantCode(t, "pulled while signing", err, proto.CodeTokenRemoved)
	t.Logf("token_removed %v after the token was pulled", time.Since(pulled).Round(time.Millisecond))
	if list := p.certificates(); len(list) != 0 {
		t.Errorf("%d certificates without a token", len(list))
	}
	call = later(func() error { _, err := p.call("sign.cms", signRequest(id)); return err })
	d.eventually(10*time.Second, "a yes without the token", func() bool { begun, _ := d.signed(); return begun == 2 })
	if err := os.Remove(d.path("gone")); err != nil {
		t.Fatal(err)
	}
	if err := within(t, 15*time.Second, "the signature", call); err != nil {
		t.Errorf("after the token came back: %v", err)
	}
	if list := p.certificates(); len(list) != 2 {
		t.Errorf("%d certificates", len(list))
	}
	if begun, good := d.signed(); begun != 2 || good != 1 {
		t.Errorf("%d signatures begun in the journal, %d made", begun, good)
	}
	d.alive()
}

// TestJournalUnwritable: what cannot be put on record is not signed. The disk is full; something else is in the place of
// the journal; the journal was tampered with.
func TestJournalUnwritable(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	d.answers(yesSoftHSM)
	p := d.webPage(webSite)
	request := signRequest(d.token.IDs[1])
	if _, err := p.call("sign.cms", request); err != nil {
		t.Fatal(err)
	}
	file := d.path("state", "persten", "journal.jsonl")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string) {
		t.Helper()
		pins := d.count("GETPIN", "")
		_, err := p.call("sign.cms", request)
		wantCode(t, what, err, proto.CodeJournalUnwritable)
		if n := d.count("GETPIN", ""); n != pins {
			t.Errorf("%s: the PIN was asked for", what)
		}
	}
	full := &unix.Rlimit{Cur: uint64(len(whole)) + 10, Max: unix.RLIM_INFINITY}
	var was unix.Rlimit
	if err := unix.Prlimit(d.cmd.Process.Pid, unix.RLIMIT_FSIZE, full, &was); err != nil {
		t.Fatal(err)
	}
	refused("disk full")
	if err := unix.Prlimit(d.cmd.Process.Pid, unix.RLIMIT_FSIZE, &was, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.call("sign.cms", request); err != nil {
		t.Errorf("after space came back: %v", err)
	}
	if _, stderr, code := d.run("journal", "verify"); code != 0 {
		t.Errorf("after a full disk: %s", stderr)
	}

	if whole, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(whole[:len(whole)-20], "tampered\"}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("damaged")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	refused("a folder in its place")
	d.alive()
}
