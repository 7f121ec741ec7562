// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"context"
	"fmt"
	"sync/atomic"

	"persten/internal/xmldsig/xml"
)

// Effort bounds what filters cost in all Runs that share it, also when these run at the same time, as the stages of a chain
// of transforms do: the steps of evaluating expressions, and the memory for open elements and for spans.
type Effort struct {
	steps atomic.Int64 // left
	kept  atomic.Int64 // octets in use
}

// Limits of an Effort.
const (
	maxSteps = 1 << 24 // about half a second
	maxKept  = 8 << 20 // octets
)

// NewEffort allows for documents whose canonical forms together have up to budget octets. A quarter of it is the number of
// steps, unless that is too few for small documents.
func NewEffort(budget int64) *Effort {
	e := &Effort{}
	e.steps.Store(max(maxSteps, budget/4))
	return e
}

// Run is the function Run at the expense of e; a nil e stands for one of its own.
func (e *Effort) Run(ctx context.Context, r *xml.Reader, budget int64, jobs ...*Job) error {
	if e == nil {
		e = NewEffort(budget)
	}
	x := &run{ctx: ctx, reader: r, budget: budget, effort: e}
	x.eval = evaluator{open: &x.open, refill: x.ration}
	defer x.settle()
	for _, j := range jobs {
		w, err := newWriter(x, j)
		if err != nil {
			return err
		}
		x.writers = append(x.writers, w)
		x.follows = x.follows || w.general != nil
	}
	return x.all()
}

// portion is how many steps a Run takes at once. Each time it looks whether it is still wanted.
const portion = 4096

// ration gives the evaluator another portion, besides the steps that it owes.
func (x *run) ration(owed int64) (int64, error) {
	if err := x.ctx.Err(); err != nil {
		return 0, err
	}
	if x.effort.steps.Add(-owed-portion) < 0 {
		return 0, fmt.Errorf("%w: the XPath expressions need too many steps", ErrLimit)
	}
	return portion, nil
}

// keep counts memory that this Run holds.
func (x *run) keep(octets int) error {
	x.kept += int64(octets)
	if x.effort.kept.Add(int64(octets)) > maxKept {
		return fmt.Errorf("%w: filters need more than %d octets of memory", ErrLimit, maxKept)
	}
	return nil
}

func (x *run) release(octets int) {
	x.kept -= int64(octets)
	x.effort.kept.Add(-int64(octets))
}

// settle gives back what is left at the end of a Run.
func (x *run) settle() {
	x.effort.steps.Add(max(x.eval.steps, 0))
	x.effort.kept.Add(-x.kept)
}
