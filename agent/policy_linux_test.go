// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"persten/internal/token/tokentest"
	"persten/proto"
)

// ruled starts a session under a machine policy, with somebody who says yes.
func ruled(t *testing.T, policy string) *daemon {
	t.Helper()
	d := newDaemon(t, setting{})
	d.policy(policy)
	d.answers(yesSoftHSM)
	d.launch("session", "--headless")
	return d
}

// refused runs a command of the machine under the policy, which must end with this code.
func (d *daemon) refused(code proto.Code, args ...string) {
	d.t.Helper()
	cmd := d.command(args...)
	underEtc(cmd, d.etc)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), string(code)) {
		d.t.Errorf("persten %v: %v, %s; want %s", args, err, out, code)
	}
}

// TestPolicyLimits: the limits of a site hold for all who approve, over a restart; another site is not touched by them.
func TestPolicyLimits(t *testing.T) {
	d := ruled(t, fmt.Sprintf(`
[[limit]]
origin = %q
per_day = 3
documents = 2
max_mib = 1
[[limit]]
user = "somebody-else"
per_day = 1
`, webSite))
	web, native := d.webPage(webSite), d.chromium().page(nativeSite)
	id := d.token.IDs[0]
	batch := func(p *page, n int) error {
		var items []object
		for i := range n {
			items = append(items, object{"id": fmt.Sprint(i), "content": object{"inline": []byte{byte(i + 65)}}})
		}
		_, err := p.call("sign.batch", object{"certificate": id, "items": items})
		return err
	}
	wantCode(t, "three documents", batch(web, 3), proto.CodeLimitDocuments)
	large := object{"certificate": id, "content": object{"handle": web.upload("large.txt", make([]byte, 1<<20+1))}}
	_, err := web.call("sign.cms", large)
	wantCode(t, "more than 1 MiB", err, proto.CodeContentTooLarge)
	if n := len(d.asked()); n != 0 {
		t.Errorf("somebody was asked %d times about what policy refuses", n)
	}
	if err := batch(web, 2); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "two more of three", batch(web, 2), proto.CodeLimitReached)
	if _, err := web.sign(id, []byte("text"), false); err != nil {
		t.Errorf("the third: %v", err)
	}
	d.stop()
	d.launch("session", "--headless")
	_, err = d.webPage(webSite).sign(id, []byte("text"), false)
	wantCode(t, "the fourth, after a restart", err, proto.CodeLimitReached)
	native = d.chromium().page(nativeSite)
	for range 2 {
		if err := batch(native, 3); err != nil {
			t.Errorf("another site: %v", err)
		}
	}
}

// TestPolicyRights: who is in none of the groups approves nothing, allows no site, and reads no journal, whatever way they take.
func TestPolicyRights(t *testing.T) {
	d := ruled(t, fmt.Sprintf(`
rights.approve = ["no-such-group"]
rights.sites = []
rights.journal = ["no-such-group"]
rights.keys = []
[origins]
allow = [%q]
deny = [%q]
`, webSite, nativeSite))
	id := d.token.IDs[0]
	_, err := d.webPage(webSite).sign(id, []byte("text"), false)
	wantCode(t, "a page", err, proto.CodeRightMissing)
	_, err = d.chromium().page(nativeSite).call("agent.status", object{})
	wantCode(t, "a denied page, which config.toml allows", err, proto.CodeOriginDenied)
	_, err = d.chromium().page(unknownSite).call("agent.status", object{})
	wantCode(t, "an unknown page", err, proto.CodeOriginDenied)
	d.write("doc.txt", "text")
	d.refused(proto.CodeRightMissing, "sign", "cms", "--cert", id, "--in", d.path("doc.txt"), "--out", d.path("doc.p7s"))
	d.refused(proto.CodeRightMissing, "origins", "allow", unknownSite)
	d.refused(proto.CodePolicyForbids, "origins", "allow", nativeSite)
	d.refused(proto.CodeRightMissing, "journal", "list")
	d.refused(proto.CodeRightMissing, "journal", "export", "--out", d.path("out.csv"))
	d.refused(proto.CodeRightMissing, "keyfile", "remove", d.path("doc.txt"))
	if n := len(d.asked()); n != 0 {
		t.Errorf("somebody was asked %d times", n)
	}
	text, _, _ := d.run("status")
	if !strings.Contains(text, "There is a policy, set by the administrator.") || !strings.Contains(text, "does not permit you: to approve signatures and logins, to add and remove keys") {
		t.Errorf("status says %s", text)
	}
	var s proto.AgentStatusResult
	told, _, _ := d.run("status", "--json")
	if err := json.Unmarshal([]byte(told), &s); err != nil || !s.Policy || len(s.Withheld) != 4 {
		t.Errorf("status --json says %s", told)
	}
}

