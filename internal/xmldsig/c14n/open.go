// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"slices"
	"strings"

	"persten/internal/xmldsig/xml"
)

// opened is the stack of open elements as expressions see them: opened.elements[d] is the one at depth d, and [0] stands
// for the root node, which has only its place.
type opened struct {
	elements []element
	octets   []byte // names and values of the open elements, one after the other
	attrs    []xml.Attr
	current  *xml.Token // the token that is being decided on
}

type element struct {
	begin int64
	name  xml.Name
	attrs []xml.Attr
	axis  []xml.Binding // its namespace nodes but xml's, by prefix; shared with the parent when nothing is declared
	mark  [2]int        // of octets and attrs before it
}

func (o *opened) push(t *xml.Token, scope *xml.Scope) {
	if len(o.elements) == 0 {
		o.elements = append(o.elements, element{begin: -1})
	}
	e := element{begin: t.Begin, mark: [2]int{len(o.octets), len(o.attrs)}}
	e.name = o.keepName(t.Name)
	for _, a := range t.Attrs {
		o.attrs = append(o.attrs, xml.Attr{Name: o.keepName(a.Name), Value: o.keep(a.Value)})
	}
	e.attrs = o.attrs[e.mark[1]:len(o.attrs):len(o.attrs)]
	if len(t.Bindings) == 0 && t.Depth > 1 {
		e.axis = o.elements[len(o.elements)-1].axis
	} else {
		e.axis = scope.All()
		slices.SortFunc(e.axis, func(x, y xml.Binding) int { return strings.Compare(x.Prefix, y.Prefix) })
	}
	o.elements = append(o.elements, e)
}

func (o *opened) pop() {
	n := len(o.elements) - 1
	e := &o.elements[n]
	o.octets, o.attrs = o.octets[:e.mark[0]], o.attrs[:e.mark[1]]
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
