// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/ipc"
	"persten/proto"
)

// child is the connection of the agent's own tray.
var child = ipc.Peer{PID: 1, Via: ipc.ViaPair}

// told waits for a notification.
func told(t *testing.T, c *peer, method string) json.RawMessage {
	t.Helper()
	for limit := time.After(5 * time.Second); ; {
		select {
		case n := <-c.notes:
			if n.method == method {
				return n.params
			}
		case <-limit:
			t.Fatalf("no %s", method)
		}
	}
}

// TestPauseEnds: a pause for minutes ends by itself, one that follows counts in its place, and one without an end stays.
func TestPauseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &person{decide: no}, demo)
		c := b.dial(t, local)
		status := func() *proto.AgentStatusResult {
			s, bad := call[proto.AgentStatusResult](t, c, proto.MethodAgentStatus, proto.AgentStatusParams{})
			if bad != nil {
				t.Fatal(bad)
			}
			return s
		}
		pause := func(p proto.AgentPauseParams) {
			if got := code(t, c, proto.MethodAgentPause, p); got != "" {
				t.Fatal(got)
			}
		}
		pause(proto.AgentPauseParams{Paused: true, Minutes: 60})
		if s := status(); s.State != proto.StatePaused || !s.PausedUntil.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("paused for an hour: %s until %v", s.State, s.PausedUntil)
		}
		time.Sleep(59 * time.Minute)
		pause(proto.AgentPauseParams{Paused: true, Minutes: 5})
		time.Sleep(4 * time.Minute)
		if s := status(); s.State != proto.StatePaused {
			t.Error("the end of an earlier pause ended a later one")
		}
		time.Sleep(time.Minute + time.Second)
		if s := status(); s.State == proto.StatePaused || !s.PausedUntil.IsZero() {
			t.Errorf("after the pause: %s until %v", s.State, s.PausedUntil)
		}
		pause(proto.AgentPauseParams{Paused: true, Minutes: 1})
		pause(proto.AgentPauseParams{Paused: true})
		time.Sleep(48 * time.Hour)
		if s := status(); s.State != proto.StatePaused || !s.PausedUntil.IsZero() {
			t.Errorf("a pause without an end: %s until %v", s.State, s.PausedUntil)
		}
		pause(proto.AgentPauseParams{})
		if s := status(); s.State == proto.StatePaused {
			t.Error("the pause was not ended")
		}
	})
}

// TestWindowShow: the last window that serves gets the page; a page of the web neither serves nor shows.
func TestWindowShow(t *testing.T) {
	b := newBench(t, &person{decide: no}, demo)
	c := b.dial(t, local)
	shown := func() bool {
		r, bad := call[proto.WindowShowResult](t, c, proto.MethodWindowShow, proto.WindowShowParams{Page: proto.WindowPageDoctor})
		if bad != nil {
			t.Fatal(bad)
		}
		return r.Shown
	}
	if shown() {
		t.Error("shown without a window")
	}
	first, second := b.dial(t, local), b.dial(t, local)
	for _, w := range []*peer{first, second} {
		if got := code(t, w, proto.MethodWindowServe, proto.WindowServeParams{}); got != "" {
			t.Fatal(got)
		}
	}
	if !shown() {
		t.Error("not shown")
	}
	var p proto.WindowPageParams
	if raw := told(t, second, proto.NotifyWindowPage); json.Unmarshal(raw, &p) != nil || p.Page != proto.WindowPageDoctor {
		t.Errorf("told %s", raw)
	}
	second.Close()
	<-second.ended
	eventually(t, "the window is gone", func() bool { return !shown() })
	page := b.dial(t, native)
	for _, method := range []string{proto.MethodWindowServe, proto.MethodWindowShow, proto.MethodRequestsShow} {
		if got := code(t, page, method, map[string]string{"page": "doctor"}); got != proto.CodeMethodLocalOnly {
			t.Errorf("%s from a page: %q", method, got)
		}
	}
}

