// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/rpc"
)

// panel starts a session bus, a panel with a notification area and a notification service; all end with the test.
func (s *screen) panel() (env []string) {
	s.t.Helper()
	for _, tool := range []string{"dbus-daemon", "xfce4-panel", "dunst"} {
		if _, err := exec.LookPath(tool); err != nil {
			s.t.Skipf("%s is not installed: the real icon was not run", tool)
		}
	}
	bus := s.command("dbus-daemon", "--session", "--nofork", "--print-address")
	out, err := bus.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	home, err := os.MkdirTemp("", "panel-") // not TempDir: the panel's own children write there until they notice its end
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { os.RemoveAll(home) })
	env = []string{"HOME=" + home, "XDG_CONFIG_HOME=" + home + "/.config", "XDG_CACHE_HOME=" + home, "XDG_RUNTIME_DIR=" + home}
	bus.Env = append(bus.Env, env...)
	s.start(bus)
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	env = append(env, "DBUS_SESSION_BUS_ADDRESS="+strings.TrimSpace(address))
	for _, name := range []string{"dunst", "xfce4-panel"} {
		cmd := s.command(name)
		cmd.Env = append(cmd.Env, env...)
		s.start(cmd)
	}
	time.Sleep(3 * time.Second) // the panel's plugins come up one by one
	return env
}

// played is an agent that answers the tray as told.
type played struct {
	mu     sync.Mutex
	status map[string]any
	asked  int         // how often for the status
	calls  chan string // that change something
	conn   *rpc.Conn
}

// answers are what the agent says of the rest.
var answers = map[string]string{
	"tokens.list":       `{"tokens":[{"label":"Rutoken_ECP & Co"}],"problems":[]}`,
	"certificates.list": `{"certificates":[],"problems":[]}`,
	"origins.list":      `{"origins":[{"origin":"https://portal.example","allowed":true,"source":"user","since":"2026-11-22T10:00:00Z"}]}`,
	"journal.list":      `{"records":[]}`,
	"settings.get":      `{"language":"ru","theme":"system","notifications":true,"fixed":[]}`,
	"window.show":       `{"shown":true}`,
}

func (a *played) answer(_ context.Context, r *rpc.Request) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Method == "agent.status" {
		a.asked++
		b, err := json.Marshal(a.status)
		return json.RawMessage(b), err
	}
	known, read := answers[r.Method]
	if !read || r.Method == "window.show" {
		a.calls <- r.Method + string(r.Params)
	}
	if !read {
		return struct{}{}, nil
	}
	return json.RawMessage(known), nil
}

// set changes the status, says so, and waits for the tray to have asked.
func (a *played) set(t *testing.T, with map[string]any) {
	t.Helper()
	a.mu.Lock()
	before := a.asked
	for k, v := range with {
		a.status[k] = v
	}
	a.mu.Unlock()
	a.conn.Notify("agent.changed", map[string]any{"state": with["state"], "prompts": 0})
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		a.mu.Lock()
		asked := a.asked
		a.mu.Unlock()
		if asked > before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the icon did not ask in state %v", with["state"])
		}
	}
}

// play starts a tray with an agent that is played to it.
func (s *screen) play(env []string) (*played, *exec.Cmd) {
	conn, cmd := s.child("tray", append(env, "LC_ALL=C.UTF-8", "PERSTEN_LANG=ru")...)
	a := &played{calls: make(chan string, 100), status: map[string]any{"version": "1", "state": "ready", "tokens": 1, "prompts": 0, "problems": []any{}}}
	a.conn = rpc.New(conn, a.answer)
	go a.conn.Serve(s.t.Context())
	s.t.Cleanup(a.conn.Close)
	return a, cmd
}

