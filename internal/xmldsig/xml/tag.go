// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import "unicode/utf8"

// name is a qualified name in the buffer; colon is 0 when it has no prefix.
type name struct{ from, colon, to int }

// decl is a namespace declaration as found in a tag, or with an empty prefix the default one.
type decl struct {
	prefix, uri []byte
	at          int
}

func (r *Reader) split(n name) Name {
	if n.colon == 0 {
		return Name{Local: r.buf[n.from:n.to:n.to]}
	}
	return Name{Prefix: r.buf[n.from:n.colon:n.colon], Local: r.buf[n.colon+1 : n.to : n.to]}
}

// startTag reads the start tag at pos. Until its last byte is there nothing is changed but scratch space.
func (r *Reader) startTag() int {
	r.attrs, r.at, r.decls, r.bound, r.val = r.attrs[:0], r.at[:0], r.decls[:0], r.bound[:0], r.val[:0]
	n, i := r.qualified(r.pos + 1)
	for i >= 0 {
		at := i
		for class[r.buf[i]]&isSpace != 0 {
			i++
		}
		switch c := r.buf[i]; {
		case c == '>':
			return r.opened(n, i+1, false)
		case c == '/' && r.buf[i+1] == '>':
			return r.opened(n, i+2, true)
		case i == r.end, c == '/' && i+1 == r.end:
			return short
		case i == at:
			return r.unexpected(i, "in a tag")
		case len(r.attrs)+len(r.decls) == r.limits.Attrs:
			return r.fail(i, ErrLimit, "more than %d attributes", r.limits.Attrs)
		}
		i = r.attribute(i)
	}
	return i
}

func (r *Reader) attribute(at int) int {
	n, i := r.qualified(at)
	if i < 0 {
		return i
	}
	if i = r.equals(i); i < 0 {
		return i
	}
	if c := r.buf[i]; c != '"' && c != '\'' {
		return r.unexpected(i, "where a quotation mark begins a value")
	}
	value, i := r.value(i)
	if i < 0 {
		return i
	}
	switch q := r.split(n); {
	case string(q.Prefix) == "xmlns":
		r.decls = append(r.decls, decl{q.Local, value, at})
	case q.Prefix == nil && string(q.Local) == "xmlns":
		r.decls = append(r.decls, decl{nil, value, at})
	default:
		r.attrs = append(r.attrs, Attr{q, value})
		r.at = append(r.at, at)
	}
	return i
}

// equals passes an equals sign with white space around it.
func (r *Reader) equals(i int) int {
	for class[r.buf[i]]&isSpace != 0 {
		i++
	}
	if r.buf[i] != '=' {
		return r.unexpected(i, "where = follows a name")
	}
	i++
	for class[r.buf[i]]&isSpace != 0 {
		i++
	}
	return i
}

// value reads a quoted value and normalises it.
func (r *Reader) value(i int) ([]byte, int) {
	quote, from := r.buf[i], i+1
	for i = from; ; i++ {
		for class[r.buf[i]]&stopValue == 0 {
			i++
		}
		switch c := r.buf[i]; {
		case c == quote:
			return r.buf[from:i:i], i + 1
		case c == '"', c == '\'', c == 0xEF && !nonCharacter(r.buf[i:r.end]):
		default:
			return r.rewritten(from, i, quote)
		}
	}
}

// rewritten reads on in a value from i, where it stops being equal to what is written.
func (r *Reader) rewritten(from, i int, quote byte) ([]byte, int) {
	start := len(r.val)
	r.val = append(r.val, r.buf[from:i]...)
	for {
		switch c := r.buf[i]; {
		case c == quote:
			return r.val[start:len(r.val):len(r.val)], i + 1
		case c == '&':
			char, next := r.reference(i)
			if next < 0 {
				return nil, next
			}
			r.val, i = utf8.AppendRune(r.val, char), next
		case class[c]&isSpace != 0:
			if i++; c == '\r' && r.buf[i] == '\n' {
				i++
			}
			r.val = append(r.val, ' ')
		case c == '<', c < 0x20, c == 0xEF && nonCharacter(r.buf[i:r.end]):
			return nil, r.unexpected(i, "in an attribute value")
		default:
			r.val = append(r.val, c)
			i++
		}
	}
}

// endTag reads the end tag at pos.
func (r *Reader) endTag() int {
	if len(r.open) == 0 {
		return r.fail(r.pos, ErrSyntax, "end tag without a start tag")
	}
	from, name := r.pos+2, r.openName()
	i := from + len(name)
	if i >= r.end || string(r.buf[from:i]) != string(name) || class[r.buf[i]]&isSpace == 0 && r.buf[i] != '>' {
		return r.otherEnd(from, name)
	}
	for class[r.buf[i]]&isSpace != 0 {
		i++
	}
	if r.buf[i] != '>' {
		return r.unexpected(i, "in an end tag")
	}
	if i++; i-r.pos > r.limits.Tag {
		return r.tooLong()
	}
	r.closed(from)
	return i
}

// otherEnd tells what is wrong with the name of an end tag, if not only that it is not whole yet.
func (r *Reader) otherEnd(from int, name []byte) int {
	n, next := r.qualified(from)
	if next < 0 {
		return next
	}
	if string(r.buf[n.from:n.to]) == string(name) {
		return r.unexpected(next, "in an end tag")
	}
	return r.fail(from, ErrSyntax, "</%s> ends <%s>", clip(r.buf[n.from:n.to]), clip(name))
}

func (r *Reader) tooLong() int {
	return r.fail(r.pos, ErrLimit, "markup longer than %d bytes", r.limits.Tag)
}

// qualified reads a QName of Namespaces in XML (section 4).
func (r *Reader) qualified(i int) (name, int) {
	n := name{from: i}
	if i = r.simple(i); i >= 0 && r.buf[i] == ':' {
		n.colon = i
		if i = r.simple(i + 1); i >= 0 && r.buf[i] == ':' {
			i = r.fail(i, ErrSyntax, "a name with two colons")
		}
	}
	n.to = i
	return n, i
}

// simple reads an NCName and returns the place after it, which is inside the text.
func (r *Reader) simple(i int) int {
	c := r.buf[i]
	if class[c]&isFirst != 0 {
		i++
	} else if char, n := utf8.DecodeRune(r.buf[i:r.end]); c >= utf8.RuneSelf && isFirstRune(char) {
		i += n
	} else {
		return r.unexpected(i, "where a name begins")
	}
	for {
		for class[r.buf[i]]&isName != 0 {
			i++
		}
		if r.buf[i] < utf8.RuneSelf {
			break
		}
		char, n := utf8.DecodeRune(r.buf[i:r.end])
		if !isNameRune(char) {
			break
		}
		i += n
	}
	if i == r.end {
		return short
	}
	return i
}
