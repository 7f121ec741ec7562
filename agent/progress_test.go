// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"persten/internal/text"
	"persten/internal/ui"
)

// TestBar: nothing for a second, then lines over one another that say how much, how fast and how long still; in the end
// nothing stands there.
func TestBar(t *testing.T) {
	for lang, want := range map[text.Lang][]string{
		"en": {"Sending the document: [####----------------] 200.0 MB of 1000.0 MB, 100.0 MB/s, 0:08 left",
			"Sending the document: [######--------------] 300.0 MB of 1000.0 MB, 100.0 MB/s, 0:07 left"},
		"ru": {"Передача документа: [####----------------] 200,0 МБ из 1000,0 МБ, 100,0 МБ/с, осталось 0:08",
			"Передача документа: [######--------------] 300,0 МБ из 1000,0 МБ, 100,0 МБ/с, осталось 0:07"},
	} {
		var out bytes.Buffer
		now := time.Unix(1000, 0)
		b := (&app{errOut: &out, lang: lang}).bar("cli.progress.sending", 1000<<20)
		if b.w != nil {
			t.Fatal("a buffer is no terminal")
		}
		b.w, b.now, b.begun, b.from = &out, func() time.Time { return now }, now, now
		data := b.reader(strings.NewReader(strings.Repeat("x", 10)))
		for range 3 {
			now = now.Add(500 * time.Millisecond)
			if b.done == 0 {
				b.add(0)
				if out.Len() > 0 {
					t.Errorf("shown before a second: %q", out.String())
				}
			}
			now = now.Add(500 * time.Millisecond)
			b.done += 100<<20 - 1
			if n, err := data.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		b.clear()
		b.clear()
		got := out.String()
		for _, line := range want {
			if !strings.Contains(got, "\r"+line) {
				t.Errorf("%q is not in %q", line, got)
			}
		}
		lines := strings.Split(got, "\r")
		if len(lines) < 4 || strings.TrimSpace(lines[len(lines)-2]) != "" || lines[len(lines)-1] != "" || strings.Contains(got, "\n") {
			t.Errorf("left standing: %q", got)
		}
	}
}

// TestBarForPrograms: --json, a pipe and short work show nothing; a size nobody knows or a file that grew shows no total.
func TestBarForPrograms(t *testing.T) {
	var out bytes.Buffer
	b := (&app{errOut: &out, lang: "en"}).bar("cli.progress.sending", 5)
	io.Copy(io.Discard, b.reader(strings.NewReader("some text")))
	b.clear()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
	for _, total := range []int64{0, 5} {
		b = &bar{a: &app{lang: "en"}, stage: "cli.progress.sending", total: total, done: 30 << 20, begun: time.Unix(0, 0), from: time.Unix(0, 0)}
		if got, want := b.line(time.Unix(3, 0)), "Sending the document: 30.0 MB, 10.0 MB/s"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := ui.Clock(3*time.Hour + 4*time.Minute + 5*time.Second); got != "3:04:05" {
		t.Error(got)
	}
}
