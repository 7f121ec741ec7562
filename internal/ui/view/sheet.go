// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"persten/internal/ui"
)

// workbook is what the sheets of an XLSX document share.
type workbook struct {
	strings []string
	dates   []bool // of each cell format: whether numbers are days
}

// readWorkbook prints the sheets in their order, hidden ones too.
func (a *archive) readWorkbook(d *tokens, parts []relation, p *paper) error {
	var b workbook
	var err error
	if b.strings, err = a.sharedStrings(only(parts, "sharedStrings")); err != nil {
		return err
	}
	if b.dates, err = a.dateFormats(only(parts, "styles")); err != nil {
		return err
	}
	for {
		e, err := d.next("sheet")
		if errors.Is(err, io.EOF) {
			return a.unseen(parts, p)
		}
		if err != nil {
			return err
		}
		p.write("— " + attribute(e, "name", "") + " —")
		if err := p.end(); err != nil {
			return err
		}
		if err := a.readSheet(target(parts, attribute(e, "id", "relationships")), b, p); err != nil {
			return err
		}
	}
}

// sharedStrings are the texts that cells refer to.
func (a *archive) sharedStrings(part string) ([]string, error) {
	if part == "" {
		return nil, nil
	}
	d, err := a.tokens(part)
	if err != nil {
		return nil, err
	}
	var list []string
	var s strings.Builder
	err = d.each(func(t xml.Token) error {
		switch t := t.(type) {
		case xml.CharData:
			if d.in("t") && !d.within("rPh") {
				s.Write(t)
			}
		case xml.EndElement:
			if t.Name.Local == "si" {
				list = append(list, s.String())
				s.Reset()
			}
		}
		return nil
	})
	return list, err
}

// dateFormats tells of each cell format whether its numbers are days.
func (a *archive) dateFormats(part string) (list []bool, err error) {
	if part == "" {
		return nil, nil
	}
	d, err := a.tokens(part)
	if err != nil {
		return nil, err
	}
	custom := map[string]bool{}
	err = d.each(func(t xml.Token) error {
		e, ok := t.(xml.StartElement)
		switch {
		case ok && e.Name.Local == "numFmt":
			custom[attribute(e, "numFmtId", "")] = strings.ContainsAny(strings.ToLower(unquoted(attribute(e, "formatCode", ""))), "yd")
		case ok && e.Name.Local == "xf" && d.within("cellXfs"):
			id := attribute(e, "numFmtId", "")
			n, _ := strconv.Atoi(id)
			list = append(list, custom[id] || n >= 14 && n <= 17 || n == 22)
		}
		return nil
	})
	return list, err
}

// unquoted is a number format without what it prints as it is: "…" and […].
func unquoted(format string) string {
	var b strings.Builder
	var until rune
	for _, c := range format {
		switch {
		case until != 0:
			if c == until {
				until = 0
			}
		case c == '"':
			until = '"'
		case c == '[':
			until = ']'
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// readSheet prints the rows of a sheet, a line each.
func (a *archive) readSheet(part string, b workbook, p *paper) error {
	d, err := a.tokens(part)
	if err != nil {
		return err
	}
	var c cell
	err = d.each(func(t xml.Token) error {
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Local == "c" {
				c = cell{first: c.first, kind: attribute(t, "t", ""), style: attribute(t, "s", "")}
			}
			c.first = c.first || t.Name.Local == "row"
		case xml.CharData:
			if d.in("v") || d.in("t") && !d.within("rPh") {
				c.value += string(t[:min(len(t), ui.ViewColumns)])
			}
		case xml.EndElement:
			return c.close(t.Name.Local, b, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.end()
}

// cell is a value of a sheet.
type cell struct {
	kind, style, value string
	first              bool // of its row
}

func (c *cell) close(name string, b workbook, p *paper) error {
	switch name {
	case "c":
		if !c.first {
			p.write(" | ")
		}
		p.write(c.text(b))
		c.first = false
	case "row":
		return p.end()
	}
	return nil
}

// text is what a cell says. Formulas are told by the value that was computed last, which is what a reader shows too.
func (c *cell) text(b workbook) string {
	n, err := strconv.Atoi(c.value)
	switch {
	case c.kind == "s" && err == nil && n >= 0 && n < len(b.strings):
		return b.strings[n]
	case c.kind == "b":
		return map[string]string{"1": "TRUE", "0": "FALSE"}[c.value]
	case c.kind != "" && c.kind != "n":
		return c.value
	}
	style, err := strconv.Atoi(c.style)
	if days, e := strconv.ParseFloat(c.value, 64); err == nil && e == nil && style >= 0 && style < len(b.dates) && b.dates[style] && days > 0 && days < 3e6 {
		return time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).Add(time.Duration(days*86400) * time.Second).Format("2006-01-02")
	}
	return c.value
}
