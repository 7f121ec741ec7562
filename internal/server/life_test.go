// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"persten/internal/algo"
	"persten/internal/ipc"
	"persten/proto"
)

func TestHandlesBelongToTheirChannel(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	one, two := b.dial(t, native), b.dial(t, native)
	h := upload(t, one, "n", []byte("x"))
	for method, params := range map[string]any{
		proto.MethodContentRead:   proto.ContentReadParams{Handle: h, Length: 1},
		proto.MethodContentAppend: proto.ContentAppendParams{Handle: h, Data: []byte("y")},
		proto.MethodContentClose:  proto.ContentCloseParams{Handle: h},
		proto.MethodSignCMS:       proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Handle: h}},
		proto.MethodVerifyCMS:     proto.VerifyCMSParams{Signature: proto.Content{Handle: h}},
	} {
		if got := code(t, two, method, params); got != proto.CodeContentAbsent {
			t.Errorf("%s of another channel's handle: %q", method, got)
		}
	}
	code(t, two, proto.MethodContentDrop, proto.ContentDropParams{Handle: h})
	if got := code(t, one, proto.MethodContentRead, proto.ContentReadParams{Handle: h, Length: 1}); got != "" {
		t.Errorf("another channel dropped it: %q", got)
	}
	if n := len(b.person.questions()); n != 0 {
		t.Errorf("%d questions", n)
	}
}

// Whoever closes a document may ask for its digest, also again, and by another algorithm than the one it was opened with.
func TestDigestOfAClosedDocument(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	c := b.dial(t, native)
	data := bytes.Repeat([]byte("document "), 100_000)
	h := upload(t, c, "n", data)
	for _, d := range []algo.Digest{algo.SHA256, algo.Streebog256, algo.Streebog512, algo.GOST94, algo.SHA1} {
		got, bad := call[proto.ContentCloseResult](t, c, proto.MethodContentClose, proto.ContentCloseParams{Handle: h, DigestAlg: string(d)})
		if bad != nil || got.Digest != hex.EncodeToString(d.Sum(data)) || got.Size != int64(len(data)) {
			t.Errorf("%s: %v, %v", d, got, bad)
		}
	}
	if got := code(t, c, proto.MethodContentClose, proto.ContentCloseParams{Handle: h, DigestAlg: "md5"}); got != proto.CodeAlgorithmUnsupported {
		t.Errorf("md5: %q", got)
	}
}

// A closed tab closes its prompt, frees its contents and leaves nothing running.
func TestDisconnect(t *testing.T) {
	b := newBench(t, &person{decide: never}, demo)
	before := openFiles(t, b)
	c := b.dial(t, native)
	h := upload(t, c, "n", []byte("x"))
	if openFiles(t, b) == before {
		t.Fatal("an open content shows in no descriptor")
	}
	done := make(chan error, 1)
	go func() {
		done <- c.Call(context.Background(), proto.MethodSignCMS, proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Handle: h}}, nil)
	}()
	eventually(t, "a prompt", func() bool { return len(b.person.questions()) == 1 && b.engine.Prompts() == 1 })
	c.Close()
	<-c.ended
	if err := <-done; err == nil {
		t.Error("the request succeeded")
	}
	if n := b.engine.Prompts(); n != 0 || b.person.closed != 1 {
		t.Errorf("%d prompts left, %d closed", n, b.person.closed)
	}
	b.person.questions()[0].Documents[0].Content.Close() // harmless: already closed
	eventually(t, "no descriptors left", func() bool { return openFiles(t, b) <= before })
}

// openFiles counts the spooled contents of b that are held open.
func openFiles(t *testing.T, b *bench) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("no /proc: open files were not counted")
	}
	return spooled(t, filepath.Dir(b.journal))
}

