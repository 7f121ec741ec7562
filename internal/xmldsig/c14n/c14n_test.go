// SPDX-License-Identifier: GPL-3.0-or-later

package c14n_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

var idNames = []c14n.IDName{{Local: "Id"}}

func compile(t *testing.T, expression string, ns map[string]string, here int64) *c14n.XPath {
	t.Helper()
	x, err := c14n.CompileXPath(expression, ns, here)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return x
}

func ops(t *testing.T, ns map[string]string, here int64, list ...string) (all []c14n.SetOp) {
	t.Helper()
	for _, s := range list {
		word, expression, _ := strings.Cut(s, " ")
		p, err := c14n.CompilePath(expression, ns, here)
		if err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
		all = append(all, c14n.SetOp{Op: filters[word], Path: p})
	}
	return all
}

// TestGeneralAgrees describes sets of whole subtrees in ways that have to be decided node by node: the form must be the
// same as by the short way.
func TestGeneralAgrees(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(5, 2026))}
	methods := []c14n.Method{
		{URI: c14n.C14N10Comments}, {URI: c14n.C14N11Comments}, {URI: c14n.ExclusiveComments}, {URI: c14n.C14N10},
		{URI: c14n.ExclusiveComments, Prefixes: []string{"a", "#default", "nowhere"}},
	}
	all := c14n.Document().WithComments()
	for range 300 {
		text, root := g.document()
		doc, list := []byte(text), root.all()
		id := list[g.IntN(len(list))].attrs["Id"]
		begin := int64(strings.Index(text, "<"+list[len(list)-1].name))
		if _, j, err := canonical(doc, c14n.ByID(list[len(list)-1].attrs["Id"], idNames), methods[0]); err != nil {
			t.Fatal(err)
		} else {
			begin = j.Apexes[0].Begin
		}
		one := c14n.ByID(id, idNames).WithComments()
		for _, m := range methods {
			for name, c := range map[string][2]c14n.Nodes{
				"true()":       {all, all.Filter(compile(t, "true()", nil, 0))},
				"union /":      {all, all.Filter2(ops(t, nil, 0, "subtract /", "union /"))},
				"by predicate": {one, all.Filter(compile(t, "ancestor-or-self::*[@Id='"+id+"']", nil, 0))},
				"intersect":    {one, all.Filter2(ops(t, nil, 0, "intersect //*[@Id='"+id+"']"))},
				"named":        {all.Filter(compile(t, "not(ancestor-or-self::el)", nil, 0)), all.Filter2(ops(t, nil, 0, "subtract //el"))},
				"named again": {one.Filter(compile(t, "not(ancestor-or-self::el)", nil, 0)),
					one.Filter(compile(t, "not(ancestor-or-self::node()/self::el)", nil, 0))},
				"without": {all.Without(begin), all.Filter2(ops(t, ds, begin, "subtract here()/ancestor::ds:Signature[1]"))},
				"without, counted": {one.Without(begin), one.Filter(compile(t, "count(ancestor-or-self::node()"+
					" | here()/ancestor::ds:Signature[1]) > count(ancestor-or-self::node())", ds, begin))},
			} {
				want, wantJob, err := canonical(doc, c[0], m)
				if err != nil {
					t.Fatalf("%s: %v\n%s", name, err, doc)
				}
				got, job, err := canonical(doc, c[1], m)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%s by %s: error %v\ndocument %s\ngot  %s\nwant %s", name, m.URI, err, doc, got, want)
				}
				if !sameSpans(job.Apexes, wantJob.Apexes) || !sameSpans(job.Holes, wantJob.Holes) {
					t.Fatalf("%s by %s:\n%s\ngot  %v but %v\nwant %v but %v", name, m.URI, doc, job.Apexes, job.Holes, wantJob.Apexes, wantJob.Holes)
				}
			}
		}
	}
}

var ds = map[string]string{"ds": "http://www.w3.org/2000/09/xmldsig#"}

func sameSpans(a, b []c14n.Span) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Begin != b[i].Begin || a[i].End != b[i].End || a[i].Name != b[i].Name {
			return false
		}
	}
	return true
}

