// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestTrayScreenshots writes the pictures of the open menu and of a notification that PERSTEN_SCREENSHOTS names.
func TestTrayScreenshots(t *testing.T) {
	for _, l := range styles {
		menu, notice := fmt.Sprintf("tray-menu-%s", l), fmt.Sprintf("notification-%s", l)
		if !wanted(t, menu) && !wanted(t, notice) {
			continue
		}
		t.Run(l.String(), func(t *testing.T) {
			s := newScreenOf(t, map[int]string{100: "1100x900", 200: "2200x1800"}[l.percent])
			s.scale(l.percent)
			desktopOf(t, l)
			env := s.panel()
			a := newSession(t, s, "", append(env, "PERSTEN_LANG="+l.lang, "TZ=Europe/Moscow")...)
			icon := waitIcon(t, bus(t, env), a.role("tray"))
			if out, err := a.persten("origins", "allow", "https://portal.example").CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
			notices := heard(t, env)
			g := a.sign()
			s.window()
			s.xdotool("search", "--onlyvisible", "--name", "^Persten", "windowminimize", "%1")
			icon.has(tongues[l.lang].waiting)
			select {
			case <-notices:
			case <-time.After(patience):
				t.Fatal("no notice")
			}
			time.Sleep(time.Second)
			s.corner(notice, l.percent, 380, 140)
			s.opened(l.percent, 4)
			s.corner(menu, l.percent, 840, 400)
			s.keys("Escape", "Escape", "Escape")
			g.cmd.Process.Kill()
			<-g.done
		})
	}
}

// desktopOf has the panel and the notification service look as a desktop does.
func desktopOf(t *testing.T, l style) {
	t.Helper()
	colours := map[string][3]string{"light": {"#fafafa", "#1c2430", "#c0c6d0"}, "dark": {"#232a35", "#e7ebf1", "#3a4453"}}[l.theme]
	config := fmt.Sprintf("[global]\nfont = Sans 10\nwidth = 340\noffset = 12x36\nframe_width = 1\nframe_color = %q\n[urgency_low]\nbackground = %[2]q\nforeground = %[3]q\n"+
		"[urgency_normal]\nbackground = %[2]q\nforeground = %[3]q\ntimeout = 60\n", colours[2], colours[0], colours[1])
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "dunst"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dunst", "dunstrc"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CONFIG_DIRS", dir+":/etc/xdg")
	t.Setenv("GTK_THEME", map[string]string{"light": "Adwaita", "dark": "Adwaita:dark"}[l.theme])
	t.Setenv("GDK_SCALE", fmt.Sprint(l.percent/100))
	t.Setenv("GDK_DPI_SCALE", fmt.Sprint(100/float64(l.percent)))
}

// opened opens the menu, and the list in one of its rows.
func (s *screen) opened(percent, row int) {
	s.t.Helper()
	s.xdotool("mousemove", fmt.Sprint(975*percent/100), fmt.Sprint(13*percent/100), "click", "1")
	time.Sleep(500 * time.Millisecond)
	for range row {
		s.keys("Down")
	}
	s.keys("Right")
	time.Sleep(500 * time.Millisecond)
}

// corner keeps the upper right corner of the screen.
func (s *screen) corner(name string, percent, width, height int) {
	s.t.Helper()
	left := (1100 - width) * percent / 100
	s.kept(name, "-window", "root", "-crop", fmt.Sprintf("%dx%d+%d+0", width*percent/100, height*percent/100, left), "+repage")
}
