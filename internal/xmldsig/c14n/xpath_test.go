// SPDX-License-Identifier: GPL-3.0-or-later

package c14n_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"persten/internal/xmldsig/c14n"
)

// Predicates that libxml2 evaluates the same way: none has a prefix that xmllint could not know.
var predicates = []string{
	"true()", "false()", "not(false())", "self::a", "parent::a", "..", ". | ..", "self::node()", "self::*", "self::text()",
	"ancestor::a", "ancestor-or-self::a", "ancestor::a[@x]", "ancestor::*[1][self::b]", "ancestor-or-self::*[2][self::a]",
	"parent::*[@x='1']", "@x", "@x=1", "@x!=1", "@x<2", "@x>=2", "@x='1' or @y='2'", "@x and @y", "@*[.='2']", "count(@*)=2",
	"count(@*|..)=2", "count(ancestor-or-self::node()) mod 2 = 1", "count(ancestor::node()) - 1 > 2", "count(ancestor::*)*2 < 5",
	"count(namespace::*)>1", "count(parent::node()/namespace::*)=2", "namespace::p", "name()='a'", "name()='p:c'",
	"local-name()='c'", "namespace-uri()='urn:p'", "local-name(..)='a'", "name(ancestor::q)=''", "string(@x)='1'", "string(@x)",
	"boolean(@x)", "@x=@y", "@x!=@y", "@x < @y", "@x=true()", "@none=false()", "'1'=1", "'a'", "''", "0", "-1", "--1 = 1", "1 div 2 = 0.5",
	"1 div 0 > 5", "-(1 div 0) < 5", "'x' = 0", "'x' != 0", "(1 = 1) = 1", "1 < 2 and 2 < 3", "1 < 2 < 3", "5 mod 3 = 2", "-5 mod 3 = -2",
	"string(1 div 0)='Infinity'", "string(-0.5)='-0.5'", "string(true())='true'", "string(12)='12'", "attribute::x | attribute::y",
	"count(ancestor-or-self::a/ancestor::node() | ancestor::b)=3", "@x[../@y]", "not(@x) and not(self::node()[@y])", "ancestor::node()[not(..)]",
	"self::comment() or self::processing-instruction() or self::processing-instruction('z') or .. ", "@x = ' 1 '",
	"@x*1=1", "@x + @y = 3", "not(ancestor-or-self::b)",
}

const predicateDoc = `<a x="1"><b y="2"><a x=" 1 " y="2"><p:c xmlns:p="urn:p" p:x="1" x="2"><b x="a"/></p:c></a></b><c y="2" x="2"/><a/></a>`

func TestXPathAgainstLibxml2(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skipf("%d XPath expressions were not compared with libxml2: no xmllint", len(predicates))
	}
	file := filepath.Join(t.TempDir(), "doc.xml")
	if err := os.WriteFile(file, []byte(predicateDoc), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range predicates {
		x, err := c14n.CompileXPath(p, nil, 0)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		out, _, err := canonical([]byte(predicateDoc), c14n.Document().Filter(x), c14n.Method{URI: c14n.C14N10})
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		attrs := strings.Count(string(out), `="`) - strings.Count(string(out), ` xmlns`)
		got := fmt.Sprintf("%d elements, %d attributes", strings.Count(string(out), "</"), attrs)
		want, err := exec.Command(xmllint, "--xpath",
			fmt.Sprintf("concat(count(//*[boolean(%s)]), ' elements, ', count(//@*[boolean(%s)]), ' attributes')", p, p), file).Output()
		if err != nil || got != strings.TrimSpace(string(want)) {
			t.Errorf("%s: %s, want %s (%v)\n%s", p, got, want, err, out)
		}
	}
}

func TestXPathRefused(t *testing.T) {
	long := strings.Repeat(" ", 5000) + "1"
	for _, s := range []string{
		"", " ", "a", "child::a", "//a", "/a", "descendant::a", "following::a", "preceding-sibling::a", "id('x')", "position()=1", "last()",
		"@*[1]", "@x[count(.)]", "ancestor::a[count(@x)]", "ancestor::a[1+1]", "ancestor::a[1][1]", "here()", "here()/..", "here()/ancestor::x[1]",
		"here()/ancestor::ds:Signature", "here()/ancestor::ds:Signature[2]", "here()/ancestor::ds:Signature[1]/..", "p:a", "self::p:a",
		"self::p:*", "$x", "1 +", "(1", "1)", "'x", "not()", "not(1,2)", "count('x')", "name(1)", "1|2", "1|2|.", ".|1|.", "self::a | 1", "contains('a','b')",
		"(self::a)[1]", "(self::a)/..", "@x:y:z", "self:::a", "..[1]", "self::a[", "self::a[]", "::", "!", "a!b", "#", "1 2", "self::node(", "\x00", "é\xff",
		long, strings.Repeat("(", 40) + "1" + strings.Repeat(")", 40), strings.Repeat("1+", 200) + "1", strings.Repeat("-", 10),
	} {
		if x, err := c14n.CompileXPath(s, ds, 0); !errors.Is(err, c14n.ErrUnsupported) {
			t.Errorf("%.80q: %v, %v", s, x, err)
		}
	}
	for _, s := range []string{
		"", "1", "'a'", "count(/a)", "/@x", "//@x", "/text()", "//a/..", "//a/.", "/a[1]", "/a[count(@x)]", "//a[b]", "//a[/b]", "//node()",
		"id('x')", "//", "/a/", "//a//@x", "a or b", "here()/..", "/ancestor::a", "//self::a", strings.Repeat("/a", 65),
	} {
		if p, err := c14n.CompilePath(s, ds, 0); !errors.Is(err, c14n.ErrUnsupported) {
			t.Errorf("path %q: %v, %v", s, p, err)
		}
	}
}

func TestFilter2Paths(t *testing.T) {
	const doc = `<a i="1"><b i="2"><a i="3"><c i="4"/></a><c i="5"/></b><c i="6"/></a>`
	for _, c := range []struct{ path, want string }{
		{"/", "123456"}, {"/a", "123456"}, {"a", "123456"}, {"/b", ""}, {"//b", "2345"}, {"//c", "456"}, {"/a/c", "6"}, {"//a/c", "46"},
		{"//a//c", "456"}, {"/a/b//c", "45"}, {"//b/a/c", "4"}, {"//b//a//c", "4"}, {"//*[@i > 4]", "56"}, {"//*[@i='3']/c", "4"},
		{"//c | /a/b/a", "3456"}, {"/a/*", "23456"}, {"/child::a/child::b", "2345"}, {"//c[parent::b]", "5"}, {"//c[not(parent::b)]", "46"},
		{"//*[@i='2' or @i='6']", "23456"}, {"/*/*/*", "345"}, {"//a//a", "34"}, {"//a//a//a", ""},
	} {
		out, _, err := canonical([]byte(doc), c14n.Document().Filter2(ops(t, ds, int64(strings.Index(doc, `<c i="6"`)), "intersect "+c.path)), c14n.Method{URI: c14n.Exclusive})
		var got strings.Builder
		for _, part := range strings.Split(string(out), `i="`)[1:] {
			got.WriteString(part[:1])
		}
		if err != nil || got.String() != c.want {
			t.Errorf("%s: error %v, elements %s, want %s", c.path, err, got.String(), c.want)
		}
	}
}
