// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/rpc"
)

// panel starts a session bus and a panel with a notification area; both end with the test.
func (s *screen) panel() (env []string) {
	s.t.Helper()
	for _, tool := range []string{"dbus-daemon", "xfce4-panel"} {
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
	panel := s.command("xfce4-panel")
	panel.Env = append(panel.Env, env...)
	s.start(panel)
	time.Sleep(3 * time.Second) // the panel's plugins come up one by one
	return env
}

// TestTrayFollowsTheAgent plays the agent to a real icon in a real panel.
func TestTrayFollowsTheAgent(t *testing.T) {
	s := newScreen(t)
	env := s.panel()
	var mu sync.Mutex
	state := map[string]any{"version": "1", "state": "ready", "tokens": 1, "prompts": 0, "problems": []any{}}
	asked := make(chan string, 10)
	calls := make(chan string, 10)
	conn, cmd := s.child("tray", append(env, "LC_ALL=ru_RU.UTF-8")...)
	agent := rpc.New(conn, func(_ context.Context, r *rpc.Request) (any, error) {
		if r.Method != "agent.status" {
			var p json.RawMessage = r.Params
			calls <- r.Method + string(p)
			return struct{}{}, nil
		}
		mu.Lock()
		defer mu.Unlock()
		select {
		case asked <- state["state"].(string):
		default:
		}
		b, err := json.Marshal(state)
		return json.RawMessage(b), err
	})
	go agent.Serve(t.Context())
	for i, want := range []string{"ready", "waiting", "problem", "paused"} {
		if i > 0 {
			mu.Lock()
			state["state"] = want
			if want == "waiting" {
				state["prompts"] = 1
			}
			if want == "problem" {
				state["problems"] = []any{map[string]any{"code": "module_failed", "text": "Модуль rtpkcs11ecp не отвечает."}}
			}
			mu.Unlock()
			agent.Notify("agent.changed", map[string]any{"state": want, "prompts": 0})
		}
		select {
		case got := <-asked:
			if got != want {
				t.Errorf("asked in state %s, want %s", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("the icon did not ask in state %s", want)
		}
		time.Sleep(700 * time.Millisecond)
		s.shot("tray-" + want)
	}
	conn.Close()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("the icon outlives its connection")
	}
}
