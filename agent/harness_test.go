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
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"persten/internal/token/keyfile"
	"persten/internal/token/tokentest"
	"persten/proto"
)

// The sites of the tests. The first two are allowed.
const (
	nativeSite  = "https://native.example"
	webSite     = "https://web.example"
	unknownSite = "https://unknown.example"
)

// built is persten as a user has it: a program of its own, so that its children, memory and descriptors are its own too.
var built = sync.OnceValues(func() (string, error) {
	dir, err := shared()
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "persten")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return program, nil
})

// softHSM is the real token of these tests.
var softHSM = sync.OnceValues(func() (tokentest.SoftHSMToken, error) {
	dir, err := shared()
	if err != nil {
		return tokentest.SoftHSMToken{}, err
	}
	return tokentest.MakeSoftHSM(filepath.Join(dir, "softhsm"))
})

// faulty is testdata/p11/faults.c over SoftHSM with the token's own configuration, so that SoftHSM itself, which persten
// finds too, has no token.
var faulty = sync.OnceValues(func() (string, error) {
	dir, err := shared()
	if err != nil {
		return "", err
	}
	conf := filepath.Join(dir, "conf.c")
	source := "#include <stdlib.h>\n" +
		`__attribute__((constructor)) static void conf(void) { setenv("SOFTHSM2_CONF", getenv("FAULT_CONF"), 1); }` + "\n"
	if err := os.WriteFile(conf, []byte(source), 0o600); err != nil {
		return "", err
	}
	so := filepath.Join(dir, "faults.so")
	out, err := exec.Command("cc", "-shared", "-fPIC", "-O1", "-o", so, "../testdata/p11/faults.c", conf, "-ldl", "-lpthread").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cc: %w: %s", err, out)
	}
	return so, nil
})

// setting is what a session is started with.
type setting struct {
	demo  bool
	fault string // FAULT of faults.c; the token then is behind that module
	start bool   // the session itself; else only its surroundings
}

// daemon is a running session and its surroundings: folders, settings, token, and the person who answers prompts.
type daemon struct {
	t     *testing.T
	dir   string
	env   []string
	token tokentest.SoftHSMToken
	cmd   *exec.Cmd
	log   logBuffer
	ended chan struct{}
	web   string // address of the WebSocket
	etc   string // what the session sees over /etc, if anything; see policy
}