func TestSubsets(t *testing.T) {
	const (
		b     = `<p:b p:c="d" Id="3">t</p:b>`
		first = `<a Id="2"><!--1-->` + b + `</a>`
		again = `<a Id="2"/>`
		root  = `<r xmlns="urn:r" xmlns:p="urn:p" xml:lang="ru" Id="1">` + first + again + `</r>`
		doc   = `<!--0-->` + root
	)
	at := func(part string) int64 { return int64(strings.Index(doc, part)) }
	exclusive := c14n.Method{URI: c14n.Exclusive}
	for _, c := range []struct {
		name   string
		nodes  c14n.Nodes
		method c14n.Method
		want   string
		found  int
		apexes []string
		holes  []string
	}{
		{"document", c14n.Document(), c14n.Method{URI: c14n.C14N10Comments},
			`<r xmlns="urn:r" xmlns:p="urn:p" Id="1" xml:lang="ru"><a Id="2"><p:b Id="3" p:c="d">t</p:b></a><a Id="2"></a></r>`,
			1, []string{root}, nil},
		{"document with comments", c14n.Document().WithComments(), c14n.Method{URI: c14n.ExclusiveComments}, "<!--0-->\n" +
			`<r xmlns="urn:r" Id="1" xml:lang="ru"><a Id="2"><!--1--><p:b xmlns:p="urn:p" Id="3" p:c="d">t</p:b></a><a Id="2"></a></r>`,
			1, []string{root}, nil},
		{"by id", c14n.ByID("3", idNames), exclusive, `<p:b xmlns:p="urn:p" Id="3" p:c="d">t</p:b>`, 1, []string{b}, nil},
		{"by id, inclusive", c14n.ByID("3", idNames), c14n.Method{URI: c14n.C14N11},
			`<p:b xmlns="urn:r" xmlns:p="urn:p" Id="3" xml:lang="ru" p:c="d">t</p:b>`, 1, []string{b}, nil},
		{"by id, listed", c14n.ByID("3", idNames), c14n.Method{URI: c14n.Exclusive, Prefixes: []string{"#default"}},
			`<p:b xmlns="urn:r" xmlns:p="urn:p" Id="3" p:c="d">t</p:b>`, 1, []string{b}, nil},
		{"twice", c14n.ByID("2", idNames), exclusive,
			`<a xmlns="urn:r" Id="2"><p:b xmlns:p="urn:p" Id="3" p:c="d">t</p:b></a>`, 2, []string{first, again}, nil},
		{"never", c14n.ByID("9", idNames), exclusive, "", 0, nil, nil},
		{"another name", c14n.ByID("3", []c14n.IDName{{Local: "ID"}, {URI: "urn:p", Local: "Id"}}), exclusive, "", 0, nil, nil},
		{"without", c14n.Document().Without(at(b)).Without(at(again)), exclusive,
			`<r xmlns="urn:r" Id="1" xml:lang="ru"><a Id="2"></a></r>`, 1, []string{root}, []string{b, again}},
		{"without itself", c14n.Element(at(b)).Without(at(first)), exclusive, "", 1, nil, nil},
	} {
		got, j, err := canonical([]byte(doc), c.nodes, c.method)
		if err != nil || string(got) != c.want || j.Size != int64(len(got)) {
			t.Errorf("%s: error %v, size %d\ngot  %s\nwant %s", c.name, err, j.Size, got, c.want)
		}
		apexes, holes := spans(doc, j.Apexes), spans(doc, j.Holes)
		if j.Found != c.found || !slices.Equal(apexes, c.apexes) || !slices.Equal(holes, c.holes) || j.Partial {
			t.Errorf("%s: found %d, apexes %q, holes %q, partial %v", c.name, j.Found, apexes, holes, j.Partial)
		}
	}
}

func spans(doc string, list []c14n.Span) (parts []string) {
	for _, s := range list {
		parts = append(parts, doc[s.Begin:s.End])
	}
	return parts
}

// TestNested lists apexes inside the hole of another one, in document order.
func TestNested(t *testing.T) {
	const (
		c   = `<c>y</c>`
		b   = `<b>x` + c + `<b/></b>`
		a   = `<a>hello` + b + ` more<b/></a>`
		doc = `<d>` + a + c + `</d>`
	)
	nodes := c14n.Document().Filter2(ops(t, nil, 0, "intersect //a", "subtract //b", "union //c"))
	got, j, err := canonical([]byte(doc), nodes, c14n.Method{URI: c14n.Exclusive})
	if err != nil || string(got) != `<a>hello<c>y</c> more</a><c>y</c>` {
		t.Errorf("error %v, %s", err, got)
	}
	apexes, holes := spans(doc, j.Apexes), spans(doc, j.Holes)
	if !slices.Equal(apexes, []string{a, c, c}) || !slices.Equal(holes, []string{b, `<b/>`}) || j.Partial {
		t.Errorf("apexes %q, holes %q, partial %v", apexes, holes, j.Partial)
	}
}

