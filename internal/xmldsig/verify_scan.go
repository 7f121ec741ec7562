// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"persten/internal/xmldsig/xml"
)

// Limits of what is kept of the signatures. Object contents are not kept and may be of any size.
const (
	maxSignatures = 64
	maxKept       = 1 << 20 // bytes of one signature, as text and names
	maxElements   = 4096    // of one signature
)

// element is a part of a signature that is kept.
type element struct {
	uri, local string
	attrs      []attribute
	children   []*element
	text       strings.Builder // character data directly inside
	remarks    bool            // comments or instructions directly inside
	begin, end int64
	namespaces map[string]string // XPath elements: what is in scope there
}

type attribute struct{ uri, local, value string }

// attr returns the value of an attribute without a prefix.
func (e *element) attr(local string) string {
	for _, a := range e.attrs {
		if a.uri == "" && a.local == local {
			return a.value
		}
	}
	return ""
}

// child returns the first child of this name.
func (e *element) child(uri, local string) *element {
	for _, c := range e.children {
		if c.uri == uri && c.local == local {
			return c
		}
	}
	return nil
}

func (e *element) is(uri, local string) bool { return e.local == local && e.uri == uri }

// builder keeps one element, whole or without the contents of Objects.
type builder struct {
	root     *element
	stack    []*element
	depth    int // of the root in its document
	kept     int
	elements int
	skip     int // depth of the element whose contents are passed over; 0: none
	outline  bool
	strays   int // XAdES properties where none belong
	err      error
}

func newBuilder(r *xml.Reader, t *xml.Token, outline bool) *builder {
	b := &builder{depth: t.Depth, outline: outline}
	b.root = b.element(r, t)
	b.stack = []*element{b.root}
	return b
}

func (b *builder) element(r *xml.Reader, t *xml.Token) *element {
	e := &element{uri: t.Name.URI, local: string(t.Name.Local), begin: t.Begin}
	b.count(len(e.local) + len(e.uri))
	for _, a := range t.Attrs {
		e.attrs = append(e.attrs, attribute{a.URI, string(a.Local), string(a.Value)})
		b.count(len(a.Local) + len(a.Value) + len(a.URI))
	}
	if e.is(NamespaceDSig, "XPath") || e.is(NamespaceFilter2, "XPath") {
		b.keepScope(e, r.Scope())
	}
	if b.elements++; b.elements > maxElements {
		b.fail("more than %d elements", maxElements)
	}
	return e
}

// keepScope remembers the prefixes an expression may use, unless that is too much already.
func (b *builder) keepScope(e *element, s *xml.Scope) {
	const entry = 64 // bytes of a map's entry, about
	all := s.All()
	if b.count(entry * len(all)); b.err != nil {
		return
	}
	e.namespaces = map[string]string{}
	for _, n := range all {
		e.namespaces[n.Prefix] = n.URI
		b.count(len(n.Prefix) + len(n.URI))
	}
}

func (b *builder) count(n int) {
	if b.kept += n; b.kept > maxKept {
		b.fail("more than %d bytes", maxKept)
	}
}

func (b *builder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf("%w: "+format, append([]any{ErrLimit}, args...)...)
	}
}

// token adds one token from inside the root. It reports whether the root has ended.
func (b *builder) token(r *xml.Reader, t *xml.Token) bool {
	if t.Kind == xml.End && t.Depth == b.depth {
		b.root.end = t.Fin
		return true
	}
	if b.skip != 0 || b.err != nil {
		b.pass(t)
		return false
	}
	top := b.stack[len(b.stack)-1]
	switch t.Kind {
	case xml.Start:
		if !b.keeps(t) {
			b.skip = t.Depth
			b.stray(t)
			return false
		}
		if b.outline && !b.inObject() {
			b.stray(t)
		}
		e := b.element(r, t)
		top.children = append(top.children, e)
		b.stack = append(b.stack, e)
	case xml.End:
		top.end = t.Fin
		b.stack = b.stack[:len(b.stack)-1]
	case xml.Text:
		if !b.outline || !b.inObject() {
			b.count(len(t.Data))
			top.text.Write(t.Data)
		}
	default:
		top.remarks = true
	}
	return false
}

