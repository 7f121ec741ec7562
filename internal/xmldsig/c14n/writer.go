// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"fmt"
	"slices"
	"unsafe"

	"persten/internal/xmldsig/xml"
)

// piece is how many octets a job collects before it hands them on.
const piece = 64 << 10

// writer is a job at work.
type writer struct {
	run *run
	job *Job

	exclusive, version11, comments bool
	prefixes                       []string // of InclusiveNamespaces, in order; "" is the default namespace
	outside                        []nameTest
	general                        *general // nil when the set is whole subtrees: then the two fields below tell it all

	apex int // depth of the element the set starts from, inside it
	cut  int // depth of the subtree that is left out, inside it

	spared  bool // instructions or comments beside the root are not in the set
	found   int
	matched []Span
	pending []pending
	ns      rendered
	attrs   []xml.Attr
	buf     []byte
	size    int64
}

// pending is a span whose element is still open.
type pending struct {
	depth int
	list  *[]Span
	index int
}

func newWriter(x *run, j *Job) (*writer, error) {
	w := &writer{run: x, job: j}
	if !j.Text {
		if err := j.Method.Check(); err != nil {
			return nil, err
		}
	}
	switch j.Method.URI {
	case Exclusive, ExclusiveComments:
		w.exclusive = true
	case C14N11, C14N11Comments:
		w.version11 = true
	}
	w.comments = j.Nodes.comments && j.Method.comments()
	for _, p := range j.Method.Prefixes {
		if p == "#default" {
			p = ""
		}
		w.prefixes = append(w.prefixes, p)
	}
	slices.Sort(w.prefixes)
	w.prefixes = slices.Compact(w.prefixes)
	for _, s := range j.Nodes.steps {
		if s.filter != nil && s.filter.outside != nil {
			w.outside = append(w.outside, *s.filter.outside)
		} else if w.general == nil {
			w.general = newGeneral(w)
		}
	}
	*j = Job{Nodes: j.Nodes, Method: j.Method, Out: j.Out, Text: j.Text, Texts: j.Texts}
	return w, nil
}

// listed reports whether a prefix is in the list of InclusiveNamespaces.
func (w *writer) listed(prefix string) bool {
	_, ok := slices.BinarySearch(w.prefixes, prefix)
	return ok
}

func (w *writer) token(t *xml.Token) error {
	switch t.Kind {
	case xml.Start:
		if err := w.start(t); err != nil {
			return err
		}
	case xml.End:
		w.end(t)
	default:
		if err := w.leaf(t); err != nil {
			return err
		}
	}
	if len(w.buf) >= piece {
		return w.flush()
	}
	return nil
}

func (w *writer) start(t *xml.Token) error {
	if w.starts(t) {
		if w.found++; w.found == 1 {
			w.apex = t.Depth
		}
		if err := w.span(t, &w.matched); err != nil {
			return err
		}
	}
	inside := w.apex != 0 && w.cut == 0
	if w.cut == 0 && w.leaves(t) {
		w.cut = t.Depth
	}
	if w.general != nil {
		return w.general.start(t, inside && w.cut == 0)
	}
	if !inside {
		return nil
	}
	return w.whole(t)
}

// whole goes on with an element of a set of whole subtrees, or with one that is cut out of it.
func (w *writer) whole(t *xml.Token) (err error) {
	switch {
	case w.cut != 0 && t.Depth > w.apex:
		return w.span(t, &w.job.Holes)
	case w.cut != 0:
		return nil
	case t.Depth == w.apex:
		err = w.span(t, &w.job.Apexes)
	}
	if !w.job.Text {
		w.open(t)
	}
	return err
}

// starts reports whether the set starts from this element.
func (w *writer) starts(t *xml.Token) bool {
	n := &w.job.Nodes
	switch n.from {
	case fromDocument:
		return t.Depth == 1
	case fromElement:
		return t.Begin == n.begin
	}
	for i := range t.Attrs {
		if string(t.Attrs[i].Value) == n.id && isID(&t.Attrs[i], n.names) {
			return true
		}
	}
	return false
}

