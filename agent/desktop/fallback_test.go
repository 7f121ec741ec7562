// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// nowhere is a folder that is not there.
const nowhere = "/nonexistent"

// TestNextFrontEnd takes away what the window needs, piece by piece. GnuPG's dialog takes over and signs.
func TestNextFrontEnd(t *testing.T) {
	if _, err := exec.LookPath("pinentry-gtk-2"); err != nil {
		t.Skip("pinentry-gtk-2 is not installed: the next front end was not run")
	}
	s := newScreen(t)
	for name, env := range map[string][]string{
		"dead GPU":        {"__EGL_VENDOR_LIBRARY_DIRS=" + nowhere, "LIBGL_DRIVERS_PATH=" + nowhere},
		"crashing window": {"PERSTEN_DESKTOP=/bin/false"},
		"no program":      {"PERSTEN_DESKTOP=" + nowhere},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.of(t)
			a := newSession(t, s, "[ui]\npinentry = \"/usr/bin/pinentry-gtk-2\"\n", env...)
			g := a.sign()
			s.window()
			s.shot("fallback-" + strings.ReplaceAll(name, " ", "-"))
			if n := strings.Count(a.log.String(), "front=window"); n != 1 {
				t.Errorf("%d lines about the window in the log:\n%s", n, a.log.String())
			}
			for range 8 { // a long card is several dialogs, then comes the PIN
				if len(g.done) > 0 || a.signed() > 0 {
					break
				}
				s.keys("Tab", "Return")
				time.Sleep(300 * time.Millisecond)
				s.typed("12345678")
				s.keys("Return")
				time.Sleep(700 * time.Millisecond)
			}
			if said, err := a.end(g); err != nil {
				t.Fatalf("%v %s", err, said)
			}
		})
	}
}

// TestWindowWithoutItsSurroundings: no session bus, no fonts, no host for the icon: the window needs none of them, and the tray
// does not die of it again and again.
func TestWindowWithoutItsSurroundings(t *testing.T) {
	s := newScreen(t)
	empty := t.TempDir()
	a := newSession(t, s, "", "DBUS_SESSION_BUS_ADDRESS=unix:path="+nowhere, "FONTCONFIG_FILE="+nowhere, "FONTCONFIG_PATH="+nowhere, "XDG_DATA_DIRS="+empty, "XDG_DATA_HOME="+empty)
	tray := a.role("tray")
	g := a.sign()
	s.window()
	s.shot("fallback-bare")
	if said, err := a.approve(g); err != nil {
		t.Fatalf("%v %s", err, said)
	}
	if now := a.roles("tray"); len(now) != 1 || now[0] != tray {
		t.Errorf("tray %d is now %v", tray, now)
	}
	if !strings.Contains(a.log.String(), "front=") {
		return
	}
	t.Errorf("log:\n%s", a.log.String())
}

// TestNobodyToAsk: without display, pinentry and terminal the request ends with its own code, and the log has a line for each.
func TestNobodyToAsk(t *testing.T) {
	s := newScreen(t)
	for name, env := range map[string][]string{"nothing installed": {"DISPLAY=", "PATH=" + nowhere}, "pinentry without a display": {"DISPLAY="}} {
		a := newSession(t, s, "", env...)
		said, err := a.end(a.sign())
		if err == nil || !strings.Contains(said, "prompt_unavailable") {
			t.Fatalf("%s: %v %s", name, err, said)
		}
		for _, way := range []string{"window", "pinentry", "terminal"} {
			if n := strings.Count(a.log.String(), "front="+way); n != 1 {
				t.Errorf("%s: %d lines about %s in the log", name, n, way)
			}
		}
		if _, err := os.Stat(a.path("state", "persten", "journal.jsonl")); err == nil && a.signed() != 0 {
			t.Errorf("%s: something was signed", name)
		}
	}
}
