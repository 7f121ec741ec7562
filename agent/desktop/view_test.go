// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"persten/internal/signing"
	"persten/internal/ui"
	"persten/internal/ui/view/viewtest"
)

// documentQuestion is a question about a document of any kind.
func documentQuestion(t *testing.T, lang, name string, content []byte) signing.Question {
	t.Helper()
	f := opened(t, content)
	q := question(t, lang)
	q.Documents[0].Name, q.Documents[0].MIME, q.Documents[0].Size, q.Documents[0].Content = name, "", int64(len(content)), f
	return q
}

// picture is a gradient with a frame.
func picture(t *testing.T) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 800, 500))
	for y := range 500 {
		for x := range 800 {
			m.SetRGBA(x, y, color.RGBA{R: uint8(x * 255 / 800), G: uint8(y * 255 / 500), B: 0x80, A: 0xff})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Each kind of document is opened with the keyboard, looked at, and the decision tells how it was shown.
func TestDocumentsOnScreen(t *testing.T) {
	s := newScreen(t)
	contract := viewtest.PDF("Contract No. 17", "Page two", "Page three")
	for i, c := range []struct {
		file    string
		content []byte
		how     signing.How
	}{
		{"Договор.pdf", contract, signing.HowShown},
		{"Скан.png", picture(t), signing.HowShown},
		{"Приказ.docx", viewtest.DOCX("Приказ № 5", "О проведении инвентаризации"), signing.HowExtracted},
		{"Счёт.xlsx", viewtest.XLSX(), signing.HowExtracted},
		{"Архив.zip", viewtest.Zip(viewtest.Entry{Name: "Приложение 1.txt", Content: "текст"}), signing.HowExtracted},
		{"Данные.bin", append([]byte{0, 1, 2, 0xff}, []byte("PERSTEN binary data")...), signing.HowHex},
		{"Порченый.pdf", viewtest.PDF("one")[:300], signing.HowHex},
		{"Закрытый.pdf", viewtest.LockedPDF(), signing.HowHex},
	} {
		for _, lang := range languages(i) {
			a := s.ask(t.Context(), documentQuestion(t, lang, c.file, c.content))
			s.calmly("shift+Tab", "Return")
			time.Sleep(2 * time.Second) // the machine that draws starts
			s.shot("view-" + filepath.Ext(c.file)[1:] + "-" + c.file[:2] + "-" + lang)
			if filepath.Ext(c.file) == ".pdf" && c.how == signing.HowShown {
				s.calmly("Next", "Next")
				time.Sleep(time.Second)
				s.shot("view-pdf-next-" + lang)
			}
			s.keys("Escape")
			if d := s.decision(a); d.Approved || d.How[0] != c.how || d.Viewed[0] != c.how.Content() {
				t.Errorf("%s: decision %+v, want %s", c.file, d, c.how)
			}
			a.Close(signing.Outcome{Code: "user_rejected", Time: time.Now()})
			s.listening()
			s.keys("Escape")
			s.closes()
		}
	}
}

// The program that reads documents, as the window starts it: how long the first page takes, and the next ones.
func TestPagesOfAProcess(t *testing.T) {
	v := ui.Viewer(func(ctx context.Context, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, build(t), append([]string{"view"}, args...)...)
	})
	build(t)
	q := documentQuestion(t, "en", "a.pdf", viewtest.PDF("one", "two"))
	start := time.Now()
	p, err := v.Pages(t.Context(), q.Documents[0].Content)
	if err != nil || p.Refused || len(p.Sizes) != 2 || p.Kind != "pdf" {
		t.Fatalf("%+v, %v", p, err)
	}
	defer p.Close()
	for i := range 2 {
		m, err := p.Page(i, 600)
		if err != nil || m.Rect.Dx() != 600 {
			t.Fatalf("page %d: %v", i, err)
		}
		t.Logf("page %d after %v", i, time.Since(start))
	}
	if _, err := p.Page(5, 600); err == nil {
		t.Error("a page that is not there was drawn")
	}
}

// What is shown without its looks can be opened in the system's viewer; that counts when the person says that they looked.
func TestSeenInTheSystemsViewer(t *testing.T) {
	s := newScreen(t)
	for _, lang := range languages(0) {
		opened := make(chan string, 4)
		show := func(_ context.Context, _ *os.File, extension string) (func(), error) {
			opened <- extension
			return func() {}, nil
		}
		q := documentQuestion(t, lang, "Приказ.docx", viewtest.DOCX("Приказ № 5", "О проведении инвентаризации"))
		a := s.askBy(t.Context(), ui.Fronts{Ways: []ui.Front{{Name: "window", Start: s.starter}}, Show: show}, q)
		s.calmly("shift+Tab", "Return")
		time.Sleep(time.Second)
		s.calmly("Tab", "Tab", "Tab", "Return")
		select {
		case e := <-opened:
			if e != "docx" {
				t.Errorf("opened as %q", e)
			}
		case <-time.After(patience):
			s.shot("failed")
			t.Fatal("not opened")
		}
		time.Sleep(500 * time.Millisecond)
		s.calmly("Tab", "space")
		s.shot("view-system-" + lang)
		s.keys("Escape")
		if d := s.decision(a); d.How[0] != signing.HowSystem || !d.Viewed[0] {
			t.Errorf("decision %+v", d)
		}
		a.Close(signing.Outcome{Code: "user_rejected", Time: time.Now()})
		s.listening()
		s.keys("Escape")
		s.closes()
	}
}
