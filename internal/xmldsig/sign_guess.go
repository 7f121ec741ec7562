// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// guess is what is thought of a document without having read it: that it is UTF-8, ends with the end tag of its root, and
// holds no signature. That is so for most documents that get their first signature at the end of the root. What the
// document really is shows when it is read with the signature in it.
type guess struct {
	root       found // as it is, once read
	name       c14n.Name
	signatures int
}

// Parts of a document that are looked at to guess.
const (
	guessHead = 256
	guessTail = 1024
)

var errGuess = errors.New("the place for the signature was guessed wrong")

// guessed guesses where the root's end tag begins, if that is all the order asks for.
func (m *making) guessed() bool {
	if m.o.Mode != Enveloped || m.o.Place != (Place{}) || m.preset.wss || m.o.Base64 || m.o.SignatureID != "" {
		return false
	}
	for _, r := range m.o.References {
		if r.ID != "" {
			return false
		}
	}
	begin, ok := rootEnd(m.doc)
	if ok {
		m.guess = &guess{}
		m.survey = survey{encoding: xml.UTF8}
		m.survey.root.found = &found{depth: 1, close: begin}
		m.survey.place.found = m.survey.root.found
	}
	return ok
}

// rootEnd is where the last end tag begins, in bytes after the byte order mark, if nothing but white space follows it.
func rootEnd(doc io.ReadSeeker) (int64, bool) {
	size, err := doc.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, false
	}
	head, err := part(doc, 0, min(size, guessHead))
	if err != nil {
		return 0, false
	}
	text, marked := bytes.CutPrefix(head, []byte("\xEF\xBB\xBF"))
	if !plainUTF8(text) {
		return 0, false
	}
	from := max(0, size-guessTail)
	tail, err := part(doc, from, size-from)
	if err != nil {
		return 0, false
	}
	tail = bytes.TrimRight(tail, " \t\r\n")
	at := bytes.LastIndexByte(tail, '<')
	if at < 0 || !bytes.HasPrefix(tail[at:], []byte("</")) || tail[len(tail)-1] != '>' {
		return 0, false
	}
	if from += int64(at); marked {
		from -= int64(len(head) - len(text))
	}
	return from, true
}

func part(doc io.ReadSeeker, at, n int64) ([]byte, error) {
	if _, err := doc.Seek(at, io.SeekStart); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err := io.ReadFull(doc, b)
	return b, err
}

// plainUTF8 reports whether the beginning of a document does not tell of another encoding.
func plainUTF8(head []byte) bool {
	declaration, ok := bytes.CutPrefix(head, []byte("<?xml "))
	if !ok {
		return bytes.HasPrefix(head, []byte("<"))
	}
	declaration, _, ok = bytes.Cut(declaration, []byte("?>"))
	_, encoding, named := strings.Cut(strings.ToLower(string(declaration)), "encoding")
	return ok && (!named || strings.Contains(encoding, "utf-8"))
}

// see takes the next token of the document with the signature in it.
func (g *guess) see(t *xml.Token) {
	switch {
	case t.Kind == xml.Start && t.Depth == 1:
		g.root, g.name = *newFound(t), nameOf(t)
	case t.Kind == xml.Start && t.Name.URI == NamespaceDSig && string(t.Name.Local) == "Signature":
		g.signatures++
	case t.Kind == xml.End && t.Depth == 1:
		g.root.ends(t)
	}
}

// settle replaces a guess by what was read, or tells that it was wrong.
func (m *making) settle(r *rehearsal) error {
	g := m.guess
	if g == nil {
		return nil
	}
	added := int64(len(r.edits[0].text))
	if len(r.edits) != 1 || g.signatures != 1 || g.root.empty || g.root.close != m.spot.begin+added {
		return errGuess
	}
	r.verifier.scan.begin, r.verifier.scan.end = g.root.begin, g.root.end
	m.guess = nil
	root := m.survey.root.found
	*root = g.root
	root.close, root.end = root.close-added, root.end-added
	m.survey.name = g.name
	return nil
}
