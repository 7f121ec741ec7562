// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// spoken are words of the tray in a language.
type spoken struct{ certificates, owner, recent, signature, sites, site, forbid, denied, waiting, reminder string }

var tongues = map[string]spoken{
	"ru": {"Токены и сертификаты", "Демонстрационный Подписант, Демонстрационная организация: до ", "Последние подписи",
		"Программа на этом компьютере: Договор", "Сайты", "https://portal.example", "Запретить", "https://portal.example (запрещён)",
		"● Программа на этом компьютере: 1 документ", "Программа на этом компьютере просит подпись. Ответьте в окне Persten."},
	"en": {"Tokens and certificates", "Демонстрационный Подписант, Демонстрационная организация: until ", "Recent signatures",
		"A program on this computer: Договор", "Sites", "https://portal.example", "Forbid", "https://portal.example (forbidden)",
		"● A program on this computer: 1 document", "A program on this computer asks for a signature. Answer in the Persten window."},
}

// TestTrayOfTheSession: the real session tells a real tray of its token, a signature, a site and a request that waits, of which
// the desktop's notification service hears, too, and a click on the notice raises the window.
func TestTrayOfTheSession(t *testing.T) {
	s := newScreen(t)
	env := s.panel()
	for _, lang := range languages(0) {
		say := tongues[lang]
		t.Run(lang, func(t *testing.T) {
			s := s.of(t)
			a := newSession(t, s, "", append(env, "PERSTEN_LANG="+lang)...)
			c := bus(t, env)
			icon := waitIcon(t, c, a.role("tray"))
			if out, err := a.persten("origins", "allow", "https://portal.example").CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
			g := a.sign()
			s.window()
			if said, err := a.approve(g); err != nil {
				t.Fatalf("%v %s", err, said)
			}
			s.listening()
			s.keys("Return")
			icon.has(say.certificates, say.owner)
			if e := icon.has(say.recent); len(e.entries) != 1 || !strings.Contains(e.entries[0].label, say.signature) {
				t.Errorf("recent: %+v", e.entries)
			}
			icon.click(say.sites, say.site, say.forbid)
			icon.has(say.sites, say.denied)

			notices := heard(t, env)
			g = a.sign()
			s.window()
			s.xdotool("search", "--onlyvisible", "--name", "^Persten", "windowminimize", "%1")
			icon.has(say.waiting)
			select {
			case n := <-notices:
				if n != say.reminder {
					t.Errorf("notice %q, want %q", n, say.reminder)
				}
			case <-time.After(patience):
				t.Fatal("no notice")
			}
			time.Sleep(700 * time.Millisecond)
			s.shot("notification-" + lang)
			s.menuShot(icon, "tray-menu-"+lang, say.certificates, 4)
			s.menuShot(icon, "tray-sites-"+lang, say.sites, 6)
			if n := s.windows(); n != 0 {
				t.Errorf("%d windows before the click", n)
			}
			dunst := s.command("dunstctl", "action", "0")
			dunst.Env = append(dunst.Env, env...)
			if out, err := dunst.CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
			a.eventually("the window is back", func() bool { return s.windows() == 1 })
			s.listening()
			s.keys("Escape")
			if said, err := a.end(g); err == nil || !strings.Contains(said, "user_rejected") {
				t.Fatalf("%v %s", err, said)
			}
		})
	}
}

// TestTrayOpensTheWindow: a page is shown in the main window, which is started once and then raised. It outlives the tray.
func TestTrayOpensTheWindow(t *testing.T) {
	s := newScreen(t)
	env := s.panel()
	a := newSession(t, s, "", append(env, "LC_ALL=C.UTF-8")...)
	tray := a.role("tray")
	icon := waitIcon(t, bus(t, env), tray)
	mains := func() []int { return processes(a.path("config.toml"), "window") }
	t.Cleanup(func() {
		for _, pid := range mains() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	icon.click("Журнал")
	a.eventually("the main window", func() bool { return s.windows() == 1 && len(mains()) == 1 })
	s.listening()
	s.shot("tray-window")
	main := mains()
	s.xdotool("search", "--onlyvisible", "--name", "^Persten", "windowminimize", "%1")
	a.eventually("it is minimized", func() bool { return s.windows() == 0 })
	icon.click("Диагностика")
	a.eventually("it is back", func() bool { return s.windows() == 1 })
	syscall.Kill(tray, syscall.SIGKILL)
	a.role("tray", tray)
	if now := mains(); len(now) != 1 || now[0] != main[0] {
		t.Errorf("main window %v is now %v", main, now)
	}
}

// heard passes on the bodies of notices that the notification service is given.
func heard(t *testing.T, env []string) <-chan string {
	t.Helper()
	c := bus(t, env)
	rule := "type='method_call',interface='org.freedesktop.Notifications',member='Notify'"
	if err := c.BusObject().Call("org.freedesktop.DBus.Monitoring.BecomeMonitor", 0, []string{rule}, uint32(0)).Err; err != nil {
		t.Fatal(err)
	}
	messages, bodies := make(chan *dbus.Message, 10), make(chan string, 10)
	c.Eavesdrop(messages)
	go func() {
		for m := range messages {
			if len(m.Body) == 8 {
				body, _ := m.Body[4].(string)
				bodies <- body
			}
		}
	}()
	return bodies
}

// menuShot keeps a picture of the open menu with one of its lists open.
func (s *screen) menuShot(icon *statusIcon, name, list string, row int) {
	s.t.Helper()
	icon.has(list)
	s.opened(100, row)
	s.shot(name)
	s.keys("Escape", "Escape", "Escape")
}
