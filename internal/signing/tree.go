// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"persten/internal/xmldsig/xml"
)

// Span is a piece of an XML document, in bytes of its UTF-8 form without a byte order mark, as package xml counts.
type Span struct {
	Begin   int64  `json:"begin"`
	End     int64  `json:"end"`
	Element string `json:"element,omitempty"` // name of the element the piece belongs to
	ID      string `json:"id,omitempty"`      // its Id attribute, when it was chosen by it

	Comments     bool `json:"comments,omitempty"`     // those in it belong to it
	Instructions bool `json:"instructions,omitempty"` // likewise
}

// TreeKind is what a row of a tree shows.
type TreeKind string

// The kinds of row.
const (
	TreeElement     TreeKind = "element" // <name attributes> and the text, when the element holds nothing else
	TreeText        TreeKind = "text"    // text beside elements
	TreeComment     TreeKind = "comment"
	TreeInstruction TreeKind = "instruction" // target and data
)

// TreeRow is one line of a document shown as an indented tree. Text is one line of what the document says and may hold any
// character XML allows: whoever draws it makes it safe. Namespace declarations follow the attributes.
type TreeRow struct {
	Depth  int      `json:"depth"` // indentation; the root is 0
	Kind   TreeKind `json:"kind"`
	Text   string   `json:"text"`
	Size   int64    `json:"size,omitempty"` // characters of the whole text, when Text is only its beginning
	Signed bool     `json:"signed,omitempty"`
}

// treeText is how many characters of one row are kept.
const treeText = 300

// Tree reads an XML document and returns its rows, at most max of them; cut tells that there are more. Rows within covered are
// marked as signed. The document has been read to its end before (Plan), so that what stands behind the cut is well-formed.
func Tree(r io.Reader, covered []Span, max int) (rows []TreeRow, cut bool, err error) {
	t := tree{covered: covered}
	x := xml.NewReader(r, xml.Limits{})
	for {
		token, err := x.Next()
		if errors.Is(err, io.EOF) {
			t.flush()
			return t.rows, false, nil
		}
		if err != nil {
			return nil, false, xmlFault(err, XMLRequest{})
		}
		if t.add(token); len(t.rows) > max {
			return t.rows[:max], true, nil
		}
	}
}

// tree gathers rows. Text is held back until it is clear whether it stands alone in its element.
type tree struct {
	covered []Span
	rows    []TreeRow
	text    oneLine
	at      int64 // where the text begins
	depth   int   // of the text
	alone   bool  // the last row is the start of the element the text stands in, and nothing else came since
}

func (t *tree) add(k *xml.Token) {
	switch k.Kind {
	case xml.Start:
		t.flush()
		t.row(k, TreeElement, startTag(k))
		t.alone = true
	case xml.End:
		t.end()
	case xml.Text:
		if t.text.size == 0 {
			t.at, t.depth = k.Begin, k.Depth
		}
		t.text.words(k.Data)
	case xml.Comment:
		t.flush()
		t.row(k, TreeComment, spaced(k.Data))
	case xml.Instruction:
		t.flush()
		t.row(k, TreeInstruction, spaced(slices.Concat(k.Name.Local, []byte(" "), k.Data)))
	}
}

// row appends what a token shows.
func (t *tree) row(k *xml.Token, kind TreeKind, l oneLine) {
	depth := k.Depth
	if kind == TreeElement {
		depth--
	}
	t.alone = false
	t.rows = append(t.rows, TreeRow{
		Depth: depth, Kind: kind, Text: l.String(), Size: l.cut(), Signed: t.signed(k.Begin, kind),
	})
}

// flush puts text that stands beside elements into a row of its own.
func (t *tree) flush() {
	if t.text.size > 0 {
		t.rows = append(t.rows, TreeRow{Depth: t.depth, Kind: TreeText, Text: t.text.String(), Size: t.text.cut(), Signed: t.signed(t.at, TreeText)})
	}
	t.text = oneLine{}
	t.alone = false
}

// end puts the text of an element that holds nothing else beside its name.
func (t *tree) end() {
	if !t.alone || t.text.size == 0 {
		t.flush()
		return
	}
	last := &t.rows[len(t.rows)-1]
	last.Text += " " + t.text.String()
	if n := t.text.cut(); n > 0 {
		last.Size = n
	}
	t.text = oneLine{}
	t.alone = false
}

func (t *tree) signed(at int64, kind TreeKind) bool {
	return slices.ContainsFunc(t.covered, func(s Span) bool {
		return s.Begin <= at && at < s.End && (kind != TreeComment || s.Comments) && (kind != TreeInstruction || s.Instructions)
	})
}

// oneLine is a line of bounded length; size counts all its characters.
type oneLine struct {
	b    strings.Builder
	size int64
	gap  bool // white space was left out before what comes next
}

func (l *oneLine) String() string { return l.b.String() }

// cut is the number of characters when some of them did not fit, else 0.
func (l *oneLine) cut() int64 {
	if l.size > treeText {
		return l.size
	}
	return 0
}

// add appends bytes as they are, as long as there is room. A character counts with its first byte and is kept or left out
// whole.
func (l *oneLine) add(p []byte) {
	for _, c := range p {
		if utf8.RuneStart(c) {
			l.size++
		}
		if l.size <= treeText {
			l.b.WriteByte(c)
		}
	}
}

// words appends text with each run of white space as one space, none at the ends, and with markup's first character
// written so that text cannot pass for an element.
func (l *oneLine) words(p []byte) {
	for _, c := range p {
		switch c {
		case ' ', '\t', '\n', '\r':
			l.gap = l.size > 0
			continue
		}
		if l.gap {
			l.add([]byte{' '})
			l.gap = false
		}
		if c == '<' {
			l.add([]byte("&lt;"))
			continue
		}
		l.add([]byte{c})
	}
}

func spaced(p []byte) oneLine {
	var l oneLine
	l.words(p)
	return l
}

// startTag writes an element's name and attributes, then its namespace declarations.
func startTag(k *xml.Token) oneLine {
	var l oneLine
	l.add([]byte{'<'})
	l.name(k.Name)
	for _, a := range k.Attrs {
		l.add([]byte{' '})
		l.name(a.Name)
		l.value(a.Value)
	}
	for _, b := range k.Bindings {
		l.add([]byte(" xmlns"))
		if b.Prefix != "" {
			l.add([]byte(":" + b.Prefix))
		}
		l.value([]byte(b.URI))
	}
	l.add([]byte{'>'})
	return l
}

func (l *oneLine) name(n xml.Name) {
	if len(n.Prefix) > 0 {
		l.add(n.Prefix)
		l.add([]byte{':'})
	}
	l.add(n.Local)
}

// value writes an attribute's value in quotes, as canonical XML does.
func (l *oneLine) value(v []byte) {
	l.add([]byte(`="`))
	for _, c := range v {
		if s, ok := valueEscapes[c]; ok {
			l.add([]byte(s))
			continue
		}
		l.add([]byte{c})
	}
	l.add([]byte{'"'})
}

var valueEscapes = map[byte]string{'"': "&quot;", '&': "&amp;", '<': "&lt;", '\t': "&#x9;", '\n': "&#xA;", '\r': "&#xD;"}