func isID(a *xml.Attr, names []IDName) bool {
	for i := range names {
		if names[i].URI == a.URI && names[i].Local == string(a.Local) {
			return true
		}
	}
	return false
}

// leaves reports whether the set has nothing of this subtree.
func (w *writer) leaves(t *xml.Token) bool {
	if slices.Contains(w.job.Nodes.without, t.Begin) {
		return true
	}
	for i := range w.outside {
		if w.outside[i].uri == t.Name.URI && w.outside[i].local == string(t.Name.Local) {
			return true
		}
	}
	return false
}

// span notes the element at whose Start we are; its end follows.
func (w *writer) span(t *xml.Token, list *[]Span) error {
	if w.run.spans++; w.run.spans > maxSpans {
		return fmt.Errorf("%w: more than %d separate elements", ErrLimit, maxSpans)
	}
	name := Name{string(t.Name.Prefix), string(t.Name.Local), t.Name.URI}
	if err := w.run.keep(int(unsafe.Sizeof(Span{})) + len(name.Prefix) + len(name.Local)); err != nil {
		return err
	}
	s := Span{Begin: t.Begin, Name: name}
	if list != &w.job.Holes && w.starts(t) {
		s.ID = w.job.Nodes.id
	}
	*list = append(*list, s)
	w.pending = append(w.pending, pending{t.Depth, list, len(*list) - 1})
	return nil
}

func (w *writer) end(t *xml.Token) {
	for n := len(w.pending) - 1; n >= 0 && w.pending[n].depth == t.Depth; n-- {
		p := w.pending[n]
		(*p.list)[p.index].End = t.Fin
		w.pending = w.pending[:n]
	}
	if w.general != nil {
		w.general.end(t)
	} else if w.apex != 0 && w.cut == 0 && !w.job.Text {
		w.buf = appendEnd(w.buf, t.Name)
		w.ns.pop(t.Depth)
	}
	if w.cut == t.Depth {
		w.cut = 0
	}
	if w.apex == t.Depth {
		w.apex = 0
	}
}

// leaf is text, a comment or an instruction.
func (w *writer) leaf(t *xml.Token) error {
	inside := w.cut == 0 && (w.apex != 0 || t.Depth == 0 && w.job.Nodes.from == fromDocument)
	if t.Kind != xml.Text && (w.job.Text || t.Kind == xml.Comment && !w.comments) {
		return nil
	}
	if w.general != nil && inside {
		var err error
		if inside, err = w.general.leaf(t); err != nil {
			return err
		}
	}
	if !inside {
		return nil
	}
	if t.Kind == xml.Text {
		return w.text(t.Data)
	}
	w.aside(t)
	return nil
}

// aside writes a comment or an instruction.
func (w *writer) aside(t *xml.Token) {
	w.job.Outside = w.job.Outside || t.Depth == 0
	w.job.Comments = w.job.Comments || t.Depth > 0 && t.Kind == xml.Comment
	if t.Depth == 0 && w.run.closed {
		w.buf = append(w.buf, '\n')
	}
	if t.Kind == xml.Comment {
		w.buf = appendComment(w.buf, t.Data)
	} else {
		w.buf = appendInstruction(w.buf, t)
	}
	if t.Depth == 0 && !w.run.closed {
		w.buf = append(w.buf, '\n')
	}
}

func (w *writer) text(data []byte) error {
	for len(data) > piece {
		if err := w.text(data[:piece]); err != nil {
			return err
		}
		data = data[piece:]
	}
	if w.job.Text {
		w.buf = append(w.buf, data...)
	} else {
		w.buf = appendText(w.buf, data)
	}
	if len(w.buf) >= piece {
		return w.flush()
	}
	return nil
}

// flush hands on what was collected.
func (w *writer) flush() error {
	if err := w.run.spend(len(w.buf)); err != nil {
		return err
	}
	for b := w.buf; len(b) > 0; {
		n := min(len(b), piece)
		if _, err := w.job.Out.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	w.size += int64(len(w.buf))
	w.buf = w.buf[:0]
	return nil
}
