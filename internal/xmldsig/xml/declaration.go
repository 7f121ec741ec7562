// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// declaration is what an XML declaration says (section 2.8).
type declaration struct {
	encoding string // "" when it says nothing
	at       int    // where the encoding's name is
	size     int    // of the declaration, 0 when there is none
}

// readDeclaration reads the declaration at the beginning of b; a problem has a place.
func readDeclaration(b []byte) (d declaration, at int, problem string) {
	const begin = "<?xml"
	if !bytes.HasPrefix(b, []byte(begin)) || len(b) > len(begin) && class[b[len(begin)]]&isName != 0 {
		return d, 0, ""
	}
	c := cursor{b: b, i: len(begin)}
	version, at := c.pseudo("version")
	switch {
	case version == nil || !isVersion(version):
		return d, at, "the XML declaration has no version 1.0"
	case string(version) == "1.1":
		return d, at, "XML 1.1 is not accepted"
	}
	if enc, at := c.pseudo("encoding"); enc != nil {
		if !isEncodingName(enc) {
			return d, at, "not the name of an encoding"
		}
		d.encoding, d.at = string(enc), at
	}
	if alone, at := c.pseudo("standalone"); alone != nil && string(alone) != "yes" && string(alone) != "no" {
		return d, at, "standalone is neither yes nor no"
	}
	c.space()
	if !bytes.HasPrefix(b[c.i:], []byte("?>")) {
		return d, c.i, "unexpected in the XML declaration"
	}
	d.size = c.i + 2
	return d, 0, ""
}

// cursor walks over a declaration.
type cursor struct {
	b []byte
	i int
}

func (c *cursor) space() bool {
	from := c.i
	for c.i < len(c.b) && class[c.b[c.i]]&isSpace != 0 {
		c.i++
	}
	return c.i > from
}

func (c *cursor) pass(s string) bool {
	ok := bytes.HasPrefix(c.b[c.i:], []byte(s))
	if ok {
		c.i += len(s)
	}
	return ok
}

// pseudo reads white space, the name, an equals sign and a quoted value. When that is not there it stays where it was and
// value is nil.
func (c *cursor) pseudo(name string) (value []byte, at int) {
	from := c.i
	if c.space() && c.pass(name) {
		c.space()
		if c.pass("=") {
			c.space()
			if value, at, ok := c.quoted(); ok {
				return value, at
			}
		}
	}
	at, c.i = c.i, from
	return nil, at
}

func (c *cursor) quoted() (value []byte, at int, ok bool) {
	if c.i >= len(c.b) || c.b[c.i] != '"' && c.b[c.i] != '\'' {
		return nil, 0, false
	}
	at = c.i + 1
	n := bytes.IndexByte(c.b[at:], c.b[c.i])
	if n < 0 {
		return nil, 0, false
	}
	c.i = at + n + 1
	return c.b[at : at+n : at+n], at, true
}

// isVersion accepts 1.0 and what the fifth edition reads as 1.0: any 1.x. Of these 1.1 exists, and programs that know it
// read other line ends and characters than those that do not.
func isVersion(v []byte) bool {
	digits, ok := bytes.CutPrefix(v, []byte("1."))
	return ok && len(digits) > 0 && strings.Trim(string(digits), "0123456789") == ""
}

func isEncodingName(v []byte) bool {
	for i, c := range v {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || class[c]&isName == 0) {
			return false
		}
	}
	return len(v) > 0
}

// start finds out the encoding and reads the XML declaration.
func (r *Reader) start() error {
	r.started = true
	if r.fragment {
		_, err := r.more()
		return err
	}
	problem := r.src.detect()
	if _, err := r.more(); err != nil {
		return err
	}
	if problem != "" {
		return r.errorAt(0, ErrEncoding, problem)
	}
	d, at, problem := readDeclaration(r.buf[:min(r.end, ahead)])
	switch {
	case problem != "" && at == ahead:
		return r.errorAt(at, ErrLimit, fmt.Sprintf("XML declaration longer than %d bytes", ahead))
	case problem != "" && at == r.end && r.over != io.EOF:
		return r.over
	case problem != "":
		return r.errorAt(at, ErrSyntax, problem)
	case d.encoding != "":
		if problem := r.disagreement(d.encoding); problem != "" {
			return r.errorAt(d.at, ErrEncoding, problem)
		}
	}
	r.pos = d.size
	return nil
}

// disagreement tells what is wrong with a declared encoding.
func (r *Reader) disagreement(declared string) string {
	e, known := encodingNames[strings.ToLower(declared)]
	is16 := r.src.enc == UTF16LE || r.src.enc == UTF16BE
	switch {
	case !known:
		return "encoding not supported: " + clip([]byte(declared))
	case e == r.src.enc, e == anyUTF16 && is16:
		return ""
	case r.src.mark == 0:
		return declared + " without a byte order mark"
	}
	return "declared " + declared + ", but the byte order mark says " + string(r.src.enc)
}