// TestBeside tells comments and what lies beside the root element.
func TestBeside(t *testing.T) {
	const doc = `<!--0--><?a?><r><!--1--><e/></r><?b?>`
	comments := c14n.Document().WithComments()
	filter := func(n c14n.Nodes, expression string) c14n.Nodes { return n.Filter(compile(t, expression, nil, 0)) }
	type told struct{ comments, outside, partial bool }
	for name, c := range map[string]struct {
		nodes  c14n.Nodes
		method string
		want   told
	}{
		"without comments":   {c14n.Document(), c14n.C14N10Comments, told{false, true, false}},
		"with comments":      {comments, c14n.C14N10Comments, told{true, true, false}},
		"method without":     {comments, c14n.C14N10, told{false, true, false}},
		"root":               {c14n.Element(13).WithComments(), c14n.C14N10Comments, told{true, false, false}},
		"one instruction":    {filter(comments, "not(self::processing-instruction('a'))"), c14n.C14N10Comments, told{true, true, true}},
		"no instructions":    {filter(comments, "not(self::processing-instruction())"), c14n.C14N10, told{false, false, false}},
		"some comments":      {filter(comments, "parent::r or not(self::comment())"), c14n.C14N10Comments, told{true, true, true}},
		"some, none written": {filter(comments, "parent::r or not(self::comment())"), c14n.C14N10, told{false, true, false}},
		"only those beside":  {comments.Without(13), c14n.C14N10Comments, told{false, true, false}},
	} {
		_, j, err := canonical([]byte(doc), c.nodes, c14n.Method{URI: c.method})
		if got := (told{j.Comments, j.Outside, j.Partial}); err != nil || got != c.want {
			t.Errorf("%s: error %v, %+v, want %+v", name, err, got, c.want)
		}
	}
}

func TestPartial(t *testing.T) {
	const e, doc = `<e>more</e>`, `<r a="1" b="2">text<e>more</e></r>`
	whole := []string{doc}
	for _, c := range []struct {
		expression, want string
		apexes, holes    []string
		partial          bool
	}{
		{"not(self::text())", `<r a="1" b="2"><e></e></r>`, whole, nil, true},
		{"name() != 'a'", `<r b="2">text<e>more</e></r>`, whole, nil, true},
		{"not(ancestor-or-self::node()/self::e)", `<r a="1" b="2">text</r>`, whole, []string{e}, false},
		{"ancestor-or-self::e", e, []string{e}, nil, false},
		{"self::text()", `textmore`, nil, nil, true},
		{"ancestor-or-self::e or self::r", `<r><e>more</e></r>`, whole, nil, true},
	} {
		got, j, err := canonical([]byte(doc), c14n.Document().Filter(compile(t, c.expression, nil, 0)), c14n.Method{URI: c14n.Exclusive})
		if err != nil || string(got) != c.want {
			t.Errorf("%s: error %v, %s", c.expression, err, got)
		}
		apexes, holes := spans(doc, j.Apexes), spans(doc, j.Holes)
		if !slices.Equal(apexes, c.apexes) || !slices.Equal(holes, c.holes) || j.Partial != c.partial {
			t.Errorf("%s: apexes %q, holes %q, partial %v", c.expression, apexes, holes, j.Partial)
		}
	}
}

// TestFragment reads a subtree on its own inside the scope of its parent: the form must be that of the subtree in its document.
func TestFragment(t *testing.T) {
	const doc = `<r xmlns="urn:r" xmlns:p="urn:p" xml:lang="ru" xml:base="a/b"><s xml:base="c/d" xml:space="default"><e xml:base="e" Id="x"><p:f/></e></s></r>`
	r := xml.NewReader(strings.NewReader(doc), xml.Limits{})
	var outer *xml.Scope
	for outer == nil {
		tok, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if string(tok.Name.Local) == "s" {
			outer = r.Scope().Clone()
		}
	}
	fragment := doc[strings.Index(doc, "<e"):strings.Index(doc, "</s>")]
	for _, uri := range []string{c14n.C14N10, c14n.C14N11, c14n.Exclusive} {
		want, _, err := canonical([]byte(doc), c14n.ByID("x", idNames), c14n.Method{URI: uri})
		if err != nil {
			t.Fatal(err)
		}
		for _, nodes := range []c14n.Nodes{c14n.Document(), c14n.Document().Filter(compile(t, "true()", nil, 0))} {
			var out bytes.Buffer
			j := &c14n.Job{Nodes: nodes, Method: c14n.Method{URI: uri}, Out: &out}
			err := c14n.Run(context.Background(), xml.NewFragment(strings.NewReader(fragment), xml.Limits{}, outer), 0, j)
			if err != nil || out.String() != string(want) {
				t.Errorf("%s: error %v\ngot  %s\nwant %s", uri, err, out.String(), want)
			}
		}
	}
}

