// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"strconv"
	"strings"

	"persten/internal/xmldsig/xml"
)

// parser reads an expression by recursive descent. Every part of it counts towards maxExprNodes.
type parser struct {
	lexemes []lexeme
	ns      map[string]string
	nodes   int
	depth   int
}

func newParser(s string, ns map[string]string) (*parser, error) {
	if len(s) > maxExpression {
		return nil, unsupported("longer than %d bytes", maxExpression)
	}
	lexemes, err := lex(s)
	if err != nil {
		return nil, err
	}
	return &parser{lexemes: lexemes, ns: ns}, nil
}

// whole parses all there is as one production.
func (p *parser) whole(production func() (*expr, error)) (*expr, error) {
	e, err := production()
	if err == nil && p.peek().kind != lexEnd {
		err = unsupported("unexpected %q", p.peek().text)
	}
	return e, err
}

func (p *parser) peek() lexeme { return p.lexemes[0] }

func (p *parser) next() lexeme {
	l := p.lexemes[0]
	if l.kind != lexEnd {
		p.lexemes = p.lexemes[1:]
	}
	return l
}

// symbol takes a symbol or operator when it is the next one.
func (p *parser) symbol(text string) bool {
	l := p.peek()
	if (l.kind != lexSymbol && l.kind != lexOperator) || l.text != text {
		return false
	}
	p.next()
	return true
}

func (p *parser) need(text string) error {
	if p.symbol(text) {
		return nil
	}
	return unsupported("%q expected before %q", text, p.peek().text)
}

func (p *parser) add(e *expr) (*expr, error) { return e, p.count() }

func (p *parser) count() error {
	if p.nodes++; p.nodes > maxExprNodes {
		return unsupported("more than %d parts", maxExprNodes)
	}
	return nil
}

// binary parses operands of one production with the operators between them, from the left.
func (p *parser) binary(operand func() (*expr, error), operators map[string]operation) (*expr, error) {
	left, err := operand()
	for err == nil {
		l := p.peek()
		op, ok := operators[l.text]
		if !ok || (l.kind != lexSymbol && l.kind != lexOperator) {
			break
		}
		p.next()
		var right *expr
		if right, err = operand(); err == nil {
			left, err = p.add(&expr{op: op, args: []*expr{left, right}})
		}
	}
	return left, err
}

var (
	orOperators         = map[string]operation{"or": opOr}
	andOperators        = map[string]operation{"and": opAnd}
	equalityOperators   = map[string]operation{"=": opEqual, "!=": opNotEqual}
	relationOperators   = map[string]operation{"<": opLess, "<=": opLessEqual, ">": opGreater, ">=": opGreaterEqual}
	additiveOperators   = map[string]operation{"+": opAdd, "-": opSubtract}
	multiplicativeTable = map[string]operation{"*": opMultiply, "div": opDivide, "mod": opModulo}
	unionOperators      = map[string]operation{"|": opUnion}
)

func (p *parser) or() (*expr, error) {
	if p.depth++; p.depth > maxExprDepth {
		return nil, unsupported("more than %d levels", maxExprDepth)
	}
	defer func() { p.depth-- }()
	return p.binary(p.and, orOperators)
}

func (p *parser) and() (*expr, error)      { return p.binary(p.equality, andOperators) }
func (p *parser) equality() (*expr, error) { return p.binary(p.relation, equalityOperators) }
func (p *parser) relation() (*expr, error) { return p.binary(p.additive, relationOperators) }
func (p *parser) additive() (*expr, error) { return p.binary(p.multiplicative, additiveOperators) }
func (p *parser) multiplicative() (*expr, error) {
	return p.binary(p.unary, multiplicativeTable)
}

func (p *parser) unary() (*expr, error) {
	minus := 0
	for p.symbol("-") {
		minus++
	}
	e, err := p.union()
	if err == nil && minus > 0 {
		e, err = p.add(&expr{op: opNegate, args: []*expr{e}})
	}
	if err == nil && minus > 0 && minus%2 == 0 {
		e, err = p.add(&expr{op: opNegate, args: []*expr{e}})
	}
	return e, err
}

func (p *parser) union() (*expr, error) {
	e, err := p.binary(p.primary, unionOperators)
	if err == nil && e.op == opUnion && !e.set() {
		err = unsupported("| joins what is no node-set")
	}
	return e, err
}

// set reports whether the value of e is a node-set.
func (e *expr) set() bool {
	return e.op == opPath || e.op == opUnion && e.args[0].set() && e.args[1].set()
}

func (p *parser) primary() (*expr, error) {
	l := p.peek()
	switch {
	case l.kind == lexLiteral:
		p.next()
		return p.add(&expr{op: opString, text: l.text})
	case l.kind == lexNumber:
		p.next()
		f, err := strconv.ParseFloat(l.text, 64)
		if err != nil {
			return nil, unsupported("number %q", l.text)
		}
		return p.add(&expr{op: opNumber, number: f})
	case l.kind == lexSymbol && l.text == "(":
		p.next()
		e, err := p.or()
		if err == nil {
			err = p.need(")")
		}
		if t := p.peek().text; err == nil && (t == "[" || t == "/" || t == "//") && p.peek().kind == lexSymbol {
			err = unsupported("%q after an expression in parentheses", t)
		}
		return e, err
	case l.kind == lexName && p.lexemes[1].text == "(" && p.lexemes[1].kind == lexSymbol && nodeTypes[l.text] == 0:
		return p.function()
	}
	return p.location()
}

