// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/ui/view/viewtest"
)

// screenshotFolder is where the pictures of the documents are kept.
const screenshotFolder = "../screenshots"

// inBothSizes is how many scenes, the first ones, are shown at 200 % too.
const inBothSizes = 9

// scenes are what the pictures show: a question, and what the person and the token do then.
var scenes = []struct {
	name string
	ask  func(t *testing.T, lang string) signing.Question
	then func(s *screen, a asked, q signing.Question)
}{
	{"sign", question, nil},
	{"batch", func(t *testing.T, lang string) signing.Question { return batchOf(t, lang, 50) }, nil},
	{"xml", func(t *testing.T, lang string) signing.Question {
		return xmlQuestion(t, lang, map[string]string{"ru": "Заказ 4417.xml", "en": "Order 4417.xml"}[lang], order, orderPart(t))
	}, looked},
	{"pdf", func(t *testing.T, lang string) signing.Question {
		return documentQuestion(t, lang, map[string]string{"ru": "Договор.pdf", "en": "Contract.pdf"}[lang], viewtest.PDF("Contract No. 17", "Page two", "Page three"))
	}, looked},
	{"digest", func(t *testing.T, lang string) signing.Question {
		q := question(t, lang)
		q.Raw, q.Profile, q.Note = true, "raw", ""
		d := &q.Documents[0]
		d.Hidden, d.Content, d.Size = true, nil, 0
		return q
	}, nil},
	{"wrong-pin", question, func(s *screen, a asked, q signing.Question) {
		s.typed("4321")
		s.keys("Return")
		s.decision(a)
		if _, err := s.pin(a, q.Token.Request("", false), nil); err != nil {
			s.t.Fatal(err)
		}
		wrong := q.Token.Request("", true)
		wrong.Attempts, wrong.Low = 2, true
		go a.PIN(s.t.Context(), wrong)
		s.listening()
	}},
	{"final-try", func(t *testing.T, lang string) signing.Question {
		q := question(t, lang)
		q.Token.Attempts, q.Token.Low, q.Token.Final = 1, true, true
		return q
	}, nil},
	{"touch", func(t *testing.T, lang string) signing.Question {
		q := question(t, lang)
		q.Token.Label, q.Token.Model, q.Token.Touch = "YubiKey PIV", "YubiKey 5", true
		return q
	}, func(s *screen, a asked, _ signing.Question) {
		s.typed("4321")
		s.keys("Return")
		s.decision(a)
		a.Progress(signing.StepTouch)
		s.listening()
	}},
	{"chooser", choosing, nil},
	{"created", question, func(s *screen, a asked, q signing.Question) {
		s.typed("4321")
		s.keys("Return")
		s.decision(a)
		go a.Close(signing.Outcome{Signed: []string{q.Documents[0].Name}, Owner: q.Certificate.Name, Time: time.Date(2026, 11, 22, 12, 30, 0, 0, time.UTC)})
		s.listening()
	}},
	{"login", func(t *testing.T, lang string) signing.Question {
		q := question(t, lang)
		q.Kind, q.Note = signing.KindLogin, ""
		return q
	}, nil},
	{"decrypt", func(t *testing.T, lang string) signing.Question {
		q := question(t, lang)
		q.Kind, q.Note, q.Profile = signing.KindDecrypt, "", ""
		q.Documents[0].Name, q.Documents[0].Content = q.Documents[0].Name+".p7m", nil
		return q
	}, nil},
	{"key", func(t *testing.T, lang string) signing.Question {
		q := question(t, lang)
		q.Kind, q.Note, q.Certificate, q.Documents = signing.KindKey, "", nil, nil
		q.Algorithm = "GOST R 34.10-2012 256"
		return q
	}, nil},
	{"password", func(t *testing.T, lang string) signing.Question {
		return signing.Question{Kind: signing.KindPIN, Lang: lang, Via: signing.ViaSocket, PID: 4417, Program: "/usr/bin/persten", Token: token.Info{Label: "podpis.pfx", Module: token.KeyFile, Path: "/home/anna/podpis.pfx", LoginRequired: true, Attempts: -1}}
	}, nil},
	{"test", func(t *testing.T, lang string) signing.Question {
		q := question(t, lang)
		q.Kind, q.Note, q.Origin, q.Via, q.Documents[0].Name = signing.KindTest, "", "", signing.ViaSocket, "persten-test.txt"
		q.PID, q.Program = 4417, "/usr/bin/persten"
		return q
	}, nil},
	{"site", func(t *testing.T, lang string) signing.Question {
		return signing.Question{Kind: signing.KindOrigin, Lang: lang, Origin: "https://lk.portal.example", Via: signing.ViaNative}
	}, nil},
}

