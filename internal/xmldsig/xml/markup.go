// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"bytes"
	"strings"
)

// declared reads what begins with <! at pos.
func (r *Reader) declared() int {
	b := r.buf[r.pos+2 : r.end]
	switch {
	case bytes.HasPrefix(b, []byte("--")):
		return r.comment(r.pos + 4)
	case bytes.HasPrefix(b, []byte("[CDATA[")) && len(r.open) > 0:
		return r.section(r.pos + 9)
	case bytes.HasPrefix(b, []byte("DOCTYPE")):
		return r.fail(r.pos, ErrDoctype, "document type declaration")
	case len(b) < len("[CDATA[") && r.over == nil:
		return short
	}
	return r.fail(r.pos, ErrSyntax, "markup that XML does not have, or not here")
}

// comment reads a comment whose data is at from.
func (r *Reader) comment(from int) int {
	for i := from; ; i++ {
		switch i = r.runOther(i, '-'); {
		case i+1 >= r.end && r.buf[i] == '-', i == r.end:
			return short
		case r.buf[i] != '-':
			return r.unexpected(i, "in a comment")
		case r.buf[i+1] != '-':
		case i+2 == r.end:
			return short
		case r.buf[i+2] != '>':
			return r.fail(i, ErrSyntax, "-- in a comment")
		default:
			return r.other(Token{Kind: Comment, Data: r.unixLines(from, i)}, i+3)
		}
	}
}

// instruction reads a processing instruction.
func (r *Reader) instruction() int {
	at := r.pos + 2
	i := r.simple(at)
	if i < 0 {
		return i
	}
	target := r.buf[at:i:i]
	if strings.EqualFold(string(target), "xml") {
		return r.fail(r.pos, ErrSyntax, "<?%s can only begin the document", target)
	}
	from := i
	for class[r.buf[from]]&isSpace != 0 {
		from++
	}
	if from == i && r.buf[i] != '?' {
		return r.unexpected(i, "in the name of an instruction")
	}
	for i = from; ; i++ {
		switch i = r.runOther(i, '?'); {
		case i+1 >= r.end:
			return short
		case r.buf[i] != '?':
			return r.unexpected(i, "in an instruction")
		case r.buf[i+1] == '>':
			return r.other(Token{Kind: Instruction, Name: Name{Local: target}, Data: r.unixLines(from, i)}, i+2)
		case from == i && class[r.buf[i-1]]&isSpace == 0:
			return r.unexpected(i, "in the name of an instruction")
		}
	}
}

func (r *Reader) other(t Token, next int) int {
	if next-r.pos > r.limits.Tag {
		return r.tooLong()
	}
	t.Depth = r.scope.depth
	r.tok = t
	return next
}

// runOther returns where a character that XML does not allow, or mark, comes next.
func (r *Reader) runOther(i int, mark byte) int {
	for {
		for class[r.buf[i]]&stopOther == 0 {
			i++
		}
		switch c := r.buf[i]; {
		case c == mark, c < 0x20 && c != '\r', c == 0xEF && nonCharacter(r.buf[i:r.end]):
			return i
		}
		i++
	}
}

// unixLines returns buf[from:to] with one newline for each line end.
func (r *Reader) unixLines(from, to int) []byte {
	b := r.buf[from:to:to]
	if bytes.IndexByte(b, '\r') < 0 {
		return b
	}
	r.val = r.val[:0]
	for i, c := range b {
		switch {
		case c != '\r':
			r.val = append(r.val, c)
		case i+1 == len(b) || b[i+1] != '\n':
			r.val = append(r.val, '\n')
		}
	}
	return r.val
}
