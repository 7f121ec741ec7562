// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"bytes"
	"unicode/utf8"
)

// text reads a piece of character data at pos. Pieces end where the document and its meaning differ, so that no piece
// has to be copied: at references and before CR LF.
func (r *Reader) text() int {
	from := r.pos
	if len(r.open) == 0 {
		if r.buf[from] == '&' {
			return r.fail(from, ErrSyntax, "a reference outside the root element")
		}
		return r.unexpected(from, "outside the root element")
	}
	i := r.run(r.afterCR(from), stopText)
	if i > from {
		return r.piece(r.afterCR(from), i, i)
	}
	switch c := r.buf[i]; {
	case c == '&':
		char, next := r.reference(i)
		r.val = utf8.AppendRune(r.val[:0], char)
		r.tok = Token{Kind: Text, Data: r.val, Depth: r.scope.depth}
		return next
	case c == ']' && i+2 < r.end:
		return r.fail(i, ErrSyntax, "]]> in text")
	case c == ']', c == '\r':
		return short
	}
	return r.unexpected(i, "in text")
}

// section reads a piece of a CDATA section whose data is at from.
func (r *Reader) section(from int) int {
	from = r.afterCR(from)
	i := r.run(from, stopSection)
	switch {
	case bytes.HasPrefix(r.buf[i:r.end], []byte("]]>")):
		r.cdata = false
		return r.piece(from, i, i+3)
	case i > from:
		r.cdata = true
		return r.piece(from, i, i)
	case r.buf[i] == ']' || r.buf[i] == '\r':
		return short
	}
	return r.unexpected(i, "in a CDATA section")
}

func (r *Reader) piece(from, to, next int) int {
	r.tok = Token{Kind: Text, Data: r.buf[from:to:to], Depth: r.scope.depth}
	return next
}

// afterCR passes the CR of a CR LF, which is not data.
func (r *Reader) afterCR(i int) int {
	if r.buf[i] == '\r' && r.buf[i+1] == '\n' {
		i++
	}
	return i
}

// run returns where the data from i on ends or needs another look. A CR alone becomes the newline it means in place.
func (r *Reader) run(i int, stop uint8) int {
	for {
		for class[r.buf[i]]&stop == 0 {
			i++
		}
		switch c := r.buf[i]; {
		case c == ']' && i+2 < r.end && !bytes.HasPrefix(r.buf[i+1:r.end], []byte("]>")):
		case c == '\r' && i+1 < r.end && r.buf[i+1] != '\n':
			r.buf[i] = '\n'
		case c == 0xEF && !nonCharacter(r.buf[i:r.end]):
		default:
			return i
		}
		i++
	}
}

// reference reads the reference at i.
func (r *Reader) reference(i int) (rune, int) {
	at := i
	if i++; r.buf[i] == '#' {
		return r.charReference(at)
	}
	next := r.simple(i)
	if next < 0 {
		return 0, next
	}
	if r.buf[next] != ';' {
		return 0, r.unexpected(next, "where ; ends a reference")
	}
	switch string(r.buf[i:next]) {
	case "lt":
		return '<', next + 1
	case "gt":
		return '>', next + 1
	case "amp":
		return '&', next + 1
	case "apos":
		return '\'', next + 1
	case "quot":
		return '"', next + 1
	}
	return 0, r.fail(at, ErrSyntax, "the entity %s is not declared", clip(r.buf[i:next]))
}

func (r *Reader) charReference(at int) (rune, int) {
	i, base := at+2, rune(10)
	if r.buf[i] == 'x' {
		i, base = i+1, 16
	}
	first := i
	var char rune
	for ; ; i++ {
		digit, ok := digitOf(r.buf[i], base)
		if !ok {
			break
		}
		char = min(char*base+digit, utf8.MaxRune+1)
	}
	switch {
	case r.buf[i] != ';' || i == first:
		return 0, r.unexpected(i, "in a character reference")
	case !isChar(char):
		return 0, r.fail(at, ErrSyntax, "a reference to a character that is not allowed in XML")
	}
	return char, i + 1
}

func digitOf(c byte, base rune) (rune, bool) {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0'), true
	case base == 16 && c >= 'a' && c <= 'f':
		return rune(c-'a') + 10, true
	case base == 16 && c >= 'A' && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}
