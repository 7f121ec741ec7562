// SPDX-License-Identifier: GPL-3.0-or-later

package c14n_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// declaring is a document of nested elements: three declare prefixes, each of the others declares one more.
func declaring(prefixes, levels int) string {
	var b strings.Builder
	for i := range 3 {
		b.WriteString("<e")
		for k := range prefixes / 3 {
			fmt.Fprintf(&b, ` xmlns:p%d-%d="u"`, i, k)
		}
		b.WriteString(">")
	}
	for i := range levels {
		fmt.Fprintf(&b, `<e xmlns:q%d="u">`, i)
	}
	return b.String() + strings.Repeat("</e>", levels+3)
}

// TestEffort spends more than there is, in each of the ways there are.
func TestEffort(t *testing.T) {
	long := strings.Repeat("u", 30_000)
	wide := strings.Repeat("<b/>", 5000)
	terms := strings.Repeat("ancestor::*/@a = 'x' or ", 12) + "true()"
	var paths []string
	for range 300 {
		paths = append(paths, "subtract //n"+strings.Repeat("/a/b/c/d", 10))
	}
	for name, c := range map[string]struct {
		doc   string
		nodes c14n.Nodes
	}{
		"strings": {`<d a="` + long + `">` + wide + `</d>`, c14n.Document().Filter(compile(t, terms, nil, 0))},
		"numbers": {`<d a="` + long + `">` + wide + `</d>`, c14n.Document().Filter(compile(t, "ancestor::*/@a < 5 or ancestor::*/@a < 6", nil, 0))},
		"comments": {"<d>" + strings.Repeat("<!--"+long+"-->", 600) + "</d>", c14n.Document().WithComments().Filter(
			compile(t, strings.Repeat("self::comment() = 'x' or ", 20)+"true()", nil, 0))},
		"names": {"<d" + long + ">" + wide + "</d" + long + ">", c14n.Document().Filter(compile(t, strings.Repeat("name(ancestor::*) = 'x' or ", 12)+"true()", nil, 0))},
		"axes":  {declaring(2700, 240), c14n.Document().Filter(compile(t, "true()", nil, 0))},
		"kept":  {declaring(1800, 80), c14n.Document().Filter(compile(t, "local-name() != 'p0-1'", nil, 0))},
		"paths": {"<d>" + wide + "</d>", c14n.Document().Filter2(ops(t, nil, 0, paths...))},
		"spans": {"<d>" + strings.Repeat("<b"+long+"/>", 300) + "</d>", c14n.Document().Filter(compile(t, "ancestor::*", nil, 0))},
	} {
		e := c14n.NewEffort(0)
		run := func(doc string, n c14n.Nodes) error {
			j := &c14n.Job{Nodes: n, Method: c14n.Method{URI: c14n.C14N10Comments}, Out: io.Discard}
			return e.Run(context.Background(), xml.NewReader(strings.NewReader(doc), xml.Limits{}), 0, j)
		}
		err := run(c.doc, c.nodes)
		if !errors.Is(err, c14n.ErrLimit) {
			t.Errorf("%s: error %v", name, err)
		}
		// A Run gives memory back when it ends, steps it does not.
		again := run("<d/>", c14n.Document().Filter(compile(t, "true()", nil, 0)))
		if steps := strings.Contains(fmt.Sprint(err), "steps"); steps != errors.Is(again, c14n.ErrLimit) {
			t.Errorf("%s: after %v, error %v", name, err, again)
		}
	}
}

// TestEffortShared runs one after another, then at the same time, what fits once.
func TestEffortShared(t *testing.T) {
	declared, ends, _ := strings.Cut(declaring(1200, 40), "</e>") // about two megabytes of namespace nodes
	declared, ends = declared+strings.Repeat("text ", 100_000), "</e>"+ends
	e := c14n.NewEffort(0)
	run := func(gate io.Reader) error {
		j := &c14n.Job{Nodes: c14n.Document().Filter(compile(t, "true()", nil, 0)), Method: c14n.Method{URI: c14n.Exclusive}, Out: io.Discard}
		doc := io.MultiReader(strings.NewReader(declared), gate, strings.NewReader(ends))
		return e.Run(context.Background(), xml.NewReader(doc, xml.Limits{}), 0, j)
	}
	for range 10 {
		if err := run(strings.NewReader("")); err != nil {
			t.Fatal(err)
		}
	}
	var arrived, all sync.WaitGroup
	errs := make([]error, 10)
	arrived.Add(len(errs))
	for i := range errs {
		all.Go(func() {
			g := &gate{all: &arrived}
			errs[i] = run(g)
			g.once.Do(arrived.Done)
		})
	}
	all.Wait()
	failed := 0
	for _, err := range errs {
		if err != nil && !errors.Is(err, c14n.ErrLimit) {
			t.Error(err)
		}
		failed += count(err != nil)
	}
	if failed < 4 || failed > 9 {
		t.Errorf("%d of %d failed", failed, len(errs))
	}
	if err := run(strings.NewReader("")); err != nil {
		t.Errorf("after Runs that failed: %v", err)
	}
}

// gate is at its end when all have come so far or have failed.
type gate struct {
	once sync.Once
	all  *sync.WaitGroup
}

func (g *gate) Read([]byte) (int, error) {
	g.once.Do(g.all.Done)
	g.all.Wait()
	return 0, io.EOF
}

// late is a context that is cancelled once it was asked a few times.
type late struct {
	context.Context
	left int
}

func (l *late) Err() error {
	if l.left--; l.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestCancelled is a short document that takes long, by its expression or by what is written.
func TestCancelled(t *testing.T) {
	deep := strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100)
	slow := c14n.Document().Filter(compile(t, "count(ancestor-or-self::node()/ancestor::node()) >= 0", nil, 0))
	for name, c := range map[string]struct {
		doc   string
		nodes c14n.Nodes
	}{
		"evaluation": {deep, slow},
		"octets":     {"<a b='" + strings.Repeat("x", 900_000) + "'/>", c14n.Document()},
	} {
		var out bytes.Buffer
		j := &c14n.Job{Nodes: c.nodes, Method: c14n.Method{URI: c14n.Exclusive}, Out: &out}
		err := c14n.Run(&late{context.Background(), 1}, xml.NewReader(strings.NewReader(c.doc), xml.Limits{}), 0, j)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, %d octets", name, err, out.Len())
		}
	}
}
