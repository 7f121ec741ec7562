// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/ipc"
	"persten/internal/journal"
	"persten/proto"
)

// pages are callers that must never be local, with what their methods are refused with.
var pages = map[string]struct {
	who  ipc.Peer
	want proto.Code // for methods of pages; "" when allowed
}{
	"native":           {native, ""},
	"websocket":        {websocket, ""},
	"denied":           {ipc.Peer{Via: ipc.ViaNative, Origin: denied, Top: denied, Frame: "0"}, proto.CodeOriginDenied},
	"unknown":          {ipc.Peer{Via: ipc.ViaNative, Origin: other, Top: other, Frame: "0"}, proto.CodeOriginNotAllowed},
	"frame elsewhere":  {ipc.Peer{Via: ipc.ViaNative, Origin: portal, Top: other, Frame: "7"}, proto.CodeOriginNotAllowed},
	"frame in denied":  {ipc.Peer{Via: ipc.ViaNative, Origin: portal, Top: denied, Frame: "7"}, proto.CodeOriginDenied},
	"frame somewhere":  {ipc.Peer{Via: ipc.ViaNative, Origin: portal, Frame: "7"}, proto.CodeOriginDenied},
	"no origin":        {ipc.Peer{Via: ipc.ViaNative}, proto.CodeOriginDenied},
	"null":             {ipc.Peer{Via: ipc.ViaWebSocket, Origin: "null"}, proto.CodeOriginDenied},
	"other spelling":   {ipc.Peer{Via: ipc.ViaNative, Origin: "https://PORTAL.example"}, proto.CodeOriginDenied},
	"unknown way":      {ipc.Peer{Via: "pigeon"}, proto.CodeOriginDenied},
	"no way":           {ipc.Peer{}, proto.CodeOriginDenied},
	"unix with origin": {ipc.Peer{Via: ipc.ViaUnix, Origin: denied}, proto.CodeOriginDenied},
	"unix for browser": {ipc.Peer{Via: ipc.ViaUnix, Extension: "x"}, proto.CodeOriginDenied},
}

func TestAudience(t *testing.T) {
	accepted := 0
	for name, page := range pages {
		b := newBench(t, &person{decide: never}, demo) // an answer would make the unknown ones known
		c := b.dial(t, page.who)
		for _, e := range examples(t) {
			if audience, _ := proto.Audience(e.Request.Method); audience != proto.AudienceLocal || strings.HasPrefix(e.name, "error.") {
				continue
			}
			if got := code(t, c, e.Request.Method, e.Request.Params); got != proto.CodeMethodLocalOnly {
				t.Errorf("%s: %s answered %q", name, e.Request.Method, got)
				accepted++
			}
		}
		if got := code(t, c, proto.MethodCertificatesList, nil); got != page.want {
			t.Errorf("%s: certificates.list answered %q, want %q", name, got, page.want)
		}
		if got := code(t, c, proto.MethodAgentHello, proto.AgentHelloParams{Protocol: proto.Protocol}); got != page.want {
			t.Errorf("%s: agent.hello answered %q, want %q", name, got, page.want)
		}
		if b.stopped.Load() {
			t.Errorf("%s stopped the agent", name)
		}
	}
	if accepted != 0 {
		t.Errorf("%d local methods accepted from pages", accepted)
	}
}

func TestCapabilities(t *testing.T) {
	b := newBench(t, &person{decide: no}, demo)
	for name, c := range map[string]struct {
		who ipc.Peer
		all bool
	}{"page": {native, false}, "local": {local, true}} {
		hello, bad := call[proto.AgentHelloResult](t, b.dial(t, c.who), proto.MethodAgentHello, proto.AgentHelloParams{Protocol: proto.Protocol})
		if bad != nil {
			t.Fatal(bad)
		}
		if got := strings.Contains(fmt.Sprint(hello.Capabilities), "journal.list"); got != c.all || hello.Origin != c.who.Origin {
			t.Errorf("%s: %+v", name, hello)
		}
	}
}

func TestSecretsAreRefused(t *testing.T) {
	for who, caller := range map[string]ipc.Peer{"page": native, "local": local} {
		b := newBench(t, &person{decide: yes}, demo)
		c := b.dial(t, caller)
		inner := `{"PIN":"1234"}`
		for depth := range 18 { // deeper, package rpc refuses the message
			for _, m := range []string{proto.MethodSignCMS, proto.MethodAgentHello, proto.MethodContentOpen} {
				if got := code(t, c, m, json.RawMessage(inner)); got != proto.CodeRequestSecret {
					t.Fatalf("%s %s depth %d: %q", who, m, depth, got)
				}
			}
			inner = []string{`{"a":` + inner + `}`, `{"b":[` + inner + `]}`}[depth%2]
		}
		if n := len(b.person.questions()); n != 0 {
			t.Errorf("%d questions", n)
		}
	}
}

