// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"bytes"
	"strings"
	"testing"

	"persten/internal/ui"
	"persten/internal/ui/view/viewtest"
)

// extracted is what comes out of a document.
func extracted(t *testing.T, in []byte) (string, int) {
	t.Helper()
	var out bytes.Buffer
	code := Extract(bytes.NewReader(in), &out)
	return out.String(), code
}

func TestExtract(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want string
	}{
		{"docx", viewtest.DOCX("Договор № 17", "a\u202eb"), "docx\nДоговор № 17\na‹U+202E›b\nТовар  | Цена \nБумага  | 310,00 \n— word/footer1.xml —\nСтраница\n[+] word/media/image1.png\n"},
		{"xlsx", viewtest.XLSX(), "xlsx\n— Счёт —\nИтого | 37200 | 2026-11-22 | 74400\n"},
		{"pptx", viewtest.PPTX(), "pptx\n— ppt/slides/slide1.xml —\nДоклад\n"},
		{"odt", viewtest.ODT("Один", `два<text:s text:c="3"/>три<text:tab/>четыре`, "пять<text:line-break/>шесть"), "odt\nОдин\nдва   три    четыре\nпять\nшесть\nКолонтитул\n"},
		{"ods", viewtest.ODS(), "ods\n— Лист1 —\n100  | 100\nКолонтитул\n"},
		{"zip", viewtest.Zip(viewtest.Entry{Name: "папка/а.txt", Content: "12345"}), "zip\n           5  папка/а.txt\n"},
		{"rtf", []byte(`{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 Arial;}}{\*\generator x}\f0 \'c4\'ee\'e3\'ee\'e2\'ee\'f0 \u8470?17\par {\b a}\tab b\line\{c\}{\pict 00ff}}`),
			"rtf\nДоговор №17\na    b\n{c}\n"},
		{"rtf beyond the basic plane", []byte(`{\rtf1\uc1\u-10179?\u-8704?}`), "rtf\n😀\n"},
	} {
		got, code := extracted(t, c.in)
		if code != ui.ExitWhole || got != c.want {
			t.Errorf("%s: %d %q, want %q", c.name, code, got, c.want)
		}
	}
}

// What a document shows must be what the programs show that people use: the part the relations lead to.
func TestDecoyPart(t *testing.T) {
	body := func(s string) string {
		return `<w:document xmlns:w="urn:w"><w:body><w:p><w:r><w:t>` + s + `</w:t></w:r></w:p></w:body></w:document>`
	}
	got, _ := extracted(t, viewtest.Zip(
		viewtest.Entry{Name: "[Content_Types].xml", Content: viewtest.Types},
		viewtest.Entry{Name: "word/document.xml", Content: body("decoy")},
		viewtest.Entry{Name: "other/real.xml", Content: body("real")},
		viewtest.Entry{Name: "_rels/.rels", Content: viewtest.Relations("officeDocument", "other/real.xml")},
	))
	if !strings.HasSuffix(got, "\nreal\n") || strings.Contains(got, "decoy") {
		t.Errorf("%q", got)
	}
}

func TestMacros(t *testing.T) {
	d := viewtest.Zip(
		viewtest.Entry{Name: "[Content_Types].xml", Content: viewtest.Types},
		viewtest.Entry{Name: "_rels/.rels", Content: viewtest.Relations("officeDocument", "d.xml")},
		viewtest.Entry{Name: "d.xml", Content: `<w:document xmlns:w="urn:w"/>`},
		viewtest.Entry{Name: "word/vbaProject.bin", Content: "x"},
	)
	if got, _ := extracted(t, d); !strings.HasPrefix(got, "macros\n") {
		t.Errorf("%q", got)
	}
}

// bomb is a document whose text is n bytes of one letter.
func bomb(n int) []byte { return viewtest.DOCX(strings.Repeat("a", n)) }

func TestExtractRefuses(t *testing.T) {
	many := make([]viewtest.Entry, maxEntries+1)
	twice := viewtest.Zip(viewtest.Entry{Name: "content.xml"}, viewtest.Entry{Name: "CONTENT.XML"}, viewtest.Entry{Name: "mimetype", Content: "application/vnd.oasis.opendocument.text"})
	for _, c := range []struct {
		name string
		in   []byte
		want ui.Refusal
	}{
		{"a bomb", bomb(maxEntry + 1), ui.RefusedLarge},
		{"a ratio", bomb(20 << 20), ui.RefusedLarge},
		{"entries", viewtest.Zip(many...), ui.RefusedLarge},
		{"depth", viewtest.DOCX(strings.Repeat("<b>", maxDepth) + strings.Repeat("</b>", maxDepth)), ui.RefusedLarge},
		{"a name that is there twice", twice, ui.RefusedBroken},
		{"a doctype", viewtest.ODT("</text:p><!DOCTYPE a><text:p>"), ui.RefusedUnsupported},
		{"an entity", viewtest.ODT("&lol;"), ui.RefusedBroken},
		{"not closed", viewtest.DOCX("<a>"), ui.RefusedBroken},
		{"the end is missing", viewtest.DOCX("x")[:200], ui.RefusedBroken},
		{"groups", []byte(`{\rtf1` + strings.Repeat("{", maxDepth+1)), ui.RefusedLarge},
		{"a group that is open", []byte(`{\rtf1 a`), ui.RefusedBroken},
		{"not hexadecimal", []byte(`{\rtf1 \'zz}`), ui.RefusedBroken},
		{"a locked entry", locked(viewtest.ODT("x")), ui.RefusedEncrypted},
	} {
		if got, code := extracted(t, c.in); code != ui.ExitRefused || got != string(c.want)+"\n" {
			t.Errorf("%s: %d %.60q, want %q", c.name, code, got, c.want)
		}
	}
}

