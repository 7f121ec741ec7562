// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package ui

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"image"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"persten/internal/signing"
)

// said is a viewing process that has said this.
func said(out string) *Pages {
	return &Pages{in: discard{}, out: bufio.NewReaderSize(strings.NewReader(out), 4096), close: func() {}}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }

// asked is a viewer that stays until it was asked for as many pages.
func (v Viewer) asked(times int) Viewer {
	return func(ctx context.Context, args ...string) *exec.Cmd {
		cmd := v(ctx, args...)
		cmd.Args[2] = strings.Replace(cmd.Args[2], "; exit", strings.Repeat("; read page", times)+"; exit", 1)
		return cmd
	}
}

func TestPagesThere(t *testing.T) {
	p, err := fake(t, "pages pdf 2 more\n595 842\n842 595\npage 2 1\n"+strings.Repeat("\x10\x20\x30\x00", 2)+"refused large\n", ExitWhole).asked(2).Pages(t.Context(), empty(t))
	if err != nil || p.Kind != "pdf" || !p.Cut || len(p.Sizes) != 2 || p.Sizes[1] != image.Pt(842, 595) {
		t.Fatalf("%+v, %v", p, err)
	}
	defer p.Close()
	m, err := p.Page(0, 2)
	if err != nil || m.Rect.Max != image.Pt(2, 1) || !bytes.Equal(m.Pix[4:], []byte{0x10, 0x20, 0x30, 0xff}) {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := p.Page(1, 2); !errors.Is(err, RefusedPage{RefusedLarge}) {
		t.Errorf("a refused page: %v", err)
	}
	if p, err := fake(t, "refused encrypted\n", ExitRefused).Pages(t.Context(), empty(t)); err != nil || !p.Refused || p.Refusal != RefusedEncrypted {
		t.Errorf("%+v, %v", p, err)
	}
}

// A viewing process that a document has taken over can draw what it likes; it cannot take memory or leave its panel.
func TestPagesAreNotBelieved(t *testing.T) {
	for _, out := range []string{"", "\n", "pages\n", "pages pdf 2001 all\n", "pages pdf -1 all\n", "pages pdf 1 all\n", "pages pdf 1 all\n0 5\n", "pages pdf 1 all\n1 99999\n",
		"pages pdf 1 all\n1 2 3\n", "pages pdf 99999999999999999999 all\n", strings.Repeat("x", 1<<20)} {
		if p, err := fake(t, out, ExitWhole).Pages(t.Context(), empty(t)); err == nil {
			t.Errorf("%.40q makes %+v", out, p)
		}
	}
	if p, err := fake(t, "pages exe 0 all\n", ExitWhole).Pages(t.Context(), empty(t)); err != nil || p.Kind.Extension() != "" {
		t.Errorf("%+v, %v", p, err)
	}
	for _, out := range []string{"", "page\n", "page 1 1\nabc", "page 16384 16384\n", "page -1 1\n", "page 0 0\n", "gift 1 1\nabcd"} {
		if m, err := said(out).Page(0, 1); err == nil {
			t.Errorf("%q draws %v", out, m.Rect)
		}
	}
}

func TestFitPage(t *testing.T) {
	for _, c := range []struct {
		shape image.Point
		width int
		want  image.Point
	}{
		{image.Pt(595, 842), 1000, image.Pt(1000, 1415)},
		{image.Pt(1, 100000), 500, image.Pt(1, 16384)},
		{image.Pt(100000, 1), 500, image.Pt(500, 1)},
		{image.Pt(0, 0), 500, image.Pt(1, 1)},
	} {
		if got := FitPage(c.shape, c.width); got != c.want {
			t.Errorf("%v at %d is %v, want %v", c.shape, c.width, got, c.want)
		}
	}
	if got := FitPage(image.Pt(595, 842), 1<<30); got.X*got.Y > MaxPixels || got.X*got.Y < MaxPixels/2 || got.Y*595/842 < got.X-2 {
		t.Errorf("a sheet as large as it may be is %v", got)
	}
}

func TestForms(t *testing.T) {
	for head, want := range map[string][]Form{
		"text":                             {FormText},
		"":                                 {FormText},
		"<?xml version='1.0'?>":            {FormTree, FormText},
		"%PDF-1.7\n":                       {FormPages, FormHex},
		"\r\n%PDF-1.7\n\x00":               {FormPages, FormHex},
		"\x89PNG\r\n\x1a\n":                {FormPages, FormHex},
		"BM1234\x00\x00\x00\x00":           {FormPages, FormHex},
		"RIFF1234WEBP\x00":                 {FormPages, FormHex},
		"BM and so on":                     {FormText},
		"xxxxxxxxWEBP":                     {FormText},
		"PK\x03\x04\x00":                   {FormExtract, FormHex},
		`{\rtf1 a}`:                        {FormExtract, FormText},
		"MZ\x00\x01":                       {FormHex},
		"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": {FormHex},
	} {
		f := empty(t)
		if head != "" {
			f = file(t, head)
		}
		got := Forms(signing.Document{Content: f})
		if strings.Join(words(got), " ") != strings.Join(words(want), " ") {
			t.Errorf("%q: %v, want %v", head, got, want)
		}
	}
}

func words(list []Form) (out []string) {
	for _, f := range list {
		out = append(out, string(f))
	}
	return out
}

func FuzzPages(f *testing.F) {
	f.Add("pages pdf 1 all\n3 4\npage 1 1\nabcd")
	f.Add("pages tiff 2 more\n1 1\n1 1\nrefused large\n")
	f.Fuzz(func(t *testing.T, out string) {
		p := said(out)
		if p.readSizes() != nil {
			return
		}
		if len(p.Sizes) > MaxPages {
			t.Fatalf("%d pages", len(p.Sizes))
		}
		for range 3 {
			if m, err := p.Page(0, 10); err == nil && m.Rect.Dx()*m.Rect.Dy() > MaxPixels {
				t.Fatalf("%v", m.Rect)
			}
		}
		io.Copy(io.Discard, p.out)
	})
}

// file is a document that begins so.
func file(t *testing.T, content string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "document")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
