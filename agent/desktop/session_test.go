// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// session is the agent itself with its demonstration token, whose children draw on a screen.
type session struct {
	*screen
	dir string
	env []string
	cmd *exec.Cmd
	log journal
}

// journal collects what a process writes while others read it.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// newSession starts a session in folders of its own. env goes before everything else of its environment.
func newSession(t *testing.T, s *screen, config string, env ...string) *session {
	t.Helper()
	a := prepareSession(t, s, config, env...)
	a.start()
	return a
}

// prepareSession makes everything ready for start.
func prepareSession(t *testing.T, s *screen, config string, env ...string) *session {
	t.Helper()
	dir, err := os.MkdirTemp("", "pd") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s = s.of(t)
	a := &session{screen: s, dir: dir}
	s.others = func() []int { return a.roles("prompt") }
	for _, name := range []string{"home", "run", "state", "config"} {
		if err := os.Mkdir(a.path(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	config += "\n[listen]\nwebsocket = \"off\"\n"
	if err := os.WriteFile(a.path("config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	a.env = append(s.command("true").Env, "HOME="+a.path("home"), "XDG_RUNTIME_DIR="+a.path("run"), "XDG_STATE_HOME="+a.path("state"),
		"XDG_CONFIG_HOME="+a.path("config"), "PERSTEN_CONFIG="+a.path("config.toml"), "PERSTEN_LANG=ru", "SOFTHSM2_CONF=/dev/null")
	a.env = append(a.env, env...)
	a.cmd = a.persten("session", "--demo-token", a.path("demo"))
	return a
}

func (a *session) path(name ...string) string {
	return filepath.Join(append([]string{a.dir}, name...)...)
}

func (a *session) persten(args ...string) *exec.Cmd {
	cmd := exec.Command(agentProgram(a.t), args...)
	cmd.Env, cmd.Dir = a.env, a.dir
	return cmd
}

func (a *session) start() {
	a.t.Helper()
	a.cmd.Stderr, a.cmd.WaitDelay = &a.log, time.Second // windows that still show an outcome hold the pipe
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { a.cmd.Wait(); close(ended) }()
	a.t.Cleanup(func() {
		if a.t.Failed() {
			a.t.Logf("log of the session:\n%s", a.log.String())
		}
		windows := a.roles("prompt")
		a.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			a.t.Error("the session did not end within 10 s of SIGTERM")
			a.cmd.Process.Kill()
		}
		for _, pid := range windows {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	a.eventually("the session is ready", func() bool { return strings.Contains(a.log.String(), "msg=ready") })
}

func (a *session) eventually(what string, true func() bool) {
	a.t.Helper()
	for deadline := time.Now().Add(patience); !true(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			a.shot("failed")
			a.t.Fatalf("not within %v: %s\nlog of the session:\n%s", patience, what, a.log.String())
		}
	}
}

// roles are the processes of the session's own that run a role.
func (a *session) roles(role string) (pids []int) {
	for _, pid := range processes(a.path("config.toml"), role) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // state, parent, ...
		if len(fields) > 1 && fields[0] != "Z" && fields[1] == strconv.Itoa(a.cmd.Process.Pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// processes are those that run a role of a program under this configuration.
func processes(config, role string) (pids []int) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range lines {
		line, _ := os.ReadFile(f)
		environ, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "environ"))
		args := strings.Split(string(line), "\x00")
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err == nil && len(args) > 1 && args[1] == role && slices.Contains(strings.Split(string(environ), "\x00"), "PERSTEN_CONFIG="+config) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// role waits for a process of a role other than the ones named.
func (a *session) role(role string, not ...int) (pid int) {
	a.t.Helper()
	a.eventually("a "+role, func() bool {
		for _, p := range a.roles(role) {
			if !slices.Contains(not, p) {
				pid = p
				return true
			}
		}
		return false
	})
	return pid
}

// ask runs a command and decodes what it prints as JSON.
func (a *session) ask(into any, args ...string) {
	a.t.Helper()
	out, err := a.persten(append(args, "--json")...).Output()
	if err != nil {
		a.t.Fatalf("persten %v: %v", args, err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		a.t.Fatalf("persten %v: %v: %s", args, err, out)
	}
}

// signature is one persten sign cms under way.
type signature struct {
	cmd  *exec.Cmd
	said journal
	done chan error
	file string
}

// sign asks the session for a signature with a certificate of the demonstration token.
func (a *session) sign() *signature {
	a.t.Helper()
	var list struct {
		Certificates []struct {
			ID string `json:"id"`
		} `json:"certificates"`
	}
	a.ask(&list, "certs")
	if len(list.Certificates) == 0 {
		a.t.Fatal("no certificate")
	}
	f, err := os.CreateTemp(a.dir, "Договор-*.txt")
	if err != nil {
		a.t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprint(f, contract)
	g := &signature{file: f.Name() + ".p7s", done: make(chan error, 1)}
	g.cmd = a.persten("sign", "cms", "--cert", list.Certificates[0].ID, "--in", f.Name(), "--out", g.file)
	g.cmd.Stderr = &g.said
	if err := g.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	go func() { g.done <- g.cmd.Wait() }()
	return g
}

// end waits for the command and returns what it said on its way out.
func (a *session) end(g *signature) (said string, err error) {
	a.t.Helper()
	select {
	case err := <-g.done:
		return g.said.String(), err
	case <-time.After(patience):
		g.cmd.Process.Kill()
		a.shot("failed")
		a.t.Fatal("the command does not end")
		panic("unreachable")
	}
}

// approve types the PIN and waits for the command. A window that was still deaf has taken none of the keys: then it is typed again.
func (a *session) approve(g *signature) (said string, err error) {
	a.t.Helper()
	asking := a.title()
	for tries := 0; tries < 3 && a.title() == asking; tries++ {
		a.typed("12345678")
		a.keys("Return")
		for range 50 {
			if len(g.done) > 0 || a.title() != asking {
				return a.end(g)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return a.end(g)
}

// title is that of the window on screen.
func (a *session) title() string {
	out, err := a.command("xdotool", "search", "--onlyvisible", "--name", "^Persten", "getwindowname", "%@").Output()
	if err != nil {
		return "" // xdotool fails when it finds nothing
	}
	return string(out)
}

// signed counts the signatures in the journal.
func (a *session) signed() (n int) {
	a.t.Helper()
	text, err := os.ReadFile(a.path("state", "persten", "journal.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		a.t.Fatal(err)
	}
	kinds := map[uint64]string{}
	for line := range strings.Lines(string(text)) {
		var r struct {
			Seq, Of            uint64
			Type, Kind, Result string
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			a.t.Fatal(err)
		}
		kinds[r.Seq] = r.Kind
		if r.Type == "end" && kinds[r.Of] == "sign" && r.Result == "ok" {
			n++
		}
	}
	return n
}
