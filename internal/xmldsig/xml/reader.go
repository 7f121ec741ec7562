// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// What a parsing function returns instead of the place after what it read.
const (
	short = -1 - iota // the buffer ends inside: call again with more
	bad               // r.err tells
)

// buffered is how much of the document is held when no tag is longer.
const buffered = 64 << 10

// Reader reads one document. It is for one goroutine.
type Reader struct {
	src      source
	limits   Limits
	fragment bool

	buf      []byte // buf[:end] is valid UTF-8 in whole characters, buf[end] is zero
	pos, end int    // of the next token; of the text
	base     int64  // offset of buf[0]
	place    place  // of buf[0]
	over     error  // why nothing follows buf[:end]: io.EOF or worse
	err      error  // what Next returns from now on
	watch    func(*Token)

	started, rooted bool
	cdata           bool // inside a section
	closing         bool // the last token was an End: its scope goes with the next call

	tok   Token
	attrs []Attr
	at    []int  // where in buf the attributes begin
	decls []decl // the namespace declarations of a tag
	bound []Binding
	order []int  // for finding doubled attributes
	val   []byte // values that differ from what is written

	scope   Scope
	open    []element
	names   []byte            // of the open elements, one after the other
	strings map[string]string // so that equal names and URIs share storage
	kept    int               // bytes held for the open elements
}

// NewReader returns a Reader of the document in src.
func NewReader(src io.Reader, l Limits) *Reader {
	r := &Reader{limits: l.orDefault(), strings: map[string]string{}}
	r.src.in = src
	r.scope.newest = map[string]int{}
	r.place.line = 1
	return r
}

// NewFragment returns a Reader of an element (with comments and instructions around it, but no XML declaration) in UTF-8,
// read as if it stood inside outer, of which it keeps a copy. Depths, offsets and lines count from the fragment's begin.
func NewFragment(src io.Reader, l Limits, outer *Scope) *Reader {
	r := NewReader(src, l)
	r.scope = outer.around()
	r.fragment = true
	r.src.enc = UTF8
	return r
}

func (l Limits) orDefault() Limits {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&l.Depth, 256)
	set(&l.Attrs, 1024)
	set(&l.Tag, 1<<20)
	set(&l.Bindings, 4096)
	set(&l.Open, 4<<20)
	return l
}

// Scope is what is in force at the current token; the declarations of an element count at its Start and its End. It
// changes with the next call.
func (r *Reader) Scope() *Scope { return &r.scope }

// Encoding is what the document is written in; known after the first token.
func (r *Reader) Encoding() Encoding { return r.src.enc }

// Next returns the next token, or io.EOF after a complete well-formed document, or an *Error, or an error of the source.
// After any error it returns the same again.
func (r *Reader) Next() (*Token, error) {
	if r.err == nil {
		r.err = r.next()
	}
	if r.err != nil {
		return nil, r.err
	}
	if r.watch != nil {
		r.watch(&r.tok)
	}
	return &r.tok, nil
}

// Watch has f see every token before Next returns it, for whoever hands the Reader on.
func (r *Reader) Watch(f func(*Token)) { r.watch = f }

func (r *Reader) next() error {
	if r.closing {
		r.leave()
	} else if r.tok.Empty {
		r.endEmpty()
		return nil
	}
	if !r.started {
		if err := r.start(); err != nil {
			return err
		}
	}
	for {
		n := r.parse()
		if n >= 0 {
			r.tok.Begin, r.tok.Fin = r.base+int64(r.pos), r.base+int64(n)
			r.pos = n
			return nil
		}
		if n == bad {
			return r.err
		}
		if more, err := r.more(); err != nil {
			return err
		} else if !more {
			return r.finish()
		}
	}
}

