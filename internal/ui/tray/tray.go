// SPDX-License-Identifier: GPL-3.0-or-later

// Package tray is the icon in the panel: it shows whether Persten is ready, waits for the person, has a problem or is paused,
// and offers to pause and to quit.
//
// # Contract
//
// [Run] is an ordinary client of the agent's API on the connection the session gave it: agent.status once and after every
// agent.changed, agent.pause and agent.stop from the menu. It returns when the connection ends or ctx does. It must run on
// the main goroutine, once in a process: the toolkit asks for both.
//
// Without a panel the icon is simply not seen; nothing else depends on it.
package tray

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/getlantern/systray"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/text"
	"persten/internal/ui"
)

// status is what the tray reads of agent.status.
type status struct {
	State    string `json:"state"`
	Prompts  int    `json:"prompts"`
	Problems []struct {
		Text string `json:"text"`
	} `json:"problems"`
	Unattended int `json:"unattended"` // rules by which signatures are made without asking
}

// icon is the tray on its way from one state to the next.
type icon struct {
	lang    text.Lang
	conn    *rpc.Conn
	changed chan struct{}

	line, pause, quit *systray.MenuItem

	mu   sync.Mutex
	last status
}

// Run shows the icon until the connection or ctx ends.
func Run(ctx context.Context, c ipc.Conn, lang text.Lang) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &icon{lang: lang, changed: make(chan struct{}, 1)}
	t.conn = rpc.New(c, t.handle)
	var lost error
	systray.Run(func() {
		t.build()
		go func() {
			lost = t.conn.Serve(ctx)
			cancel()
		}()
		go func() {
			t.follow(ctx)
			systray.Quit()
		}()
	}, func() { t.conn.Close() })
	return lost
}

func (t *icon) say(key string, args map[string]string) string { return text.Get(t.lang, key, args) }

func (t *icon) build() {
	t.line = systray.AddMenuItem(t.say("tray.state.ready", nil), "")
	t.line.Disable()
	systray.AddSeparator()
	t.pause = systray.AddMenuItem(t.say("tray.pause", nil), "")
	t.quit = systray.AddMenuItem(t.say("tray.quit", nil), "")
	t.draw(status{State: "ready"})
}

// handle takes the agent's notifications. Only the fact of a change is used: the state is then asked for, so that a
// notification lost or late cannot leave a wrong icon.
func (t *icon) handle(_ context.Context, r *rpc.Request) (any, error) {
	if r.Method == "agent.changed" {
		t.poke()
	}
	return nil, nil
}

func (t *icon) poke() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// follow keeps the icon true and does what the menu says.
func (t *icon) follow(ctx context.Context) {
	t.poke()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.changed:
			var s status
			if t.conn.Call(ctx, "agent.status", struct{}{}, &s) == nil {
				t.draw(s)
			}
		case <-t.pause.ClickedCh:
			t.mu.Lock()
			paused := t.last.State == "paused"
			t.mu.Unlock()
			t.conn.Call(ctx, "agent.pause", map[string]bool{"paused": !paused}, nil)
			t.poke()
		case <-t.quit.ClickedCh:
			if t.conn.Call(ctx, "agent.stop", struct{}{}, nil) == nil {
				return
			}
		}
	}
}

// draw shows a state.
func (t *icon) draw(s status) {
	t.mu.Lock()
	t.last = s
	t.mu.Unlock()
	systray.SetIcon(iconBytes(s.State))
	line := t.line1(s)
	t.line.SetTitle(line)
	if s.Unattended > 0 {
		line += "\n" + text.Plural(t.lang, "count.unattended", s.Unattended)
	}
	systray.SetTooltip(line)
	pause := "tray.pause"
	if s.State == "paused" {
		pause = "tray.resume"
	}
	t.pause.SetTitle(t.say(pause, nil))
}

// line1 says a state in words, with the first problem or the number of open prompts.
func (t *icon) line1(s status) string {
	switch s.State {
	case "waiting":
		return t.say("tray.state.waiting", nil) + " (" + strconv.Itoa(s.Prompts) + ")"
	case "problem":
		if len(s.Problems) > 0 {
			return "Persten: " + strings.TrimSuffix(ui.Safe(s.Problems[0].Text, 80), ".")
		}
		return t.say("tray.state.problem", nil)
	case "paused":
		return t.say("tray.state.paused", nil)
	}
	return t.say("tray.state.ready", nil)
}
