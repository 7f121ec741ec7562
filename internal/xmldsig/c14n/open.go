// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"slices"
	"strings"
	"unsafe"

	"persten/internal/xmldsig/xml"
)

// opened is the stack of open elements as expressions see them: opened.elements[d] is the one at depth d, and [0] stands
// for the root node, which has only its place.
type opened struct {
	elements []element
	octets   []byte // names and values of the open elements, one after the other
	attrs    []xml.Attr
	bindings []nsNode   // the namespace nodes of those that declare something
	changes  []nsNode   // scratch
	current  *xml.Token // the token that is being decided on
}

type element struct {
	begin int64
	name  xml.Name
	attrs []xml.Attr
	axis  []nsNode // its namespace nodes but xml's, by prefix; shared with the parent when nothing is declared
	mark  [3]int   // of octets, attrs and bindings before it
}

// nsNode is a namespace node.
type nsNode = xml.Binding

func (o *opened) push(t *xml.Token, scope *xml.Scope) {
	if len(o.elements) == 0 {
		o.elements = append(o.elements, element{begin: -1})
	}
	e := element{begin: t.Begin, mark: [3]int{len(o.octets), len(o.attrs), len(o.bindings)}}
	e.name = o.keepName(t.Name)
	for _, a := range t.Attrs {
		o.attrs = append(o.attrs, xml.Attr{Name: o.keepName(a.Name), Value: o.keep(a.Value)})
	}
	e.attrs = o.attrs[e.mark[1]:len(o.attrs):len(o.attrs)]
	if t.Depth == 1 {
		e.axis = o.outermost(scope)
	} else {
		e.axis = o.declare(o.top().axis, t.Bindings)
	}
	o.elements = append(o.elements, e)
}

// added returns how many namespace nodes the innermost element added, and how many octets it takes altogether.
func (o *opened) added() (nodes, octets int) {
	mark := o.top().mark
	nodes = len(o.bindings) - mark[2]
	octets = len(o.octets) - mark[0] + (len(o.attrs)-mark[1])*int(unsafe.Sizeof(xml.Attr{})) + nodes*int(unsafe.Sizeof(nsNode{}))
	return nodes, octets
}

// outermost is the namespace axis of the root element: a fragment's has also what is declared around it.
func (o *opened) outermost(scope *xml.Scope) []nsNode {
	for _, b := range scope.All() {
		if b.Prefix != "xml" {
			o.bindings = append(o.bindings, b)
		}
	}
	sortNodes(o.bindings)
	return slices.Clip(o.bindings)
}

// declare is the namespace axis of an element whose parent has the axis up.
func (o *opened) declare(up, declared []nsNode) []nsNode {
	o.changes = o.changes[:0]
	for _, b := range declared {
		i, ok := findPrefix(up, b.Prefix)
		if ok && up[i].URI != b.URI || !ok && b.URI != "" {
			o.changes = append(o.changes, b)
		}
	}
	if len(o.changes) == 0 {
		return up
	}
	sortNodes(o.changes)
	from := len(o.bindings)
	for _, b := range o.changes {
		i, ok := findPrefix(up, b.Prefix)
		o.bindings, up = append(o.bindings, up[:i]...), up[i:]
		if ok {
			up = up[1:]
		}
		if b.URI != "" {
			o.bindings = append(o.bindings, b)
		}
	}
	o.bindings = append(o.bindings, up...)
	return o.bindings[from:len(o.bindings):len(o.bindings)]
}

func sortNodes(nodes []nsNode) {
	slices.SortFunc(nodes, func(x, y nsNode) int { return strings.Compare(x.Prefix, y.Prefix) })
}

func hasPrefix(nodes []nsNode, prefix string) bool {
	_, ok := findPrefix(nodes, prefix)
	return ok
}

func findPrefix(nodes []nsNode, prefix string) (int, bool) {
	return slices.BinarySearchFunc(nodes, prefix, func(n nsNode, p string) int { return strings.Compare(n.Prefix, p) })
}

func (o *opened) pop() {
	n := len(o.elements) - 1
	mark := o.elements[n].mark
	o.octets, o.attrs, o.bindings = o.octets[:mark[0]], o.attrs[:mark[1]], o.bindings[:mark[2]]
	o.elements = o.elements[:n]
}

func (o *opened) keep(b []byte) []byte {
	from := len(o.octets)
	o.octets = append(o.octets, b...)
	return o.octets[from:len(o.octets):len(o.octets)]
}

func (o *opened) keepName(n xml.Name) xml.Name {
	return xml.Name{Prefix: o.keep(n.Prefix), Local: o.keep(n.Local), URI: n.URI}
}

// depth of the innermost open element.
func (o *opened) depth() int { return max(len(o.elements)-1, 0) }

func (o *opened) top() *element { return &o.elements[len(o.elements)-1] }