func TestText(t *testing.T) {
	const doc = "<r>a<e Id='e'>&lt;b&gt;<!-- no --><?no?><f>c\r\n</f><![CDATA[d]]></e></r>"
	for _, nodes := range []c14n.Nodes{c14n.ByID("e", idNames), c14n.ByID("e", idNames).Filter(compile(t, "self::text()", nil, 0))} {
		var out bytes.Buffer
		j := &c14n.Job{Nodes: nodes, Text: true, Out: &out}
		err := c14n.Run(context.Background(), xml.NewReader(iotest.OneByteReader(strings.NewReader(doc)), xml.Limits{}), 0, j)
		if err != nil || out.String() != "<b>c\nd" {
			t.Errorf("error %v, %q", err, out.String())
		}
	}
}

// TestManyJobs runs jobs together that were compared alone.
func TestManyJobs(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(6, 2026))}
	for range 100 {
		text, root := g.document()
		var jobs []*c14n.Job
		var outs []*bytes.Buffer
		for i, e := range root.all() {
			out := &bytes.Buffer{}
			nodes := c14n.ByID(e.attrs["Id"], idNames)
			if i%3 == 0 {
				nodes = nodes.Filter(compile(t, "not(parent::el)", nil, 0))
			}
			m := xmllintMethods[i%3].uri
			jobs, outs = append(jobs, &c14n.Job{Nodes: nodes, Method: c14n.Method{URI: m}, Out: out}), append(outs, out)
		}
		if err := c14n.Run(context.Background(), xml.NewReader(strings.NewReader(text), xml.Limits{}), 0, jobs...); err != nil {
			t.Fatal(err)
		}
		for i, j := range jobs {
			want, alone, err := canonical([]byte(text), j.Nodes, j.Method)
			if err != nil || !bytes.Equal(outs[i].Bytes(), want) || !reflect.DeepEqual(alone.Apexes, j.Apexes) {
				t.Fatalf("error %v\n%s\ngot  %s\nwant %s", err, text, outs[i], want)
			}
		}
	}
}

func TestRunRefuses(t *testing.T) {
	run := func(doc string, budget int64, j *c14n.Job) error {
		j.Out = &bytes.Buffer{}
		return c14n.Run(context.Background(), xml.NewReader(strings.NewReader(doc), xml.Limits{}), budget, j)
	}
	exclusive := c14n.Method{URI: c14n.Exclusive}
	wide := "<r>" + strings.Repeat("<e/>", 40000) + "</r>"
	deep := strings.Repeat("<r>", 200) + strings.Repeat("<e/>", 1000) + strings.Repeat("</r>", 200)
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"not well-formed":   {run("<r></e>", 0, &c14n.Job{Method: exclusive}), xml.ErrSyntax},
		"budget":            {run("<r>"+strings.Repeat("x", 1000)+"</r>", 1000, &c14n.Job{Method: exclusive}), c14n.ErrLimit},
		"unknown method":    {run("<r/>", 0, &c14n.Job{Method: c14n.Method{URI: "http://www.w3.org/2010/xml-c14n2"}}), c14n.ErrUnsupported},
		"list in inclusive": {run("<r/>", 0, &c14n.Job{Method: c14n.Method{URI: c14n.C14N10, Prefixes: []string{"a"}}}), c14n.ErrUnsupported},
		"many apexes":       {run(wide, 0, &c14n.Job{Method: exclusive, Nodes: c14n.Document().Filter(compile(t, "self::e", nil, 0))}), c14n.ErrLimit},
		"element's string":  {run("<r/>", 0, &c14n.Job{Method: exclusive, Nodes: c14n.Document().Filter(compile(t, "string() = ''", nil, 0))}), c14n.ErrUnsupported},
		"steps": {run(deep, 0, &c14n.Job{Method: exclusive, Nodes: c14n.Document().Filter(compile(t,
			"count(ancestor-or-self::node()/ancestor::node()) >= 0", nil, 0))}), c14n.ErrLimit},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: error %v, want %v", name, c.err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c14n.Run(ctx, xml.NewReader(strings.NewReader("<r/>"), xml.Limits{}), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
	full := errors.New("full")
	err := c14n.Run(context.Background(), xml.NewReader(strings.NewReader("<r/>"), xml.Limits{}), 0,
		&c14n.Job{Method: exclusive, Out: failing{full}})
	if !errors.Is(err, full) {
		t.Errorf("failing writer: error %v", err)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }
