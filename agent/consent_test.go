// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/token/tokentest"
	"persten/proto"
)

// TestNobodyClicks: a thousand requests over both transports, and nobody answers: no signature. Ten more that somebody
// answers: ten signatures under ten approvals.
func TestNobodyClicks(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	id := d.token.IDs[1]
	b := d.chromium()
	const tabs, calls = 5, 100 // on each transport
	var all []*page
	for range tabs {
		all = append(all, b.page(nativeSite), d.webPage(webSite))
	}
	var mu sync.Mutex
	codes := map[string]int{}
	var sent, done sync.WaitGroup
	for _, p := range all {
		sent.Add(1)
		go func() {
			defer sent.Done()
			for range calls {
				_, answer, err := p.begin("sign.cms", signRequest(id))
				if err != nil {
					t.Errorf("%s: %v", p.site, err)
					return
				}
				done.Add(1)
				go func() {
					defer done.Done()
					_, err := p.await(answer)
					mu.Lock()
					defer mu.Unlock()
					codes[codeOf(err)]++
				}()
			}
		}()
	}
	sent.Wait()
	d.eventually(5*time.Second, "a prompt is open for each site", func() bool { return d.count("CONFIRM", "") >= 2 })
	time.Sleep(500 * time.Millisecond) // nobody clicks
	if open := d.count("start", "") - d.count("end", ""); open != 2 {
		t.Errorf("%d prompts are open at once for two sites, want 2", open)
	}
	for _, p := range all {
		p.conn.Close()
	}
	done.Wait()
	t.Logf("%d calls: %v", 2*tabs*calls, codes)
	if codes["ok"] != 0 {
		t.Errorf("%d signatures without a click", codes["ok"])
	}
	d.settled()
	if begun, _ := d.signed(); begun != 0 {
		t.Errorf("the journal has %d uses of a key", begun)
	}

	d.answers(yesSoftHSM)
	asked := d.count("start", "")
	for name, p := range d.transports() {
		for range 5 {
			if _, err := p.call("sign.cms", signRequest(id)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if begun, good := d.signed(); begun != 10 || good != 10 {
		t.Errorf("ten clicks: %d approval records, %d signatures", begun, good)
	}
	if n := d.count("start", "") - asked; n != 10 {
		t.Errorf("ten signatures with %d questions", n)
	}
	d.alive()
}

// settled waits until no prompt is open.
func (d *daemon) settled() {
	d.t.Helper()
	d.eventually(5*time.Second, "every prompt is closed", func() bool {
		for _, pid := range descendants(d.cmd.Process.Pid) {
			if line := commandLine(pid); strings.Contains(line, " prompt ") || strings.Contains(line, "/prompt/") {
				return false
			}
		}
		return true
	})
}

// TestSecondPageNeedsItsOwnPIN: while one page's signature holds the logged-in token, another page asks for one with the
// same key, and its person gives no PIN, or a wrong one. It never signs on the first one's login.
func TestSecondPageNeedsItsOwnPIN(t *testing.T) {
	d := newDaemon(t, setting{start: true, fault: "C_Sign:0:slow=1200"})
	pages := d.transports()
	first, second := pages["native"], pages["websocket"]
	id := d.token.IDs[0]
	right := nativeSite + " | approve | " + tokentest.SoftHSMPIN
	for what, c := range map[string]struct {
		answer string
		codes  []proto.Code
	}{
		"no PIN":    {webSite + " | approve-reject |", []proto.Code{proto.CodeUserRejected}},
		"wrong PIN": {webSite + " | approve | 00000000 11111111", []proto.Code{proto.CodePINIncorrect}},
		"empty PIN": {webSite + " | approve |", []proto.Code{proto.CodeUserRejected}},
	} {
		d.answers(right, c.answer)
		_, before := d.signed()
		one := later(func() error { _, err := first.call("sign.cms", signRequest(id)); return err })
		d.eventually(5*time.Second, "the first page's PIN is given", func() bool {
			return d.count("GETPIN", nativeSite) > before
		})
		time.Sleep(300 * time.Millisecond) // now it is inside C_Sign, logged in
		_, err := second.call("sign.cms", signRequest(id))
		wantCode(t, "second page, "+what, err, c.codes...)
		if err := within(t, 10*time.Second, "first page", one); err != nil {
			t.Errorf("first page beside a second one with %s: %v", what, err)
		}
		if _, good := d.signed(); good != before+1 {
			t.Errorf("%s: %d signatures, want the first page's alone", what, good-before)
		}
		_, err = second.call("sign.cms", signRequest(id)) // and not afterwards either
		wantCode(t, "second page afterwards, "+what, err, c.codes...)
	}
	for _, r := range d.journal() {
		if r.Type == "end" && r.Result == "ok" && d.originOf(r) != nativeSite {
			t.Errorf("record %d: signed for %s", r.Seq, d.originOf(r))
		}
	}
}

// originOf is the site of the record that r ends.
func (d *daemon) originOf(r proto.JournalRecord) string {
	for _, b := range d.journal() {
		if b.Type == "begin" && b.Seq == r.Of {
			return b.Origin
		}
	}
	return ""
}

// TestWrongPIN: a wrong PIN is asked for again in the same prompt, which says so; nothing is tried by itself.
func TestWrongPIN(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	p := d.webPage(webSite)
	d.answers("| approve | 00000000 " + tokentest.SoftHSMPIN)
	if _, err := p.call("sign.cms", signRequest(d.token.IDs[1])); err != nil {
		t.Errorf("wrong, then right: %v", err)
	}
	if n := d.count("start", ""); n != 1 {
		t.Errorf("%d prompts, want one that asks twice", n)
	}
	if n := d.count("GETPIN", ""); n != 2 {
		t.Errorf("asked %d times for the PIN, want 2", n)
	}
	if n := d.count("GETPIN", "Wrong PIN"); n != 1 {
		t.Errorf("told %d times that the PIN was wrong, want once", n)
	}
	if n := d.noted("pin", proto.CodePINIncorrect); n != 1 {
		t.Errorf("%d wrong PINs in the journal, want 1", n)
	}
	d.answers("| approve | 00000000 00000001 00000002 00000003")
	_, err := p.call("sign.cms", signRequest(d.token.IDs[1]))
	wantCode(t, "wrong PINs only", err, proto.CodePINIncorrect)
	if n := d.count("GETPIN", ""); n != 4 {
		t.Errorf("asked %d times in all, want twice in each prompt", n)
	}
	d.eventually(3*time.Second, "the prompt says that nothing was signed", func() bool {
		return d.count("MESSAGE", "No signature was created") == 1
	})
	if begun, good := d.signed(); begun != 2 || good != 1 {
		t.Errorf("journal: %d begun, %d good", begun, good)
	}
}

// TestReject: the person says no. The page hears user_rejected, the key was not touched, the refusal is on record.
func TestReject(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	d.answers("| reject |")
	for name, p := range d.transports() {
		_, err := p.call("sign.cms", signRequest(d.token.IDs[0]))
		wantCode(t, name, err, proto.CodeUserRejected)
	}
	if begun, _ := d.signed(); begun != 0 {
		t.Errorf("%d uses of a key in the journal", begun)
	}
	if n := d.noted("refused", proto.CodeUserRejected); n != 2 {
		t.Errorf("%d refusals in the journal, want 2", n)
	}
	if n := d.count("GETPIN", ""); n != 0 {
		t.Errorf("a PIN was asked for %d times after a no", n)
	}
	d.alive()
}

// TestTabCloses: the tab goes away, or the page gives up, while the prompt is open. The prompt goes too, nothing is
// signed, and the journal says that the request was cancelled.
func TestTabCloses(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	close := func(p *page, _ string) { p.conn.Close() }
	cancel := func(p *page, id string) {
		p.conn.Send([]byte(`{"jsonrpc":"2.0","method":"$/cancel","params":{"id":` + id + `}}`))
	}
	cancelled := 0
	for what, leave := range map[string]func(p *page, id string){"close": close, "cancel": cancel} {
		for name, p := range d.transports() {
			before := d.count("CONFIRM", "")
			id, answer, err := p.begin("sign.cms", signRequest(d.token.IDs[0]))
			if err != nil {
				t.Fatal(err)
			}
			d.eventually(5*time.Second, "the prompt is open", func() bool { return d.count("CONFIRM", "") == before+1 })
			list := d.asked()
			prompt := list[len(list)-1].pid
			if !running(prompt) {
				t.Fatalf("%s, %s: prompt %d is not running", name, what, prompt)
			}
			leave(p, id)
			d.eventually(2*time.Second, name+", "+what+": the prompt goes", func() bool { return !running(prompt) })
			if what == "cancel" {
				_, err = p.await(answer)
				wantCode(t, name, err, proto.CodeRequestCancelled)
			}
			cancelled++
			d.eventually(3*time.Second, name+", "+what+": the journal knows", func() bool {
				return d.noted("refused", proto.CodeRequestCancelled) == cancelled
			})
		}
	}
	if begun, _ := d.signed(); begun != 0 {
		t.Errorf("%d uses of a key in the journal", begun)
	}
	d.settled()
	d.alive()
}

// TestUnknownOrigin: a site nobody decided about is refused, and the person is asked about it once. After a yes the site
// is in; after a no it stays out, and is told so. Machines in between are let in by nothing.
func TestUnknownOrigin(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	b := d.chromium()
	p := b.page(unknownSite)
	for range 20 {
		_, err := p.call("certificates.list", object{})
		wantCode(t, "unknown site", err, proto.CodeOriginNotAllowed)
		if _, status, err := d.handshake(http.Header{"Origin": {unknownSite}}); err == nil || status != http.StatusForbidden {
			t.Errorf("WebSocket of an unknown site: %d, %v", status, err)
		}
	}
	d.eventually(3*time.Second, "the person is asked", func() bool { return d.count("CONFIRM", unknownSite) > 0 })
	time.Sleep(300 * time.Millisecond)
	if n := d.count("start", ""); n != 1 {
		t.Errorf("40 requests of an unknown site raised %d questions, want 1", n)
	}
	_, err := p.call("sign.cms", signRequest(d.token.IDs[0]))
	wantCode(t, "unknown site asks for a signature", err, proto.CodeOriginNotAllowed)

	d.answers("https://yes.example | approve |", "| reject |")
	d.eventually(5*time.Second, "the first question is answered with a no", func() bool {
		_, err := p.call("agent.status", object{})
		return codeOf(err) == string(proto.CodeOriginDenied)
	})
	yes := b.page("https://yes.example")
	_, err = yes.call("agent.status", object{})
	wantCode(t, "before the yes", err, proto.CodeOriginNotAllowed)
	d.eventually(5*time.Second, "the site is in after a yes", func() bool {
		_, err := yes.call("agent.status", object{})
		return err == nil
	})
	d.webPage("https://yes.example").ask("agent.status", object{}, &proto.AgentStatusResult{})

	no := b.page("https://no.example")
	_, err = no.call("agent.status", object{})
	wantCode(t, "before the no", err, proto.CodeOriginNotAllowed)
	d.eventually(5*time.Second, "the site is denied after a no", func() bool {
		_, err := no.call("agent.status", object{})
		return codeOf(err) == string(proto.CodeOriginDenied)
	})
	if allowed, denied := d.noted("origin", "ok"), d.noted("origin", proto.CodeUserRejected); allowed != 1 || denied != 2 {
		t.Errorf("journal: %d sites allowed, %d denied, want 1 and 2", allowed, denied)
	}

	// The command line decides for the running session as well.
	if _, stderr, code := d.run("origins", "deny", "https://yes.example"); code != 0 {
		t.Fatal(stderr)
	}
	d.eventually(3*time.Second, "the command's decision counts", func() bool {
		_, err := yes.call("agent.status", object{})
		return codeOf(err) == string(proto.CodeOriginDenied)
	})
	// An allowed frame inside a page that the person refused.
	tab, err := b.open(nativeSite, unknownSite)
	if err != nil {
		t.Fatal(err)
	}
	framed := newPage(t, tab, nativeSite)
	_, err = framed.call("certificates.list", object{})
	wantCode(t, "frame in a refused page", err, proto.CodeOriginDenied)
}

// TestHandshake: what pretends to be an allowed page on the WebSocket is refused: a forged Host, a null Origin, none, two.
func TestHandshake(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	for what, h := range map[string]http.Header{
		"unapproved origin":           {"Origin": {unknownSite}},
		"null origin":                 {"Origin": {"null"}},
		"no origin":                   {},
		"two origins":                 {"Origin": {webSite, webSite}},
		"origin in another case":      {"Origin": {strings.ToUpper(webSite)}},
		"origin with a path":          {"Origin": {webSite + "/"}},
		"wrong Host, rebound name":    {"Origin": {webSite}, "Host": {"web.example"}},
		"wrong Host, rebound as site": {"Origin": {webSite}, "Host": {"localhost:" + port(d.web)}},
	} {
		c, status, err := d.handshake(h)
		if err == nil {
			c.Close()
		}
		if err == nil || status != http.StatusForbidden {
			t.Errorf("%s: %d, %v; want 403", what, status, err)
		}
	}
	r, err := http.Get("http://" + d.web + "/health")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Errorf("health: %s", r.Status)
	}
	d.webPage(webSite).ask("agent.hello", object{"protocol": proto.Protocol}, &proto.AgentHelloResult{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		ip, _, err := net.ParseCIDR(a.String())
		if err != nil || ip.IsLoopback() {
			continue
		}
		if c, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(ip.String(), port(d.web))); err == nil {
			c.Close()
			t.Errorf("the WebSocket answers on %s", ip)
		}
	}
}

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}
