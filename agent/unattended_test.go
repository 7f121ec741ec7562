// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/token/tokentest"
	"persten/proto"
)

// under puts a folder over /etc in a mount namespace of its own: the only way for a test to have a policy where policy is
// read, since there is deliberately no other.
const under = `mount -t overlay overlay -o lowerdir="$1":/etc /etc && shift && exec "$@"`

// underEtc makes cmd see the folder etc over /etc. It stays the same process.
func underEtc(cmd *exec.Cmd, etc string) {
	args := append([]string{"unshare", "-m", "sh", "-c", under, "sh", etc, cmd.Path}, cmd.Args[1:]...)
	wrapped := exec.Command(args[0], args[1:]...)
	cmd.Path, cmd.Args = wrapped.Path, wrapped.Args
}

// policy gives the sessions started from here on a machine policy. Only root can.
func (d *daemon) policy(text string) {
	d.t.Helper()
	if os.Geteuid() != 0 {
		d.t.Skip("NOT RUN: policy belongs to root, and this is not root")
	}
	d.etc = d.path("etc")
	if err := os.MkdirAll(d.path("etc", "persten"), 0o755); err != nil {
		d.t.Fatal(err)
	}
	d.write("etc/persten/policy.toml", text)
	probe := exec.Command("true")
	underEtc(probe, d.etc)
	if out, err := probe.CombinedOutput(); err != nil {
		d.t.Skipf("NOT RUN: no mount namespace: %v: %s", err, out)
	}
}

// pinFile writes a PIN as an administrator would.
func (d *daemon) pinFile(name, pin string) string {
	d.t.Helper()
	d.write(name, pin+"\n")
	return d.path(name)
}