// wants waits for a call that changes something.
func (a *played) wants(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-a.calls:
		if got != want {
			t.Errorf("called %s, want %s", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("%s was not called", want)
	}
}

// TestTrayFollowsTheAgent plays the agent to a real icon in a real panel, and clicks each of its orders.
func TestTrayFollowsTheAgent(t *testing.T) {
	s := newScreen(t)
	env := s.panel()
	a, cmd := s.play(env)
	icon := waitIcon(t, bus(t, env), cmd.Process.Pid)
	id := strings.Repeat("0a", 16)
	request := map[string]any{"id": id, "kind": "sign", "origin": "https://lk.portal.example", "documents": 3, "since": time.Now()}
	for _, c := range []struct {
		state, says string
		with        map[string]any
	}{
		{"ready", "Persten: готов к работе", nil},
		{"busy", "Persten: ключ занят", nil},
		{"waiting", "Persten: ждёт вашего решения (1)", map[string]any{"prompts": 1, "requests": []any{request}}},
		{"problem", "Persten: Модуль rtpkcs11ecp не отвечает", map[string]any{"prompts": 0, "requests": nil, "problems": []any{map[string]any{"code": "module_failed", "text": "Модуль rtpkcs11ecp не отвечает."}}}},
		{"paused", "Persten: приостановлен до ", map[string]any{"pausedUntil": time.Now().Add(time.Hour)}},
	} {
		with := map[string]any{"state": c.state}
		for k, v := range c.with {
			with[k] = v
		}
		a.set(t, with)
		icon.has(c.says)
		time.Sleep(300 * time.Millisecond)
		s.shot("tray-" + c.state)
		if c.state == "waiting" {
			icon.click("● https://lk.portal.example: 3 документа")
			a.wants(t, `requests.show{"id":"`+id+`"}`)
		}
	}
	icon.click("Возобновить")
	a.wants(t, `agent.pause{"paused":false}`)
	a.set(t, map[string]any{"state": "ready", "pausedUntil": nil})
	icon.has("Токены и сертификаты", "Rutoken_ECP & Co")
	icon.click("Приостановить на час")
	a.wants(t, `agent.pause{"paused":true,"minutes":60}`)
	icon.click("Сайты", "https://portal.example", "Запретить")
	a.wants(t, `origins.deny{"origin":"https://portal.example"}`)
	icon.click("Язык", "English")
	a.wants(t, `settings.set{"language":"en"}`)
	for key, page := range map[string]string{"Открыть Persten": "tokens", "Тестовая подпись": "sign", "Журнал": "journal", "Диагностика": "doctor", "Настройки": "settings"} {
		icon.click(key)
		a.wants(t, `window.show{"page":"`+page+`"}`)
	}
	icon.click("Завершить")
	a.wants(t, `agent.stop{}`)
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("the icon outlives its order to quit")
	}
}

// TestTrayHostileTexts: whatever the agent passes on, a line of the menu stays one short line.
func TestTrayHostileTexts(t *testing.T) {
	s := newScreen(t)
	env := s.panel()
	a, cmd := s.play(env)
	icon := waitIcon(t, bus(t, env), cmd.Process.Pid)
	hostile := "\u202e\x1b[31m\n" + strings.Repeat("очень длинно ", 10_000)
	a.set(t, map[string]any{"state": "problem", "problems": []any{map[string]any{"code": "module_failed", "text": hostile}},
		"requests": []any{map[string]any{"id": strings.Repeat("0a", 16), "kind": "sign", "origin": "https://" + strings.Repeat("a.", 900) + "example", "documents": 1, "since": time.Now()}}})
	icon.has("● https://…")
	for _, e := range icon.read() {
		if n := len([]rune(e.label)); n > 130 || strings.ContainsAny(e.label, "\u202e\x1b\n") {
			t.Errorf("%d characters: %.200q", n, e.label)
		}
	}
}

// TestTrayMemory: after two hundred changes of state, with notices, the tray is as small as before.
func TestTrayMemory(t *testing.T) {
	s := newScreen(t)
	env := s.panel()
	a, cmd := s.play(env)
	waitIcon(t, bus(t, env), cmd.Process.Pid)
	states := []string{"ready", "waiting", "busy", "problem", "paused"}
	most := 0
	for i := range 200 {
		if i >= 40 && i%5 == 0 {
			most = max(most, memory(t, cmd.Process.Pid, "Rss"))
		}
		requests := []any{}
		if states[i%5] == "waiting" {
			requests = append(requests, map[string]any{"id": fmt.Sprintf("%032x", i), "kind": "sign", "origin": fmt.Sprintf("https://site%d.example", i), "documents": i, "since": time.Now()})
		}
		a.set(t, map[string]any{"state": states[i%5], "requests": requests})
		a.conn.Notify("tokens.changed", struct{}{})
		if i%20 == 0 {
			a.conn.Notify("agent.notice", map[string]any{"kind": "tokenInserted", "title": "Токен подключён", "body": fmt.Sprint(i), "page": "tokens"})
		}
	}
	time.Sleep(5 * time.Second) // it gives back what it does not need
	rss, pss := memory(t, cmd.Process.Pid, "Rss"), memory(t, cmd.Process.Pid, "Pss")
	t.Logf("at most %d KiB of RSS in 200 changes, at rest then RSS %d KiB, PSS %d KiB", most, rss, pss)
	if max(most, rss) > 40<<10 {
		t.Error("want at most 40 MiB")
	}
}

// memory is a figure of /proc/PID/smaps_rollup in KiB.
func memory(t *testing.T, pid int, name string) (kib int) {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Skipf("the memory of the tray cannot be read: %v", err)
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name+":" {
			kib, _ = strconv.Atoi(f[1])
		}
	}
	return kib
}
