// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"persten/internal/token/tokentest"
	"persten/proto"
)

// TestFootprint measures the memory of a session with SoftHSM loaded, after it has signed.
func TestFootprint(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	d.answers(yesSoftHSM)
	p := d.webPage(webSite)
	if _, err := p.call("sign.cms", signRequest(d.token.IDs[0])); err != nil {
		t.Fatal(err)
	}
	session := memory(d.cmd.Process.Pid)
	t.Logf("VmRSS of the session: %d KiB", session)
	for _, pid := range descendants(d.cmd.Process.Pid) {
		if line := commandLine(pid); strings.Contains(line, " module ") {
			t.Logf("VmRSS of %s: %d KiB", line[strings.Index(line, "module "):], memory(pid))
		}
	}
	if session == 0 || session > 64<<10 {
		t.Errorf("the session takes %d KiB", session)
	}
	libraries := loaded(d.cmd.Process.Pid)
	if len(libraries) == 0 {
		t.Log("not run: which libraries the session has loaded (needs root: it is hardened)")
	}
	for _, lib := range libraries {
		for _, foreign := range []string{"softhsm", "pkcs11", "gtk", "libGL", "libX11", "wayland"} {
			if strings.Contains(lib, foreign) {
				t.Errorf("the session has loaded %s", lib)
			}
		}
	}
}

// loaded lists the files mapped into a process.
func loaded(pid int) []string {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/maps")
	var list []string
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 5 {
			list = append(list, filepath.Base(f[5]))
		}
	}
	return list
}

// TestSecondSession: one session for a user. Another says so in plain words and fails; the first goes on.
func TestSecondSession(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	began := time.Now()
	_, stderr, code := d.run("session")
	t.Logf("a second session, after %v: exit code %d\n%s", time.Since(began).Round(time.Millisecond), code, stderr)
	if code != exitFailed || !strings.Contains(stderr, "running") || strings.Contains(stderr, "internal:") {
		t.Errorf("exit code %d, want %d and that one is running", code, exitFailed)
	}
	d.alive()
	if err := d.webPage(webSite).alive(); err != nil {
		t.Errorf("the first session: %v", err)
	}
}