func TestUnknownMethod(t *testing.T) {
	b := newBench(t, &person{decide: no}, demo)
	for name, want := range map[ipc.Peer]proto.Code{
		local: proto.CodeRequestUnknownMethod, native: proto.CodeRequestUnknownMethod,
		{Via: ipc.ViaNative, Origin: denied}: proto.CodeOriginDenied,
	} {
		if got := code(t, b.dial(t, name), "keys.export\n", nil); got != want {
			t.Errorf("%+v: %q", name, got)
		}
	}
}

// One question an hour for one site, one site at a time, and none for a while after three refusals.
func TestQuestionsAboutSites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &person{decide: no}, demo)
		site := 0
		knock := func(origin string) int { // the number of questions so far
			c := b.dial(t, ipc.Peer{Via: ipc.ViaNative, Origin: origin, Top: origin, Frame: "0"})
			for range 5 {
				code(t, c, proto.MethodAgentHello, proto.AgentHelloParams{Protocol: proto.Protocol})
			}
			c.Close()
			synctest.Wait()
			return len(b.person.questions())
		}
		next := func() string { site++; return fmt.Sprintf("https://s%d.example", site) }
		for want := range 3 {
			if got := knock(next()); got != want+1 {
				t.Fatalf("site %d: %d questions", site, got)
			}
		}
		if got := knock(next()); got != 3 {
			t.Errorf("%d questions after three refusals", got)
		}
		if got := code(t, b.dial(t, ipc.Peer{Via: ipc.ViaNative, Origin: "https://s1.example"}), proto.MethodAgentStatus, nil); got != proto.CodeOriginDenied {
			t.Errorf("a refused site got %q", got)
		}
		time.Sleep(11 * time.Minute)
		if got := knock(next()); got != 4 {
			t.Errorf("%d questions after the pause", got)
		}
	})
}

func TestOneQuestionAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &person{decide: never}, demo)
		for n := range 50 {
			c := b.dial(t, ipc.Peer{Via: ipc.ViaNative, Origin: fmt.Sprintf("https://s%d.example", n)})
			if got := code(t, c, proto.MethodAgentStatus, nil); got != proto.CodeOriginNotAllowed {
				t.Errorf("%q", got)
			}
		}
		synctest.Wait()
		if n := len(b.person.questions()); n != 1 || b.engine.Prompts() != 1 {
			t.Errorf("%d questions, %d open", n, b.engine.Prompts())
		}
		time.Sleep(31 * time.Minute) // nobody answered
		c := b.dial(t, ipc.Peer{Via: ipc.ViaNative, Origin: "https://s0.example"})
		code(t, c, proto.MethodAgentStatus, nil)
		synctest.Wait()
		if n := len(b.person.questions()); n != 1 {
			t.Errorf("%d questions within the hour", n)
		}
		time.Sleep(31 * time.Minute)
		code(t, c, proto.MethodAgentStatus, nil)
		synctest.Wait()
		if n := len(b.person.questions()); n != 2 {
			t.Errorf("%d questions after an hour", n)
		}
		time.Sleep(31 * time.Minute)
		if n := b.engine.Prompts(); n != 0 {
			t.Errorf("%d prompts left", n)
		}
	})
}

func TestAllowedByAnswer(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	c := b.dial(t, ipc.Peer{Via: ipc.ViaNative, Origin: other, Top: other, Frame: "0"})
	if got := code(t, c, proto.MethodAgentStatus, nil); got != proto.CodeOriginNotAllowed {
		t.Fatal(got)
	}
	eventually(t, "the answer holds", func() bool { return b.AllowedOrigin(other) })
	if got := code(t, c, proto.MethodAgentStatus, nil); got != "" {
		t.Error(got)
	}
}

// An answer that was taken back elsewhere, by a command that changed the file, is asked for again at once.
func TestAskedAgainAfterForget(t *testing.T) {
	b := newBench(t, &person{decide: no}, demo)
	c := b.dial(t, ipc.Peer{Via: ipc.ViaNative, Origin: other, Top: other, Frame: "0"})
	for want := range 2 {
		if got := code(t, c, proto.MethodAgentStatus, nil); got != proto.CodeOriginNotAllowed {
			t.Fatalf("round %d: %q", want, got)
		}
		eventually(t, "the refusal holds", func() bool { return code(t, c, proto.MethodAgentStatus, nil) == proto.CodeOriginDenied })
		if n := len(b.person.questions()); n != want+1 {
			t.Fatalf("%d questions", n)
		}
		eventually(t, "forgotten", func() bool { return b.engine.Prompts() == 0 })
		if err := b.origins.Forget(other); err != nil {
			t.Fatal(err)
		}
	}
}

