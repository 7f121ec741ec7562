// SPDX-License-Identifier: GPL-3.0-or-later

package c14n_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// TestCovered runs chains of filters of all kinds over random documents. What Run reports is compared with a reference that
// keeps the document, and with what the octets depend on: see checkOctets.
func TestCovered(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(7, 2026))}
	var seen struct{ general, cutBefore, nested, partial, comments, outside, changed, same int }
	for range 2500 {
		text, _ := g.document()
		doc := []byte(text)
		all := keepAll(t, doc)
		nodes, start := g.origin(all)
		name, rules := "", []rule{}
		for range g.IntN(4) {
			r := g.rule(t, all)
			nodes, name, rules = r.add(nodes), name+", "+r.name, append(rules, r)
		}
		in := func(n *kept) bool {
			return start.in(n) && !slices.ContainsFunc(rules, func(r rule) bool { return !r.in(n) })
		}
		method := pick(g, []string{c14n.C14N10, c14n.C14N10Comments, c14n.C14N11Comments, c14n.Exclusive, c14n.ExclusiveComments})
		form, j, err := canonical(doc, nodes, c14n.Method{URI: method})
		if err != nil || j.Found != 1 {
			t.Fatalf("%s%s: error %v, found %d\n%s", start.name, name, err, j.Found, doc)
		}
		want := cover(all, in, start.comments && method != c14n.C14N10 && method != c14n.Exclusive)
		if !want.same(j) {
			t.Fatalf("%s%s by %s\n%s\ngot  %+v\nwant %+v", start.name, name, method, doc, j, want)
		}
		general := slices.ContainsFunc(rules, func(r rule) bool { return r.general })
		seen.general += count(general)
		seen.cutBefore += count(general && len(j.Holes) > 0 && slices.ContainsFunc(rules, func(r rule) bool { return !r.general }))
		seen.nested += count(slices.ContainsFunc(j.Apexes, func(a c14n.Span) bool {
			return slices.ContainsFunc(j.Holes, func(h c14n.Span) bool { return h.Begin < a.Begin && a.End <= h.End })
		}))
		seen.partial += count(j.Partial)
		seen.comments += count(j.Comments)
		seen.outside += count(j.Outside)
		if !j.Partial {
			changed, same := checkOctets(t, start.name+name+" by "+method, doc, form, all, j)
			seen.changed, seen.same = seen.changed+changed, seen.same+same
		}
	}
	t.Logf("%+v", seen)
	if seen.general < 500 || seen.cutBefore < 50 || seen.nested < 5 || seen.partial < 100 || seen.comments < 100 || seen.outside < 100 ||
		seen.changed < 1000 || seen.same < 1000 {
		t.Error("the documents or filters do not show enough")
	}
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// origin is what a node-set starts from.
type origin struct {
	name     string
	comments bool
	in       func(*kept) bool
}

func (g *generator) origin(all []*kept) (c14n.Nodes, origin) {
	top := pick(g, all[1:]).element()
	if top.parent == nil || g.IntN(2) == 0 {
		top = all[0]
	}
	o := origin{fmt.Sprint("from ", top.begin), g.IntN(3) > 0, nil}
	o.in = func(n *kept) bool {
		return (n.kind != xml.Comment || o.comments) && (top == all[0] || n.within(func(e *kept) bool { return e == top }))
	}
	nodes := c14n.Document()
	if top != all[0] {
		nodes = pick(g, []c14n.Nodes{c14n.Element(top.begin), c14n.ByID(top.id, idNames)})
	}
	if o.comments {
		nodes = nodes.WithComments()
	}
	return nodes, o
}

// checkOctets changes one letter at a time of texts, attributes, instructions and comments: the octets must change with all
// that lies in the apexes but not in their holes, and with nothing else.
func checkOctets(t *testing.T, name string, doc, form []byte, all []*kept, j *c14n.Job) (changed, same int) {
	t.Helper()
	for _, n := range all[1:] {
		at, letter := n.letter(doc)
		if at < 0 {
			continue
		}
		signed := innermost(j, at)
		switch {
		case n.parent.parent == nil && n.kind != xml.Start:
			signed = j.Outside && n.kind == xml.Instruction
			if n.kind == xml.Comment {
				continue // beside the root only the method tells
			}
		case n.kind == xml.Comment:
			signed = signed && j.Comments
		}
		other := bytes.Clone(doc)
		other[at] = letter
		got, _, err := canonical(other, j.Nodes, j.Method)
		if err != nil {
			t.Fatalf("%s: error %v\n%s", name, err, other)
		}
		if bytes.Equal(got, form) == signed {
			t.Fatalf("%s: offset %d, signed %v\n%s\n%s\n%s\n%+v", name, at, signed, doc, form, got, j)
		}
		changed, same = changed+count(signed), same+count(!signed)
	}
	return changed, same
}

// letter finds a letter of the node that may be another one without a change to the nodes there are.
func (n *kept) letter(doc []byte) (at int64, other byte) {
	raw := doc[n.begin:n.end]
	i := -1
	switch n.kind {
	case xml.Text:
		i = bytes.IndexAny(raw[:1], "xa")
	case xml.Comment:
		i = bytes.IndexByte(raw, 'c')
	case xml.Instruction:
		if i = bytes.Index(raw, []byte("  a  b")); i >= 0 {
			i += 2
		}
	case xml.Start:
		tag, _, _ := bytes.Cut(raw, []byte(">"))
		if i = max(bytes.Index(tag, []byte(`"1"`)), bytes.Index(tag, []byte(`'1'`))); i >= 0 {
			i++
		}
	}
	if i < 0 {
		return -1, 0
	}
	return n.begin + int64(i), raw[i] + 1
}

// innermost reports whether the innermost span around an offset is an apex.
func innermost(j *c14n.Job, at int64) (signed bool) {
	begin := int64(-1)
	for i, list := range [][]c14n.Span{j.Apexes, j.Holes} {
		for _, s := range list {
			if s.Begin <= at && at < s.End && s.Begin > begin {
				begin, signed = s.Begin, i == 0
			}
		}
	}
	return signed
}
