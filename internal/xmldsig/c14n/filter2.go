// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

// Operation is what XPath Filter 2.0 does with the subtrees that a location path selects.
type Operation uint8

// The operations, in the words of the Filter attribute.
const (
	Intersect Operation = iota + 1
	Subtract
	Union
)

// SetOp is one operation of XPath Filter 2.0.
type SetOp struct {
	Op   Operation
	Path *Path
}

// Path is a compiled location path of XPath Filter 2.0: what it selects is whole subtrees.
//
// Supported are unions of paths down from the root by child (/) and descendant (//) steps to elements, with predicates that
// XPath supports (such as [@Id="x"], not positions), the root itself, and here()/ancestor::ds:Signature[1].
type Path struct {
	here    int64
	root    bool       // / is among the alternatives
	element bool       // here() is
	steps   []pathStep // of all alternatives, one after the other
	first   uint64     // a bit for each step that begins an alternative
	last    uint64     // and for each that ends one
}

// CompilePath reads a location path of XPath Filter 2.0; ns and here are as for CompileXPath.
func CompilePath(expression string, ns map[string]string, here int64) (*Path, error) {
	p, err := newParser(expression, ns)
	if err != nil {
		return nil, err
	}
	e, err := p.whole(p.union)
	if err != nil {
		return nil, err
	}
	w := &Path{here: here}
	return w, w.add(e)
}

func (w *Path) add(e *expr) error {
	switch {
	case e.op == opUnion:
		if err := w.add(e.args[0]); err != nil {
			return err
		}
		return w.add(e.args[1])
	case e.op != opPath:
		return unsupported("XPath Filter 2.0 with what is no location path")
	case e.path.here:
		w.element = true
		return nil
	case len(e.path.steps) == 0:
		w.root = true
		return nil
	case len(w.steps)+len(e.path.steps) > 64:
		return unsupported("more than 64 steps")
	}
	w.first |= 1 << len(w.steps)
	for i := range e.path.steps {
		s := e.path.steps[i]
		if err := s.goesDown(); err != nil {
			return err
		}
		w.steps = append(w.steps, s)
	}
	w.last |= 1 << (len(w.steps) - 1)
	return nil
}

// goesDown returns an error unless s selects elements by child or descendant.
func (s *pathStep) goesDown() error {
	switch {
	case s.axis != axisChild && s.axis != axisDescendant:
		return unsupported("XPath Filter 2.0 with another axis than child and descendant")
	case s.test.kind != testName && s.test.kind != testNamespace && s.test.kind != testAnyName:
		return unsupported("XPath Filter 2.0 that selects other nodes than elements")
	}
	return s.checkPredicates(true)
}

// reached is how far the path has come at an element: a bit for each step that leads to it, and for each that leads to it or
// an element above; in is whether it is selected, by itself or through what is above.
type reached struct {
	here, above uint64
	in          bool
}

// atRoot is where the path is before the first element.
func (w *Path) atRoot() reached { return reached{in: w.root} }

// enter computes where the path is at the innermost open element from where it is at its parent.
func (w *Path) enter(v *evaluator, up reached) (r reached, err error) {
	v.here = w.here
	depth := v.open.depth()
	self := node{kind: elementNode, depth: int32(depth)}
	for i := range w.steps {
		s, bit := &w.steps[i], uint64(1)<<i
		var may bool
		switch {
		case w.first&bit != 0:
			may = s.axis == axisDescendant || depth == 1
		case s.axis == axisDescendant:
			may = up.above&(bit>>1) != 0
		default:
			may = up.here&(bit>>1) != 0
		}
		if may && v.selects(s, self) {
			r.here |= bit
		}
	}
	r.above = up.above | r.here
	r.in = up.in || r.here&w.last != 0 || w.element && v.open.top().begin == w.here
	return r, v.err
}

// selects reports whether an element has the name and fulfils the predicates of a step.
func (v *evaluator) selects(s *pathStep, n node) bool {
	v.nodes = v.nodes[:0]
	if !v.spend(1) || !v.matches(&s.test, s.axis, n) {
		return false
	}
	for _, pred := range s.preds {
		if !v.truth(pred, n) {
			return false
		}
	}
	return true
}