// parse reads one token at pos into tok and returns the place after it.
func (r *Reader) parse() int {
	switch {
	case r.cdata:
		return r.section(r.pos)
	case len(r.open) == 0:
		r.skipSpace()
	}
	if r.pos == r.end {
		return short
	}
	if r.buf[r.pos] != '<' {
		return r.text()
	}
	switch r.buf[r.pos+1] {
	case '/':
		return r.endTag()
	case '?':
		return r.instruction()
	case '!':
		return r.declared()
	}
	if r.pos+1 == r.end {
		return short
	}
	return r.startTag()
}

func (r *Reader) skipSpace() {
	for class[r.buf[r.pos]]&isSpace != 0 {
		r.pos++
	}
}

// finish tells what the end of the text at r.end means.
func (r *Reader) finish() error {
	switch {
	case r.over != io.EOF:
		return r.over
	case r.cdata:
		return r.errorAt(r.end, ErrSyntax, "the document ends inside a CDATA section")
	case r.pos < r.end && r.buf[r.pos] == '<':
		b := r.errorAt(r.pos, nil, "")
		return r.errorAt(r.end, ErrSyntax, fmt.Sprintf("the document ends inside markup begun at line %d, column %d", b.Line, b.Column))
	case len(r.open) > 0:
		return r.errorAt(r.end, ErrSyntax, fmt.Sprintf("the document ends inside <%s>", clip(r.openName())))
	case !r.rooted:
		return r.errorAt(r.end, ErrSyntax, "there is no element")
	}
	return io.EOF
}

// more reads on behind the text from pos, which moves to the front of the buffer; false when nothing follows.
func (r *Reader) more() (bool, error) {
	if r.over != nil {
		return false, nil
	}
	if r.end-r.pos > r.limits.Tag {
		return false, r.errorAt(r.pos, ErrLimit, fmt.Sprintf("markup longer than %d bytes", r.limits.Tag))
	}
	r.place.pass(r.buf[:r.pos])
	r.base += int64(r.pos)
	rest := r.buf[r.pos:r.end]
	if size := max(buffered, 2*len(rest)); size > len(r.buf) {
		r.buf = make([]byte, size)
	}
	r.pos, r.end = 0, copy(r.buf, rest)
	had := r.end
	n, err := r.src.read(r.buf[r.end : len(r.buf)-1])
	r.end += n
	r.buf[r.end] = 0
	r.stop(err)
	return r.end > had, nil
}

// stop takes note of the end of the source and of the size limit.
func (r *Reader) stop(err error) {
	if b, ok := err.(badByte); ok {
		err = r.errorAt(r.end, ErrEncoding, string(b))
	}
	r.over = err
	if size := r.limits.Size; size > 0 && r.base+int64(r.end) > size {
		r.end = max(0, int(size-r.base))
		for r.end > 0 && !utf8.RuneStart(r.buf[r.end]) {
			r.end--
		}
		r.buf[r.end] = 0
		r.over = r.errorAt(r.end, ErrLimit, fmt.Sprintf("document longer than %d bytes", size))
	}
}

// fail makes r.err and returns bad.
func (r *Reader) fail(at int, kind error, format string, args ...any) int {
	r.err = r.errorAt(at, kind, fmt.Sprintf(format, args...))
	return bad
}

func (r *Reader) errorAt(at int, kind error, reason string) *Error {
	p := r.place
	p.pass(r.buf[:at])
	return &Error{Kind: kind, Reason: reason, Line: p.line, Column: p.column + 1, Offset: r.base + int64(at)}
}

// unexpected is the error for a byte or character that cannot stand where it does.
func (r *Reader) unexpected(at int, where string) int {
	if at >= r.end {
		return short
	}
	c, _ := utf8.DecodeRune(r.buf[at:r.end])
	if !isChar(c) {
		return r.fail(at, ErrSyntax, "character %U is not allowed in XML", c)
	}
	return r.fail(at, ErrSyntax, "unexpected %q %s", c, where)
}

// clip keeps messages short whatever the document says.
func clip(name []byte) string {
	const most = 64
	if len(name) <= most {
		return string(name)
	}
	n := most
	for !utf8.RuneStart(name[n]) {
		n--
	}
	return string(name[:n]) + "…"
}
