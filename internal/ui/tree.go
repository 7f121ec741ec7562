// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"persten/internal/signing"
	"persten/internal/text"
)

// Tree is an XML document as rows, as far as it can be shown. The text of its rows is safe to draw.
type Tree struct {
	Rows    []signing.TreeRow
	Marked  bool // Signed of the rows says something
	Cut     bool // Rows is the beginning only
	Refused bool // the document cannot be read as XML
	Reason  Reason
}

// Reason is why a document cannot be shown as a tree: a code of the catalogue and a place. The zero value is unknown.
type Reason struct{ Code, Line, Column string }

// Say puts the reason into words; "" when it is unknown.
func (r Reason) Say(lang text.Lang) string {
	if r.Code == "" {
		return ""
	}
	what, _ := text.Error(lang, r.Code, map[string]string{"line": r.Line, "column": r.Column})
	return what
}

// treeReasons are the codes a viewing process can give.
var treeReasons = []string{"format_xml", "xml_doctype", "xml_limit"}

// maxSpans is how many pieces of a document a viewing process is told about.
const maxSpans = 1000

// spansText writes pieces for the command line of a viewing process: "10-20i,35-90", with c and i where comments and
// instructions belong to the piece. Pieces of one sort that touch are written as one.
func spansText(list []signing.Span) (string, error) {
	var merged []signing.Span
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b signing.Span) int { return cmp.Compare(a.Begin, b.Begin) })
	for _, s := range list {
		if last := len(merged) - 1; last >= 0 && s.Begin <= merged[last].End && sort(s) == sort(merged[last]) {
			merged[last].End = max(merged[last].End, s.End)
			continue
		}
		merged = append(merged, s)
	}
	if len(merged) > maxSpans {
		return "", fmt.Errorf("%w: %d signed pieces", errView, len(merged))
	}
	words := make([]string, len(merged))
	for i, s := range merged {
		words[i] = fmt.Sprintf("%d-%d%s", s.Begin, s.End, sort(s))
	}
	return strings.Join(words, ","), nil
}

// sort is the letters of what else belongs to a piece.
func sort(s signing.Span) string {
	letters := ""
	if s.Comments {
		letters = "c"
	}
	if s.Instructions {
		letters += "i"
	}
	return letters
}

// ParseSpans reads the command line of a viewing process.
func ParseSpans(s string) ([]signing.Span, error) {
	if s == "" {
		return nil, nil
	}
	words := strings.Split(s, ",")
	if len(words) > maxSpans {
		return nil, fmt.Errorf("%w: %d signed pieces", errView, len(words))
	}
	list := make([]signing.Span, len(words))
	for i, w := range words {
		begin, end, _ := strings.Cut(w, "-")
		from, err := strconv.ParseInt(begin, 10, 64)
		if err != nil {
			return nil, err
		}
		end, instructions := strings.CutSuffix(end, "i")
		end, comments := strings.CutSuffix(end, "c")
		to, err := strconv.ParseInt(end, 10, 64)
		if err != nil {
			return nil, err
		}
		list[i] = signing.Span{Begin: from, End: to, Comments: comments, Instructions: instructions}
	}
	return list, nil
}

// treeKinds are the letters for kinds of row between the processes.
var treeKinds = map[string]signing.TreeKind{
	"e": signing.TreeElement, "t": signing.TreeText, "c": signing.TreeComment, "i": signing.TreeInstruction,
}

// FormatRow is a row as a viewing process writes it: depth, kind, whether it is signed, size, and after a tab its text.
func FormatRow(r signing.TreeRow) string {
	kind, signed := "", "-"
	for letter, k := range treeKinds {
		if k == r.Kind {
			kind = letter
		}
	}
	if r.Signed {
		signed = "+"
	}
	return fmt.Sprintf("%d %s %s %d\t%s", r.Depth, kind, signed, r.Size, VisibleLine(r.Text))
}

// parseRow reads a row of a viewing process, which has read a hostile file.
func parseRow(line string) (signing.TreeRow, error) {
	head, rest, ok := strings.Cut(line, "\t")
	words := strings.Split(head, " ")
	if !ok || len(words) != 4 {
		return signing.TreeRow{}, fmt.Errorf("%w: not a row", errView)
	}
	depth, err := strconv.ParseUint(words[0], 10, 16)
	if err != nil {
		return signing.TreeRow{}, fmt.Errorf("%w: %w", errView, err)
	}
	size, err := strconv.ParseInt(words[3], 10, 64)
	if err != nil {
		return signing.TreeRow{}, fmt.Errorf("%w: %w", errView, err)
	}
	kind, ok := treeKinds[words[1]]
	if !ok || words[2] != "+" && words[2] != "-" {
		return signing.TreeRow{}, fmt.Errorf("%w: not a row", errView)
	}
	return signing.TreeRow{Depth: int(depth), Kind: kind, Text: VisibleLine(rest), Size: size, Signed: words[2] == "+"}, nil
}

// FormatReason is why a viewing process refuses to make a tree, for its output.
func FormatReason(r Reason) string {
	return strings.Join([]string{r.Code, r.Line, r.Column}, " ")
}

// parseReason reads it. What is not one of the known reasons is none.
func parseReason(out []byte) Reason {
	words := strings.Split(string(bytes.TrimSuffix(out, []byte("\n"))), " ")
	if len(words) != 3 || !slices.Contains(treeReasons, words[0]) {
		return Reason{}
	}
	for _, n := range words[1:] {
		if _, err := strconv.ParseUint(n, 10, 32); err != nil && n != "" {
			return Reason{}
		}
	}
	return Reason{words[0], words[1], words[2]}
}

// ShowsTree tells whether a document is worth trying as a tree: one that gets an XML signature is; another one when it
// says that it is XML.
func ShowsTree(d signing.Document) bool {
	if d.Content == nil || len(d.Covered) > 0 {
		return d.Content != nil
	}
	head, err := beginning(d.Content)
	if err != nil {
		return false
	}
	head = bytes.ReplaceAll(head, []byte{0}, nil) // UTF-16
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		head = bytes.TrimPrefix(head, []byte(mark))
	}
	named := strings.HasSuffix(strings.ToLower(d.Name), ".xml") || strings.HasSuffix(d.MIME, "/xml") || strings.HasSuffix(d.MIME, "+xml")
	return bytes.HasPrefix(head, []byte("<?xml ")) || named && bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("<"))
}
