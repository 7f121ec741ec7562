// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
)

// PDF writes the page as PDF, A4, with the letters of both languages inside. It says what the HTML page says; the signed document is
// not in it.
func PDF(out io.Writer, d Document) error {
	w := writer{d}
	p := newPages("P", w)
	doc := w.make()
	p.SetTitle(doc.Title+": "+d.File, true)
	p.SetLang(doc.Lang)
	p.SetCreationDate(d.Report.CheckedAt)
	p.SetModificationDate(d.Report.CheckedAt)
	p.AddPage()
	p.head(doc)
	for _, s := range doc.Signers {
		p.signer(s)
	}
	p.gap(2)
	p.text(fine, "", grey, doc.Footer)
	if err := p.Output(out); err != nil {
		return fmt.Errorf("write PDF: %w", err)
	}
	return nil
}

const (
	margin = 11.0
	bottom = margin + 4 // with the number of the page
	names  = 48.0       // width of the column of names

	body, row     = 9.0, 4.0 // size of the letters, height of a line
	fine, fineRow = 7.5, 3.5 // of what few people read
	groupsHeight  = 55.0     // that usual groups need
	jointHeight   = 2.0      // between two boxes of a chain
)

type colour [3]int

var (
	ink    = colour{28, 32, 36}
	grey   = colour{91, 102, 112}
	colors = map[look]colour{good: {26, 127, 55}, bad: {179, 38, 30}, unsure: {138, 90, 0}, neutral: ink}
)

// pages draws blocks from the top down.
type pages struct {
	*fpdf.Fpdf
	w writer
}

// newPages makes empty pages with the letters, the margins and the number below. Orientation is P or L.
func newPages(orientation string, w writer) *pages {
	p := &pages{Fpdf: fpdf.New(orientation, "mm", "A4", ""), w: w}
	p.AddUTF8FontFromBytes("go", "", goregular.TTF)
	p.AddUTF8FontFromBytes("go", "B", gobold.TTF)
	p.SetMargins(margin, margin, margin)
	p.SetAutoPageBreak(true, bottom)
	p.AliasNbPages("{nb}")
	p.SetFooterFunc(p.foot)
	p.SetCreator("Persten", true)
	return p
}

// width is what stands between the margins: the page's, or those of a column.
func (p *pages) width() float64 {
	w, _ := p.GetPageSize()
	left, _, right, _ := p.GetMargins()
	return w - left - right
}

// column puts the margins a part of the page's width from each side.
func (p *pages) column(left, right float64) {
	w, _ := p.GetPageSize()
	w -= 2 * margin
	p.SetLeftMargin(margin + left*w)
	p.SetRightMargin(margin + right*w)
	p.SetX(margin + left*w)
}

func (p *pages) gap(mm float64) { p.Ln(mm) }

// text writes a paragraph.
func (p *pages) text(size float64, style string, c colour, s string) {
	p.SetFont("go", style, size)
	p.SetTextColor(c[0], c[1], c[2])
	p.MultiCell(0, size*0.46, printable(s), "", "L", false)
}

// printable leaves out what the font has no letters for; a line of a report is one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r < ' ' || r > 0xffff || odd(r):
			return '\ufffd'
		}
		return r
	}, s)
}

// room begins a new page when less than mm is left of this one.
func (p *pages) room(mm float64) {
	if _, h := p.GetPageSize(); p.GetY()+mm > h-bottom {
		p.AddPage()
	}
}

func (p *pages) head(d document) {
	p.text(10, "", grey, d.Title)
	p.text(17, "B", colors[d.Look], mark(d.Look)+d.Verdict)
	p.gap(2)
	p.facts(d.Facts)
}

// mark says what the colour says, for printers without colour. The font has no better ones.
func mark(l look) string {
	return map[look]string{good: "√ ", bad: "× ", unsure: "? "}[l]
}

func (p *pages) signer(s signer) {
	p.gap(3)
	p.room(50)
	c := colors[s.Look]
	p.SetDrawColor(c[0], c[1], c[2])
	p.SetLineWidth(0.8)
	p.Line(margin, p.GetY(), margin+p.width(), p.GetY())
	p.gap(2)
	if s.Heading != "" {
		p.text(body, "", grey, s.Heading)
	}
	p.text(13, "B", c, mark(s.Look)+s.Verdict)
	p.text(body, "", ink, s.About)
	if s.Advice != "" && s.Look != good {
		p.text(body, "B", ink, p.w.t("advice")+": "+s.Advice)
	}
	p.groups(s.Groups)
	p.chain(s)
	p.gap(1.5)
	p.room(16)
	var all []string
	for _, f := range s.Details {
		all = append(all, f.Name+": "+f.Value)
	}
	p.text(fine, "", grey, p.w.t("details")+". "+strings.Join(all, "; "))
	for _, n := range s.Nested {
		p.signer(n)
	}
}