// TestTerminate: SIGTERM ends a session within 2 s, with a prompt open, a signature under way and pages connected; no
// process and no socket stays.
func TestTerminate(t *testing.T) {
	d := newDaemon(t, setting{start: true, fault: "C_Sign:0:hang"})
	d.answers(webSite+" | hang |", yesSoftHSM)
	pages := d.transports()
	for _, p := range pages {
		if _, _, err := p.begin("sign.cms", signRequest(d.token.IDs[0])); err != nil {
			t.Fatal(err)
		}
	}
	d.eventually(10*time.Second, "one signs, one is asked", func() bool {
		return exists(d.path("fault")) && d.count("CONFIRM", webSite) == 1
	})
	family := descendants(d.cmd.Process.Pid)
	if len(family) < 4 { // modules, two prompts, their programs
		t.Errorf("only %d children", len(family))
	}
	began := time.Now()
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(5 * time.Second):
		t.Fatal("still running 5 s after SIGTERM")
	}
	took := time.Since(began)
	t.Logf("ended after %v, exit code %d", took.Round(time.Millisecond), d.cmd.ProcessState.ExitCode())
	if took > 2*time.Second {
		t.Errorf("took %v, want at most 2 s", took)
	}
	if code := d.cmd.ProcessState.ExitCode(); code != exitOK {
		t.Errorf("exit code %d: a service manager would call that a failure", code)
	}
	for deadline := began.Add(3 * time.Second); time.Now().Before(deadline) && anyRunning(family); {
		time.Sleep(20 * time.Millisecond)
	}
	for _, pid := range family {
		if running(pid) {
			t.Errorf("left behind: %d %s", pid, commandLine(pid))
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if exists(d.path("run", "persten", "session.sock")) {
		t.Error("the socket is still there")
	}
	if c, err := net.Dial("tcp", d.web); err == nil {
		c.Close()
		t.Error("the WebSocket still answers")
	}
	_, stderr, code := d.run("status")
	if code != exitFailed || !strings.HasPrefix(stderr, string(proto.CodeAgentNotRunning)) {
		t.Errorf("status afterwards: %d %s", code, stderr)
	}
}

func anyRunning(pids []int) bool {
	for _, pid := range pids {
		if running(pid) {
			return true
		}
	}
	return false
}

// TestKilled: after kill -9 of the session no child stays, and a new session takes over its socket and its journal.
func TestKilled(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	p := d.webPage(webSite)
	if _, _, err := p.begin("sign.cms", signRequest(d.token.IDs[0])); err != nil {
		t.Fatal(err)
	}
	d.eventually(5*time.Second, "the prompt is open", func() bool { return d.count("CONFIRM", "") == 1 })
	family := descendants(d.cmd.Process.Pid)
	d.cmd.Process.Kill()
	<-d.ended
	d.eventually(3*time.Second, "its children end by themselves", func() bool { return !anyRunning(family) })
	d.log = logBuffer{}
	d.start(setting{})
	d.answers(yesSoftHSM)
	if _, err := d.webPage(webSite).call("sign.cms", signRequest(d.token.IDs[0])); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

// TestHostStartsSession: a browser finds no session, and its native host starts one, which outlives the browser.
func TestHostStartsSession(t *testing.T) {
	d := newDaemon(t, setting{})
	b := d.chromium()
	if err := b.page(nativeSite).alive(); err != nil {
		t.Fatal(err)
	}
	session := 0
	d.eventually(3*time.Second, "the session is a process of its own", func() bool {
		session = d.sessionOf()
		return session != 0
	})
	t.Cleanup(func() { syscall.Kill(session, syscall.SIGKILL) })
	b.cmd.Process.Kill()
	b.cmd.Wait()
	time.Sleep(200 * time.Millisecond)
	if !running(session) {
		t.Fatal("the session ended with the browser")
	}
	if err := d.chromium().page(nativeSite).alive(); err != nil {
		t.Errorf("a second browser: %v", err)
	}
	syscall.Kill(session, syscall.SIGTERM)
	d.eventually(2*time.Second, "it ends", func() bool { return !running(session) })
}

// sessionOf finds the session that answers on this daemon's socket.
func (d *daemon) sessionOf() int {
	c, err := net.Dial("unix", d.path("run", "persten", "session.sock"))
	if err != nil {
		return 0
	}
	defer c.Close()
	rc, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	rc.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}

// TestPINStaysOutOfTheSession reads the memory of the session while the module holds the token, and afterwards: the
// site's name is there, the PIN is not.
func TestPINStaysOutOfTheSession(t *testing.T) {
	d := newDaemon(t, setting{start: true, fault: "C_Sign:1:slow=1000"})
	d.answers("| approve | 00000000 " + tokentest.SoftHSMPIN)
	p := d.webPage(webSite)
	call := later(func() error { _, err := p.call("sign.cms", signRequest(d.token.IDs[1])); return err })
	d.eventually(10*time.Second, "the token signs", func() bool { return exists(d.path("fault")) })
	look := func(when string) {
		t.Helper()
		holds, err := searched(d.cmd.Process.Pid, webSite, tokentest.SoftHSMPIN)
		if errors.Is(err, os.ErrPermission) {
			t.Skip("not run: this user may not read the memory of a hardened process of its own (needs root)")
		}
		if err != nil {
			t.Fatal(err)
		}
		if !holds[0] {
			t.Errorf("%s: the search does not find what must be there", when)
		}
		if holds[1] {
			t.Errorf("%s: the PIN is in the memory of the session", when)
		}
	}
	look("while signing")
	if err := within(t, 10*time.Second, "the signature", call); err != nil {
		t.Error(err)
	}
	look("afterwards")
	if strings.Contains(d.log.String(), tokentest.SoftHSMPIN) {
		t.Error("the PIN is in the log")
	}
}

// searched tells which of the texts are in the writable memory of a process.
func searched(pid int, texts ...string) ([]bool, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	mem, err := os.Open(dir + "/mem")
	if err != nil {
		return nil, err
	}
	defer mem.Close()
	maps, err := os.ReadFile(dir + "/maps")
	if err != nil {
		return nil, err
	}
	found := make([]bool, len(texts))
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") || to-from > 1<<30 {
			continue
		}
		b := make([]byte, to-from)
		n, _ := mem.ReadAt(b, from) // pages that are not there end the read early
		for i, s := range texts {
			found[i] = found[i] || bytes.Contains(b[:n], []byte(s))
		}
	}
	return found, nil
}
