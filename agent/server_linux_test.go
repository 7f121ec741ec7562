// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/installer"
	"persten/internal/token/tokentest"
	"persten/proto"
)

// credential gives the session a systemd credential: a folder of its own, named by the environment.
func (d *daemon) credential(name, value string) {
	d.t.Helper()
	dir := d.path("credentials")
	if err := os.Mkdir(dir, 0o700); err != nil {
		d.t.Fatal(err)
	}
	d.write(filepath.Join("credentials", name), value)
	if err := os.Chmod(filepath.Join(dir, name), 0o440); err != nil { // with the mask of systemd's access list
		d.t.Fatal(err)
	}
	d.env = append(d.env, "CREDENTIALS_DIRECTORY="+dir)
}

// example is a program of installer/examples, which programs of others start from.
func (d *daemon) example(name string, args ...string) *exec.Cmd {
	d.t.Helper()
	cmd := exec.Command(filepath.Join("..", "installer", "examples", name), args...)
	program, err := built()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd.Env = append(d.env, "PERSTEN_CONFIG="+d.path("config.toml"), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	return cmd
}

// serverPolicy is the example's, for the token of the tests.
func (d *daemon) serverPolicy(perHour int) {
	d.t.Helper()
	d.policy(strings.NewReplacer(
		"/usr/lib/softhsm/libsofthsm2.so", d.token.Module, `"persten"`, fmt.Sprintf("%q", userName()), strings.Repeat("0", 64), d.token.IDs[0],
		"per_hour = 1000", fmt.Sprintf("per_hour = %d", perHour), "[forward]\notlp = \"https://collector.example:4318\"\nfields = [\"user\", \"program\"]\n", "",
	).Replace(installer.ServerPolicy))
}

// serve starts the session as the unit of the server does, and waits for its socket: it has no WebSocket.
func (d *daemon) serve() {
	d.t.Helper()
	d.begin("session", "--headless")
	d.eventually(10*time.Second, "the session is ready", func() bool { return strings.Contains(d.log.String(), "msg=ready") })
}

// TestServer: a headless session with the example's policy, the PIN from a credential alone; four programs at once sign with
// one token, exactly as often as the limit lets them; the PIN lies nowhere else.
func TestServer(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("not run: python3 is not installed")
	}
	const workers, each, limit = 4, 6, 20
	d := newDaemon(t, setting{})
	d.credential("pin", tokentest.SoftHSMPIN+"\n")
	d.serverPolicy(limit)
	d.serve()
	d.write("doc.txt", "text")
	var mu sync.Mutex
	var wg sync.WaitGroup
	codes := map[string]int{}
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				out, err := d.example("python/persten.py", "sign", d.token.IDs[0], d.path("doc.txt"), d.path(fmt.Sprintf("doc-%d-%d.sig", w, i))).CombinedOutput()
				code, _, _ := strings.Cut(string(out), ":")
				if err == nil {
					code = "ok"
				}
				mu.Lock()
				codes[code]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if codes["ok"] != limit || codes[string(proto.CodeUnattendedLimit)] != workers*each-limit {
		t.Errorf("%d requests of %d programs: %v", workers*each, workers, codes)
	}
	o, made := newOpenSSL(t), 0
	sigs, _ := filepath.Glob(d.path("*.sig"))
	for _, file := range sigs {
		sig, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o.verify(file, sig, []byte("text"), false, d.token.CA)
		made++
	}
	if begun, good := d.signed(); begun != limit || good != limit || made != limit {
		t.Errorf("journal: %d begun, %d good; %d signatures", begun, good, made)
	}
	d.keepsNoPIN()
}

// keepsNoPIN looks for the PIN where it could lie: environment, log, state and memory of the session.
func (d *daemon) keepsNoPIN() {
	d.t.Helper()
	hits, size, err := searchPINs(d.cmd.Process.Pid, []string{tokentest.SoftHSMPIN})
	if err != nil || len(hits) > 0 || size == 0 {
		d.t.Errorf("the session's memory, %d bytes: %s, %v", size, show(hits), err)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", d.cmd.Process.Pid))
	if err != nil || strings.Contains(string(environ)+d.log.String(), tokentest.SoftHSMPIN) {
		d.t.Errorf("the PIN is in the environment or the log, %v", err)
	}
	if out, err := exec.Command("grep", "-rlF", tokentest.SoftHSMPIN, d.path("state")).Output(); err == nil {
		d.t.Errorf("the PIN is in %s", out)
	}
}

// TestServerCredential: without the credential nothing signs; a wrong PIN is tried once, over restarts, although systemd writes
// the file anew each time.
func TestServerCredential(t *testing.T) {
	d := newDaemon(t, setting{})
	d.serverPolicy(10)
	d.write("doc.txt", "text")
	sign := func(want proto.Code) {
		t.Helper()
		out, err := d.example("python/persten.py", "sign", d.token.IDs[0], d.path("doc.txt"), d.path("doc.sig")).CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), string(want)+":") {
			t.Errorf("%s, %v; want %s", out, err, want)
		}
	}
	d.serve()
	sign(proto.CodeUnattendedPINFile)
	d.stop()
	d.credential("pin", "00000000\n")
	for round, want := range []proto.Code{proto.CodePINIncorrect, proto.CodeUnattendedStopped, proto.CodeUnattendedStopped} {
		now := time.Now().Add(time.Duration(round) * time.Second)
		os.Chtimes(d.path("credentials", "pin"), now, now)
		d.serve()
		sign(want)
		sign(proto.CodeUnattendedStopped)
		d.stop()
	}
}

// TestExamples: the programs that others start from work against a session, over the socket and over the command line.
func TestExamples(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	d.answers(yesSoftHSM)
	o := newOpenSSL(t)
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := d.example(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		return string(out)
	}
	var s proto.AgentStatusResult
	if err := json.Unmarshal([]byte(run("python/persten.py", "status")), &s); err != nil || s.Tokens != 1 {
		t.Errorf("status: %+v, %v", s, err)
	}
	if list := run("python/persten.py", "certificates"); !strings.Contains(list, d.token.IDs[0]) {
		t.Errorf("certificates: %s", list)
	}
	large := strings.Repeat("0123456789abcdef", 100_000) // goes in pieces
	for name, content := range map[string]string{"small": "text", "large": large} {
		d.write(name, content)
		run("python/persten.py", "sign", d.token.IDs[0], d.path(name), d.path(name+".sig"))
		sig, err := os.ReadFile(d.path(name + ".sig"))
		if err != nil {
			t.Fatal(err)
		}
		o.verify(name, sig, []byte(content), false, d.token.CA)
	}
	if err := os.Mkdir(d.path("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.write("folder/a b.txt", "text")
	d.write("folder/c.txt", "text")
	run("shell/sign-folder.sh", d.token.IDs[0], d.path("folder"))
	for _, name := range []string{"a b.txt.sig", "c.txt.sig"} {
		sig, err := os.ReadFile(d.path("folder", name))
		if err != nil {
			t.Fatal(err)
		}
		o.verify(name, sig, []byte("text"), false, d.token.CA)
	}
	d.answers("| reject |")
	d.write("folder/d.txt", "text")
	for _, cmd := range []*exec.Cmd{
		d.example("shell/sign-folder.sh", d.token.IDs[0], d.path("folder")),
		d.example("python/persten.py", "sign", d.token.IDs[0], d.path("small"), d.path("no.sig")),
	} {
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != exitRefused {
			t.Errorf("%s: rejected, it ends with %d: %s", cmd.Path, cmd.ProcessState.ExitCode(), out)
		}
	}
}
