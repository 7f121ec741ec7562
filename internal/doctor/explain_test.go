// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"persten/internal/text"
	"persten/proto"
)

// TestExplainPhrases asks what people ask.
func TestExplainPhrases(t *testing.T) {
	f, err := os.Open("testdata/phrases.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	asked, none := 0, 0
	for s := bufio.NewScanner(f); s.Scan(); {
		want, phrase, ok := strings.Cut(s.Text(), "\t")
		if !ok {
			continue
		}
		got := "-"
		found := explain(phrase, text.Russian)
		if len(found) > 0 {
			got = found[0].ID
		}
		if asked++; want == "-" {
			none++
		}
		if got != want {
			t.Errorf("%q: %s, want %s", phrase, got, want)
		}
	}
	if asked < 180 || none < 25 {
		t.Errorf("only %d phrases, %d of them about nothing", asked, none)
	}
}

// TestExplainCodes holds every code of ours and of others to an answer of its own, complete in both languages.
func TestExplainCodes(t *testing.T) {
	var codes []string
	for _, e := range proto.Entries() {
		codes = append(codes, string(e.Code))
	}
	for _, f := range proto.Foreigners() {
		codes = append(codes, f.Code)
	}
	for _, k := range proto.Troubles() {
		codes = append(codes, k.ID)
	}
	for _, code := range codes {
		for _, lang := range []text.Lang{text.Russian, text.English} {
			found := explain(code, lang)
			if len(found) == 0 || found[0].ID != code {
				t.Fatalf("%s: %v", code, found)
			}
			a := found[0]
			if a.Title == "" || a.Next == "" || a.Fault == "" || strings.ContainsAny(a.Title+a.Next, "{}[]") {
				t.Errorf("%s in %s: %+v", code, lang, a)
			}
		}
	}
	if len(codes) < 280 {
		t.Errorf("only %d codes", len(codes))
	}
}

// TestExplainWords holds the words of every trouble to that trouble.
func TestExplainWords(t *testing.T) {
	for _, k := range proto.Troubles() {
		if _, ok := proto.Lookup(k.Code); k.Code != "" && !ok {
			t.Errorf("%s: no error %s", k.ID, k.Code)
		}
		if k.Run != "" && !slices.ContainsFunc(checks, func(c Check) bool { return c.Code == k.Run }) {
			t.Errorf("%s: no check %s", k.ID, k.Run)
		}
		for _, w := range append(k.Words, k.RU.Title, k.EN.Title) {
			if found := explain(w, text.English); len(found) == 0 || found[0].ID != k.ID {
				t.Errorf("%s: %q finds %v", k.ID, w, ids(found))
			}
		}
		if len(k.RU.Check) != len(k.EN.Check) || len(k.RU.Check) < 2 {
			t.Errorf("%s: %d and %d steps", k.ID, len(k.RU.Check), len(k.EN.Check))
		}
	}
}

func ids(found []proto.DoctorAnswer) (out []string) {
	for _, a := range found {
		out = append(out, a.ID)
	}
	return out
}

// TestExplainLong bounds the time a long text takes.
func TestExplainLong(t *testing.T) {
	for _, s := range []string{strings.Repeat("сертификат ", 100_000), strings.Repeat("a", 1<<20), strings.Repeat("0x8", 1<<18), strings.Repeat("ошибка ", 1<<16)} {
		began := time.Now()
		explain(s, text.Russian)
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("%.20q…: %v", s, d)
		}
	}
}

func FuzzExplain(f *testing.F) {
	f.Add("ошибка 52")
	f.Add("0х8007065В \x00\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		for _, a := range explain(s, text.English) {
			if a.ID == "" || a.Title == "" || a.Next == "" {
				t.Errorf("%q: %+v", s, a)
			}
		}
	})
}