func (p *parser) function() (*expr, error) {
	name := p.next().text
	p.next()
	if name == "here" {
		if err := p.need(")"); err != nil {
			return nil, err
		}
		return p.fromHere()
	}
	f := functions[name]
	if f == nil {
		return nil, unsupported("function %s", name)
	}
	e := &expr{op: opCall, call: f}
	for !p.symbol(")") {
		if len(e.args) > 0 {
			if err := p.need(","); err != nil {
				return nil, err
			}
		}
		arg, err := p.or()
		if err != nil {
			return nil, err
		}
		e.args = append(e.args, arg)
	}
	if len(e.args) < f.least || len(e.args) > f.most {
		return nil, unsupported("%s with %d arguments", name, len(e.args))
	}
	for _, arg := range e.args {
		if f.wantsSet && !arg.set() {
			return nil, unsupported("%s of what is no node-set", name)
		}
	}
	return p.add(e)
}

// fromHere parses what may follow here(): the way up to the nearest Signature, where here() is the XPath element in it.
func (p *parser) fromHere() (*expr, error) {
	if err := p.need("/"); err != nil {
		return nil, err
	}
	s, err := p.step()
	if err != nil {
		return nil, err
	}
	first := len(s.preds) == 1 && s.preds[0].op == opNumber && s.preds[0].number == 1
	signature := s.test == nameTest{testName, "http://www.w3.org/2000/09/xmldsig#", "Signature"}
	if (s.axis != axisAncestor && s.axis != axisAncestorOrSelf) || !first || !signature {
		return nil, unsupported("here() otherwise than here()/ancestor::ds:Signature[1]")
	}
	if p.peek().text == "/" && p.peek().kind == lexSymbol {
		return nil, unsupported("a path that goes on from here()")
	}
	return p.add(&expr{op: opPath, path: &path{here: true}})
}

func (p *parser) location() (*expr, error) {
	w := &path{}
	if p.symbol("/") {
		w.absolute = true
		if !p.stepFollows() {
			return p.add(&expr{op: opPath, path: w})
		}
	} else if p.symbol("//") {
		w.absolute = true
		return p.steps(w, axisDescendant)
	}
	return p.steps(w, axisChild)
}

func (p *parser) stepFollows() bool {
	l := p.peek()
	return l.kind == lexName || l.kind == lexSymbol && strings.Contains(" . .. @ * ", " "+l.text+" ")
}

// steps parses a relative path. A step to children after // goes to descendants.
func (p *parser) steps(w *path, down axis) (*expr, error) {
	for {
		s, err := p.step()
		if err != nil {
			return nil, err
		}
		if down == axisDescendant {
			if s.axis != axisChild {
				return nil, unsupported("// before another axis than child")
			}
			s.axis = axisDescendant
		}
		w.steps = append(w.steps, s)
		switch {
		case p.symbol("/"):
			down = axisChild
		case p.symbol("//"):
			down = axisDescendant
		default:
			return p.add(&expr{op: opPath, path: w})
		}
	}
}

func (p *parser) step() (s pathStep, err error) {
	if err = p.count(); err != nil {
		return s, err
	}
	if p.symbol(".") {
		return pathStep{axis: axisSelf, test: nameTest{kind: testNode}}, nil
	}
	if p.symbol("..") {
		return pathStep{axis: axisParent, test: nameTest{kind: testNode}}, nil
	}
	s.axis = axisChild
	if p.symbol("@") {
		s.axis = axisAttribute
	} else if p.peek().kind == lexName && p.lexemes[1].text == "::" {
		name := p.next().text
		p.next()
		if s.axis = axes[name]; s.axis == 0 {
			return s, unsupported("axis %s", name)
		}
	}
	if s.test, err = p.test(); err != nil {
		return s, err
	}
	for err == nil && p.symbol("[") {
		var pred *expr
		if pred, err = p.or(); err == nil {
			s.preds = append(s.preds, pred)
			err = p.need("]")
		}
		if err == nil && pred.numeric() && pred.op != opNumber {
			err = unsupported("a computed position")
		}
	}
	return s, err
}

var nodeTypes = map[string]testKind{
	"node": testNode, "text": testText, "comment": testComment, "processing-instruction": testInstruction,
}

func (p *parser) test() (t nameTest, err error) {
	l := p.next()
	if l.kind == lexSymbol && l.text == "*" {
		return nameTest{kind: testAnyName}, nil
	}
	if l.kind != lexName {
		return t, unsupported("a node test expected before %q", l.text)
	}
	if kind := nodeTypes[l.text]; kind != 0 && p.symbol("(") {
		t.kind = kind
		if kind == testInstruction && p.peek().kind == lexLiteral {
			t.local = p.next().text
		}
		return t, p.need(")")
	}
	prefix, local, ok := strings.Cut(l.text, ":")
	if !ok {
		return nameTest{kind: testName, local: l.text}, nil
	}
	uri, ok := p.ns[prefix]
	if prefix == "xml" {
		uri, ok = xml.XMLNamespace, true
	}
	if !ok || uri == "" {
		return t, unsupported("prefix %q is not declared", prefix)
	}
	if len(uri) > maxExpression {
		return t, unsupported("a namespace name longer than %d bytes", maxExpression)
	}
	if local == "*" {
		return nameTest{kind: testNamespace, uri: uri}, nil
	}
	return nameTest{testName, uri, local}, nil
}
