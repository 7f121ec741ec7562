// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"maps"
	"slices"
)

// Scope is what the open elements have declared: namespaces, and xml:* attributes, which canonical forms may have to
// repeat. The Scope of a Reader changes with each token; Clone keeps one.
type Scope struct {
	bound  []bound
	newest map[string]int // prefix to its last place in bound
	none   string         // the default namespace
	xml    []Inherited
	depth  int
}

// bound is a declaration; before is the place of the one it hides, or -1.
type bound struct {
	Binding
	depth, before int
}

// Inherited is an xml:* attribute of an open element. In the scope of a fragment the elements around it have depths of 0
// and less, the nearest 0.
type Inherited struct {
	Depth        int
	Local, Value string
}

// Lookup returns the namespace bound to a prefix; "" asks for the default namespace, which is not ok when there is none.
func (s *Scope) Lookup(prefix string) (uri string, ok bool) {
	switch prefix {
	case "":
		return s.none, s.none != ""
	case "xml":
		return XMLNamespace, true
	case "xmlns":
		return XMLNSNamespace, true
	}
	i, ok := s.newest[prefix]
	if !ok {
		return "", false
	}
	return s.bound[i].URI, true
}

// LookupBytes is Lookup without making a string.
func (s *Scope) LookupBytes(prefix []byte) (uri string, ok bool) {
	if i, ok := s.newest[string(prefix)]; ok && len(prefix) > 0 {
		return s.bound[i].URI, true
	}
	return s.Lookup(string(prefix))
}

// All returns the nearest declaration of each prefix, in no order. Left out are xml and a default namespace that is undeclared.
func (s *Scope) All() []Binding {
	all := make([]Binding, 0, len(s.newest))
	for _, i := range s.newest {
		if b := s.bound[i].Binding; b.URI != "" {
			all = append(all, b)
		}
	}
	return all
}

// Inherited returns the xml:* attributes of the open elements, outermost first, then in document order.
func (s *Scope) Inherited() []Inherited { return slices.Clone(s.xml) }

// Clone returns a copy that stays as it is.
func (s *Scope) Clone() *Scope {
	c := *s
	c.bound, c.newest, c.xml = slices.Clone(s.bound), maps.Clone(s.newest), slices.Clone(s.xml)
	return &c
}

// around returns a copy for a fragment inside s, whose root will have depth 1.
func (s *Scope) around() Scope {
	c := s.Clone()
	for i := range c.bound {
		c.bound[i].depth -= c.depth
	}
	for i := range c.xml {
		c.xml[i].Depth -= c.depth
	}
	c.depth = 0
	if c.newest == nil {
		c.newest = map[string]int{}
	}
	return *c
}

// declare adds a declaration of the innermost element; false when that element has one for the prefix already.
func (s *Scope) declare(b Binding) bool {
	before, ok := s.newest[b.Prefix]
	if !ok {
		before = -1
	} else if s.bound[before].depth == s.depth {
		return false
	}
	s.newest[b.Prefix] = len(s.bound)
	s.bound = append(s.bound, bound{b, s.depth, before})
	if b.Prefix == "" {
		s.none = b.URI
	}
	return true
}

// leave forgets what the innermost element declared.
func (s *Scope) leave() {
	for n := len(s.bound) - 1; n >= 0 && s.bound[n].depth == s.depth; n-- {
		s.forget(s.bound[n])
		s.bound = s.bound[:n]
	}
	n := len(s.xml)
	for n > 0 && s.xml[n-1].Depth == s.depth {
		n--
	}
	s.xml = s.xml[:n]
	s.depth--
}

func (s *Scope) forget(b bound) {
	uri := ""
	if b.before < 0 {
		delete(s.newest, b.Prefix)
	} else {
		s.newest[b.Prefix] = b.before
		uri = s.bound[b.before].URI
	}
	if b.Prefix == "" {
		s.none = uri
	}
}
