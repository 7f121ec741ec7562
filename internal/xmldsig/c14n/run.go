// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"persten/internal/xmldsig/xml"
)

// Job is one node-set to write.
type Job struct {
	Nodes  Nodes
	Method Method
	Out    io.Writer // gets the canonical octets in pieces of up to 64 KiB
	Text   bool      // write the string-value of the nodes instead: the base64 transform; Method is not used then

	Texts *Texts // of the same document, for filters that ask for string-values of elements; nil: those are refused

	// Filled by Run.
	Found    int    // elements that the node-set starts from: 1, but for ByID any number
	Apexes   []Span // elements of the set whose parent is not in it; when Found is not 1, what was found
	Holes    []Span // elements not in the set whose parent is in it; both lists are in the order of Begin, see the package
	Partial  bool   // other nodes than whole elements were left out or kept, so that Apexes and Holes do not tell everything
	Comments bool   // comments inside the apexes were written
	Outside  bool   // instructions or comments beside the root element were written, which are in no apex
	Size     int64  // octets written
	Err      error  // the node-set turned out to need what is not supported: the rest has no meaning, other jobs go on
}

// Span is an element of the document: its bytes, as offsets of the UTF-8 form, and what it is called.
type Span struct {
	Begin, End int64
	Name       Name
	ID         string // what ByID looked for
}

// Name is an element's name that outlives the token it came from.
type Name struct{ Prefix, Local, URI string }

// maxSpans bounds Apexes and Holes, of all jobs together.
const maxSpans = 1 << 14

// Run reads the document once, to its end, and writes every job. An error of the reader is returned as it is; after any
// error nothing that was written has a meaning. The octets of all jobs together may not exceed budget; 0 is no bound.
// What filters may cost is bounded by a NewEffort of the same budget; Runs that belong together share one through its Run.
//
// An expression may turn out to need what is not supported. Its job then ends with Err, and Run, having gone on with the
// others to the end, returns this error.
//
// A job whose ByID finds none or several elements writes what it finds first: the caller looks at Found.
func Run(ctx context.Context, r *xml.Reader, budget int64, jobs ...*Job) error {
	return (*Effort)(nil).Run(ctx, r, budget, jobs...)
}

// run is what the jobs of one Run share.
type run struct {
	ctx     context.Context
	reader  *xml.Reader
	budget  int64
	written int64
	writers []*writer
	spans   int
	closed  bool // the root element has ended

	follows bool // some job needs open
	open    opened
	eval    evaluator
	effort  *Effort
	kept    int64 // octets of effort.kept that are in use here
}

func (x *run) all() error {
	for n := 0; ; n++ {
		if n&1023 == 0 && x.ctx.Err() != nil {
			return x.ctx.Err()
		}
		t, err := x.reader.Next()
		if errors.Is(err, io.EOF) {
			return x.finish()
		}
		if err == nil {
			err = x.token(t)
		}
		if err != nil {
			return err
		}
	}
}

func (x *run) token(t *xml.Token) error {
	if x.follows {
		x.open.current = t
		if t.Kind == xml.Start {
			if err := x.push(t); err != nil {
				return err
			}
		}
	}
	for _, w := range x.writers {
		if w.job.Err != nil {
			continue
		}
		x.eval.texts = w.job.Texts
		if err := w.token(t); err != nil {
			if !errors.Is(err, ErrUnsupported) {
				return err
			}
			w.job.Err, x.eval.err = err, nil
		}
	}
	if t.Kind == xml.End {
		if x.follows {
			_, octets := x.open.added()
			x.release(octets)
			x.open.pop()
		}
		x.closed = t.Depth == 1
	}
	return nil
}

func (x *run) push(t *xml.Token) error {
	x.open.push(t, x.reader.Scope())
	nodes, octets := x.open.added()
	if !x.eval.spend(nodes) {
		return x.eval.err
	}
	return x.keep(octets)
}

func (x *run) finish() error {
	var unsupported error
	for _, w := range x.writers {
		if w.job.Err != nil {
			unsupported = cmp.Or(unsupported, w.job.Err)
			continue
		}
		if err := w.flush(); err != nil {
			return err
		}
		w.job.Found = w.found
		w.job.Size = w.size
		w.job.Partial = w.job.Partial || w.job.Outside && w.spared
		if w.found != 1 {
			w.job.Apexes, w.job.Holes = w.matched, nil
		}
	}
	return unsupported
}

// spend counts octets on their way out.
func (x *run) spend(n int) error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	x.written += int64(n)
	if x.budget > 0 && x.written > x.budget {
		return fmt.Errorf("%w: more than %d octets", ErrLimit, x.budget)
	}
	return nil
}
