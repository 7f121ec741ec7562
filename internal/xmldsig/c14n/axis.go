// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"slices"

	"persten/internal/xmldsig/xml"
)

// nearNodes are the namespace nodes in the set of the nearest element above that is in the set.
func (g *general) nearNodes() []nsNode { return g.frames[g.frames[len(g.frames)-1].near].nodes }

// near returns the namespace that the nearest element above, of those in the set, has in the set for a prefix.
func (g *general) near(prefix string) string {
	nodes := g.nearNodes()
	i, ok := findPrefix(nodes, prefix)
	if !ok {
		return ""
	}
	return nodes[i].URI
}

// sameNodes reports whether two elements share their namespace nodes. It does not look into slices that differ.
func sameNodes(a, b []nsNode) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// writeNamespaces is the namespace axis of Canonical XML section 2.3.
func (g *general) writeNamespaces(in bool) {
	above := g.nearNodes()
	if sameNodes(g.nodes, above) {
		return
	}
	if in && !hasPrefix(g.nodes, "") && g.near("") != "" {
		g.w.buf = appendDeclaration(g.w.buf, nil, "")
	}
	for _, n := range g.nodes {
		for len(above) > 0 && above[0].Prefix < n.Prefix {
			above = above[1:]
		}
		if len(above) == 0 || above[0] != n {
			g.w.buf = appendDeclaration(g.w.buf, []byte(n.Prefix), n.URI)
		}
	}
}

// writeUtilized is what Exclusive XML Canonicalization section 3 puts in its place. The prefixes of the list are treated as
// in Canonical XML.
func (g *general) writeUtilized(t *xml.Token, in bool) {
	w := g.w
	if in {
		g.undeclare(t)
	}
	for _, n := range g.candidates(t, in) {
		prefix := []byte(n.Prefix)
		if w.listed(n.Prefix) {
			if g.near(n.Prefix) == n.URI {
				continue
			}
		} else if w.ns.find(prefix) == n.URI {
			continue
		}
		w.buf = appendDeclaration(w.buf, prefix, n.URI)
		if in {
			w.ns.push(prefix, n.URI, t.Depth)
		}
	}
}

// candidates returns the namespace nodes in the set that may have to be written, by prefix: those that the element, if it is
// in the set, or an attribute utilizes, and those of the list that the nearest element above does not share.
func (g *general) candidates(t *xml.Token, in bool) []nsNode {
	list := g.used[:0]
	if in {
		list = g.utilized(list, t.Name.Prefix)
		for i := range g.attrs {
			if len(g.attrs[i].Prefix) > 0 {
				list = g.utilized(list, g.attrs[i].Prefix)
			}
		}
	}
	if len(g.w.prefixes) > 0 && !sameNodes(g.nodes, g.nearNodes()) {
		for _, n := range g.nodes {
			if g.w.listed(n.Prefix) {
				list = append(list, n)
			}
		}
	}
	if g.used = list; len(list) < 2 {
		return list
	}
	sortNodes(list)
	return slices.Compact(list)
}

func (g *general) utilized(list []nsNode, prefix []byte) []nsNode {
	if len(g.nodes) <= few {
		for i := range g.nodes {
			if g.nodes[i].Prefix == string(prefix) {
				return append(list, g.nodes[i])
			}
		}
		return list
	}
	if i, ok := findPrefix(g.nodes, string(prefix)); ok {
		list = append(list, g.nodes[i])
	}
	return list
}

// undeclare deals with the prefixes used here whose namespace nodes are not in the set: below, they count as not rendered,
// and a default namespace that would leak in from above is taken back.
func (g *general) undeclare(t *xml.Token) {
	w := g.w
	if !hasPrefix(g.nodes, "") {
		listed := slices.Contains(w.prefixes, "")
		if listed && g.near("") != "" || !listed && len(t.Name.Prefix) == 0 && w.ns.find(nil) != "" {
			w.buf = appendDeclaration(w.buf, nil, "")
			w.ns.push(nil, "", t.Depth)
		}
	}
	g.forget(t.Name.Prefix, t.Depth)
	for i := range g.attrs {
		g.forget(g.attrs[i].Prefix, t.Depth)
	}
}

func (g *general) forget(prefix []byte, depth int) {
	if len(prefix) > 0 && g.w.ns.find(prefix) != "" && !hasPrefix(g.nodes, string(prefix)) {
		g.w.ns.push(prefix, "", depth)
	}
}