func TestCancel(t *testing.T) {
	b := newBench(t, &person{decide: never}, demo)
	c := b.dial(t, native)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- c.Call(ctx, proto.MethodSignCMS, proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Inline: []byte("x")}}, nil)
	}()
	eventually(t, "a prompt", func() bool { return b.engine.Prompts() == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	eventually(t, "the prompt closes", func() bool { return b.engine.Prompts() == 0 })
	if got := code(t, c, proto.MethodAgentStatus, nil); got != "" {
		t.Errorf("the connection answers %q afterwards", got)
	}
}

// The cancelled request itself is answered, with a code.
func TestCancelIsAnswered(t *testing.T) {
	b := newBench(t, &person{decide: never}, demo)
	ours, theirs := transports["stdio"](t)
	served := make(chan error, 1)
	go func() { served <- b.Serve(context.Background(), ours, native) }()
	send := func(s string) {
		t.Helper()
		if err := theirs.Send([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	send(`{"jsonrpc":"2.0","id":"sign-1","method":"sign.cms","params":{"certificate":"` + certificate(t) + `","content":{"inline":"eA=="}}}`)
	go func() {
		for b.engine.Prompts() == 0 {
			time.Sleep(time.Millisecond)
		}
		theirs.Send([]byte(`{"jsonrpc":"2.0","method":"$/cancel","params":{"id":"sign-1"}}`))
	}()
	for {
		msg, err := theirs.Recv()
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			ID     string               `json:"id"`
			Method string               `json:"method"`
			Params proto.ProgressParams `json:"params"`
			Error  struct{ Data proto.ErrorData }
		}
		if err := json.Unmarshal(msg, &m); err != nil {
			t.Fatal(err)
		}
		if m.Method == proto.NotifyProgress {
			if string(m.Params.Request) != `"sign-1"` || m.Params.Step != proto.StepWaiting {
				t.Errorf("%s", msg)
			}
			continue
		}
		if m.ID != "sign-1" || m.Error.Data.Code != proto.CodeRequestCancelled {
			t.Errorf("%s", msg)
		}
		break
	}
	theirs.Close()
	<-served
}

func TestProgress(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	c := b.dial(t, native)
	for want := 1; want <= 2; want++ {
		if got := code(t, c, proto.MethodSignCMS, proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Inline: []byte("x")}}); got != "" {
			t.Fatal(got)
		}
		for _, step := range []proto.Step{proto.StepWaiting, proto.StepToken, proto.StepSigning} {
			n := <-c.notes
			var p proto.ProgressParams
			if err := json.Unmarshal(n.params, &p); err != nil || n.method != proto.NotifyProgress || p.Validate() != nil {
				t.Fatal(n, err)
			}
			if string(p.Request) != string(rune('0'+want)) || p.Step != step {
				t.Errorf("request %d: %s, want %s", want, n.params, step)
			}
		}
	}
}

// Only local clients hear of the agent's state, and only sites that may list hear of tokens.
func TestNotifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &person{decide: yes}, demo)
		clients := map[string]*peer{
			"local":     b.dial(t, local),
			"tray":      b.dial(t, ipc.Peer{Via: ipc.ViaPair}),
			"native":    b.dial(t, native),
			"websocket": b.dial(t, websocket),
			"denied":    b.dial(t, ipc.Peer{Via: ipc.ViaNative, Origin: denied}),
			"unknown":   b.dial(t, ipc.Peer{Via: ipc.ViaNative, Origin: other}),
			"framed":    b.dial(t, ipc.Peer{Via: ipc.ViaNative, Origin: portal, Top: other, Frame: "3"}),
		}
		synctest.Wait()
		b.TokensChanged()
		b.Changed()
		synctest.Wait()
		for name, c := range clients {
			heard := map[string]int{}
			for len(c.notes) > 0 {
				heard[(<-c.notes).method]++
			}
			isLocal := name == "local" || name == "tray"
			isPage := name == "native" || name == "websocket"
			if (heard[proto.NotifyAgentChanged] == 1) != isLocal || (heard[proto.NotifyTokensChanged] == 1) != (isLocal || isPage) {
				t.Errorf("%s heard %v", name, heard)
			}
		}
		if n := len(b.person.questions()); n != 0 {
			t.Errorf("%d questions raised by a notification", n)
		}
	})
}

// The last state a local client hears of is the true one, however fast it changes.
func TestLastStateIsTrue(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	tray, c := b.dial(t, local), b.dial(t, native)
	code(t, tray, proto.MethodAgentStatus, nil) // it is served from here on
	for range 30 {
		code(t, c, proto.MethodSignCMS, proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Inline: []byte("x")}})
	}
	var last note
	n := 0
	for quiet := false; !quiet; {
		select {
		case last = <-tray.notes:
			n++
		case <-time.After(time.Second):
			quiet = true
		}
	}
	if n < 60 {
		t.Errorf("only %d notifications", n)
	}
	var p proto.AgentChangedParams
	if err := json.Unmarshal(last.params, &p); err != nil || p.Prompts != 0 || p.State != proto.StateReady {
		t.Errorf("%s %v", last.params, err)
	}
}

// A notification runs nothing: its sender could not get the signature.
func TestNotificationsRunNothing(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	c := b.dial(t, local)
	for method, params := range map[string]any{
		proto.MethodSignCMS:      proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Inline: []byte("x")}},
		proto.MethodAgentStop:    map[string]any{},
		proto.MethodOriginsAllow: map[string]string{"origin": other},
	} {
		if err := c.Notify(method, params); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 { // notifications are handled in order, beside requests
		code(t, c, proto.MethodAgentStatus, nil)
	}
	time.Sleep(2 * time.Millisecond)
	if b.stopped.Load() || b.AllowedOrigin(other) || len(b.person.questions()) != 0 {
		t.Error("a notification ran a method")
	}
}

func TestStopIsAnswered(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	if got := code(t, b.dial(t, local), proto.MethodAgentStop, nil); got != "" {
		t.Error(got)
	}
	eventually(t, "the agent stops", b.stopped.Load)
}

// Nothing keeps running after any number of clients came and went.
func TestNoGoroutinesStay(t *testing.T) {
	b := newBench(t, &person{decide: no}, demo)
	visit := func() {
		c := b.dial(t, native)
		code(t, c, proto.MethodSignCMS, proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Inline: []byte("x")}})
		c.Close()
		<-c.ended
	}
	visit()
	before := runtime.NumGoroutine()
	for range 50 {
		visit()
	}
	eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before+3 })
}

// FuzzRequest sends what a page could. Whatever it is, the connection answers the next request, and nothing is signed.
func FuzzRequest(f *testing.F) {
	for _, e := range examples(f) {
		f.Add(e.Request.Method, string(e.Request.Params))
	}
	f.Add("sign.cms", strings.Repeat(`{"a":[`, 200))
	f.Add("", "null")
	f.Fuzz(func(t *testing.T, method, params string) {
		if !utf8.ValidString(method) || !reaches(method, []byte(params)) {
			return
		}
		for _, who := range []ipc.Peer{native, {Via: ipc.ViaNative, Origin: denied}} {
			b := newBench(t, &person{decide: no}, demo)
			c := b.dial(t, who)
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			err := c.Call(ctx, method, json.RawMessage(params), nil)
			if ctx.Err() != nil {
				t.Fatalf("no answer: %v", err)
			}
			cancel()
			want := proto.Code("")
			if who.Origin == denied {
				want = proto.CodeOriginDenied
			}
			if got := code(t, c, proto.MethodAgentStatus, nil); got != want {
				t.Errorf("afterwards: %q", got)
			}
			if b.stopped.Load() || who.Origin == denied && len(b.person.questions()) > 0 {
				t.Error("a page reached further than it may")
			}
		}
	})
}
