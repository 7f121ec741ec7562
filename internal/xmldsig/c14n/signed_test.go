// SPDX-License-Identifier: GPL-3.0-or-later

package c14n_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// signed is what these tests need to know of a Signature: where it is, and its references.
type signed struct {
	begin, info int64
	infoMethod  string
	references  []*reference
}

type reference struct {
	uri, digest string
	enveloped   bool
	xpaths      []expression
	method      c14n.Method
	xslt        bool
}

type expression struct {
	text, filter string
	ns           map[string]string
}

// signature reads the first Signature of a document.
func signature(t *testing.T, doc []byte) *signed {
	t.Helper()
	s := &signed{begin: -1}
	r := xml.NewReader(bytes.NewReader(doc), xml.Limits{})
	var ref *reference
	local := ""
	for {
		tok, err := r.Next()
		if err == io.EOF {
			return s
		}
		if err != nil {
			t.Fatal(err)
		}
		switch tok.Kind {
		case xml.Start:
			local = string(tok.Name.Local)
			ref = s.start(tok, ref, r.Scope())
		case xml.Text:
			if ref == nil {
				break
			}
			switch local {
			case "XPath":
				ref.xpaths[len(ref.xpaths)-1].text += string(tok.Data)
			case "DigestValue":
				ref.digest += strings.TrimSpace(string(tok.Data))
			}
		case xml.End:
			local = ""
			if string(tok.Name.Local) == "Reference" {
				ref = nil
			}
		}
	}
}

func (s *signed) start(tok *xml.Token, ref *reference, scope *xml.Scope) *reference {
	attr := map[string]string{}
	for _, a := range tok.Attrs {
		attr[string(a.Local)] = string(a.Value)
	}
	switch string(tok.Name.Local) {
	case "Signature":
		if s.begin < 0 {
			s.begin = tok.Begin
		}
	case "SignedInfo":
		s.info = tok.Begin
	case "CanonicalizationMethod":
		s.infoMethod = attr["Algorithm"]
	case "Reference":
		ref = &reference{uri: attr["URI"], method: c14n.Method{URI: c14n.C14N10}}
		s.references = append(s.references, ref)
	case "Transform":
		ref.transform(attr["Algorithm"])
	case "XPath":
		e := expression{ns: map[string]string{}, filter: attr["Filter"]}
		for _, b := range scope.All() {
			e.ns[b.Prefix] = b.URI
		}
		ref.xpaths = append(ref.xpaths, e)
	case "InclusiveNamespaces":
		ref.method.Prefixes = strings.Fields(attr["PrefixList"])
	}
	return ref
}

func (ref *reference) transform(algorithm string) {
	switch {
	case strings.HasSuffix(algorithm, "#enveloped-signature"):
		ref.enveloped = true
	case strings.Contains(algorithm, "c14n"):
		ref.method.URI = algorithm
	case strings.Contains(algorithm, "xslt"):
		ref.xslt = true
	}
}

var filters = map[string]c14n.Operation{"intersect": c14n.Intersect, "subtract": c14n.Subtract, "union": c14n.Union}

// nodes is the node-set that the reference means; the Signature begins at here.
func (ref *reference) nodes(here int64) (c14n.Nodes, error) {
	n := c14n.Document()
	names := []c14n.IDName{{Local: "Id"}, {URI: xml.XMLNamespace, Local: "id"}}
	if id, ok := strings.CutPrefix(ref.uri, "#xpointer(id('"); ok {
		n = c14n.ByID(strings.TrimSuffix(id, "'))"), names).WithComments()
	} else if ref.uri == "#xpointer(/)" {
		n = n.WithComments()
	} else if id, ok := strings.CutPrefix(ref.uri, "#"); ok {
		n = c14n.ByID(id, names)
	}
	if ref.enveloped {
		n = n.Without(here)
	}
	var ops []c14n.SetOp
	for _, e := range ref.xpaths {
		if e.filter == "" {
			x, err := c14n.CompileXPath(e.text, e.ns, here)
			if err != nil {
				return n, err
			}
			n = n.Filter(x)
			continue
		}
		p, err := c14n.CompilePath(e.text, e.ns, here)
		if err != nil {
			return n, err
		}
		ops = append(ops, c14n.SetOp{Op: filters[e.filter], Path: p})
	}
	if ops != nil {
		n = n.Filter2(ops)
	}
	return n, nil
}

