// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"persten/internal/xmldsig/xml"
)

// SMEV writes the document r in the form of the transform urn://smev-gov-ru/xmldsig/transform, which the second generation of
// SMEV applies to the octets of an exclusive canonical form:
//
//   - the XML declaration, instructions and comments are dropped, and text nodes that have only characters up to U+0020;
//   - each element and each attribute with a namespace gets a prefix ns1, ns2 and so on, numbered over the document in the order
//     in which namespaces are first needed; a namespace that is in force keeps its prefix, all other declarations go;
//   - declarations stand before attributes: the element's, then those of attributes in their order; attributes are ordered by
//     namespace and local name, those with a namespace first; there are no empty-element tags.
//
// What is certain is what two signed messages show. Uncertain is what the original, a Java program, leaves to its XML
// writer: characters that need escaping are written here as in Canonical XML, whereas some versions of the original leave ">"
// alone in places or split text at references; and xml:* attributes, which it gives an ordinary prefix. Elements without a
// namespace have no form: ErrUnsupported.
func SMEV(ctx context.Context, w io.Writer, r *xml.Reader) error {
	s := &smev{out: w, mapped: map[string]int{}}
	for n := 0; ; n++ {
		if n&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		t, err := r.Next()
		if errors.Is(err, io.EOF) {
			return s.flush()
		}
		if err == nil {
			err = s.token(t)
		}
		if err != nil {
			return err
		}
	}
}

// maxBlank bounds the white space before other text, which has to be held until it is known whether other text follows.
const maxBlank = 1 << 20

type smev struct {
	out     io.Writer
	buf     []byte
	mapped  map[string]int // the number of each namespace in force
	mine    []mapping      // those that open elements brought, outermost first
	numbers int
	text    bool   // inside a text node that is written
	blank   []byte // inside one of which only white space was seen
}

type mapping struct {
	uri   string
	depth int
}

func (s *smev) token(t *xml.Token) (err error) {
	if t.Kind != xml.Text {
		s.text, s.blank = false, s.blank[:0]
	}
	switch t.Kind {
	case xml.Start:
		err = s.start(t)
	case xml.End:
		s.buf = append(s.buf, '<', '/')
		s.name(s.mapped[t.Name.URI], t.Name.Local)
		s.buf = append(s.buf, '>')
		s.leave(t.Depth)
	case xml.Text:
		err = s.data(t.Data)
	}
	if err == nil && len(s.buf) >= piece {
		err = s.flush()
	}
	return err
}

func (s *smev) start(t *xml.Token) error {
	if t.Name.URI == "" {
		return fmt.Errorf("%w: SMEV transform of element %q, which has no namespace", ErrUnsupported, t.Name.Local)
	}
	slices.SortFunc(t.Attrs, qualifiedFirst)
	from := len(s.mine)
	number := s.number(t.Name.URI, t.Depth)
	for i := range t.Attrs {
		if uri := t.Attrs[i].URI; uri != "" {
			s.number(uri, t.Depth)
		}
	}
	s.buf = append(s.buf, '<')
	s.name(number, t.Name.Local)
	for _, m := range s.mine[from:] {
		s.buf = append(s.buf, " xmlns:ns"...)
		s.buf = strconv.AppendInt(s.buf, int64(s.mapped[m.uri]), 10)
		s.buf = append(s.buf, '=', '"')
		s.buf = append(appendValue(s.buf, []byte(m.uri)), '"')
	}
	for i := range t.Attrs {
		a := &t.Attrs[i]
		s.buf = append(s.buf, ' ')
		s.name(s.mapped[a.URI], a.Local)
		s.buf = append(s.buf, '=', '"')
		s.buf = append(appendValue(s.buf, a.Value), '"')
	}
	s.buf = append(s.buf, '>')
	return nil
}

func qualifiedFirst(a, b xml.Attr) int {
	if (a.URI == "") != (b.URI == "") {
		return len(b.URI) - len(a.URI)
	}
	if c := strings.Compare(a.URI, b.URI); c != 0 {
		return c
	}
	return bytes.Compare(a.Local, b.Local)
}

// number returns the number of a namespace, a new one when it is not in force.
func (s *smev) number(uri string, depth int) int {
	n := s.mapped[uri]
	if n == 0 {
		s.numbers++
		n = s.numbers
		s.mapped[uri] = n
		s.mine = append(s.mine, mapping{uri, depth})
	}
	return n
}

func (s *smev) leave(depth int) {
	n := len(s.mine)
	for n > 0 && s.mine[n-1].depth == depth {
		n--
		delete(s.mapped, s.mine[n].uri)
	}
	s.mine = s.mine[:n]
}

// name writes a name; number 0 is no namespace.
func (s *smev) name(number int, local []byte) {
	if number > 0 {
		s.buf = strconv.AppendInt(append(s.buf, 'n', 's'), int64(number), 10)
		s.buf = append(s.buf, ':')
	}
	s.buf = append(s.buf, local...)
}

// data is a piece of a text node.
func (s *smev) data(data []byte) error {
	if !s.text && len(bytes.TrimLeft(data, " \t\r\n")) == 0 {
		if s.blank = append(s.blank, data...); len(s.blank) > maxBlank {
			return fmt.Errorf("%w: more than %d characters of white space", ErrLimit, maxBlank)
		}
		return nil
	}
	s.text = true
	s.buf = appendText(appendText(s.buf, s.blank), data)
	s.blank = s.blank[:0]
	return nil
}

func (s *smev) flush() error {
	for b := s.buf; len(b) > 0; {
		n := min(len(b), piece)
		if _, err := s.out.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	s.buf = s.buf[:0]
	return nil
}
