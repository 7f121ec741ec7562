// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

// Nodes is a node-set over a document: a description that Run decides node by node. A value never changes; its methods
// return another one.
type Nodes struct {
	from     origin
	begin    int64 // element: where its start tag begins
	id       string
	names    []IDName
	comments bool
	without  []int64
	steps    []step
}

type origin uint8

const (
	fromDocument origin = iota
	fromElement
	fromID
)

// step is one transform of a node-set: an XPath filter or the operations of XPath Filter 2.0.
type step struct {
	filter *XPath
	ops    []SetOp
}

// IDName is the name of attributes that count as Id.
type IDName struct{ URI, Local string }

// Document is the whole document without comments, as URI="" means it.
func Document() Nodes { return Nodes{} }

// Element is the subtree, without comments, whose start tag begins at this offset of the document.
func Element(begin int64) Nodes { return Nodes{from: fromElement, begin: begin} }

// ByID is the subtree, without comments, of the one element that has an attribute of one of these names with the value id.
func ByID(id string, names []IDName) Nodes { return Nodes{from: fromID, id: id, names: names} }

// WithComments adds the comments, as the XPointer forms of a URI mean it.
func (n Nodes) WithComments() Nodes {
	n.comments = true
	return n
}

// Without leaves out the subtree that begins at this offset: the enveloped-signature transform.
func (n Nodes) Without(begin int64) Nodes {
	n.without = append(n.without[:len(n.without):len(n.without)], begin)
	return n
}

// Filter keeps the nodes for which the expression is true: the XPath transform.
func (n Nodes) Filter(x *XPath) Nodes { return n.with(step{filter: x}) }

// Filter2 applies the operations of one XPath Filter 2.0 transform in order.
func (n Nodes) Filter2(ops []SetOp) Nodes { return n.with(step{ops: ops}) }

func (n Nodes) with(s step) Nodes {
	n.steps = append(n.steps[:len(n.steps):len(n.steps)], s)
	return n
}
