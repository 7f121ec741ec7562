// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"fmt"
	"io"
	"strings"

	"persten/internal/ui"
)

// columns bounds what a line of text takes from the file that was checked.
const columns = 160

// TextLine is a line of the page where there is no layout. It is safe to show.
type TextLine struct {
	Depth int
	Look  string // good, bad, unsure, or empty
	Text  string
}

// Lines are who, when, what, the chain and what to do, a line each.
func Lines(d Document) (lines []TextLine) {
	w := writer{d}
	doc := w.make()
	if len(doc.Signers) != 1 {
		line(&lines, 0, doc.Look, doc.Verdict)
	}
	for _, s := range doc.Signers {
		w.plain(&lines, s, 0)
	}
	return lines
}

// Text writes Lines for a terminal.
func Text(out io.Writer, d Document) error { return write(out, Lines(d)) }

func write(out io.Writer, lines []TextLine) error {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s%s%s\n", strings.Repeat("  ", l.Depth), plainMark(look(l.Look)), l.Text)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func line(to *[]TextLine, depth int, l look, s string) {
	*to = append(*to, TextLine{depth, string(l), ui.Safe(s, columns)})
}

func plainMark(l look) string {
	return map[look]string{good: "[+] ", bad: "[!] ", unsure: "[?] "}[l]
}

func (w writer) plain(b *[]TextLine, s signer, depth int) {
	if s.Heading != "" {
		line(b, depth, neutral, s.Heading)
	}
	line(b, depth, s.Look, s.Verdict)
	line(b, depth+1, neutral, s.About)
	if s.Look != good && s.Advice != "" {
		line(b, depth+1, neutral, w.t("advice")+": "+s.Advice)
	}
	for i, g := range s.Groups {
		line(b, depth+1, neutral, g.Title+":")
		for n, f := range g.Facts {
			if i == 0 && n > 1 && f.Name != w.t("organization") {
				continue // the rest of a certificate is on the page
			}
			line(b, depth+2, f.Look, strings.TrimPrefix(f.Name+": "+f.Value, ": "))
		}
	}
	line(b, depth+1, neutral, s.ChainTitle+":")
	for i := len(s.Chain) - 1; i >= 0; i-- {
		l := s.Chain[i]
		line(b, depth+2, l.Look, l.Name+" ("+l.Role+"): "+l.State)
		for _, n := range l.Notes[min(1, len(l.Notes)):] { // its dates are on the page
			line(b, depth+3, neutral, n)
		}
	}
	if len(s.Chain) == 0 {
		line(b, depth+2, unsure, w.t("chain.missing"))
	}
	if len(s.Details) > 0 {
		line(b, depth+1, neutral, s.Details[0].Name+": "+s.Details[0].Value)
	}
	for _, n := range s.Nested {
		w.plain(b, n, depth+1)
	}
}