// A frame needs both sites. Each that nobody knows is named and asked about in turn, the frame's own first.
func TestFrameNeedsBothSites(t *testing.T) {
	const top = "https://around.example"
	b := newBench(t, &person{decide: yes}, demo)
	c := b.dial(t, ipc.Peer{Via: ipc.ViaNative, Origin: other, Top: top, Frame: "7"})
	for i, origin := range []string{other, top} {
		_, bad := call[proto.AgentStatusResult](t, c, proto.MethodAgentStatus, nil)
		if bad == nil || bad.Code != proto.CodeOriginNotAllowed || bad.Args["origin"] != origin {
			t.Fatalf("%s: %+v", origin, bad)
		}
		eventually(t, "the answer holds", func() bool { return b.AllowedOrigin(origin) })
		eventually(t, "the question is over", func() bool { return b.engine.Prompts() == 0 })
		q := b.person.questions()
		if len(q) != i+1 || q[i].Origin != origin || q[i].Top != []string{top, ""}[i] {
			t.Fatalf("asked %+v", q)
		}
	}
	if got := code(t, c, proto.MethodAgentStatus, nil); got != "" {
		t.Error(got)
	}
}

func TestUnknownHandshake(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	for _, origin := range []string{denied, portal, "null", "chrome-extension://aaaabbbbccccddddeeeeffffgggghhhh"} {
		b.UnknownOrigin(origin, ipc.Peer{Via: ipc.ViaWebSocket})
	}
	b.UnknownOrigin(other, ipc.Peer{Via: ipc.ViaWebSocket})
	eventually(t, "the answer holds", func() bool { return b.AllowedOrigin(other) })
	if q := b.person.questions(); len(q) != 1 || q[0].Origin != other {
		t.Errorf("%+v", q)
	}
}

func TestPause(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	page, command := b.dial(t, native), b.dial(t, local)
	if got := code(t, command, proto.MethodAgentPause, proto.AgentPauseParams{Paused: true}); got != "" {
		t.Fatal(got)
	}
	for method, want := range map[string]proto.Code{
		proto.MethodCertificatesList: proto.CodeAgentPaused, proto.MethodTokensList: proto.CodeAgentPaused, proto.MethodAgentStatus: "",
	} {
		if got := code(t, page, method, nil); got != want {
			t.Errorf("%s: %q", method, got)
		}
	}
	status, _ := call[proto.AgentStatusResult](t, page, proto.MethodAgentStatus, nil)
	if status.State != proto.StatePaused {
		t.Errorf("%+v", status)
	}
	code(t, b.dial(t, ipc.Peer{Via: ipc.ViaNative, Origin: other}), proto.MethodAgentStatus, nil)
	b.UnknownOrigin("https://third.example", ipc.Peer{Via: ipc.ViaWebSocket})
	if got := code(t, command, proto.MethodCertificatesList, nil); got != "" {
		t.Errorf("a command got %q", got)
	}
	code(t, command, proto.MethodAgentPause, proto.AgentPauseParams{})
	if got := code(t, page, proto.MethodCertificatesList, nil); got != "" {
		t.Errorf("after the pause: %q", got)
	}
	if n := len(b.person.questions()); n != 0 {
		t.Errorf("%d questions during the pause", n)
	}
}

// Contents are opened at a pace of their own, with room for two batches at once; the requests that belong to an open content are
// not counted.
func TestOpenRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &person{decide: no}, demo)
		good, limited := 0, 0
		for range 10 {
			c := b.dial(t, native)
			for range 250 {
				r, e := call[proto.ContentOpenResult](t, c, proto.MethodContentOpen, proto.ContentOpenParams{Name: "a"})
				switch {
				case e == nil:
					good++
					if got := code(t, c, proto.MethodContentDrop, proto.ContentDropParams{Handle: r.Handle}); got != "" {
						t.Fatal(got)
					}
				case e.Code == proto.CodeRequestLimit:
					limited++
				default:
					t.Fatal(e)
				}
			}
			c.Close()
		}
		if good != 2000 || limited != 500 {
			t.Errorf("%d opened, %d limited", good, limited)
		}
	})
}

// The rate is the site's: more connections do not make it more.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &person{decide: no}, demo)
		good, limited := 0, 0
		for range 10 {
			c := b.dial(t, native)
			for range 50 {
				switch got := code(t, c, proto.MethodAgentStatus, nil); got {
				case "":
					good++
				case proto.CodeRequestLimit:
					limited++
				default:
					t.Fatal(got)
				}
			}
			c.Close()
		}
		if good != 200 || limited != 300 {
			t.Errorf("%d answered, %d limited", good, limited)
		}
		time.Sleep(time.Second)
		c := b.dial(t, native)
		for n := range 25 {
			if got := code(t, c, proto.MethodAgentStatus, nil); (got == "") != (n < 20) {
				t.Errorf("request %d a second later: %q", n, got)
			}
		}
		if got := code(t, b.dial(t, local), proto.MethodAgentStatus, nil); got != "" {
			t.Errorf("a command got %q", got)
		}
	})
}

