// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"bytes"
	"cmp"
	"slices"
)

// element is an open element.
type element struct {
	name, colon int // its name begins at names[name]; colon is the length of the prefix, 0 without
	uri         string
	kept        int // bytes held for it
}

// openName is the name of the innermost element.
func (r *Reader) openName() []byte { return r.names[r.open[len(r.open)-1].name:] }

// opened takes a complete start tag that ends before next into account.
func (r *Reader) opened(n name, next int, empty bool) int {
	if next-r.pos > r.limits.Tag {
		return r.tooLong()
	}
	if len(r.open) == 0 && r.rooted {
		return r.fail(r.pos, ErrSyntax, "a second root element")
	}
	if len(r.open) == r.limits.Depth {
		return r.fail(r.pos, ErrLimit, "more than %d open elements", r.limits.Depth)
	}
	r.rooted = true
	r.scope.depth++
	e := element{name: len(r.names), kept: n.to - n.from}
	if n.colon > 0 {
		e.colon = n.colon - n.from
	}
	r.names = append(r.names, r.buf[n.from:n.to]...)
	r.tok = Token{Kind: Start, Name: r.split(n), Attrs: r.attrs, Empty: empty, Depth: r.scope.depth}
	if len(r.attrs)+len(r.decls) > 0 && !r.resolveAttrs(&e) {
		return bad
	}
	if !r.resolve(&r.tok.Name, n.from, true) {
		return bad
	}
	e.uri = r.tok.Name.URI
	r.open = append(r.open, e)
	if r.kept += e.kept; r.kept > r.limits.Open {
		return r.fail(r.pos, ErrLimit, "names and declarations of open elements longer than %d bytes", r.limits.Open)
	}
	return next
}

// closed makes the End whose name is at from.
func (r *Reader) closed(from int) {
	e := &r.open[len(r.open)-1]
	n := name{from: from, to: from + len(r.openName())}
	if e.colon > 0 {
		n.colon = from + e.colon
	}
	r.tok = Token{Kind: End, Name: r.split(n), Depth: r.scope.depth}
	r.tok.Name.URI = e.uri
	r.closing = true
}

// endEmpty makes the End of the empty-element tag that was the last token.
func (r *Reader) endEmpty() {
	r.tok.Kind, r.tok.Empty, r.tok.Attrs, r.tok.Bindings = End, false, nil, nil
	r.tok.Begin = r.tok.Fin
	r.closing = true
}

// leave closes the innermost element.
func (r *Reader) leave() {
	r.closing = false
	e := r.open[len(r.open)-1]
	r.open, r.names, r.kept = r.open[:len(r.open)-1], r.names[:e.name], r.kept-e.kept
	r.scope.leave()
}

// resolveAttrs takes the declarations of a tag into account, then finds the namespaces of its attributes.
func (r *Reader) resolveAttrs(e *element) bool {
	for _, d := range r.decls {
		if !r.declare(d) {
			return false
		}
		e.kept += len(d.prefix) + len(d.uri)
	}
	r.tok.Bindings = r.bound
	for i := range r.attrs {
		a := &r.attrs[i]
		if a.Prefix == nil {
			continue
		}
		if !r.resolve(&a.Name, r.at[i], false) {
			return false
		}
		if a.URI == XMLNamespace {
			r.scope.xml = append(r.scope.xml, Inherited{r.scope.depth, r.intern(a.Local), r.intern(a.Value)})
			e.kept += len(a.Local) + len(a.Value)
		}
	}
	return r.distinct()
}

// declare checks a declaration (Namespaces in XML, sections 2.2 and 3) and puts it into the scope.
func (r *Reader) declare(d decl) bool {
	prefix, uri := r.intern(d.prefix), r.intern(d.uri)
	problem := ""
	switch {
	case prefix == "xmlns":
		problem = "the prefix xmlns cannot be declared"
	case prefix == "xml" && uri != XMLNamespace:
		problem = "the prefix xml cannot be bound to another namespace"
	case prefix != "xml" && uri == XMLNamespace, uri == XMLNSNamespace:
		problem = "a reserved namespace cannot be bound to another prefix"
	case prefix != "" && uri == "":
		problem = "a prefix cannot be undeclared"
	case !r.scope.declare(Binding{prefix, uri}):
		problem = "the namespace declaration is there twice"
	case len(r.scope.bound) > r.limits.Bindings:
		r.fail(d.at, ErrLimit, "more than %d declarations in scope", r.limits.Bindings)
		return false
	}
	if problem != "" {
		r.fail(d.at, ErrSyntax, "%s", problem)
		return false
	}
	if r.bound = append(r.bound, Binding{prefix, uri}); prefix == "xml" {
		r.bound = r.bound[:len(r.bound)-1]
	}
	return true
}

// resolve finds the namespace of a name.
func (r *Reader) resolve(n *Name, at int, isElement bool) bool {
	if n.Prefix == nil {
		n.URI = r.scope.none
		return true
	}
	uri, ok := r.scope.LookupBytes(n.Prefix)
	if !ok {
		r.fail(at, ErrSyntax, "the prefix %s is not declared", clip(n.Prefix))
	} else if isElement && uri == XMLNSNamespace {
		ok = false
		r.fail(at, ErrSyntax, "an element cannot have the prefix xmlns")
	}
	n.URI = uri
	return ok
}

// distinct checks that no two attributes of the tag have one expanded name. Many attributes are sorted, so that a hostile
// tag costs no more than its length.
func (r *Reader) distinct() bool {
	n := len(r.attrs)
	if n <= 8 {
		for i := 1; i < n; i++ {
			for j := range i {
				if r.compare(i, j) == 0 {
					return r.doubled(i)
				}
			}
		}
		return true
	}
	r.order = r.order[:0]
	for i := range n {
		r.order = append(r.order, i)
	}
	slices.SortFunc(r.order, func(i, j int) int { return cmp.Or(r.compare(i, j), i-j) })
	first := n
	for k := 1; k < n; k++ {
		if r.compare(r.order[k-1], r.order[k]) == 0 {
			first = min(first, r.order[k])
		}
	}
	return first == n || r.doubled(first)
}

func (r *Reader) compare(i, j int) int {
	a, b := &r.attrs[i], &r.attrs[j]
	if c := cmp.Compare(len(a.Local), len(b.Local)); c != 0 {
		return c
	}
	if c := bytes.Compare(a.Local, b.Local); c != 0 {
		return c
	}
	return cmp.Compare(a.URI, b.URI)
}

func (r *Reader) doubled(i int) bool {
	r.fail(r.at[i], ErrSyntax, "the attribute %s is there twice", clip(r.attrs[i].Local))
	return false
}

// intern returns b as a string, the same one for equal b as long as there are not too many of them.
func (r *Reader) intern(b []byte) string {
	if s, ok := r.strings[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(s) <= 1024 {
		if len(r.strings) == 1024 {
			clear(r.strings)
		}
		r.strings[s] = s
	}
	return s
}
