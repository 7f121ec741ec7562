// SPDX-License-Identifier: GPL-3.0-or-later

package c14n_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// vectors returns a folder of the test vectors, or skips the test and says what did not run.
func vectors(t *testing.T, name, lost string) string {
	t.Helper()
	dir := filepath.Join(cmp.Or(os.Getenv("VECTORS"), "../../../../shared/vectors"), name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("%s: no %s folder under VECTORS", lost, name)
	}
	return dir
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// canonical runs one job over a document.
func canonical(doc []byte, n c14n.Nodes, m c14n.Method) ([]byte, *c14n.Job, error) {
	var out bytes.Buffer
	texts, err := c14n.ReadTexts(context.Background(), xml.NewReader(bytes.NewReader(doc), xml.Limits{}))
	if err != nil {
		return nil, nil, err
	}
	j := &c14n.Job{Nodes: n, Method: m, Out: &out, Texts: texts}
	err = c14n.Run(context.Background(), xml.NewReader(bytes.NewReader(doc), xml.Limits{}), 0, j)
	return out.Bytes(), j, err
}

// Vectors of c14n-libxml2 that are not run. The documents with a DOCTYPE must be refused for it.
var (
	needDoctype = []string{
		"without-comments/example-1", "without-comments/example-3", "without-comments/example-4", "without-comments/example-5",
		"without-comments/example-7", "without-comments/test-0", "without-comments/test-1", "without-comments/test-3",
		"with-comments/example-1", "with-comments/example-3", "with-comments/example-4", "with-comments/example-5",
		"with-comments/example-7", "1-1-without-comments/example-1", "1-1-without-comments/example-3",
		"1-1-without-comments/example-4", "1-1-without-comments/example-5", "1-1-without-comments/example-7",
		"1-1-without-comments/example-8", "1-1-without-comments/xmlbase-c14n11spec-102",
		"1-1-without-comments/xmlbase-c14n11spec2-102", "exc-without-comments/test-0", "exc-without-comments/test-1",
	}
	// The results are empty and have no files; c14n-15.txt, -16 and -25 of merlin-c14n-three, of the same expressions, are
	// empty files.
	emptyResults = []string{
		"exc-without-comments/merlin-c14n-two-15", "exc-without-comments/merlin-c14n-two-16", "exc-without-comments/merlin-c14n-two-25",
	}
)

var methodOf = map[string]string{
	"without-comments": c14n.C14N10, "with-comments": c14n.C14N10Comments,
	"1-1-without-comments": c14n.C14N11, "exc-without-comments": c14n.Exclusive,
}

func TestLibxml2Vectors(t *testing.T) {
	dir := vectors(t, "c14n-libxml2", "76 canonical forms were not compared")
	docs, err := filepath.Glob(filepath.Join(dir, "test/*/*.xml"))
	if err != nil || len(docs) != 76 {
		t.Fatalf("%d documents found (%v), want 76", len(docs), err)
	}
	why := map[string]error{}
	for _, name := range needDoctype {
		why[name] = xml.ErrDoctype
	}
	compared := 0
	for _, doc := range docs {
		folder := filepath.Base(filepath.Dir(doc))
		name := folder + "/" + strings.TrimSuffix(filepath.Base(doc), ".xml")
		got, err := libxml2Case(t, strings.TrimSuffix(doc, ".xml"), methodOf[folder])
		if refused := why[name]; refused != nil {
			if !errors.Is(err, refused) {
				t.Errorf("%s: error %v, want %v", name, err, refused)
			}
			continue
		}
		var want []byte
		if !slices.Contains(emptyResults, name) {
			want = read(t, filepath.Join(dir, "result", name))
		}
		if compared++; err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: error %v\ngot  %q\nwant %q", name, err, got, want)
		}
	}
	if compared+len(why) != len(docs) {
		t.Errorf("%d compared, %d left out, of %d", compared, len(why), len(docs))
	}
	t.Logf("%d canonical forms compared, %d need a DTD", compared, len(needDoctype))
}

var wrapper = regexp.MustCompile(`(?s)^\s*\(\s*//\.\s*\|\s*//@\*\s*\|\s*//namespace::\*\s*\)\s*\[(.*)\]\s*$`)

func libxml2Case(t *testing.T, base, method string) ([]byte, error) {
	t.Helper()
	nodes, m := c14n.Document().WithComments(), c14n.Method{URI: method}
	if _, err := os.Stat(base + ".xpath"); err == nil {
		expression, ns, err := expressionOf(read(t, base+".xpath"))
		if err != nil {
			return nil, err
		}
		inner := wrapper.FindStringSubmatch(expression)
		if inner == nil {
			return nil, fmt.Errorf("%s.xpath has another form: %s", base, expression)
		}
		x, err := c14n.CompileXPath(inner[1], ns, -1)
		if err != nil && !bytes.Contains(read(t, base+".xml"), []byte("<!DOCTYPE")) {
			return nil, err
		} else if err == nil {
			nodes = nodes.Filter(x)
		}
	}
	if list, err := os.ReadFile(base + ".ns"); err == nil {
		m.Prefixes = strings.Fields(string(list))
	}
	out, _, err := canonical(read(t, base+".xml"), nodes, m)
	return out, err
}

// expressionOf reads an XPath element: its text, and the namespaces declared on it.
func expressionOf(doc []byte) (string, map[string]string, error) {
	var text strings.Builder
	ns := map[string]string{}
	r := xml.NewReader(bytes.NewReader(doc), xml.Limits{})
	for {
		tok, err := r.Next()
		if err == io.EOF {
			return text.String(), ns, nil
		}
		if err != nil {
			return "", nil, err
		}
		switch tok.Kind {
		case xml.Start:
			for _, b := range tok.Bindings {
				ns[b.Prefix] = b.URI
			}
		case xml.Text:
			text.Write(tok.Data)
		}
	}
}

func sum1(b []byte) string {
	h := sha1.Sum(b)
	return base64.StdEncoding.EncodeToString(h[:])
}
