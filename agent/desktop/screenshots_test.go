// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"persten/internal/signing"
)

// screenshotFolder is where the pictures of the documents are kept.
const screenshotFolder = "../screenshots"

// inBothSizes is how many scenes, the first ones, are shown at 200 % too.
const inBothSizes = 7

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
	}, func(s *screen, _ asked, _ signing.Question) {
		s.calmly("shift+Tab", "Return")
		time.Sleep(time.Second)
	}},
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
		a.Progress(signing.StepTouch)
		s.listening()
	}},
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
	{"site", func(t *testing.T, lang string) signing.Question {
		return signing.Question{Kind: signing.KindOrigin, Lang: lang, Origin: "https://lk.portal.example", Via: signing.ViaNative}
	}, nil},
}

// TestScreenshots writes the pictures when PERSTEN_SCREENSHOTS says so: "all", or the name of a scene.
func TestScreenshots(t *testing.T) {
	which := os.Getenv("PERSTEN_SCREENSHOTS")
	if which == "" {
		t.Skip("PERSTEN_SCREENSHOTS is not set: no pictures were taken")
	}
	for percent, size := range map[int]string{100: "1100x900", 200: "1400x1700"} {
		for _, theme := range []string{"light", "dark"} {
			s := newScreenOf(t, size)
			s.env = []string{"PERSTEN_THEME=" + theme, "TZ=Europe/Moscow"}
			s.scale(percent)
			h := s.hand()
			for _, lang := range []string{"ru", "en"} {
				for i, sc := range scenes {
					if which != "all" && which != sc.name || percent > 100 && i >= inBothSizes {
						continue
					}
					q := sc.ask(t, lang)
					ctx, end := context.WithCancel(t.Context())
					a := s.ask(ctx, q)
					h.painted()
					if sc.then != nil {
						sc.then(s, a, q)
					}
					s.picture(fmt.Sprintf("prompt-%s-%s-%s-%d", sc.name, lang, theme, percent))
					end()
					s.prompt.Process.Kill() // after an answer the window stays
					s.closes()
				}
			}
		}
	}
}

// scale tells programs how large a pixel is, as desktops do.
func (s *screen) scale(percent int) {
	s.t.Helper()
	dpi := fmt.Sprintf("Xft.dpi:\t%d\n", 96*percent/100)
	if out, err := s.command("xprop", "-root", "-f", "RESOURCE_MANAGER", "8s", "-set", "RESOURCE_MANAGER", dpi).CombinedOutput(); err != nil {
		s.t.Fatalf("xprop: %v %s", err, out)
	}
}

// picture keeps the window, without its frame, in few colours.
func (s *screen) picture(name string) {
	s.t.Helper()
	file := filepath.Join(screenshotFolder, name+".png")
	if err := os.MkdirAll(screenshotFolder, 0o755); err != nil {
		s.t.Fatal(err)
	}
	id := s.xdotool("search", "--onlyvisible", "--name", "^Persten")
	if out, err := s.command("import", "-window", id, "-strip", "+dither", "-colors", "64", "png8:"+file).CombinedOutput(); err != nil {
		s.t.Fatalf("picture: %v %s", err, out)
	}
}
