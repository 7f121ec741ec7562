// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"bytes"
	"math"
	"slices"
	"strings"

	"persten/internal/xmldsig/xml"
)

// open writes the start tag of an element of a set of whole subtrees. There the parent of every element but the apex is in
// the set, and each element has all its attributes and namespaces, so what is in force in the output is all to compare with.
func (w *writer) open(t *xml.Token) {
	w.buf = appendName(append(w.buf, '<'), t.Name)
	mark := len(w.ns.entries)
	if w.exclusive {
		w.utilized(t)
	} else {
		w.declared(t)
	}
	if len(w.ns.entries) > mark {
		w.buf = w.ns.appendSince(w.buf, mark)
	}
	attrs := t.Attrs
	if t.Depth == w.apex && !w.exclusive {
		w.attrs = w.inherit(append(w.attrs[:0], attrs...), attrs, t.Depth, noElement)
		attrs = w.attrs
	}
	sortAttrs(attrs)
	for i := range attrs {
		w.buf = appendAttr(w.buf, &attrs[i])
	}
	w.buf = append(w.buf, '>')
}

// utilized declares what exclusive canonicalization asks for: the prefixes used here and those of the list.
func (w *writer) utilized(t *xml.Token) {
	w.declare(t.Name.Prefix, t.Name.URI, t.Depth)
	for i := range t.Attrs {
		if len(t.Attrs[i].Prefix) > 0 {
			w.declare(t.Attrs[i].Prefix, t.Attrs[i].URI, t.Depth)
		}
	}
	if len(w.prefixes) == 0 {
		return
	}
	if t.Depth == w.apex {
		for _, p := range w.prefixes {
			if uri, ok := w.run.reader.Scope().Lookup(p); ok {
				w.declare([]byte(p), uri, t.Depth)
			}
		}
	}
	for _, b := range t.Bindings {
		if w.listed(b.Prefix) {
			w.declare([]byte(b.Prefix), b.URI, t.Depth)
		}
	}
}

// declared declares all that is new here: at the apex what is in scope, below it what an element declares itself.
func (w *writer) declared(t *xml.Token) {
	bindings := t.Bindings
	if t.Depth == w.apex {
		bindings = w.run.reader.Scope().All()
	}
	for _, b := range bindings {
		w.declare([]byte(b.Prefix), b.URI, t.Depth)
	}
}

func (w *writer) declare(prefix []byte, uri string, depth int) {
	if uri != xml.XMLNamespace && w.ns.find(prefix) != uri {
		w.ns.push(prefix, uri, depth)
	}
}

// sortAttrs puts attributes in the order of canonical forms: by namespace, then by local name.
func sortAttrs(attrs []xml.Attr) {
	if len(attrs) > 1 {
		slices.SortFunc(attrs, func(a, b xml.Attr) int {
			if a.URI != b.URI {
				return strings.Compare(a.URI, b.URI)
			}
			return bytes.Compare(a.Local, b.Local)
		})
	}
}

// inherit adds to the attributes of an element at depth, whose parent is not in the set, the xml:* attributes that it takes
// over from above: in version 1.0 all that it has not itself, in 1.1 lang and space, and base after joining. own are the
// element's attributes, in the set or not; near is the depth of the nearest element above that is in the set.
func (w *writer) inherit(attrs, own []xml.Attr, depth, near int) []xml.Attr {
	inherited := w.run.reader.Scope().Inherited()
	if len(inherited) == 0 {
		return attrs
	}
	has := map[string]bool{}
	for i := range own {
		if own[i].URI == xml.XMLNamespace {
			has[string(own[i].Local)] = true
		}
	}
	var bases []string
	for i := len(inherited) - 1; i >= 0; i-- {
		h := &inherited[i]
		switch {
		case h.Depth >= depth:
		case w.version11 && h.Local == "base":
			if h.Depth > near {
				bases = append(bases, h.Value)
			}
		case w.version11 && h.Local != "lang" && h.Local != "space":
		case !has[h.Local]:
			attrs, has[h.Local] = append(attrs, xmlAttr(h.Local, h.Value)), true
		}
	}
	if len(bases) == 0 {
		return attrs
	}
	return w.rebase(attrs, own, bases)
}

// rebase replaces xml:base; bases are those of the omitted elements, from the nearest.
func (w *writer) rebase(attrs, own []xml.Attr, bases []string) []xml.Attr {
	slices.Reverse(bases)
	for i := range own {
		if isXML(&own[i], "base") {
			bases = append(bases, string(own[i].Value))
		}
	}
	attrs = slices.DeleteFunc(attrs, func(a xml.Attr) bool { return isXML(&a, "base") })
	if joined := joinBases(bases); joined != "" {
		attrs = append(attrs, xmlAttr("base", joined))
	}
	return attrs
}

// noElement is a depth above all, also above those of the elements around a fragment.
const noElement = math.MinInt

func xmlAttr(local, value string) xml.Attr {
	return xml.Attr{Name: xml.Name{Prefix: []byte("xml"), Local: []byte(local), URI: xml.XMLNamespace}, Value: []byte(value)}
}

func hasXML(attrs []xml.Attr, local string) bool {
	return slices.ContainsFunc(attrs, func(a xml.Attr) bool { return isXML(&a, local) })
}

func isXML(a *xml.Attr, local string) bool {
	return a.URI == xml.XMLNamespace && string(a.Local) == local
}
