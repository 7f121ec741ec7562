// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import "fmt"

// XPath is a compiled expression of the XPath transform: the part of XPath 1.0 that looks only at a node, its attributes
// and namespaces, and what is above it. The axes child, descendant, following and preceding, the functions position, last
// and id are not in it; the string-value of elements and text is, with Job.Texts.
type XPath struct {
	root *expr
	here int64

	// outside is set when the expression is not(ancestor-or-self::NAME): then whole subtrees go, and nothing needs evaluation.
	outside *nameTest
}

// Limits of expressions.
const (
	maxExpression = 4 << 10
	maxExprNodes  = 128
	maxExprDepth  = 32
)

// CompileXPath reads an expression. ns are the namespaces in scope where it stands, by prefix; here is the offset of the
// Signature element around it, for here()/ancestor::ds:Signature[1].
func CompileXPath(expression string, ns map[string]string, here int64) (*XPath, error) {
	p, err := newParser(expression, ns)
	if err != nil {
		return nil, err
	}
	x := &XPath{here: here}
	if x.root, err = p.whole(p.or); err != nil {
		return nil, err
	}
	if err = x.root.looksUp(); err != nil {
		return nil, err
	}
	x.outside = x.root.outside()
	return x, nil
}

// operation is what an expr does.
type operation uint8

const (
	opOr operation = iota + 1
	opAnd
	opEqual
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opAdd
	opSubtract
	opMultiply
	opDivide
	opModulo
	opNegate
	opUnion
	opString // a literal
	opNumber
	opPath
	opCall
)

type expr struct {
	op     operation
	args   []*expr
	text   string
	number float64
	call   *function
	path   *path
}

// path is a location path. It begins at the context node, at the root, or at here(), the Signature element.
type path struct {
	absolute, here bool
	steps          []pathStep
}

type pathStep struct {
	axis  axis
	test  nameTest
	preds []*expr
}

type axis uint8

const (
	axisSelf axis = iota + 1
	axisParent
	axisAncestor
	axisAncestorOrSelf
	axisAttribute
	axisNamespace
	axisChild      // only in the paths of XPath Filter 2.0
	axisDescendant // the same
)

var axes = map[string]axis{
	"self": axisSelf, "parent": axisParent, "ancestor": axisAncestor, "ancestor-or-self": axisAncestorOrSelf,
	"attribute": axisAttribute, "namespace": axisNamespace, "child": axisChild, "descendant": axisDescendant,
}

// nameTest is a node test.
type nameTest struct {
	kind       testKind
	uri, local string
}

type testKind uint8

const (
	testName      testKind = iota + 1 // uri and local
	testNamespace                     // prefix:*
	testAnyName                       // *
	testNode
	testText
	testComment
	testInstruction // local is the target, or empty
)

// outside returns NAME when e is not(ancestor-or-self::NAME).
func (e *expr) outside() *nameTest {
	if e.op != opCall || e.call.name != "not" || e.args[0].op != opPath {
		return nil
	}
	p := e.args[0].path
	if p.absolute || p.here || len(p.steps) != 1 {
		return nil
	}
	s := &p.steps[0]
	if s.axis != axisAncestorOrSelf || s.test.kind != testName || len(s.preds) > 0 {
		return nil
	}
	return &s.test
}

// numeric reports whether e is a number, which makes a predicate mean a position.
func (e *expr) numeric() bool {
	switch e.op {
	case opNumber, opAdd, opSubtract, opMultiply, opDivide, opModulo, opNegate:
		return true
	case opCall:
		return e.call.name == "count"
	}
	return false
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: XPath: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}