// A decision made without a question is journalled like an answer to one.
func TestDecisionsOfCommands(t *testing.T) {
	b := newBench(t, &person{decide: no}, demo)
	c := b.dial(t, local)
	for _, m := range []string{proto.MethodOriginsAllow, proto.MethodOriginsDeny, proto.MethodOriginsForget} {
		if got := code(t, c, m, map[string]string{"origin": "https://Other.example"}); got != "" {
			t.Fatal(m, got)
		}
		if allowed := b.AllowedOrigin(other); allowed != (m == proto.MethodOriginsAllow) {
			t.Errorf("%s: allowed=%v", m, allowed)
		}
	}
	if got := code(t, c, proto.MethodOriginsAllow, map[string]string{"origin": "https://other.example/path"}); got != proto.CodeOriginInvalid {
		t.Error(got)
	}
	lines, err := journal.List(b.journal, 10)
	if err != nil || len(lines) != 3 {
		t.Fatal(err, len(lines))
	}
	for i, want := range []string{"ok", "user_rejected", "origin_not_allowed"} {
		if l := lines[i]; l.Kind != "origin" || l.Origin != other || l.Result != want || l.Via != "socket" {
			t.Errorf("%+v", l)
		}
	}
}

// TestOwnPage: the extension's popup hears how the agent is, nothing else, and nobody is asked about it.
func TestOwnPage(t *testing.T) {
	p := &person{decide: yes}
	b := newBench(t, p, demo)
	const id = "abcdefghijklmnopabcdefghijklmnop"
	c := b.dial(t, ipc.Peer{Via: ipc.ViaNative, Extension: id, Origin: "chrome-extension://" + id})
	if got := code(t, c, proto.MethodAgentHello, proto.AgentHelloParams{Protocol: proto.Protocol}); got != "" {
		t.Errorf("agent.hello answered %q", got)
	}
	if got := code(t, c, proto.MethodAgentStatus, nil); got != "" {
		t.Errorf("agent.status answered %q", got)
	}
	for _, m := range proto.Methods() {
		if m == proto.MethodAgentHello || m == proto.MethodAgentStatus {
			continue
		}
		if got := code(t, c, m, nil); got != proto.CodeMethodLocalOnly && got != proto.CodeOriginDenied {
			t.Errorf("%s answered %q", m, got)
		}
	}
	if n := len(p.questions()); n != 0 {
		t.Errorf("%d questions", n)
	}
	web := b.dial(t, ipc.Peer{Via: ipc.ViaWebSocket, Origin: "chrome-extension://" + id})
	if got := code(t, web, proto.MethodAgentStatus, nil); got == "" {
		t.Error("an extension was let in over WebSocket")
	}
}

// The export of the journal and the settings are a local caller's; the file comes by content.read.
func TestExportAndSettings(t *testing.T) {
	b := newBench(t, &person{decide: no}, demo)
	c := b.dial(t, local)
	file, bad := call[proto.JournalExportResult](t, c, proto.MethodJournalExport, proto.JournalExportParams{Format: proto.JournalFormatCsv})
	if bad != nil {
		t.Fatal(bad)
	}
	piece, bad := call[proto.ContentReadResult](t, c, proto.MethodContentRead, proto.ContentReadParams{Handle: file.Handle, Length: 100})
	if bad != nil || string(piece.Data) != "csv en" || !piece.EOF || file.Size != 6 {
		t.Errorf("%+v %+v %+v", file, piece, bad)
	}
	off := false
	set, bad := call[proto.Settings](t, c, proto.MethodSettingsSet, proto.SettingsSetParams{Theme: proto.ThemeDark, Notifications: &off})
	if bad != nil || set.Theme != proto.ThemeDark || set.Notifications {
		t.Errorf("%+v %+v", set, bad)
	}
	select {
	case n := <-c.notes:
		if n.method != proto.NotifyAgentChanged {
			t.Errorf("%+v", n)
		}
	case <-time.After(5 * time.Second):
		t.Error("nobody was told of the change")
	}
	got, bad := call[proto.Settings](t, c, proto.MethodSettingsGet, nil)
	if bad != nil || got.Theme != proto.ThemeDark {
		t.Errorf("%+v %+v", got, bad)
	}
	page := b.dial(t, native)
	for _, method := range []string{proto.MethodSettingsGet, proto.MethodJournalExport, proto.MethodKeyfilesList, proto.MethodSignTest} {
		if got := code(t, page, method, nil); got != proto.CodeMethodLocalOnly {
			t.Errorf("%s for a page: %q", method, got)
		}
	}
}