// TestOpenRequests: local callers see what waits, pages do not; a notice reaches the tray and says whether there is one.
func TestOpenRequests(t *testing.T) {
	b := newBench(t, &person{decide: never}, demo)
	c, page := b.dial(t, local), b.dial(t, native)
	h := upload(t, page, "Тайный договор.txt", []byte("x"))
	go page.Call(context.Background(), proto.MethodSignCMS, proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Handle: h}}, nil)
	var s *proto.AgentStatusResult
	eventually(t, "a request", func() bool {
		s, _ = call[proto.AgentStatusResult](t, c, proto.MethodAgentStatus, proto.AgentStatusParams{})
		return s != nil && len(s.Requests) == 1
	})
	r := s.Requests[0]
	if r.Kind != proto.RequestKindSign || r.Origin != native.Origin || r.Documents != 1 || r.Decided || s.State != proto.StateWaiting || s.Validate() != nil {
		t.Errorf("%+v %s %v", r, s.State, s.Validate())
	}
	if seen, _ := call[proto.AgentStatusResult](t, page, proto.MethodAgentStatus, proto.AgentStatusParams{}); seen == nil || len(seen.Requests) != 0 {
		t.Errorf("a page sees %+v", seen)
	}
	raised, bad := call[proto.RequestsShowResult](t, c, proto.MethodRequestsShow, proto.RequestsShowParams{ID: r.ID})
	if bad != nil || raised.Shown {
		t.Errorf("a prompt that cannot be raised: %+v %v", raised, bad)
	}
	n := waiting(r)
	if b.Notice(n) {
		t.Error("heard without a tray")
	}
	tray := b.dial(t, child)
	code(t, tray, proto.MethodAgentStatus, proto.AgentStatusParams{}) // it is there
	if !b.Notice(n) {
		t.Error("not heard by the tray")
	}
	var got proto.AgentNoticeParams
	if raw := told(t, tray, proto.NotifyAgentNotice); json.Unmarshal(raw, &got) != nil || got != n {
		t.Errorf("told %s", raw)
	}
	page.Close()
	eventually(t, "it is over", func() bool { return len(b.engine.OpenRequests()) == 0 })
}

// TestIdle: the agent may end while pages are connected, and not while one waits for an answer or has a document here.
func TestIdle(t *testing.T) {
	b := newBench(t, &person{decide: never}, demo)
	page := b.dial(t, native)
	code(t, page, proto.MethodAgentStatus, proto.AgentStatusParams{}) // it is there
	eventually(t, "idle with a page that asks nothing", b.Idle)
	h := upload(t, page, "Договор.txt", []byte("x"))
	if b.Idle() {
		t.Error("idle with a document of a page")
	}
	go page.Call(context.Background(), proto.MethodSignCMS, proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Handle: h}}, nil)
	eventually(t, "the question", func() bool { return len(b.engine.OpenRequests()) == 1 })
	code(t, page, proto.MethodContentDrop, proto.ContentDropParams{Handle: h})
	if b.Idle() {
		t.Error("idle with a question open")
	}
	page.Close()
	eventually(t, "idle again", b.Idle)
}

func waiting(r proto.OpenRequest) proto.AgentNoticeParams {
	return proto.AgentNoticeParams{Kind: proto.NoticeKindRequestWaiting, Title: "A request waits", Body: "b", Page: proto.WindowPageTokens, Request: r.ID}
}

// TestBusy: while the key is in use the state is busy, and afterwards it is not.
func TestBusy(t *testing.T) {
	p := &person{decide: yes}
	b := newBench(t, p, demo)
	c := b.dial(t, local)
	var seen []proto.State
	p.pin = func(context.Context) error {
		s, _ := call[proto.AgentStatusResult](t, c, proto.MethodAgentStatus, proto.AgentStatusParams{})
		seen = append(seen, s.State)
		return nil
	}
	if got := code(t, b.dial(t, native), proto.MethodSignCMS, proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Inline: []byte("x")}}); got != "" {
		t.Fatal(got)
	}
	if len(seen) != 1 || seen[0] != proto.StateBusy {
		t.Errorf("while the PIN is asked for: %v", seen)
	}
	if s, _ := call[proto.AgentStatusResult](t, c, proto.MethodAgentStatus, proto.AgentStatusParams{}); s.State != proto.StateReady {
		t.Errorf("afterwards %s", s.State)
	}
}
