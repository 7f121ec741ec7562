// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

// looksUp returns an error unless e can be decided from a node, its attributes and namespaces, and what is above it.
func (e *expr) looksUp() error {
	for _, arg := range e.args {
		if err := arg.looksUp(); err != nil {
			return err
		}
	}
	if e.op != opPath {
		return nil
	}
	if e.path.absolute && len(e.path.steps) > 0 {
		return unsupported("a path from the root")
	}
	for i := range e.path.steps {
		if err := e.path.steps[i].looksUp(); err != nil {
			return err
		}
	}
	return nil
}

func (s *pathStep) looksUp() error {
	switch s.axis {
	case axisChild, axisDescendant:
		return unsupported("axis child or descendant")
	}
	return s.checkPredicates(s.axis == axisAttribute || s.axis == axisNamespace)
}

// checkPredicates looks at the predicates of a step; unordered forbids positions.
func (s *pathStep) checkPredicates(unordered bool) error {
	positions := 0
	for _, pred := range s.preds {
		if pred.numeric() {
			positions++
		}
		if positions > 1 || unordered && positions > 0 {
			return unsupported("two positions, or one on an axis that is not ordered here")
		}
		if err := pred.looksUp(); err != nil {
			return err
		}
	}
	return nil
}
