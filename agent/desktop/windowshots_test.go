// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"persten/internal/token/tokentest"
)

// views are what the pictures of the main window show: a page, and what the person does there.
var views = []struct {
	name, page string
	then       func(s *seat)
}{
	{"tokens", "tokens", func(s *seat) {
		s.press(checkButton)
		time.Sleep(3 * time.Second)
	}},
	{"sign", "sign", func(s *seat) { s.choose("contract.txt") }},
	{"verify", "sign", func(s *seat) {
		s.listening()
		s.press(verifyTab)
		s.choose("contract.txt.sig")
		time.Sleep(3 * time.Second)
	}},
	{"journal", "journal", nil},
	{"sites", "sites", nil},
	{"settings", "settings", nil},
	{"doctor", "doctor", func(s *seat) { time.Sleep(8 * time.Second) }},
}

// TestWindowScreenshots writes the pictures of the main window that PERSTEN_SCREENSHOTS names.
func TestWindowScreenshots(t *testing.T) {
	for percent, size := range map[int]string{100: "1100x900", 200: "2200x1600"} {
		var s *seat
		for _, l := range styles {
			for _, v := range views {
				name := fmt.Sprintf("window-%s-%s", v.name, l)
				if l.percent != percent || !wanted(t, name) {
					continue
				}
				if s == nil {
					s = newSeatAt(newScreenOf(t, size), "ru")
					s.percent = percent
					s.scale(percent)
					s.furnish()
				}
				s.open(v.page, "PERSTEN_LANG="+l.lang, "PERSTEN_THEME="+l.theme, "TZ=Europe/Moscow")
				time.Sleep(time.Second)
				if v.then != nil {
					v.then(s)
				}
				s.kept(name, "-window", s.main())
				s.win.Process.Kill()
				s.win.Wait()
			}
		}
	}
}

// furnish signs some documents, decides about some sites and breaks nothing.
func (s *seat) furnish() {
	s.t.Helper()
	id := s.certificate()
	for _, name := range []string{"contract.txt", "Акт сверки.txt", "Счёт № 118.txt"} {
		s.write("home/Downloads/"+name, name)
		s.sign(id, s.path("home/Downloads/"+name))
	}
	for site, hidden := range map[string]bool{"https://lk.portal.example": false, "https://trade.example": true} {
		args := []string{"origins", "allow", site}
		if hidden {
			args = append(args, "--hidden")
		}
		if out, err := s.agent(args...); err != nil {
			s.t.Fatalf("%v: %v %s", args, err, out)
		}
	}
	if out, err := s.agent("origins", "deny", "https://unknown.example"); err != nil {
		s.t.Fatalf("%v %s", err, out)
	}
}

// sign has a command sign a file, with the PIN on a descriptor.
func (s *seat) sign(certificate, path string) {
	s.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	w.WriteString(tokentest.SoftHSMPIN)
	w.Close()
	cmd := s.at(exec.Command(agentProgram(s.t), "sign", "cms", "--cert", certificate, "--in", path, "--out", path+".sig", "--pin-fd", "3"))
	cmd.ExtraFiles = []*os.File{r}
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("sign: %v %s", err, out)
	}
	r.Close()
}

// choose gives the page a file by keys.
func (s *seat) choose(name string) {
	s.t.Helper()
	s.listening()
	s.keys("ctrl+o")
	s.listening()
	s.typed(name)
	s.listening()
	s.keys("Return")
	s.listening()
}