// looked opens the document, as the keyboard does it.
func looked(s *screen, _ asked, _ signing.Question) {
	s.calmly("shift+Tab", "Return")
	time.Sleep(5 * time.Second) // the process that draws pages starts
}

// wanted reports whether PERSTEN_SCREENSHOTS, a regular expression, names a picture.
func wanted(t *testing.T, picture string) bool {
	t.Helper()
	which := os.Getenv("PERSTEN_SCREENSHOTS")
	if which == "" {
		t.Skip("PERSTEN_SCREENSHOTS is not set: no pictures were taken")
	}
	ok, err := regexp.MatchString(which, picture)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// style is one way in which everything is shown, and what the name of its pictures ends with.
type style struct {
	lang, theme string
	percent     int
}

func (l style) String() string { return fmt.Sprintf("%s-%s-%d", l.lang, l.theme, l.percent) }

var styles = []style{
	{"ru", "light", 100}, {"en", "light", 100}, {"ru", "dark", 100}, {"en", "dark", 100},
	{"ru", "light", 200}, {"en", "light", 200}, {"ru", "dark", 200}, {"en", "dark", 200},
}

// TestScreenshots writes the pictures of prompts that PERSTEN_SCREENSHOTS names.
func TestScreenshots(t *testing.T) {
	for _, l := range styles {
		t.Run(l.String(), func(t *testing.T) {
			var s *screen
			for i, sc := range scenes {
				name := fmt.Sprintf("prompt-%s-%s", sc.name, l)
				if !wanted(t, name) || l.percent > 100 && i >= inBothSizes {
					continue
				}
				if s == nil {
					s = newScreenOf(t, map[int]string{100: "1100x900", 200: "1400x1700"}[l.percent])
					s.env = []string{"PERSTEN_THEME=" + l.theme, "TZ=Europe/Moscow"}
					s.scale(l.percent)
				}
				s.scene(t, name, sc.ask(t, l.lang), sc.then)
			}
		})
	}
}

// scene takes the picture of one question.
func (s *screen) scene(t *testing.T, name string, q signing.Question, then func(s *screen, a asked, q signing.Question)) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	a := s.ask(ctx, q)
	s.hand().painted()
	if then != nil {
		then(s, a, q)
	}
	s.listening() // the window has its place
	s.picture(name)
	end()
	s.prompt.Process.Kill() // after an answer the window stays
	s.closes()
}

// scale tells programs how large a pixel is, as desktops do.
func (s *screen) scale(percent int) {
	s.t.Helper()
	dpi := fmt.Sprintf("Xft.dpi:\t%d\n", 96*percent/100)
	if out, err := s.command("xprop", "-root", "-f", "RESOURCE_MANAGER", "8s", "-set", "RESOURCE_MANAGER", dpi).CombinedOutput(); err != nil {
		s.t.Fatalf("xprop: %v %s", err, out)
	}
}

// picture keeps the window, without its frame.
func (s *screen) picture(name string) {
	s.t.Helper()
	s.kept(name, "-window", s.xdotool("search", "--onlyvisible", "--name", "^Persten"))
}

// kept keeps what import is told to take, in few colours.
func (s *screen) kept(name string, what ...string) {
	s.t.Helper()
	if err := os.MkdirAll(screenshotFolder, 0o755); err != nil {
		s.t.Fatal(err)
	}
	small := []string{"-strip", "+dither", "-colors", "32", "-define", "png:compression-level=9", "png8:" + filepath.Join(screenshotFolder, name+".png")}
	if out, err := s.command("import", append(what, small...)...).CombinedOutput(); err != nil {
		s.t.Fatalf("picture: %v %s", err, out)
	}
}
