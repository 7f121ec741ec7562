// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"fmt"
	"strconv"
	"strings"

	"persten/internal/xmldsig/c14n"
)

// stage is one step of a chain of transforms. The first reads the document; each other reads the octets of the one before.
type stage struct {
	nodes  c14n.Nodes
	method c14n.Method // zero as long as the node-set goes on
	text   bool        // the string-value instead of a canonical form
	smev   bool        // octets: the SMEV transform
	decode bool        // octets: base64
}

// octets reports whether the stage has become octets.
func (s *stage) octets() bool { return s.method.URI != "" || s.text || s.smev || s.decode }

// chain is a reference's transforms, ready to run (XMLDSig 1.1 section 4.4.3.2).
type chain struct {
	stages  []stage
	here    int64 // offset of the Signature
	texts   bool  // an expression over the document may ask for string-values
	filters int   // XPath and filter2 transforms
	picks   bool  // a stage after the first may leave out parts of what the first took from the document
	key     strings.Builder
}

// newChain resolves the URI of a reference and puts its transforms together. names are the attributes that count as Id.
func newChain(ref *reference, here int64, names []c14n.IDName) (*chain, error) {
	nodes, err := dereference(ref, names)
	if err != nil {
		return nil, err
	}
	c := &chain{stages: []stage{{nodes: nodes}}, here: here}
	c.key.WriteString(strconv.Quote(ref.uri))
	for i := range ref.transforms {
		t := &ref.transforms[i]
		if err := c.add(t); err != nil {
			return nil, err
		}
		c.note(t)
	}
	if last := c.last(); !last.octets() {
		last.method.URI = c14n.C14N10
	}
	return c, nil
}

// dereference reads a URI (section 4.4.3.3): this document, or an element of it by Id.
func dereference(ref *reference, names []c14n.IDName) (c14n.Nodes, error) {
	uri, local := strings.CutPrefix(ref.uri, "#")
	switch {
	case !ref.hasURI:
		return c14n.Nodes{}, fmt.Errorf("%w: a reference without URI", ErrUnsupported)
	case uri == "" && !local:
		return c14n.Document(), nil
	case !local:
		return c14n.Nodes{}, fmt.Errorf("%w: %q lies outside the document", ErrUnsupported, ref.uri)
	case uri == "xpointer(/)":
		return c14n.Document().WithComments(), nil
	}
	if id, ok := pointerID(uri); ok {
		return c14n.ByID(id, names).WithComments(), nil
	}
	if uri == "" || strings.ContainsAny(uri, "()") {
		return c14n.Nodes{}, fmt.Errorf("%w: %q", ErrUnsupported, ref.uri)
	}
	return c14n.ByID(uri, names), nil
}

// pointerID reads xpointer(id('x')).
func pointerID(uri string) (string, bool) {
	in, ok := strings.CutPrefix(uri, "xpointer(id(")
	in, end := strings.CutSuffix(in, "))")
	if !ok || !end || len(in) < 3 || in[0] != in[len(in)-1] || in[0] != '\'' && in[0] != '"' {
		return "", false
	}
	id := in[1 : len(in)-1]
	return id, !strings.ContainsAny(id, `'"()`)
}

func (c *chain) last() *stage { return &c.stages[len(c.stages)-1] }

// note adds a transform to the key under which equal chains are run once.
func (c *chain) note(t *transform) {
	fmt.Fprintf(&c.key, " %q%q", t.uri, t.prefixes)
	if t.uri == TransformEnveloped {
		fmt.Fprintf(&c.key, "@%d", c.here)
	}
	for _, p := range t.paths {
		fmt.Fprintf(&c.key, "%q%q%q@%d", p.filter, p.text, p.namespaces, c.here)
	}
}

// nodeSet returns the stage to change when a transform wants nodes: a document read from the octets, if there are some.
func (c *chain) nodeSet() *stage {
	if c.last().octets() {
		c.stages = append(c.stages, stage{nodes: c14n.Document().WithComments()})
	}
	return c.last()
}

// filtered is nodeSet for a transform that leaves out nodes.
func (c *chain) filtered() *stage {
	s := c.nodeSet()
	c.filters++
	c.picks = c.picks || len(c.stages) > 1
	return s
}

func (c *chain) add(t *transform) error {
	switch t.uri {
	case TransformEnveloped:
		if len(c.stages) > 1 || c.last().octets() {
			return fmt.Errorf("%w: enveloped-signature after octets", ErrUnsupported)
		}
		c.last().nodes = c.last().nodes.Without(c.here)
		return nil
	case TransformXPath:
		return c.filter(t.paths[0])
	case TransformFilter2:
		return c.filter2(t.paths)
	case TransformBase64:
		if !c.last().octets() {
			c.last().text = true
		}
		c.stages = append(c.stages, stage{decode: true})
		return nil
	case TransformSMEV:
		if !c.last().octets() {
			c.last().method.URI = c14n.C14N10
		}
		c.stages = append(c.stages, stage{smev: true})
		return nil
	}
	m := c14n.Method{URI: t.uri, Prefixes: t.prefixes}
	if err := m.Check(); err != nil {
		return err
	}
	c.nodeSet().method = m
	return nil
}

func (c *chain) filter(e expression) error {
	x, err := c14n.CompileXPath(e.text, e.namespaces, c.here)
	if err != nil {
		return err
	}
	s := c.filtered()
	s.nodes = s.nodes.Filter(x)
	c.texts = c.texts || len(c.stages) == 1 && (strings.ContainsAny(e.text, "=<>") || strings.Contains(e.text, "string"))
	return nil
}

var operations = map[string]c14n.Operation{"intersect": c14n.Intersect, "subtract": c14n.Subtract, "union": c14n.Union}

func (c *chain) filter2(list []expression) error {
	var ops []c14n.SetOp
	for _, e := range list {
		op, ok := operations[e.filter]
		if !ok {
			return fmt.Errorf("%w: filter %q", ErrUnsupported, e.filter)
		}
		p, err := c14n.CompilePath(e.text, e.namespaces, c.here)
		if err != nil {
			return err
		}
		ops = append(ops, c14n.SetOp{Op: op, Path: p})
	}
	s := c.filtered()
	s.nodes = s.nodes.Filter2(ops)
	return nil
}

// canonicalOnly reports whether the transforms are nothing but methods of canonicalisation.
func (r *reference) canonicalOnly() bool {
	for _, t := range r.transforms {
		if (c14n.Method{URI: t.uri, Prefixes: t.prefixes}).Check() != nil {
			return false
		}
	}
	return true
}
