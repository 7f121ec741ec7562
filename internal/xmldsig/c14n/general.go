// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"unsafe"

	"persten/internal/xmldsig/xml"
)

// general writes node-sets of any shape: each element, attribute, namespace node and piece of text is decided on its own.
type general struct {
	w       *writer
	filters []*XPath
	ops     []SetOp   // of all Filter 2.0 steps
	cost    int       // steps that ops take at an element
	frames  []frame   // of the open elements, by depth; [0] is the root node
	kept    []nsNode  // namespace nodes of those that have not all in the set
	state   []reached // for each frame, one for each of ops

	// The element whose start tag is at hand.
	nodes []nsNode // its namespace nodes that are in the set
	attrs []xml.Attr
	some  []nsNode // scratch
	used  []nsNode // scratch
}

// frame is an open element as the output sees it.
type frame struct {
	passes bool     // it and what is its own are in what the Filter 2.0 steps select
	in     bool     // it is in the set
	near   int      // depth of the nearest element above that is in the set; 0 is none
	nodes  []nsNode // its namespace nodes in the set; an element that is not in the set has none here
	kept   int      // where they begin in kept
	octets int      // what it holds of the effort
}

func newGeneral(w *writer) *general {
	g := &general{w: w}
	for _, s := range w.job.Nodes.steps {
		if s.filter != nil && s.filter.outside == nil {
			g.filters = append(g.filters, s.filter)
		}
		for _, op := range s.ops {
			g.ops = append(g.ops, op)
			g.cost += 1 + len(op.Path.steps)
			g.state = append(g.state, op.Path.atRoot())
		}
	}
	g.frames = []frame{{passes: g.filtered(0)}}
	return g
}

