// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package ui

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"persten/internal/signing"
)

// fake is a viewing process that writes out and ends with code.
func fake(t *testing.T, out string, code int) Viewer {
	path := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, "/bin/sh", "-c", "/bin/cat '"+path+"'; exit "+strconv.Itoa(code))
	}
}

func empty(t *testing.T) *os.File {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestRowsThereAndBack(t *testing.T) {
	rows := []signing.TreeRow{
		{Depth: 0, Kind: signing.TreeElement, Text: "<a  b=\"1\">"},
		{Depth: 255, Kind: signing.TreeText, Text: "a\u202eb\tc\nd", Size: 70_000, Signed: true},
		{Depth: 1, Kind: signing.TreeComment, Text: ""},
		{Depth: 1, Kind: signing.TreeInstruction, Text: "p q"},
	}
	var out strings.Builder
	for _, r := range rows {
		out.WriteString(FormatRow(r) + "\n")
	}
	tree, err := fake(t, out.String(), ExitCut).Tree(t.Context(), empty(t), []signing.Span{{Begin: 1, End: 2}})
	rows[1].Text = "a‹U+202E›b‹U+0009›c‹U+000A›d"
	if err != nil || !slices.Equal(tree.Rows, rows) || !tree.Marked || !tree.Cut || tree.Refused {
		t.Errorf("%+v, %v", tree, err)
	}
}

// A viewing process that a document has taken over can say what it likes; it cannot leave its panel.
func TestViewerIsNotBelieved(t *testing.T) {
	for _, out := range []string{"x\n", "0 e + 0 no tab\n", "0 e + 0\tok\nnot a row\n", "-1 e + 0\tx\n", "99999 e + 0\tx\n", "0 z + 0\tx\n", "0 e ? 0\tx\n", "0 e + x\tx\n", "\n"} {
		if tree, err := fake(t, out, ExitWhole).Tree(t.Context(), empty(t), nil); err == nil {
			t.Errorf("%q makes %+v", out, tree)
		}
	}
	if tree, err := fake(t, strings.Repeat("0 e + 0\tx\n", 2*ViewLines), ExitWhole).Tree(t.Context(), empty(t), nil); err != nil || len(tree.Rows) != ViewLines {
		t.Errorf("%d rows, %v", len(tree.Rows), err)
	}
	if _, err := fake(t, strings.Repeat("x", ViewOutput+1), ExitWhole).Tree(t.Context(), empty(t), nil); err == nil {
		t.Error("a flood is taken")
	}
	for _, code := range []int{1, 2, 11, 99} {
		if _, err := fake(t, "0 e + 0\tx\n", code).Tree(t.Context(), empty(t), nil); err == nil {
			t.Errorf("exit code %d is success", code)
		}
	}
	for out, want := range map[string]Reason{
		"xml_doctype 2 14\n": {"xml_doctype", "2", "14"}, "format_xml  \n": {Code: "format_xml"}, "": {}, "  \n": {},
		"pin_locked 1 1\n": {}, "format_xml 1 <b>\n": {}, "format_xml 1 2 3\n": {}, "format_xml \u202e 2\n": {},
	} {
		tree, err := fake(t, out, ExitRefused).Tree(t.Context(), empty(t), nil)
		if err != nil || !tree.Refused || tree.Reason != want || tree.Rows != nil {
			t.Errorf("%q: %+v, %v", out, tree, err)
		}
		if said := tree.Reason.Say("ru"); (said == "") != (want == Reason{}) || strings.ContainsFunc(said, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q: says %q", out, said)
		}
	}
}

func TestSpans(t *testing.T) {
	list := []signing.Span{
		{Begin: 35, End: 90}, {Begin: 10, End: 20}, {Begin: 20, End: 30}, {Begin: 40, End: 50},
		{Begin: 90, End: 95, Comments: true, Instructions: true}, {Begin: 95, End: 99, Instructions: true},
	}
	s, err := spansText(list)
	if err != nil || s != "10-30,35-90,90-95ci,95-99i" {
		t.Fatalf("%q, %v", s, err)
	}
	if list[0].Begin != 35 {
		t.Error("the question was changed")
	}
	back, err := ParseSpans(s)
	if want := []signing.Span{{Begin: 10, End: 30}, {Begin: 35, End: 90}, list[4], list[5]}; err != nil || !slices.Equal(back, want) {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestShowsTree(t *testing.T) {
	covered := []signing.Span{{Begin: 0, End: 4}}
	for _, c := range []struct {
		name, mime, content string
		covered             []signing.Span
		want                bool
	}{
		{"a", "", "anything", covered, true},
		{"a.txt", "text/plain", "<?xml version='1.0'?><a/>", nil, true},
		{"a", "", "\xef\xbb\xbf<?xml version='1.0'?><a/>", nil, true},
		{"a", "", "\xff\xfe<\x00?\x00x\x00m\x00l\x00 \x00", nil, true},
		{"A.XML", "", "\n <a/>", nil, true},
		{"a", "application/xml", "<a/>", nil, true},
		{"a.html", "text/html", "<!doctype html>", nil, false},
		{"a.xml", "", "text", nil, false},
		{"a.txt", "", "<a/>", nil, false},
	} {
		d := document(t, c.name, c.content)
		d.MIME, d.Covered = c.mime, c.covered
		if got := ShowsTree(d); got != c.want {
			t.Errorf("%s %s %q: %v", c.name, c.mime, c.content, got)
		}
	}
	if ShowsTree(signing.Document{Covered: covered}) {
		t.Error("a document without content is shown")
	}
}

func FuzzRow(f *testing.F) {
	f.Add("0 e + 0\t<a>")
	f.Add("65535 t - 9223372036854775807\t\u202e\n")
	f.Fuzz(func(t *testing.T, line string) {
		r, err := parseRow(line)
		if err != nil {
			return
		}
		if strings.ContainsFunc(r.Text, func(r rune) bool { return !unicode.IsPrint(r) }) || r.Depth < 0 || r.Depth > 1<<16 {
			t.Fatalf("%q gives %+v", line, r)
		}
	})
}