// locked sets the bit that says that the entries of an archive want a password.
func locked(z []byte) []byte {
	for _, sign := range []struct {
		mark string
		at   int
	}{{"PK\x03\x04", 6}, {"PK\x01\x02", 8}} {
		for i := 0; i < len(z); {
			j := bytes.Index(z[i:], []byte(sign.mark))
			if j < 0 {
				break
			}
			z[i+j+sign.at] |= 1
			i += j + 4
		}
	}
	return z
}

func TestExtractCaps(t *testing.T) {
	var list []string
	for range 2 * ui.ViewLines {
		list = append(list, "строка")
	}
	for name, in := range map[string][]byte{
		"lines": viewtest.DOCX(list...),
		"cells": viewtest.ODT(strings.Repeat(`<text:s text:c="2000000000"/>`, 5000)),
	} {
		got, code := extracted(t, in)
		if code != ui.ExitCut || len(got) > ui.ViewOutput || strings.Count(got, "\n") > ui.ViewLines {
			t.Errorf("%s: %d, %d bytes, %d lines", name, code, len(got), strings.Count(got, "\n"))
		}
	}
}

func TestHex(t *testing.T) {
	var out bytes.Buffer
	if code := Hex(strings.NewReader("\x00\x01Persten, bytes\xff"), &out); code != ui.ExitWhole ||
		out.String() != "000000 00 01 50 65 72 73 74 65 6e 2c 20 62 79 74 65 73 ..Persten,.bytes\n000010 ff                                              .\n" {
		t.Errorf("%d %q", code, out.String())
	}
	out.Reset()
	if code := Hex(strings.NewReader(strings.Repeat("x", hexRow*ui.ViewLines+1)), &out); code != ui.ExitCut || strings.Count(out.String(), "\n") != ui.ViewLines {
		t.Errorf("%d, %d lines", code, strings.Count(out.String(), "\n"))
	}
}

func FuzzExtract(f *testing.F) {
	for _, d := range [][]byte{
		viewtest.DOCX("a", "\u202e"), viewtest.XLSX(), viewtest.PPTX(), viewtest.ODT("a<text:tab/>"), viewtest.ODS(), locked(viewtest.ODT("x")),
		[]byte(`{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 Arial;}}\f0 \'c4\u8470?17\par {\b a}\bin3 abc}`),
	} {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		Extract(bytes.NewReader(in), &out)
		plain(t, out.Bytes())
	})
}

// FuzzParts puts hostile XML where office formats have theirs: a fuzzer does not find its way through the archive.
func FuzzParts(f *testing.F) {
	f.Add(`<w:p><w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t><w:tab/><w:br/></w:r></w:p></w:tc></w:tr></w:tbl></w:p>`, `<x/>`)
	f.Add(`<row><c t="s" s="1"><v>0</v></c><c><f/><v>1</v></c><is><t>x</t></is></row>`, `<sst><si><t>a</t></si></sst>`)
	f.Add(`<table:table table:name="a"><table:table-row><table:table-cell table:number-columns-repeated="9"><text:p>a</text:p></table:table-cell></table:table-row></table:table>`, `<numFmt numFmtId="1" formatCode="yy"/><cellXfs><xf numFmtId="1"/></cellXfs>`)
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, d := range [][]byte{viewtest.DOCX(a, b), viewtest.ODT(a, b), viewtest.Zip(
			viewtest.Entry{Name: "[Content_Types].xml", Content: viewtest.Types},
			viewtest.Entry{Name: "_rels/.rels", Content: viewtest.Relations("officeDocument", "w.xml")},
			viewtest.Entry{Name: "w.xml", Content: `<workbook xmlns:r="relationships"><sheet r:id="rId1"/></workbook>`},
			viewtest.Entry{Name: "_rels/w.xml.rels", Content: viewtest.Relations("worksheet", "s.xml", "sharedStrings", "t.xml", "styles", "t.xml")},
			viewtest.Entry{Name: "s.xml", Content: a}, viewtest.Entry{Name: "t.xml", Content: b},
		)} {
			var out bytes.Buffer
			Extract(bytes.NewReader(d), &out)
			plain(t, out.Bytes())
		}
	})
}