// groups stand in two columns: the first, who signed, and the others beside it.
func (p *pages) groups(list []group) {
	p.room(groupsHeight)
	top, page := p.GetY(), p.PageNo()
	p.column(0, 0.51)
	p.group(list[0])
	under := p.GetY()
	if p.PageNo() == page {
		p.column(0.51, 0)
		p.SetY(top)
	} else {
		p.column(0, 0)
	}
	for _, g := range list[1:] {
		p.group(g)
	}
	p.column(0, 0)
	if p.PageNo() == page && p.GetY() < under {
		p.SetY(under)
	}
}

func (p *pages) group(g group) {
	p.gap(1.5)
	p.room(12)
	p.text(10, "B", ink, g.Title)
	p.facts(g.Facts)
}

// facts writes lines, names on the left.
func (p *pages) facts(list []fact) {
	left, _, _, _ := p.GetMargins()
	names := min(names, 0.42*p.width())
	for _, f := range list {
		p.room(8)
		y, page := p.GetY(), p.PageNo()
		p.SetFont("go", "", body)
		if f.Name != "" {
			p.SetTextColor(grey[0], grey[1], grey[2])
			p.MultiCell(names-2, row, printable(f.Name), "", "L", false)
		}
		under := p.GetY()
		c := colors[f.Look]
		p.SetTextColor(c[0], c[1], c[2])
		width := p.width()
		if f.Name != "" {
			p.SetXY(left+names, y)
			width -= names
		}
		value := f.Value
		if f.Look == good || f.Look == bad || f.Look == unsure {
			value = mark(f.Look) + value
		}
		p.MultiCell(width, row, printable(value), "", "L", false)
		if p.PageNo() == page && p.GetY() < under {
			p.SetY(under)
		}
		p.SetX(left)
	}
}

// chain draws the boxes, the root above, joined by a line that is broken where the chain is.
func (p *pages) chain(s signer) {
	p.gap(1.5)
	p.room(30)
	p.text(10, "B", ink, s.ChainTitle)
	if len(s.Chain) == 0 {
		p.text(body, "", grey, p.w.t("chain.missing"))
		return
	}
	p.gap(1)
	for i := len(s.Chain) - 1; i >= 0; i-- {
		p.room(p.boxHeight(s.Chain[i]) + jointHeight)
		if i < len(s.Chain)-1 {
			p.joint(s.Chain[i].Look)
		}
		p.box(s.Chain[i])
	}
}

// boxHeight is what box needs.
func (p *pages) boxHeight(l link) float64 {
	height := 1.6
	for i, s := range l.lines() {
		style, size, row := boxType(i)
		p.SetFont("go", style, size)
		height += row * float64(len(p.SplitText(printable(s), p.width()-8)))
	}
	return height
}

// lines are who it is and what is known of it.
func (l link) lines() []string {
	return []string{l.Role + ": " + l.Name, mark(l.Look) + strings.Join(append([]string{l.State}, l.Notes...), "; ")}
}

// boxType is how a line of a box is set.
func boxType(line int) (style string, size, height float64) {
	if line == 0 {
		return "B", body, row
	}
	return "", fine, fineRow
}

func (p *pages) box(l link) {
	height, width := p.boxHeight(l), p.width()-6
	c := colors[l.Look]
	p.SetDrawColor(c[0], c[1], c[2])
	p.SetLineWidth(0.5)
	p.dash(l.Look != good)
	p.Rect(margin, p.GetY(), p.width(), height, "D")
	p.dash(false)
	under := p.GetY() + height
	p.SetY(p.GetY() + 0.8)
	for i, s := range l.lines() {
		color := ink
		if i > 0 {
			color = c
		}
		style, size, row := boxType(i)
		p.SetX(margin + 3)
		p.SetFont("go", style, size)
		p.SetTextColor(color[0], color[1], color[2])
		p.MultiCell(width, row, printable(s), "", "L", false)
	}
	p.SetY(under)
}

// joint is the line from an issuer down to what it issued.
func (p *pages) joint(below look) {
	c := colors[below]
	p.SetDrawColor(c[0], c[1], c[2])
	p.dash(below != good)
	p.Line(margin+10, p.GetY(), margin+10, p.GetY()+jointHeight)
	p.dash(false)
	p.SetY(p.GetY() + jointHeight)
}

func (p *pages) dash(on bool) {
	if on {
		p.SetDashPattern([]float64{1.6, 1.2}, 0)
		return
	}
	p.SetDashPattern([]float64{}, 0)
}

func (p *pages) foot() {
	p.SetY(-margin)
	p.SetFont("go", "", 8)
	p.SetTextColor(grey[0], grey[1], grey[2])
	p.CellFormat(0, 5, p.w.t("page", "n", strconv.Itoa(p.PageNo()), "all", "{nb}"), "", 0, "C", false, 0, "")
}
