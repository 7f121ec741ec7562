// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"persten/internal/token/tokentest"
	"persten/proto"
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
		s.press(verifyTab)
		s.choose("contract.txt.sig")
		time.Sleep(3 * time.Second)
	}},
	{"journal", "journal", nil},
	{"sites", "sites", nil},
	{"settings", "settings", nil},
	{"doctor", "doctor", func(s *seat) { time.Sleep(8 * time.Second) }},
}

// TestWindowScreenshots writes pictures of the main window when PERSTEN_SCREENSHOTS says so: "all", "window", or the name of a
// view.
func TestWindowScreenshots(t *testing.T) {
	which := os.Getenv("PERSTEN_SCREENSHOTS")
	if which == "" {
		t.Skip("PERSTEN_SCREENSHOTS is not set: no pictures were taken")
	}
	for _, percent := range []int{100, 200} {
		s := newSeatAt(newScreenOf(t, map[int]string{100: "1100x900", 200: "2200x1600"}[percent]), "ru")
		s.percent = percent
		s.scaled()
		s.furnish()
		for _, theme := range []string{"light", "dark"} {
			for _, lang := range []string{"ru", "en"} {
				for _, v := range views {
					if which != "all" && which != "window" && which != v.name {
						continue
					}
					s.open(v.page, "PERSTEN_LANG="+lang, "PERSTEN_THEME="+theme, "TZ=Europe/Moscow")
					time.Sleep(time.Second)
					if v.then != nil {
						v.then(s)
					}
					s.keep(fmt.Sprintf("window-%s-%s-%s-%d", v.name, lang, theme, percent))
					s.win.Process.Kill()
					s.win.Wait()
				}
			}
		}
	}
}

// furnish signs some documents, decides about some sites and breaks nothing.
func (s *seat) furnish() {
	s.t.Helper()
	out, err := s.agent("certs", "--json")
	var list proto.CertificatesListResult
	if err == nil {
		err = json.Unmarshal([]byte(out), &list)
	}
	if err != nil || len(list.Certificates) == 0 {
		s.t.Fatalf("certificates: %v %s", err, out)
	}
	for _, name := range []string{"contract.txt", "Акт сверки.txt", "Счёт № 118.txt"} {
		s.write("home/Downloads/"+name, name)
		s.sign(list.Certificates[0].ID, s.path("home/Downloads/"+name))
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
	s.keys("ctrl+o")
	time.Sleep(700 * time.Millisecond)
	s.typed(name)
	s.keys("Return")
	time.Sleep(time.Second)
}

// scaled tells programs how large a pixel is, as desktops do.
func (s *seat) scaled() {
	s.t.Helper()
	s.run("xprop", "-root", "-f", "RESOURCE_MANAGER", "8s", "-set", "RESOURCE_MANAGER", fmt.Sprintf("Xft.dpi:\t%d\n", 96*s.percent/100))
}

// keep writes a picture of the main window, in few colours.
func (s *seat) keep(name string) {
	s.t.Helper()
	file, err := filepath.Abs(filepath.Join("../screenshots", name+".png"))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	s.run("import", "-window", s.main(), "-strip", "+dither", "-colors", "64", "png8:"+file)
}
