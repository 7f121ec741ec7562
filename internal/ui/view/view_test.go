// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"persten/internal/ui"
)

func TestDocuments(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		code           int
	}{
		{"text", "one\ntwo\n", "one\ntwo\n", ui.ExitWhole},
		{"no end of line", "one", "one\n", ui.ExitWhole},
		{"windows lines", "one\r\ntwo\r\n\r\n", "one\ntwo\n\n", ui.ExitWhole},
		{"empty", "", "", ui.ExitWhole},
		{"mark", "\xef\xbb\xbfПривет", "Привет\n", ui.ExitWhole},
		{"utf-16le", "\xff\xfe\x1f\x04\x40\x04", "Пр\n", ui.ExitWhole},
		{"utf-16be", "\xfe\xff\x04\x1f\x04\x40", "Пр\n", ui.ExitWhole},
		{"windows-1251", "\xcf\xf0\xe8\xe2\xe5\xf2, \xb8\xe6!", "Привет, ёж!\n", ui.ExitWhole},
		{"escape", "a\x1b[31mred", "a‹U+001B›[31mred\n", ui.ExitWhole},
		{"bidi", "a\u202eb", "a‹U+202E›b\n", ui.ExitWhole},
		{"indent", "  if\n\tx", "  if\n    x\n", ui.ExitWhole},
		{"binary", "PK\x03\x04", "unsupported\n", ui.ExitRefused},
		{"pdf", "%PDF-1.4\n", "unsupported\n", ui.ExitRefused},
	} {
		var out bytes.Buffer
		if code := Main(strings.NewReader(c.in), &out); code != c.code || out.String() != c.want {
			t.Errorf("%s: %d %q, want %d %q", c.name, code, out.String(), c.code, c.want)
		}
	}
}

func TestCaps(t *testing.T) {
	for name, in := range map[string]string{
		"lines": strings.Repeat("x\n", ui.ViewLines+1),
		"bytes": strings.Repeat(strings.Repeat("x", 999)+"\n", ui.ViewBytes/1000+10),
		"line":  strings.Repeat("x", 100000),
	} {
		var out bytes.Buffer
		if code := Main(strings.NewReader(in), &out); code != ui.ExitCut || out.Len() > 2*ui.ViewBytes || out.Len() == 0 {
			t.Errorf("%s: %d, %d bytes", name, code, out.Len())
		}
	}
}

type unreadable struct{}

func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, errors.New("no") }

func TestUnreadable(t *testing.T) {
	if code := Main(unreadable{}, new(bytes.Buffer)); code != 1 {
		t.Errorf("code %d", code)
	}
}

func FuzzMain(f *testing.F) {
	for _, s := range []string{"", "\xff\xfe\x00\xd8", "a\tb\f", "\xcf\xf0", "\xef\xbb\xbf\x1b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		Main(bytes.NewReader(in), &out)
		plain(t, out.Bytes())
	})
}

// plain holds that an output is lines of UTF-8 without anything that is not drawn, and not more than a window takes.
func plain(t *testing.T, out []byte) {
	t.Helper()
	for _, r := range string(out) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("shows %U", r)
		}
	}
	if !utf8.Valid(out) || len(out) > ui.ViewOutput {
		t.Fatalf("%d bytes, UTF-8: %t", len(out), utf8.Valid(out))
	}
}