// checkReferences compares every reference of a signed document by its digest and, where there is one, by its canonical form
// in the file that name gives. It returns how many it compared; the rest are those that unsupported names.
func checkReferences(t *testing.T, path string, name func(int) string, unsupported map[int]bool) (compared int) {
	t.Helper()
	doc := read(t, path)
	s := signature(t, doc)
	for i, ref := range s.references {
		nodes, err := ref.nodes(s.begin)
		if err != nil {
			t.Fatalf("%s reference %d: %v", path, i, err)
		}
		out, _, err := canonical(doc, nodes, ref.method)
		if unsupported[i] {
			if !errors.Is(err, c14n.ErrUnsupported) {
				t.Errorf("%s reference %d: error %v, want ErrUnsupported", path, i, err)
			}
			continue
		}
		if err != nil || sum1(out) != ref.digest {
			t.Errorf("%s reference %d: error %v, digest %s, want %s", path, i, err, sum1(out), ref.digest)
		}
		if file := name(i); file != "" {
			if want := read(t, file); !bytes.Equal(out, want) {
				t.Errorf("%s reference %d:\ngot  %q\nwant %q", path, i, out, want)
			}
		}
		compared++
	}
	return compared
}

func noFile(int) string { return "" }

func TestMerlinC14nThree(t *testing.T) {
	dir := filepath.Join(vectors(t, "xmlsec", "28 canonical forms were not compared"), "merlin-c14n-three")
	file := func(i int) string { return fmt.Sprintf("%s/c14n-%d.txt", dir, i) }
	path := filepath.Join(dir, "signature.xml")
	if n := checkReferences(t, path, file, nil); n != 27 {
		t.Errorf("%d references compared, want 27", n)
	}
	doc := read(t, path)
	s := signature(t, doc)
	out, _, err := canonical(doc, c14n.Element(s.info), c14n.Method{URI: s.infoMethod})
	if want := read(t, file(27)); err != nil || !bytes.Equal(out, want) {
		t.Errorf("SignedInfo: error %v\ngot  %q\nwant %q", err, out, want)
	}
}

func TestMerlinExcC14nOne(t *testing.T) {
	dir := vectors(t, "xmlsec", "4 digests were not compared")
	if n := checkReferences(t, filepath.Join(dir, "merlin-exc-c14n-one/exc-signature.xml"), noFile, nil); n != 4 {
		t.Errorf("%d references compared, want 4", n)
	}
}

func TestMerlinXPathFilter2Three(t *testing.T) {
	dir := filepath.Join(vectors(t, "xmlsec", "3 canonical forms were not compared"), "merlin-xpath-filter2-three")
	for name, want := range map[string]int{"sign-spec": 2, "sign-xfdl": 1} {
		file := func(i int) string { return fmt.Sprintf("%s/%s-c14n-%d.txt", dir, name, i) }
		if n := checkReferences(t, filepath.Join(dir, name+".xml"), file, nil); n != want {
			t.Errorf("%s: %d references compared, want %d", name, n, want)
		}
	}
}

func TestXMLDSig2ed(t *testing.T) {
	dir := filepath.Join(vectors(t, "xmlsec", "11 digests were not compared"), "xmldsig2ed-tests")
	for i, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 1, 5: 3, 6: 3} {
		path := fmt.Sprintf("%s/xpointer-%d-SUN.xml", dir, i)
		if n := checkReferences(t, path, noFile, nil); n != want {
			t.Errorf("%s: %d references compared, want %d", path, n, want)
		}
	}
	// defCan-2 and -3 go on with XSLT; their signed document is another one.
	s := signature(t, read(t, filepath.Join(dir, "defCan-1.xml")))
	nodes, err := s.references[0].nodes(-1)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := canonical(read(t, filepath.Join(dir, "c14n11/xml-base-input.xml")), nodes.WithComments(), s.references[0].method)
	if err != nil || sum1(out) != s.references[0].digest {
		t.Errorf("defCan-1: error %v, digest %s, want %s", err, sum1(out), s.references[0].digest)
	}
}
