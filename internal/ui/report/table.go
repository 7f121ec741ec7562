// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"fmt"
	"io"
	"slices"

	"persten/internal/text"
)

// maxCell bounds a cell of a table, in characters.
const maxCell = 300

// Table is a list for people, on A4 turned to the side.
type Table struct {
	Lang    text.Lang
	Title   string
	Note    string // below the title, or ""
	Columns []string
	Widths  []float64 // of the columns, in parts of the page
	Rows    [][]string
}

// PDF writes the table, with its head on each page.
func (t Table) PDF(out io.Writer) error {
	p := newPages("L", writer{Document{Lang: t.Lang}})
	p.SetTitle(t.Title, true)
	p.SetLang(string(t.Lang))
	p.AddPage()
	p.text(15, "B", ink, t.Title)
	if t.Note != "" {
		p.text(body, "", grey, t.Note)
	}
	p.gap(2)
	widths := p.share(t.Widths)
	head := func() { p.cells(widths, t.Columns, "B") }
	head()
	p.SetHeaderFunc(head)
	for _, row := range t.Rows {
		p.cells(widths, row, "")
	}
	if err := p.Output(out); err != nil {
		return fmt.Errorf("write PDF: %w", err)
	}
	return nil
}

// share gives each column its part of the width.
func (p *pages) share(parts []float64) []float64 {
	sum := 0.0
	for _, w := range parts {
		sum += w
	}
	widths := slices.Clone(parts)
	for i := range widths {
		widths[i] *= p.width() / sum
	}
	return widths
}

// cells writes one row; each cell takes the lines it needs.
func (p *pages) cells(widths []float64, row []string, style string) {
	p.SetFont("go", style, fine)
	p.SetTextColor(ink[0], ink[1], ink[2])
	lines := make([][]string, len(widths))
	height := fineRow
	for i, s := range row {
		if letters := []rune(printable(s)); len(letters) > maxCell {
			s = string(letters[:maxCell]) + "…"
		} else {
			s = string(letters)
		}
		lines[i] = p.SplitText(s, widths[i]-2)
		height = max(height, fineRow*float64(len(lines[i])))
	}
	p.room(height + 1)
	y, x := p.GetY(), margin
	for i, list := range lines {
		for n, s := range list {
			p.SetXY(x, y+fineRow*float64(n))
			p.CellFormat(widths[i]-1, fineRow, s, "", 0, "L", false, 0, "")
		}
		x += widths[i]
	}
	p.SetDrawColor(200, 205, 210)
	p.SetLineWidth(0.1)
	p.Line(margin, y+height+0.4, margin+p.width(), y+height+0.4)
	p.SetXY(margin, y+height+0.9)
}