// newDaemon starts a session. It ends with the test, which fails when the session has left children or its socket behind.
func newDaemon(t *testing.T, o setting) *daemon {
	t.Helper()
	token, err := softHSM()
	if err != nil {
		t.Skipf("not run: %v", err)
	}
	dir, err := os.MkdirTemp("", "pe") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &daemon{t: t, dir: dir, token: token}
	for _, name := range []string{"run", "state", "config", "home", "prompt", "empty"} {
		if err := os.Mkdir(d.path(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	me, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(me, d.path("prompt", "pinentry")); err != nil {
		t.Fatal(err)
	}
	d.environment(o)
	d.answers("| hang |")
	if o.start {
		d.start(o)
	}
	return d
}

func (d *daemon) path(name ...string) string {
	return filepath.Join(append([]string{d.dir}, name...)...)
}

// environment writes the settings and makes the environment of every process of this daemon.
func (d *daemon) environment(o setting) {
	d.t.Helper()
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !slices.Contains([]string{"DISPLAY", "WAYLAND_DISPLAY", "LC_ALL", "LC_MESSAGES", "LANGUAGE", "LISTEN_PID"}, name) &&
			!strings.HasPrefix(name, "PERSTEN_") {
			d.env = append(d.env, v)
		}
	}
	d.env = append(d.env, "HOME="+d.path("home"), "XDG_RUNTIME_DIR="+d.path("run"), "XDG_STATE_HOME="+d.path("state"),
		"XDG_CONFIG_HOME="+d.path("config"), "LANG=C.UTF-8")
	module := ""
	if o.fault == "" {
		d.env = append(d.env, "SOFTHSM2_CONF="+d.token.Conf)
	} else {
		so, err := faulty()
		if err != nil {
			d.t.Fatal(err)
		}
		d.write("empty.conf", "directories.tokendir = "+d.path("empty")+"\nobjectstore.backend = file\nlog.level = ERROR\n")
		d.env = append(d.env, "SOFTHSM2_CONF="+d.path("empty.conf"), "FAULT_CONF="+d.token.Conf, "FAULT_MODULE="+d.token.Module,
			"FAULT="+o.fault, "FAULT_ONCE="+d.path("fault"), "FAULT_GONE="+d.path("gone"))
		module = fmt.Sprintf("[[module]]\nname = \"faults\"\npath = %q\n", so)
	}
	d.write("config.toml", fmt.Sprintf("%s[ui]\napprover = \"pinentry\"\npinentry = %q\n[origins]\nallow = [%q, %q]\n[listen]\nwebsocket = \"127.0.0.1:0\"\n",
		module, d.path("prompt", "pinentry"), nativeSite, webSite))
}

func (d *daemon) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *daemon) command(args ...string) *exec.Cmd {
	d.t.Helper()
	program, err := built()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(d.env, "PERSTEN_CONFIG="+d.path("config.toml"))
	cmd.Dir = d.dir
	return cmd
}

func (d *daemon) start(o setting) {
	d.t.Helper()
	args := []string{"session"}
	if o.demo {
		args = append(args, "--demo-token", d.path("demo"))
	}
	d.launch(args...)
}

// begin starts the session with a whole command line, under a policy where the test has one.
func (d *daemon) begin(args ...string) {
	d.t.Helper()
	d.cmd = d.command(args...)
	d.log = logBuffer{}
	if d.etc != "" {
		underEtc(d.cmd, d.etc)
	}
	d.cmd.Stderr = &d.log
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.ended = make(chan struct{})
	go func() {
		defer close(d.ended)
		d.cmd.Wait()
	}()
	d.t.Cleanup(d.stop)
}

// launch begins it and waits until it is ready.
func (d *daemon) launch(args ...string) {
	d.t.Helper()
	d.begin(args...)
	ready := regexp.MustCompile(`msg=ready .*websocket=(127\.0\.0\.1:\d+)`)
	d.eventually(10*time.Second, "the session is ready", func() bool {
		m := ready.FindStringSubmatch(d.log.String())
		if m != nil {
			d.web = m[1]
		}
		return m != nil
	})
}

// stop ends the session as systemd would, and looks at what it leaves.
func (d *daemon) stop() {
	d.t.Helper()
	if d.t.Failed() {
		d.t.Logf("log of the session:\n%s", d.log.String())
		asked, _ := os.ReadFile(d.path("prompt", "asked"))
		d.t.Logf("prompts, the last ones:\n%s", asked)
	}
	select {
	case <-d.ended:
		return
	default:
	}
	family := descendants(d.cmd.Process.Pid)
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(5 * time.Second):
		d.t.Error("the session did not end within 5 s of SIGTERM")
		d.cmd.Process.Kill()
	}
	for _, pid := range family {
		if running(pid) {
			time.Sleep(500 * time.Millisecond)
		}
		if running(pid) && !strings.Contains(commandLine(pid), "pinentry") { // a prompt may still show an outcome
			d.t.Errorf("process %d is still there: %s", pid, commandLine(pid))
		}
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// alive fails the test when the session is not the process it was.
func (d *daemon) alive() {
	d.t.Helper()
	select {
	case <-d.ended:
		d.t.Error("the session has ended")
	default:
	}
}

// run runs a command and returns what it printed and its exit code.
func (d *daemon) run(args ...string) (stdout, stderr string, code int) {
	d.t.Helper()
	cmd := d.command(args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		d.t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// journal is every record, oldest first; the chain is verified on the way.
func (d *daemon) journal() []proto.JournalRecord {
	d.t.Helper()
	if _, stderr, code := d.run("journal", "verify"); code != 0 {
		d.t.Errorf("journal verify: %s", stderr)
	}
	out, stderr, code := d.run("journal", "list", "--json", "--limit", "1000")
	if code != 0 {
		d.t.Fatalf("journal list: %s", stderr)
	}
	var list []proto.JournalRecord
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		d.t.Fatal(err)
	}
	return list
}

// signed counts what the journal says of uses of a key: begun, and ended well.
func (d *daemon) signed() (begun, good int) {
	d.t.Helper()
	begins := map[int64]string{}
	for _, r := range d.journal() {
		switch {
		case r.Type == "begin" && r.Kind == "sign":
			if r.Approval == "" {
				d.t.Errorf("record %d has no approval", r.Seq)
			}
			begins[int64(r.Seq)] = r.Approval
		case r.Type == "end" && r.Result == "ok":
			if begins[int64(r.Of)] != r.Approval || r.Approval == "" {
				d.t.Errorf("record %d ends %d with another approval", r.Seq, r.Of)
			}
			good++
		}
	}
	approvals := map[string]bool{}
	for _, a := range begins {
		approvals[a] = true
	}
	if len(approvals) != len(begins) {
		d.t.Errorf("%d uses of a key under %d approvals", len(begins), len(approvals))
	}
	return len(begins), good
}

// noted counts the notes of one kind and result.
func (d *daemon) noted(kind string, result proto.Code) int {
	d.t.Helper()
	n := 0
	for _, r := range d.journal() {
		if r.Type == "note" && r.Kind == kind && proto.Code(r.Result) == result {
			n++
		}
	}
	return n
}

// answers tells the person how to answer from now on; see pinentryMain.
func (d *daemon) answers(lines ...string) {
	d.t.Helper()
	next := d.path("prompt", "next")
	err := os.WriteFile(next, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
	if err == nil {
		err = os.Rename(next, d.path("prompt", "answers"))
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// Answers of somebody who knows the PINs.
const (
	yesSoftHSM = "| approve | " + tokentest.SoftHSMPIN
	yesDemo    = keyfile.DemoLabel + " | approve | " + keyfile.DemoPIN
)

// event is one line of what the person was asked.
type event struct {
	pid         int
	what, shown string
}

func (d *daemon) asked() []event {
	d.t.Helper()
	text, err := os.ReadFile(d.path("prompt", "asked"))
	if err != nil && !os.IsNotExist(err) {
		d.t.Fatal(err)
	}
	var list []event
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 3)
		pid, err := strconv.Atoi(f[0])
		if err != nil || len(f) < 2 {
			d.t.Fatalf("prompt log: %q", line)
		}
		list = append(list, event{pid, f[1], strings.Join(f[2:], "")})
	}
	return list
}

// count counts the events of a kind that showed text.
func (d *daemon) count(what, text string) int {
	d.t.Helper()
	n := 0
	for _, e := range d.asked() {
		if e.what == what && strings.Contains(e.shown, text) {
			n++
		}
	}
	return n
}

func (d *daemon) eventually(limit time.Duration, what string, true func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(limit); !true(); time.Sleep(25 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("not within %v: %s\nlog of the session:\n%s", limit, what, d.log.String())
		}
	}
}

// logBuffer collects what a process writes while others read it.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// descendants are the processes that pid started, and those that they started.
func descendants(pid int) []int {
	parents := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range stats {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // state, parent, ...
		if err != nil || len(fields) < 2 || fields[0] == "Z" {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			parents[parent] = append(parents[parent], child)
		}
	}
	var all []int
	for queue := parents[pid]; len(queue) > 0; queue = queue[1:] {
		all = append(all, queue[0])
		queue = append(queue, parents[queue[0]]...)
	}
	return all
}

// running reports whether a process exists and is more than a zombie.
func running(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	rest := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	return len(rest) > 0 && rest[0] != "Z" && rest[0] != "X"
}

func commandLine(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
}

// memory is the resident memory of a process.
func memory(pid int) (kib int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kib, _ = strconv.Atoi(f[1])
		}
	}
	return kib
}
