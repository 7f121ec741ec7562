// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"slices"

	"persten/internal/xmldsig/xml"
)

// node is a node that an expression can reach: an open element or the root by its depth, an attribute or namespace node of
// one by its place there, or the node being decided on. A Signature that is not open is told by nothing but its kind.
type node struct {
	kind  nodeKind
	depth int32 // of the element itself, or of the element around
	index int32
}

type nodeKind uint8

const (
	rootNode nodeKind = iota
	elementNode
	attributeNode
	namespaceNode // index len(axis) is the one of xml
	textNode
	commentNode
	instructionNode
	elsewhere // the element that here() leads to, when it is not open
)

// evaluator decides expressions over the open elements. Sets are pieces of one slice that begins anew for each decision.
type evaluator struct {
	texts  *Texts // of the job that is asking
	open   *opened
	here   int64
	nodes  []node
	steps  int64 // left, until refill has to give more
	refill func(owed int64) (int64, error)
	err    error // the first that happened: then values mean nothing
}

// chunk is how many octets of a string count as one step.
const chunk = 16

// decide reports whether the expression is true for a node.
func (v *evaluator) decide(x *XPath, context node) (bool, error) {
	v.nodes, v.here = v.nodes[:0], x.here
	is := v.truth(x.root, context)
	return is, v.err
}

func (v *evaluator) spend(n int) bool {
	if v.steps -= int64(n); v.steps < 0 {
		return v.more()
	}
	return v.err == nil
}

func (v *evaluator) more() bool {
	if v.err == nil {
		v.steps, v.err = v.refill(-v.steps)
	}
	return v.err == nil
}

// truth is boolean(e). It leaves no nodes behind.
func (v *evaluator) truth(e *expr, context node) bool {
	if !v.spend(1) {
		return false
	}
	switch e.op {
	case opOr:
		return v.truth(e.args[0], context) || v.truth(e.args[1], context)
	case opAnd:
		return v.truth(e.args[0], context) && v.truth(e.args[1], context)
	case opPath, opUnion:
		at := len(v.nodes)
		is := len(v.set(e, context)) > 0
		v.nodes = v.nodes[:at]
		return is
	case opCall:
		return v.eval(e, context).boolean()
	}
	at := len(v.nodes)
	is := v.eval(e, context).boolean()
	v.nodes = v.nodes[:at]
	return is
}

// set evaluates a path or union to its nodes, each once, in no order.
func (v *evaluator) set(e *expr, context node) []node {
	if e.op == opPath {
		return v.path(e.path, context)
	}
	left := v.set(e.args[0], context)
	right := v.set(e.args[1], context)
	at := len(v.nodes)
	v.nodes = append(v.nodes, right...)
	for _, n := range left {
		v.addOnce(at, n)
	}
	return v.nodes[at:]
}

func (v *evaluator) addOnce(from int, n node) {
	if v.spend(1+(len(v.nodes)-from)/8) && !slices.Contains(v.nodes[from:], n) {
		v.nodes = append(v.nodes, n)
	}
}

func (v *evaluator) path(p *path, context node) []node {
	from := len(v.nodes)
	switch {
	case p.here:
		v.nodes = append(v.nodes, v.signature())
	case p.absolute:
		v.nodes = append(v.nodes, node{kind: rootNode})
	default:
		v.nodes = append(v.nodes, context)
	}
	for i := range p.steps {
		at := len(v.nodes)
		for _, n := range v.nodes[from:at] {
			v.step(&p.steps[i], n, at, at-from > 1)
		}
		from = at
	}
	return v.nodes[from:]
}

// signature is the element that here()/ancestor::ds:Signature[1] means.
func (v *evaluator) signature() node {
	v.spend(1 + len(v.open.elements)/chunk)
	for d := 1; d < len(v.open.elements); d++ {
		if v.open.elements[d].begin == v.here {
			return node{kind: elementNode, depth: int32(d)}
		}
	}
	return node{kind: elsewhere}
}

// step adds to the nodes from at on those that one step leads to from n.
func (v *evaluator) step(s *pathStep, n node, at int, unite bool) {
	position := 0
	visit := func(n node) {
		if !v.spend(1) || !v.matches(&s.test, s.axis, n) {
			return
		}
		for _, pred := range s.preds {
			if pred.op == opNumber {
				if position++; float64(position) != pred.number {
					return
				}
			} else if !v.truth(pred, n) {
				return
			}
		}
		if unite {
			v.addOnce(at, n)
		} else {
			v.nodes = append(v.nodes, n)
		}
	}
	v.walk(s.axis, n, visit)
}

