// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTrayKilled: a tray that is killed is back, within a second on a machine that has nothing else to do (twenty times in the long form),
// and the session never notices.
func TestTrayKilled(t *testing.T) {
	s := newScreen(t)
	env := s.panel()
	a := newSession(t, s, "", env...)
	c := bus(t, env)
	tray := a.role("tray")
	waitIcon(t, c, tray)
	kills, limit := 3, patience
	if long() {
		kills, limit = 20, time.Second
	}
	var worst time.Duration
	for range kills {
		time.Sleep(2200 * time.Millisecond) // one that dies at once is started later: see restarts
		syscall.Kill(tray, syscall.SIGKILL)
		began := time.Now()
		tray = a.role("tray", tray)
		waitIcon(t, c, tray).has("Persten: готов к работе")
		worst = max(worst, time.Since(began))
	}
	t.Logf("%d kills, the icon and its menu back after %v at most", kills, worst.Round(time.Millisecond))
	if worst > limit {
		t.Errorf("the tray took more than %v", limit)
	}
	var status struct{ State string }
	if a.ask(&status, "status"); status.State != "ready" {
		t.Errorf("state %s", status.State)
	}
}

// TestPromptKilled: kill -9 of the window before the answer shows the question once more; a second time it ends the request
// with a code of its own. Another request goes on beside it, and nothing is signed by itself.
func TestPromptKilled(t *testing.T) {
	s := newScreen(t)
	a := newSession(t, s, "")
	g := a.sign()
	first := a.role("prompt")
	s.window()
	syscall.Kill(first, syscall.SIGKILL)
	second := a.role("prompt", first)
	s.window()
	s.shot("prompt-again")
	var status struct{ State string }
	if a.ask(&status, "status"); status.State != "waiting" {
		t.Errorf("state %s with the question on screen again", status.State)
	}
	if said, err := a.approve(g); err != nil {
		t.Fatalf("the question shown again: %v %s", err, said)
	}
	syscall.Kill(second, syscall.SIGKILL) // the outcome on screen
	if n := a.signed(); n != 1 {
		t.Fatalf("%d signatures", n)
	}

	g = a.sign()
	first = a.role("prompt", second)
	s.window()
	syscall.Kill(first, syscall.SIGKILL)
	again := a.role("prompt", first, second)
	s.window()
	syscall.Kill(again, syscall.SIGKILL)
	if said, err := a.end(g); err == nil || !strings.Contains(said, "prompt_lost") {
		t.Fatalf("killed twice: %v %s", err, said)
	}
	if _, err := os.Stat(g.file); err == nil {
		t.Error("a signature was written")
	}
	if n := a.signed(); n != 1 {
		t.Errorf("%d signatures", n)
	}
	if a.ask(&status, "status"); status.State != "ready" {
		t.Errorf("state %s", status.State)
	}
}

// TestPromptKilledAfterYes kills the window at moments around the yes: there is one signature or none, and what the command
// says agrees with the journal. The short form tries every third moment.
func TestPromptKilledAfterYes(t *testing.T) {
	s := newScreen(t)
	a := newSession(t, s, "")
	made, last := 0, 0
	step := 3
	if long() {
		step = 1
	}
	for i := 0; i < 12; i += step {
		g := a.sign()
		prompt := a.role("prompt", last)
		last = prompt
		s.window()
		s.typed("12345678")
		s.xdotool("key", "Return")
		time.Sleep(time.Duration(i) * 15 * time.Millisecond)
		syscall.Kill(prompt, syscall.SIGKILL)
		said, err := a.endOrReject(g, prompt)
		if err == nil {
			made++
		} else if !strings.Contains(said, "prompt_lost") && !strings.Contains(said, "user_rejected") {
			t.Errorf("run %d: %v %s", i, err, said)
		}
		if n := a.signed(); n != made {
			t.Fatalf("run %d: the command knows of %d signatures, the journal of %d", i, made, n)
		}
		t.Logf("killed after %d ms: %v %s", i*15, err, strings.TrimSpace(said))
	}
}

// endOrReject waits for the command; a question that is shown again is refused.
func (a *session) endOrReject(g *signature, killed int) (string, error) {
	a.t.Helper()
	for range 100 {
		select {
		case err := <-g.done:
			return g.said.String(), err
		case <-time.After(100 * time.Millisecond):
		}
		if again := a.roles("prompt"); len(again) == 1 && again[0] != killed && a.windows() == 1 {
			a.listening()
			a.keys("Escape")
		}
	}
	return a.end(g)
}
