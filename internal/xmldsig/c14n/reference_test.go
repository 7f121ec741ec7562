// SPDX-License-Identifier: GPL-3.0-or-later

package c14n_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// kept is a node of a document kept whole. Namespace nodes but xml's, and attributes, are among an element's own.
type kept struct {
	kind       xml.Kind // 0 is an attribute or namespace node; the root node has no parent and is in no set
	begin, end int64
	uri, local string
	id         string
	parent     *kept
	own        []*kept
	bindings   int // of own are namespace nodes
}

// keepAll reads a document into its nodes, in document order, the root node first.
func keepAll(t *testing.T, doc []byte) []*kept {
	t.Helper()
	all := []*kept{{}}
	up := all[0]
	r := xml.NewReader(bytes.NewReader(doc), xml.Limits{})
	for {
		tok, err := r.Next()
		if err != nil {
			return all
		}
		if tok.Kind == xml.End {
			up.end = tok.Fin
			up = up.parent
			continue
		}
		n := &kept{kind: tok.Kind, begin: tok.Begin, end: tok.Fin, uri: tok.Name.URI, local: string(tok.Name.Local), parent: up}
		all = append(all, n)
		if tok.Kind != xml.Start {
			continue
		}
		up = n
		for _, b := range r.Scope().All() {
			n.own = append(n.own, &kept{local: b.Prefix, parent: n})
		}
		n.bindings = len(n.own)
		for _, a := range tok.Attrs {
			n.own = append(n.own, &kept{uri: a.URI, local: string(a.Local), parent: n})
			if a.URI == "" && string(a.Local) == "Id" {
				n.id = string(a.Value)
			}
		}
	}
}

// element is the nearest element at or above the node.
func (n *kept) element() *kept {
	for n.kind != xml.Start && n.parent != nil {
		n = n.parent
	}
	return n
}

func (n *kept) named(local string) bool {
	return n.kind == xml.Start && n.uri == "" && n.local == local
}

// within reports whether the node or an element above it is one of those.
func (n *kept) within(those func(*kept) bool) bool {
	for ; n.parent != nil; n = n.parent {
		if those(n) {
			return true
		}
	}
	return false
}

func (n *kept) ancestors() (count int) {
	for n = n.parent; n.parent != nil; n = n.parent {
		count++
	}
	return count
}

// rule is a transform and what it means for a node.
type rule struct {
	name    string
	add     func(c14n.Nodes) c14n.Nodes
	in      func(*kept) bool
	general bool
}

var ruleFilters = map[string]func(*kept) bool{
	"not(ancestor-or-self::el)": func(n *kept) bool { return !n.within(func(e *kept) bool { return e.named("el") }) },
	"not(ancestor-or-self::e)":  func(n *kept) bool { return !n.within(func(e *kept) bool { return e.named("e") }) },
	"true()":                    func(*kept) bool { return true },
	"not(parent::el)":           func(n *kept) bool { return !n.parent.named("el") },
	"count(ancestor::*) < 3":    func(n *kept) bool { return n.ancestors() < 3 },
	"not(self::e)":              func(n *kept) bool { return !n.named("e") },
	"not(self::comment())":      func(n *kept) bool { return n.kind != xml.Comment },
	"local-name() != 'a'":       func(n *kept) bool { return n.local != "a" },
	"not(self::processing-instruction('pi'))": func(n *kept) bool {
		return n.kind != xml.Instruction || n.local != "pi"
	},
	"self::* or self::text()": func(n *kept) bool { return n.kind == xml.Start || n.kind == xml.Text },
	"not(ancestor-or-self::node()/self::el)": func(n *kept) bool {
		return !n.within(func(e *kept) bool { return e.named("el") })
	},
}

var rulePaths = map[string]func(*kept) bool{
	"/":       func(*kept) bool { return true },
	"/*":      func(n *kept) bool { return n.kind == xml.Start && n.parent.parent == nil },
	"//el":    func(n *kept) bool { return n.named("el") },
	"//e":     func(n *kept) bool { return n.named("e") },
	"//*/*/*": func(n *kept) bool { return n.kind == xml.Start && n.ancestors() >= 2 },
	"//el/e":  func(n *kept) bool { return n.named("e") && n.parent.named("el") },
}

// rule makes a transform at random.
func (g *generator) rule(t *testing.T, all []*kept) rule {
	switch g.IntN(4) {
	case 0:
		cut := pick(g, all[1:]).element()
		if cut.parent == nil {
			cut = &kept{begin: -1}
		}
		return rule{fmt.Sprint("without ", cut.begin), func(n c14n.Nodes) c14n.Nodes { return n.Without(cut.begin) },
			func(n *kept) bool { return !n.within(func(e *kept) bool { return e == cut }) }, false}
	case 1:
		return g.setRule(t)
	}
	expression := pick(g, sortedKeys(ruleFilters))
	x := compile(t, expression, nil, 0)
	fast := expression == "not(ancestor-or-self::el)" || expression == "not(ancestor-or-self::e)"
	return rule{expression, func(n c14n.Nodes) c14n.Nodes { return n.Filter(x) }, ruleFilters[expression], !fast}
}

// setRule makes a Filter 2.0 transform.
func (g *generator) setRule(t *testing.T) rule {
	var list, words, paths []string
	for range 1 + g.IntN(3) {
		word, path := pick(g, []string{"intersect", "subtract", "union"}), pick(g, sortedKeys(rulePaths))
		list, words, paths = append(list, word+" "+path), append(words, word), append(paths, path)
	}
	compiled := ops(t, nil, 0, list...)
	return rule{fmt.Sprint(list), func(n c14n.Nodes) c14n.Nodes { return n.Filter2(compiled) }, func(n *kept) bool {
		in := true
		for i, word := range words {
			selected := paths[i] == "/" || n.within(rulePaths[paths[i]])
			switch word {
			case "intersect":
				in = in && selected
			case "subtract":
				in = in && !selected
			default:
				in = in || selected
			}
		}
		return in
	}, true}
}

func sortedKeys[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// covered is what Run should report of a set.
type covered struct {
	apexes, holes              []c14n.Span
	partial, comments, outside bool
}

// cover decides node by node; comments tells whether they are written.
func cover(all []*kept, in func(*kept) bool, comments bool) (c covered) {
	spared := false
	for _, n := range all[1:] {
		is := in(n)
		switch {
		case n.kind == xml.Comment && !comments:
		case n.kind == xml.Start:
			c.element(n, is, in)
		case n.parent.parent == nil:
			c.outside, spared = c.outside || is, spared || !is
		default:
			c.partial = c.partial || is != in(n.parent)
			c.comments = c.comments || is && n.kind == xml.Comment
		}
	}
	c.partial = c.partial || c.outside && spared
	return c
}

func (c *covered) element(n *kept, is bool, in func(*kept) bool) {
	up := n.parent.parent != nil && in(n.parent)
	span := c14n.Span{Begin: n.begin, End: n.end}
	if is && !up {
		c.apexes = append(c.apexes, span)
	} else if !is && up {
		c.holes = append(c.holes, span)
	}
	for _, o := range n.own {
		c.partial = c.partial || in(o) != is
	}
}

func (c *covered) same(j *c14n.Job) bool {
	same := func(a, b []c14n.Span) bool {
		return slices.EqualFunc(a, b, func(x, y c14n.Span) bool { return x.Begin == y.Begin && x.End == y.End })
	}
	return same(c.apexes, j.Apexes) && same(c.holes, j.Holes) && c.partial == j.Partial && c.comments == j.Comments && c.outside == j.Outside
}