func (v *evaluator) walk(a axis, n node, visit func(node)) {
	if n.kind == elsewhere {
		v.fail("a path on from an element that is not around")
		return
	}
	if a == axisSelf || a == axisAncestorOrSelf {
		visit(n)
	}
	switch a {
	case axisParent:
		if up, ok := n.parent(); ok {
			visit(up)
		}
	case axisAncestor, axisAncestorOrSelf:
		for up, ok := n.parent(); ok && v.err == nil; up, ok = up.parent() {
			visit(up)
		}
	case axisAttribute, axisNamespace:
		v.walkOwn(a, n, visit)
	}
}

func (v *evaluator) walkOwn(a axis, n node, visit func(node)) {
	if n.kind != elementNode {
		return
	}
	e := &v.open.elements[n.depth]
	kind, count := attributeNode, len(e.attrs)
	if a == axisNamespace {
		kind, count = namespaceNode, len(e.axis)+1
	}
	for i := 0; i < count && v.err == nil; i++ {
		visit(node{kind, n.depth, int32(i)})
	}
}

func (n node) parent() (node, bool) {
	depth := n.depth
	if n.kind == elementNode {
		depth--
	}
	switch {
	case n.kind == rootNode || n.kind == elsewhere:
		return n, false
	case depth == 0:
		return node{kind: rootNode}, true
	}
	return node{kind: elementNode, depth: depth}, true
}

// matches is a node test on an axis: names are of the axis's principal node type.
func (v *evaluator) matches(t *nameTest, a axis, n node) bool {
	switch t.kind {
	case testNode:
		return true
	case testText:
		return n.kind == textNode
	case testComment:
		return n.kind == commentNode
	case testInstruction:
		return n.kind == instructionNode && (t.local == "" || t.local == string(v.open.current.Name.Local))
	}
	principal := elementNode
	switch a {
	case axisAttribute:
		principal = attributeNode
	case axisNamespace:
		principal = namespaceNode
	}
	if n.kind != principal {
		return false
	}
	if t.kind == testAnyName {
		return true
	}
	name := v.name(n)
	return name.URI == t.uri && (t.kind == testNamespace || string(name.Local) == t.local)
}

// name is the expanded-name of a node, and its prefix; nodes without a name have an empty one.
func (v *evaluator) name(n node) xml.Name {
	switch n.kind {
	case elementNode:
		return v.open.elements[n.depth].name
	case attributeNode:
		return v.open.elements[n.depth].attrs[n.index].Name
	case namespaceNode:
		return xml.Name{Local: []byte(v.binding(n).Prefix)}
	case instructionNode:
		return xml.Name{Local: v.open.current.Name.Local}
	case elsewhere:
		v.fail("the name of an element that is not around")
	}
	return xml.Name{}
}

func (v *evaluator) binding(n node) xml.Binding {
	axis := v.open.elements[n.depth].axis
	if int(n.index) == len(axis) {
		return xml.Binding{Prefix: "xml", URI: xml.XMLNamespace}
	}
	return axis[n.index]
}

// stringValue refuses what would need the rest of the document, unless it was read before.
func (v *evaluator) stringValue(n node) string {
	switch n.kind {
	case attributeNode:
		return v.copied(v.open.elements[n.depth].attrs[n.index].Value)
	case namespaceNode:
		return v.binding(n).URI
	case commentNode, instructionNode:
		return v.copied(v.open.current.Data)
	case elementNode:
		if b, ok := v.texts.of(v.open.elements[n.depth].begin); ok {
			return v.copied(b)
		}
	case textNode:
		if b, ok := v.texts.of(v.open.current.Begin); ok {
			return v.copied(b)
		}
	}

	v.fail("the string-value of an element or text")
	return ""
}

// copied is a string as long as steps are left for it.
func (v *evaluator) copied(b []byte) string {
	if !v.spend(1 + len(b)/chunk) {
		return ""
	}
	return string(b)
}

func (v *evaluator) fail(reason string) {
	if v.err == nil {
		v.err = unsupported("%s", reason)
	}
}
