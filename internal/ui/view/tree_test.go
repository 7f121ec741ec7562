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
	"persten/proto"
)

func TestTree(t *testing.T) {
	for _, c := range []struct {
		name, in, spans, want string
		code                  int
	}{
		{"marked", "<a>x<b Id=\"1\">y</b><!--z--><?p q?></a>", "4-18", "0 e - 0\t<a>\n1 t - 0\tx\n1 e + 0\t<b Id=\"1\"> y\n1 c - 0\tz\n1 i - 0\tp q\n", ui.ExitWhole},
		{"in pieces", "<a><b/><c/></a>", "0-3,7-11", "0 e + 0\t<a>\n1 e - 0\t<b>\n1 e + 0\t<c>\n", ui.ExitWhole},
		{"not marked", "<a>\r\n<b/></a>", "", "0 e - 0\t<a>\n1 e - 0\t<b>\n", ui.ExitWhole},
		{"utf-16", "\xff\xfe<\x00a\x00/\x00>\x00", "", "0 e - 0\t<a>\n", ui.ExitWhole},
		{"windows-1251", "<?xml version='1.0' encoding='windows-1251'?><a>\xcf\xf0\xe8</a>", "", "0 e - 0\t<a> При\n", ui.ExitWhole},
		{"turned round", "<a>b\u202ec</a>", "", "0 e - 0\t<a> b‹U+202E›c\n", ui.ExitWhole},
		{"not a number", "<a/>", "0-x", "", 1},
		{"not a piece", "<a/>", "17", "", 1},
		{"too many pieces", "<a/>", strings.Repeat("1-2,", 2000) + "1-2", "", 1},
	} {
		var out bytes.Buffer
		if code := Tree(strings.NewReader(c.in), c.spans, &out); code != c.code || out.String() != c.want {
			t.Errorf("%s: %d %q, want %d %q", c.name, code, out.String(), c.code, c.want)
		}
	}
}

func TestTreeCaps(t *testing.T) {
	for name, in := range map[string]string{
		"rows":  "<a>" + strings.Repeat("<b/>", ui.ViewLines) + "</a>",
		"bytes": "<a>" + strings.Repeat("<b c=\""+strings.Repeat("\u202e", 290)+"\"/>", 4000) + "</a>",
	} {
		var out bytes.Buffer
		code := Tree(strings.NewReader(in), "", &out)
		if n := strings.Count(out.String(), "\n"); code != ui.ExitCut || out.Len() > ui.ViewOutput || n > ui.ViewLines || n < 500 {
			t.Errorf("%s: %d, %d bytes, %d lines", name, code, out.Len(), n)
		}
	}
}

func TestTreeRefuses(t *testing.T) {
	for _, in := range []string{"", "text", "<a>", "<!DOCTYPE a><a/>", "<a/><b/>", "\x00\x01", "<a b='1' b='2'/>"} {
		var out bytes.Buffer
		if code := Tree(strings.NewReader(in), "", &out); code != ui.ExitRefused || strings.Count(out.String(), "\n") != 1 || out.Len() > 60 {
			t.Errorf("%q: %d %q", in, code, out.String())
		}
	}
	if code := Tree(unreadable{}, "", new(bytes.Buffer)); code != 1 {
		t.Errorf("unreadable: code %d", code)
	}
	known := proto.E(proto.CodeXMLDoctype, errors.New("x"), "line", "2", "column", "1")
	if got := reason(known); got != (ui.Reason{Code: "xml_doctype", Line: "2", Column: "1"}) {
		t.Errorf("reason %+v", got)
	}
}

func FuzzTree(f *testing.F) {
	f.Add([]byte("<a>x<b Id=\"1\">\u202e</b><!--z--><?p q?></a>"), "4-18")
	f.Add([]byte("\xff\xfe<\x00a\x00/\x00>\x00"), "0-9223372036854775807,-1--2")
	f.Fuzz(func(t *testing.T, in []byte, spans string) {
		var out bytes.Buffer
		Tree(bytes.NewReader(in), spans, &out)
		for _, r := range out.String() {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
				t.Fatalf("%q shows %U", in, r)
			}
		}
		if !utf8.Valid(out.Bytes()) {
			t.Fatalf("%q is shown as something else than UTF-8", in)
		}
	})
}