// nested notes an element that is kept elsewhere, so that it does not go unseen here.
func (b *builder) nested(t *xml.Token) {
	if b.skip == 0 && b.err == nil && len(b.stack) > 0 {
		top := b.stack[len(b.stack)-1]
		top.children = append(top.children, &element{uri: t.Name.URI, local: string(t.Name.Local), begin: t.Begin})
	}
}

// keeps tells whether a child of the current element is kept. Of Objects only the outline of XAdES properties is.
func (b *builder) keeps(t *xml.Token) bool {
	if !b.outline || !b.inObject() {
		return true
	}
	return t.Name.URI == NamespaceXAdES &&
		(len(b.stack) == 2 && string(t.Name.Local) == "QualifyingProperties" || len(b.stack) == 3)
}

func (b *builder) inObject() bool { return len(b.stack) > 1 && b.stack[1].is(NamespaceDSig, "Object") }

// pass looks for the end of what is passed over, and for XAdES properties that have no business there.
func (b *builder) pass(t *xml.Token) {
	switch {
	case t.Kind == xml.Start:
		b.stray(t)
	case t.Kind == xml.End && t.Depth == b.skip:
		b.skip = 0
	}
}

func (b *builder) stray(t *xml.Token) {
	if isProperties(t.Name.URI, string(t.Name.Local)) {
		b.strays++
	}
}

// isProperties names the elements whose doubles make a XAdES signature ambiguous.
func isProperties(uri, local string) bool {
	return uri == NamespaceXAdES && (local == "SignedProperties" || local == "QualifyingProperties")
}

// scanner is the first pass: it finds every Signature, in others too.
type scanner struct {
	found      []*signature
	open       []*builder // Signatures around the current token, the outermost first
	opened     []*signature
	begin, end int64 // of the root element
}

// scan reads the document to its end.
func scan(ctx context.Context, r *xml.Reader) (*scanner, error) {
	s := &scanner{}
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		t, err := r.Next()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		if err := s.token(r, t); err != nil {
			return nil, err
		}
	}
}

func (s *scanner) token(r *xml.Reader, t *xml.Token) error {
	if t.Depth == 1 && t.Kind == xml.Start {
		s.begin = t.Begin
	}
	if t.Depth == 1 && t.Kind == xml.End {
		s.end = t.Fin
	}
	if t.Kind == xml.Start && t.Name.URI == NamespaceDSig && string(t.Name.Local) == "Signature" {
		return s.signature(r, t)
	}
	n := len(s.open)
	if n > 0 && s.open[n-1].token(r, t) {
		s.opened[n-1].read(s.open[n-1])
		s.open, s.opened = s.open[:n-1], s.opened[:n-1]
	}
	return nil
}

func (s *scanner) signature(r *xml.Reader, t *xml.Token) error {
	if len(s.found) == maxSignatures {
		return fmt.Errorf("%w: more than %d signatures", ErrLimit, maxSignatures)
	}
	if n := len(s.open); n > 0 {
		s.open[n-1].nested(t)
	}
	sig := &signature{begin: t.Begin}
	s.found = append(s.found, sig)
	s.open, s.opened = append(s.open, newBuilder(r, t, true)), append(s.opened, sig)
	return nil
}

// readElement reads a document that is one element of a signature: octets that were signed.
func readElement(src io.Reader, l xml.Limits) (*element, error) {
	r := xml.NewReader(src, l)
	var b *builder
	for done := false; ; {
		t, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return b.root, b.err
		case err != nil:
			return nil, err
		case b == nil && t.Kind == xml.Start:
			b = newBuilder(r, t, false)
		case b != nil && !done:
			done = b.token(r, t)
		}
	}
}
