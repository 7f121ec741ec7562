// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"math"
	"strconv"
	"strings"
)

// value is the value of an expression that is no node-set, or the nodes of one that is.
type value struct {
	kind   valueKind
	text   string
	number float64
	is     bool
	nodes  []node
}

type valueKind uint8

const (
	isString valueKind = iota + 1
	isNumber
	isBoolean
	isSet
)

// function is one of the core library.
type function struct {
	name        string
	least, most int
	wantsSet    bool
	call        func(v *evaluator, args []*expr, context node) value
}

var functions = map[string]*function{}

func init() {
	for _, f := range []*function{
		{"not", 1, 1, false, func(v *evaluator, args []*expr, c node) value { return boolean(!v.truth(args[0], c)) }},
		{"boolean", 1, 1, false, func(v *evaluator, args []*expr, c node) value { return boolean(v.truth(args[0], c)) }},
		{"true", 0, 0, false, func(*evaluator, []*expr, node) value { return boolean(true) }},
		{"false", 0, 0, false, func(*evaluator, []*expr, node) value { return boolean(false) }},
		{"count", 1, 1, true, func(v *evaluator, args []*expr, c node) value {
			return number(float64(len(v.set(args[0], c))))
		}},
		{"name", 0, 1, true, ofName(func(v *evaluator, n node) string {
			name := v.name(n)
			if len(name.Prefix) > 0 {
				return v.copied(name.Prefix) + ":" + v.copied(name.Local)
			}
			return v.copied(name.Local)
		})},
		{"local-name", 0, 1, true, ofName(func(v *evaluator, n node) string { return v.copied(v.name(n).Local) })},
		{"namespace-uri", 0, 1, true, ofName(func(v *evaluator, n node) string { return v.name(n).URI })},
		{"string", 0, 1, false, func(v *evaluator, args []*expr, c node) value {
			if len(args) == 0 {
				return text(v.stringValue(c))
			}
			return text(v.text(v.eval(args[0], c)))
		}},
	} {
		functions[f.name] = f
	}
}

// ofName is a function of one node: the context node, or the first of a set, which may have no other, as sets have no order.
func ofName(get func(*evaluator, node) string) func(*evaluator, []*expr, node) value {
	return func(v *evaluator, args []*expr, c node) value {
		if len(args) == 0 {
			return text(get(v, c))
		}
		set := v.set(args[0], c)
		if len(set) > 1 {
			v.fail("the first of several nodes")
		}
		if len(set) == 0 {
			return text("")
		}
		return text(get(v, set[0]))
	}
}

func boolean(is bool) value  { return value{kind: isBoolean, is: is} }
func number(n float64) value { return value{kind: isNumber, number: n} }
func text(s string) value    { return value{kind: isString, text: s} }
func numberOf(s string) float64 {
	s = strings.Trim(s, " \t\r\n")
	if strings.Trim(strings.TrimPrefix(s, "-"), "0123456789.") != "" {
		return math.NaN()
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

func (v *evaluator) eval(e *expr, context node) value {
	switch e.op {
	case opString:
		return text(e.text)
	case opNumber:
		return number(e.number)
	case opPath, opUnion:
		return value{kind: isSet, nodes: v.set(e, context)}
	case opCall:
		at := len(v.nodes)
		result := e.call.call(v, e.args, context) // never a set
		v.nodes = v.nodes[:at]
		return result
	case opOr, opAnd:
		return boolean(v.truth(e, context))
	case opNegate:
		return number(-v.number(v.eval(e.args[0], context)))
	}
	left, right := v.eval(e.args[0], context), v.eval(e.args[1], context)
	if e.op >= opEqual && e.op <= opGreaterEqual {
		return boolean(v.compare(e.op, left, right))
	}
	return number(calculate(e.op, v.number(left), v.number(right)))
}

func calculate(op operation, a, b float64) float64 {
	switch op {
	case opAdd:
		return a + b
	case opSubtract:
		return a - b
	case opMultiply:
		return a * b
	case opDivide:
		return a / b
	}
	return math.Mod(a, b)
}

// compare is XPath 1.0 section 3.4: a node-set compares true when one of its nodes does.
func (v *evaluator) compare(op operation, a, b value) bool {
	if !v.spend(1) {
		return false
	}
	switch {
	case a.kind == isSet && b.kind == isBoolean, a.kind == isBoolean && b.kind == isSet:
		return v.compareAtoms(op, boolean(a.boolean()), boolean(b.boolean()))
	case a.kind == isSet:
		for _, n := range a.nodes {
			if v.compare(op, text(v.stringValue(n)), b) {
				return true
			}
		}
		return false
	case b.kind == isSet:
		for _, n := range b.nodes {
			if v.compare(op, a, text(v.stringValue(n))) {
				return true
			}
		}
		return false
	}
	return v.compareAtoms(op, a, b)
}

func (v *evaluator) compareAtoms(op operation, a, b value) bool {
	if op == opEqual || op == opNotEqual {
		var same bool
		switch {
		case a.kind == isBoolean || b.kind == isBoolean:
			same = a.boolean() == b.boolean()
		case a.kind == isNumber || b.kind == isNumber:
			same = v.number(a) == v.number(b)
		default:
			same = len(a.text) == len(b.text) && v.spend(len(a.text)/chunk) && a.text == b.text
		}
		return same == (op == opEqual)
	}
	x, y := v.number(a), v.number(b)
	switch op {
	case opLess:
		return x < y
	case opLessEqual:
		return x <= y
	case opGreater:
		return x > y
	}
	return x >= y
}

func (a value) boolean() bool {
	switch a.kind {
	case isString:
		return a.text != ""
	case isNumber:
		return a.number != 0 && !math.IsNaN(a.number)
	case isSet:
		return len(a.nodes) > 0
	}
	return a.is
}

func (v *evaluator) number(a value) float64 {
	switch a.kind {
	case isNumber:
		return a.number
	case isBoolean:
		if a.is {
			return 1
		}
		return 0
	}
	s := v.text(a)
	if !v.spend(1 + len(s)/chunk) {
		return 0
	}
	return numberOf(s)
}

func (v *evaluator) text(a value) string {
	switch a.kind {
	case isBoolean:
		return strconv.FormatBool(a.is)
	case isNumber:
		return formatNumber(a.number)
	case isSet:
		switch len(a.nodes) {
		case 0:
			return ""
		case 1:
			return v.stringValue(a.nodes[0])
		}
		v.fail("the first of several nodes")
	}
	return a.text
}

func formatNumber(n float64) string {
	switch {
	case math.IsInf(n, 1):
		return "Infinity"
	case math.IsInf(n, -1):
		return "-Infinity"
	case n == 0:
		return "0"
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}
