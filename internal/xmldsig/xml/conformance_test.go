// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// suite is the folder of the W3C XML conformance test suite (20130923), fetched when it is not cached; empty without it.
var suite = sync.OnceValue(func() string {
	out, err := exec.Command("../../../testdata/xmlsec/xmlconf.sh").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
})

// conformanceCases is how many cases the suite's list has.
const conformanceCases = 2585

// testCase is one entry of the list. want is TYPE: valid, invalid (well-formed), not-wf or error (a processor may do either).
type testCase struct {
	id, want, file, version string
	fifth, namespaces       bool // it speaks of the fifth edition, of documents with namespaces
}

func TestConformance(t *testing.T) {
	if suite() == "" {
		t.Skipf("%d conformance cases were not run: testdata/xmlsec/xmlconf.sh could not fetch them", conformanceCases)
	}
	list, err := os.ReadFile(filepath.Join(suite(), "cleaned", "xmlconf-flattened.xml"))
	if err != nil {
		t.Fatal(err)
	}
	cases := readCases(t, list)
	if len(cases) != conformanceCases {
		t.Errorf("the list has %d cases, want %d", len(cases), conformanceCases)
	}
	count := map[string]int{}
	for _, c := range cases {
		doc, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		outcome, ok := c.judge(readAll(bytes.NewReader(doc)))
		if count[outcome]++; !ok {
			t.Errorf("%s (%s): %s", c.id, c.want, outcome)
		}
	}
	for _, outcome := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%4d %s", count[outcome], outcome)
	}
}

// judge names what happened and tells whether it should.
func (c testCase) judge(err error) (outcome string, ok bool) {
	at := ""
	if errors.Is(err, ErrDoctype) {
		at = " at its DOCTYPE"
	}
	switch {
	case c.want == "error":
		return "either is right", true
	case c.want == "not-wf" && err != nil:
		return "not well-formed, refused" + at, true
	case c.want == "not-wf":
		return "not well-formed in earlier editions only, accepted", !c.fifth
	case c.version == "1.1":
		return "well-formed XML 1.1, refused" + at, err != nil
	case !c.namespaces:
		return "well-formed without regard to namespaces, refused" + at, err != nil
	case err != nil:
		return "well-formed, refused" + at, at != ""
	}
	return "well-formed, accepted", true
}

// readCases reads the list with the reader itself, less the DOCTYPE.
func readCases(t *testing.T, list []byte) (cases []testCase) {
	t.Helper()
	from, to := bytes.Index(list, []byte("<!DOCTYPE")), bytes.Index(list, []byte("]>"))
	list = slices.Concat(list[:from], list[to+2:])
	r := NewReader(bytes.NewReader(list), Limits{})
	for {
		tok, err := r.Next()
		if err == io.EOF {
			return cases
		}
		if err != nil {
			t.Fatal(err)
		}
		if tok.Kind != Start || string(tok.Name.Local) != "TEST" {
			continue
		}
		a := map[string]string{}
		for _, attr := range tok.Attrs {
			a[string(attr.Local)] = string(attr.Value)
		}
		base := ""
		for _, x := range r.Scope().Inherited() {
			if x.Local == "base" {
				base = filepath.Join(base, x.Value)
			}
		}
		cases = append(cases, testCase{
			id: a["ID"], want: a["TYPE"], file: filepath.Join(suite(), "xmlconf", base, a["URI"]), version: a["VERSION"],
			fifth: a["EDITION"] == "" || strings.Contains(a["EDITION"], "5"), namespaces: a["NAMESPACE"] != "no",
		})
	}
}

func readAll(src io.Reader) error {
	for r := NewReader(src, Limits{}); ; {
		if _, err := r.Next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