// TestPolicyStandalone: a command that signs by itself is under the same limits as the session.
func TestPolicyStandalone(t *testing.T) {
	d := newDaemon(t, setting{})
	d.policy("[[limit]]\nper_hour = 2\n")
	d.write("doc.txt", "text")
	for i := range 3 {
		cmd := d.command("sign", "cms", "--cert", d.token.IDs[0], "--in", d.path("doc.txt"), "--out", d.path(fmt.Sprintf("%d.p7s", i)), "--pin-fd", "0")
		underEtc(cmd, d.etc)
		cmd.Stdin = strings.NewReader(tokentest.SoftHSMPIN)
		out, err := cmd.CombinedOutput()
		if i < 2 && err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if i == 2 && !strings.Contains(string(out), string(proto.CodeLimitReached)) {
			t.Errorf("the third: %v, %s", err, out)
		}
	}
}

// TestPolicyRunning: a policy that changes changes nothing for a session that runs: a request under way ends under the rules it began
// under, and the next session starts under the new ones, or not at all.
func TestPolicyRunning(t *testing.T) {
	d := ruled(t, "[origins]\nallow = [\""+webSite+"\"]\n")
	web := d.webPage(webSite)
	policy := filepath.Join(d.etc, "persten", "policy.toml")
	d.answers("| hang |")
	_, answer, err := web.begin("sign.cms", signRequest(d.token.IDs[0]))
	if err != nil {
		t.Fatal(err)
	}
	d.eventually(10*time.Second, "the person is asked", func() bool { return d.count("CONFIRM", "")+d.count("GETPIN", "") > 0 })
	if err := os.WriteFile(policy, []byte("[origins]\ndeny = [\""+webSite+"\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.answers(yesSoftHSM)
	if _, err := web.await(answer); err != nil {
		t.Errorf("the request under way: %v", err)
	}
	if _, err := web.sign(d.token.IDs[0], []byte("text"), false); err != nil {
		t.Errorf("the running session: %v", err)
	}
	d.stop()
	d.launch("session", "--headless")
	if _, status, err := d.handshake(map[string][]string{"Origin": {webSite}}); err == nil || status != 403 {
		t.Errorf("the next session: %d, %v", status, err)
	}
	for text, code := range map[string]proto.Code{"[origins]\ndeny = 1\n": proto.CodePolicyInvalid, "[ui]\nlanguage = \"en\"\n": proto.CodePolicyUnsafe} {
		if err := os.WriteFile(policy, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if code == proto.CodePolicyUnsafe {
			os.Chmod(policy, 0o666)
		}
		d.refused(code, "session", "--headless")
		d.refused(code, "doctor", "config", "--json")
	}
}

// TestPolicyModules: only the libraries that policy names are loaded.
func TestPolicyModules(t *testing.T) {
	for only, want := range map[string]bool{`["softhsm"]`: true, `["rutoken"]`: false, `[]`: false} {
		d := newDaemon(t, setting{})
		d.policy("modules.only = " + only + "\n")
		cmd := d.command("certs", "--json")
		underEtc(cmd, d.etc)
		out, err := cmd.Output()
		if err != nil || strings.Contains(string(out), d.token.IDs[0]) != want {
			t.Errorf("only %s: %v, %s", only, err, out)
		}
	}
}
