// SPDX-License-Identifier: GPL-3.0-or-later

package c14n_test

import (
	"bytes"
	"errors"
	"testing"

	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// FuzzCanonical checks, for every document that is accepted, that its canonical form and that of one element are well-formed,
// that canonicalising them again changes nothing, and that deciding node by node gives the same form.
func FuzzCanonical(f *testing.F) {
	for i, doc := range []string{ // short ones: the fuzzer shortens what it finds byte by byte
		"<a xmlns='u'><b xmlns=''/><p:c xmlns:p='&#9;&quot;' p:d=''/></a>", "<?p?><!--c--><a>\r\n<?q r?></a><!--d-->",
		"<a xml:lang='x' xml:base='b/c'><b xml:base='../d'><c xml:id='i'/></b></a>", "<p:a xmlns:p='u' xmlns:q='u' q:b='1' c='2'/>",
		"<a><![CDATA[<&>]]>&lt;&#13;</a>", "<a xmlns:p='u'><p:b><b xmlns:p='v' p:c=''><p:b/></b></p:b></a>",
	} {
		f.Add([]byte(doc), uint(i))
	}
	always, err := c14n.CompileXPath("true()", nil, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, doc []byte, element uint) {
		nodes := []c14n.Nodes{c14n.Document().WithComments()}
		if begin := begins(doc); len(begin) > 0 {
			nodes = append(nodes, c14n.Element(begin[element%uint(len(begin))]).WithComments())
		}
		for _, m := range xmllintMethods {
			for _, n := range nodes {
				form, _, err := canonical(doc, n, c14n.Method{URI: m.uri})
				if err != nil {
					continue // not well-formed
				}
				slow, _, err := canonical(doc, n.Filter(always), c14n.Method{URI: m.uri})
				if err != nil || !bytes.Equal(slow, form) {
					t.Errorf("%s node by node: %v\n%q\n%q", m.flag, err, slow, form)
				}
				again, _, err := canonical(form, c14n.Document().WithComments(), c14n.Method{URI: m.uri})
				if errors.Is(err, xml.ErrLimit) {
					continue // declarations moved down and made a tag too large
				}
				if err != nil || !bytes.Equal(again, form) {
					t.Errorf("%s again: %v\n%q\n%q", m.flag, err, form, again)
				}
			}
		}
		fuzzSMEV(t, doc)
	})
}

// fuzzSMEV checks that what the SMEV transform accepts it leaves alone the second time.
func fuzzSMEV(t *testing.T, doc []byte) {
	form, err := smev(doc)
	if err != nil || bytes.Contains(form, []byte(xml.XMLNamespace)) {
		return // not well-formed or without a form; or xml:* attributes, whose form is not well-formed
	}
	if again, err := smev(form); err != nil || !bytes.Equal(again, form) {
		t.Errorf("SMEV again: %v\n%q\n%q", err, form, again)
	}
}

// begins lists where the elements of a document begin; nil when it is not well-formed.
func begins(doc []byte) (all []int64) {
	r := xml.NewReader(bytes.NewReader(doc), xml.Limits{})
	for {
		tok, err := r.Next()
		if err != nil {
			return all
		}
		if tok.Kind == xml.Start {
			all = append(all, tok.Begin)
		}
	}
}

// FuzzXPath checks that expressions are refused or evaluated, with the two errors that may be.
func FuzzXPath(f *testing.F) {
	for _, p := range predicates {
		f.Add(p)
	}
	for _, p := range []string{"//a/b[@x='1'] | /", "here()/ancestor::ds:Signature[1]", "not(ancestor-or-self::ds:Signature)", "//*[1]", "//ds:*"} {
		f.Add(p)
	}
	method := c14n.Method{URI: c14n.C14N11Comments}
	f.Fuzz(func(t *testing.T, expression string) {
		var sets []c14n.Nodes
		x, err := c14n.CompileXPath(expression, ds, 8)
		if err == nil {
			sets = append(sets, c14n.Document().WithComments().Filter(x))
		} else if !errors.Is(err, c14n.ErrUnsupported) {
			t.Errorf("%q: %v", expression, err)
		}
		p, err := c14n.CompilePath(expression, ds, 8)
		if err == nil {
			sets = append(sets, c14n.Document().Filter2([]c14n.SetOp{{Op: c14n.Subtract, Path: p}}))
		} else if !errors.Is(err, c14n.ErrUnsupported) {
			t.Errorf("path %q: %v", expression, err)
		}
		for _, n := range sets {
			if _, _, err := canonical([]byte(predicateDoc), n, method); err != nil && !errors.Is(err, c14n.ErrUnsupported) && !errors.Is(err, c14n.ErrLimit) {
				t.Errorf("%q: %v", expression, err)
			}
		}
	})
}
