// SPDX-License-Identifier: GPL-3.0-or-later

package c14n_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"persten/internal/xmldsig/c14n"
)

const (
	generated = 2000
	batch     = 200 // documents in one run of xmllint, which writes their forms one after the other
)

// xmllint keeps comments.
var xmllintMethods = []struct{ flag, uri string }{
	{"--c14n", c14n.C14N10Comments}, {"--c14n11", c14n.C14N11Comments}, {"--exc-c14n", c14n.ExclusiveComments},
}

// pair is a node-set of a document, and the document whose canonical form it should have.
type pair struct {
	doc, alone []byte
	nodes      c14n.Nodes
	form       []byte
}

// TestGenerated compares whole documents, and one subtree of each, with libxml2.
func TestGenerated(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skipf("%d generated documents were not compared with libxml2: no xmllint", generated)
	}
	dir := t.TempDir()
	for _, m := range xmllintMethods {
		g := &generator{Rand: rand.New(rand.NewPCG(4, 2026))}
		for range generated / batch {
			whole, parts := make([]pair, batch), make([]pair, batch)
			for i := range whole {
				whole[i], parts[i] = g.pairs(m.uri)
			}
			compareBatch(t, xmllint, m.flag, m.uri, dir, whole)
			compareBatch(t, xmllint, m.flag, m.uri, dir, parts)
		}
	}
}

// pairs makes a document, and takes a subtree of it.
func (g *generator) pairs(method string) (whole, part pair) {
	doc, root := g.document()
	all := root.all()
	e := all[g.IntN(len(all))]
	whole = pair{doc: []byte(doc), alone: []byte(doc), nodes: c14n.Document().WithComments()}
	byID := c14n.ByID(e.attrs["Id"], []c14n.IDName{{Local: "Id"}}).WithComments()
	return whole, pair{doc: []byte(doc), alone: []byte(g.alone(e, method)), nodes: byID}
}

// compareBatch compares the forms of many documents at once, and one by one when they differ.
func compareBatch(t *testing.T, xmllint, flag, uri, dir string, pairs []pair) {
	t.Helper()
	var ours bytes.Buffer
	args := []string{flag}
	for i := range pairs {
		p := &pairs[i]
		out, _, err := canonical(p.doc, p.nodes, c14n.Method{URI: uri})
		if err != nil {
			t.Fatalf("%v\n%s", err, p.doc)
		}
		p.form = out
		ours.Write(out)
		file := filepath.Join(dir, fmt.Sprintf("%d.xml", i))
		if err := os.WriteFile(file, p.alone, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	theirs, err := exec.Command(xmllint, args...).Output()
	if err == nil && bytes.Equal(theirs, ours.Bytes()) {
		return
	}
	for i, p := range pairs {
		want, err := exec.Command(xmllint, flag, args[i+1]).CombinedOutput()
		if err != nil || !bytes.Equal(p.form, want) {
			t.Fatalf("%s: %v\ndocument %s\nalone    %s\ngot  %q\nwant %q", flag, err, p.doc, p.alone, p.form, want)
		}
	}
}