// in decides on the innermost open element or a node of its own.
func (g *general) in(n node) (bool, error) {
	if !g.frames[len(g.frames)-1].passes {
		return false, nil
	}
	for _, x := range g.filters {
		if ok, err := g.w.run.eval.decide(x, n); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// filtered is what the Filter 2.0 steps say of the element at this depth and of all that is its own.
func (g *general) filtered(depth int) bool {
	state := g.state[depth*len(g.ops):]
	for _, s := range g.w.job.Nodes.steps {
		if s.filter != nil {
			continue
		}
		in := true
		for i, op := range s.ops {
			switch {
			case op.Op == Union:
				in = in || state[i].in
			case op.Op == Intersect:
				in = in && state[i].in
			default:
				in = in && !state[i].in
			}
		}
		if state = state[len(s.ops):]; !in {
			return false
		}
	}
	return true
}

// start takes an element, of which inside tells whether the set can have it at all.
func (g *general) start(t *xml.Token, inside bool) error {
	up := g.frames[len(g.frames)-1]
	if err := g.enter(up); err != nil {
		return err
	}
	if !inside {
		return g.cover(t, false, up.in)
	}
	f := &g.frames[t.Depth]
	f.passes = g.filtered(t.Depth)
	var err error
	if f.in, err = g.in(node{kind: elementNode, depth: int32(t.Depth)}); err != nil {
		return err
	}
	if err = g.own(t, f); err != nil {
		return err
	}
	if err = g.cover(t, f.in, up.in); err != nil || g.w.job.Text {
		return err
	}
	g.write(t, f.in)
	return g.w.run.eval.err
}

// enter adds the frame of an element below up.
func (g *general) enter(up frame) error {
	f := frame{near: up.near, kept: len(g.kept), octets: len(g.ops) * int(unsafe.Sizeof(reached{}))}
	if up.in {
		f.near = len(g.frames) - 1
	}
	g.frames = append(g.frames, f)
	if !g.w.run.eval.spend(g.cost) {
		return g.w.run.eval.err
	}
	if err := g.w.run.keep(f.octets); err != nil {
		return err
	}
	at := len(g.state) - len(g.ops)
	for i, op := range g.ops {
		r, err := op.Path.enter(&g.w.run.eval, g.state[at+i])
		if err != nil {
			return err
		}
		g.state = append(g.state, r)
	}
	return nil
}

// own decides on the namespaces and attributes of the element.
func (g *general) own(t *xml.Token, f *frame) error {
	e := g.w.run.open.top()
	if !f.passes {
		g.nodes, g.attrs = nil, g.attrs[:0]
		return nil
	}
	if err := g.ownNodes(t, e); err != nil {
		return err
	}
	if err := g.ownAttrs(t, e); err != nil {
		return err
	}
	whole := len(g.nodes) == len(e.axis) && len(g.attrs) == len(e.attrs)
	if f.in && !whole || !f.in && len(g.nodes)+len(g.attrs) > 0 {
		g.w.job.Partial = true
	}
	if !f.in {
		return nil
	}
	if f.nodes = g.nodes; len(g.nodes) == len(e.axis) {
		return nil
	}
	g.kept = append(g.kept, g.nodes...)
	f.nodes = g.kept[f.kept:len(g.kept):len(g.kept)]
	octets := len(g.nodes) * int(unsafe.Sizeof(nsNode{}))
	f.octets += octets
	return g.w.run.keep(octets)
}

// ownNodes decides on namespace nodes. When all are in the set, their slice is the element's own: see sameNodes.
func (g *general) ownNodes(t *xml.Token, e *element) error {
	g.nodes = e.axis
	if len(g.filters) == 0 {
		return nil
	}
	g.some = g.some[:0]
	for i := range e.axis {
		ok, err := g.in(node{namespaceNode, int32(t.Depth), int32(i)})
		if err != nil {
			return err
		}
		if ok {
			g.some = append(g.some, e.axis[i])
		}
	}
	if len(g.some) < len(e.axis) {
		g.nodes = g.some
	}
	return nil
}

func (g *general) ownAttrs(t *xml.Token, e *element) error {
	g.attrs = g.attrs[:0]
	for i := range e.attrs {
		ok, err := g.in(node{attributeNode, int32(t.Depth), int32(i)})
		if err != nil {
			return err
		}
		if ok {
			g.attrs = append(g.attrs, e.attrs[i])
		}
	}
	return nil
}

// cover notes where the set begins and where it has holes. up tells whether the parent is in it.
func (g *general) cover(t *xml.Token, in, up bool) error {
	switch {
	case in && !up:
		return g.w.span(t, &g.w.job.Apexes)
	case !in && up:
		return g.w.span(t, &g.w.job.Holes)
	}
	return nil
}

func (g *general) end(t *xml.Token) {
	w := g.w
	f := g.frames[t.Depth]
	if f.in && !w.job.Text {
		w.buf = appendEnd(w.buf, t.Name)
	}
	w.ns.pop(t.Depth)
	w.run.release(f.octets)
	g.kept = g.kept[:f.kept]
	g.state = g.state[:len(g.state)-len(g.ops)]
	g.frames = g.frames[:t.Depth]
}

// leaf decides on text, a comment or an instruction that the set can have.
func (g *general) leaf(t *xml.Token) (bool, error) {
	n := node{kind: textNode, depth: int32(t.Depth)}
	switch t.Kind {
	case xml.Comment:
		n.kind = commentNode
	case xml.Instruction:
		n.kind = instructionNode
	}
	in, err := g.in(n)
	switch {
	case t.Depth == 0:
		g.w.spared = g.w.spared || !in
	case in != g.frames[t.Depth].in:
		g.w.job.Partial = true
	}
	return in, err
}

// write writes a start tag. Of an element that is not in the set, namespaces and attributes that are in it are still written
// (Canonical XML section 2.3).
func (g *general) write(t *xml.Token, in bool) {
	w := g.w
	if in {
		w.buf = appendName(append(w.buf, '<'), t.Name)
	}
	if w.exclusive {
		g.writeUtilized(t, in)
	} else {
		g.writeNamespaces(in)
		if f := &g.frames[t.Depth]; in && (f.near != t.Depth-1 || t.Depth == 1) {
			near := noElement
			if f.near > 0 {
				near = f.near
			}
			own := w.run.open.top().attrs
			w.run.eval.spend(len(w.run.reader.Scope().Inherited()))
			g.attrs = w.inherit(g.keepBase(own), own, t.Depth, near)
		}
	}
	sortAttrs(g.attrs)
	for i := range g.attrs {
		w.buf = appendAttr(w.buf, &g.attrs[i])
	}
	if in {
		w.buf = append(w.buf, '>')
	}
}

// keepBase adds to the attributes in the set an xml:base of the element that is not in it. Canonical XML 1.1 does not ask for
// it, but the libxml2 test xmlbase-c14n11spec3-102 does. It is called for the root element and where the parent is not in the
// set; libxml2 writes the attribute elsewhere too.
func (g *general) keepBase(own []xml.Attr) []xml.Attr {
	if !g.w.version11 || hasXML(g.attrs, "base") {
		return g.attrs
	}
	for i := range own {
		if isXML(&own[i], "base") && len(own[i].Value) > 0 {
			return append(g.attrs, own[i])
		}
	}
	return g.attrs
}