// again starts the session anew, without a display and with the window as its only way to ask.
func (d *daemon) again() {
	d.t.Helper()
	if d.cmd != nil {
		d.stop()
	}
	config, err := os.ReadFile(d.path("config.toml"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.write("config.toml", strings.NewReplacer(`approver = "pinentry"`, `approver = "window"`, d.path("prompt", "pinentry"), d.path("none")).Replace(string(config)))
	d.launch("session", "--headless")
}

// atOnce sends n signature requests of a page at the same time and counts the answers.
func (p *page) atOnce(id string, n int) map[string]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	codes := map[string]int{}
	for range n {
		wg.Go(func() {
			_, err := p.call("sign.cms", signRequest(id))
			mu.Lock()
			defer mu.Unlock()
			codes[codeOf(err)]++
		})
	}
	wg.Wait()
	return codes
}

// TestUnattendedServer: a session without a display signs what policy grants, for a program of its user and for a page, and
// nothing else; the limit holds over a restart.
func TestUnattendedServer(t *testing.T) {
	d := newDaemon(t, setting{})
	pin := d.pinFile("pin", tokentest.SoftHSMPIN)
	d.policy(fmt.Sprintf(`
[[unattended]]
user = %q
certificate = %q
per_day = 100
pin_file = %q
[[unattended]]
origin = %q
certificate = %q
per_hour = 20
pin_file = %q
[[unattended]]
user = "somebody-else"
certificate = %q
per_day = 1
`, userName(), d.token.IDs[0], pin, webSite, d.token.IDs[1], pin, d.token.IDs[1]))
	d.again()
	o := newOpenSSL(t)
	d.write("doc.txt", "text")
	out := d.path("doc.p7s")
	if stdout, stderr, code := d.run("sign", "cms", "--cert", d.token.IDs[0], "--in", d.path("doc.txt"), "--out", out); code != 0 {
		t.Fatalf("%s%s", stdout, stderr)
	}
	sig, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	o.verify("by a program", sig, []byte("text"), false, d.token.CA)

	web, native := d.webPage(webSite), d.chromium().page(nativeSite)
	if codes := web.atOnce(d.token.IDs[1], 16); codes["ok"] != 16 {
		t.Errorf("sixteen requests at once: %v", codes)
	}
	_, err = web.sign(d.token.IDs[0], []byte("text"), false)
	wantCode(t, "a page with the user's rule", err, proto.CodePromptUnavailable)
	_, err = native.sign(d.token.IDs[1], []byte("text"), false)
	wantCode(t, "another page with the page's rule", err, proto.CodePromptUnavailable)
	_, stderr, _ := d.run("sign", "cms", "--cert", d.token.IDs[1], "--in", d.path("doc.txt"), "--out", out)
	if !strings.Contains(stderr, "prompt_unavailable") {
		t.Errorf("a program with the page's rule: %s", stderr)
	}
	d.showsRules(web)

	d.again()
	web = d.webPage(webSite)
	if codes := web.atOnce(d.token.IDs[1], 16); codes["ok"] != 4 || codes[string(proto.CodeUnattendedLimit)] != 12 {
		t.Errorf("16 of 20 are used, and 16 more asked for after a restart: %v", codes)
	}
	d.alive()
	if begun, good := d.signed(); begun != 21 || good != 21 {
		t.Errorf("journal: %d begun, %d good", begun, good)
	}
	if n := d.noted("refused", proto.CodeUnattendedLimit); n != 1 {
		t.Errorf("%d refusals by limit in the journal", n)
	}
	for _, r := range d.journal() {
		if r.Type != "end" && r.By != "policy" {
			t.Errorf("record %d, %s, is not marked", r.Seq, r.Kind)
		}
	}
	if text, _, _ := d.run("journal", "list"); strings.Count(text, "approved by policy") != 22 {
		t.Errorf("journal list:\n%s", text)
	}
}

// showsRules: a person sees that there are rules, a page does not.
func (d *daemon) showsRules(p *page) {
	d.t.Helper()
	text, _, _ := d.run("status")
	if !strings.Contains(text, "2 rules of the administrator let signatures be made without asking.") {
		d.t.Errorf("status says %q", text)
	}
	var s, seen proto.AgentStatusResult
	told, _, _ := d.run("status", "--json")
	if err := json.Unmarshal([]byte(told), &s); err != nil || s.Unattended != 2 {
		d.t.Errorf("status --json says %s", told)
	}
	if p.ask("agent.status", object{}, &seen); seen.Unattended != 0 {
		d.t.Errorf("a page hears of %d rules", seen.Unattended)
	}
	if strings.Contains(d.log.String(), "not used by this version") {
		d.t.Error("the log says that rules are not used")
	}
}

// TestUnattendedMovesTheCounterOnce: with a wrong PIN in the file the token loses one attempt, however many ask and however
// often the session starts; with the right one it signs, and the session's memory keeps nothing of it.
func TestUnattendedMovesTheCounterOnce(t *testing.T) {
	c := newCounted(t)
	pin := c.pinFile("pin", "00000000")
	c.policy(fmt.Sprintf("[[unattended]]\norigin = %q\ncertificate = %q\nper_hour = 1000\npin_file = %q\n", webSite, c.id, pin))
	for round := range 3 {
		c.again()
		codes := c.webPage(webSite).atOnce(c.id, 16)
		if c.left() != "2" || c.logins() != 1 || codes["ok"] != 0 {
			t.Fatalf("session %d: %s attempts left, %d logins, %v", round+1, c.left(), c.logins(), codes)
		}
		want := map[bool]int{true: 1}[round == 0]
		if codes[string(proto.CodePINIncorrect)] != want || codes[string(proto.CodeUnattendedStopped)] != 16-want {
			t.Errorf("session %d: %v", round+1, codes)
		}
	}
	c.pinFile("pin", countedPIN)
	if codes := c.webPage(webSite).atOnce(c.id, 1); codes["ok"] != 0 || c.logins() != 1 {
		t.Errorf("before the restart: %v, %d logins", codes, c.logins())
	}
	c.again()
	if codes := c.webPage(webSite).atOnce(c.id, 16); codes["ok"] != 16 || c.left() != "3" || c.logins() != 17 {
		t.Errorf("after it: %v, %s attempts left, %d logins", codes, c.left(), c.logins())
	}
	time.Sleep(100 * time.Millisecond)
	c.finds(countedPIN)
	hits, size, err := searchPINs(c.cmd.Process.Pid, []string{countedPIN})
	if err != nil || len(hits) > 0 || size == 0 {
		t.Errorf("the session's memory, %d bytes: %s, %v", size, show(hits), err)
	}
	if n := c.noted("pin", proto.CodePINIncorrect); n != 1 {
		t.Errorf("%d wrong PINs in the journal", n)
	}
	if log := c.daemon.log.String(); strings.Contains(log, countedPIN) {
		t.Error("the PIN is in the log")
	}
}
