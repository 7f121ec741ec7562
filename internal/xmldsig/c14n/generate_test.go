// SPDX-License-Identifier: GPL-3.0-or-later

package c14n_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"persten/internal/xmldsig/c14n"
)

// generator makes documents that have what canonical forms are about: prefixes bound again, the default namespace set and
// taken back, xml:* attributes, instructions, comments, CDATA, references, line ends and tabs of all kinds.
type generator struct {
	*rand.Rand
	ids int
}

type made struct {
	name     string
	declared map[string]string // by prefix
	attrs    map[string]string // by name: the value as written
	content  []any             // string: as written; *made
	scope    map[string]string // namespaces in force
	xml      map[string]string // xml:* attributes of it and the elements around; bases are absolute, so that joining keeps the nearest
}

// No URI has "&": libxml2 writes it as it is into namespace declarations (2.9.14), and then its form is not well-formed.
var (
	prefixes = []string{"", "a", "b", "ns1", "é", "a.b"}
	uris     = []string{"urn:a", "urn:b", "http://example.org/x", "http://example.org/x?a=1", "urn:%C3%A9"}
	values   = []string{"", "1", " a  b ", "&#9;&#10;&#13;x", "a\tb\nc\r\nd\re", "&lt;&amp;&gt;", "it's", "&#x1F600;é", "&apos;&quot;", "&#38;lt;"}
	texts    = []string{"x", " \n ", "a\r\nb\rc\n", "&lt;&amp;&gt;&quot;&apos;", "<![CDATA[<&>]] ]]>", "<![CDATA[]]>", "&#13;&#10;&#9;", "]]&gt;",
		"<?pi?>", "<?pi  a  b?>", "<!-- c -->", "<!---->", "<!--\r\n-->", "<?x a\r\nb\rc?>", "\t>\"'", "Привет, мир", "&#x10FFFF;"}
	outside = []string{"<!-- outside -->", "<?pi outside?>", "\n", "<?q?>", " <!---->\r\n"}
)

func pick[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

func (g *generator) document() (doc string, root *made) {
	root = g.element(0, map[string]string{}, map[string]string{}, 2+g.IntN(6))
	var b strings.Builder
	if g.IntN(2) == 0 {
		b.WriteString(`<?xml version="1.0"?>`)
	}
	for range g.IntN(3) {
		b.WriteString(pick(g, outside))
	}
	g.write(&b, root)
	for range g.IntN(3) {
		b.WriteString(pick(g, outside))
	}
	return b.String(), root
}

func (g *generator) element(depth int, scope, inherited map[string]string, deep int) *made {
	e := &made{declared: map[string]string{}, attrs: map[string]string{}, scope: clone(scope), xml: clone(inherited)}
	for range g.IntN(4) * g.IntN(2) {
		g.declare(e)
	}
	bound := []string{""}
	for p := range e.scope {
		bound = append(bound, p)
	}
	slices.Sort(bound)
	e.name = qualified(pick(g, bound), pick(g, []string{"e", "el", "Ж", "x-1"}))
	for range g.IntN(5) {
		g.attribute(e, bound)
	}
	if g.IntN(4) == 0 {
		g.inheritable(e, "xml:lang", pick(g, []string{"ru", "en", ""}))
	}
	if g.IntN(6) == 0 {
		g.inheritable(e, "xml:space", pick(g, []string{"preserve", "default"}))
	}
	if g.IntN(8) == 0 {
		g.inheritable(e, "xml:base", pick(g, []string{"http://example.org/a/", "urn:x", "http://example.org/a/b?c"}))
	}
	g.ids++
	if g.IntN(8) == 0 {
		g.inheritable(e, "xml:id", fmt.Sprintf("x%d", g.ids))
	}
	e.attrs["Id"] = fmt.Sprintf("id-%d", g.ids)
	for range g.IntN(6) {
		if depth < deep && g.IntN(2) == 0 {
			e.content = append(e.content, g.element(depth+1, e.scope, e.xml, deep))
		} else {
			e.content = append(e.content, pick(g, texts))
		}
	}
	return e
}

func (g *generator) declare(e *made) {
	prefix, uri := pick(g, prefixes), pick(g, uris)
	if prefix == "" && g.IntN(3) == 0 {
		uri = ""
	}
	e.declared[prefix] = uri
	if e.scope[prefix] = uri; uri == "" {
		delete(e.scope, prefix)
	}
}

// attribute adds one, unless another prefix makes it the same name.
func (g *generator) attribute(e *made, bound []string) {
	prefix, local := pick(g, bound), pick(g, []string{"a", "b", "B", "é", "a1"})
	for _, other := range bound {
		if _, taken := e.attrs[qualified(other, local)]; taken && prefix != "" && e.scope[other] == e.scope[prefix] {
			return
		}
	}
	e.attrs[qualified(prefix, local)] = pick(g, values)
}

func (g *generator) inheritable(e *made, name, value string) {
	e.attrs[name], e.xml[name] = value, value
}

func qualified(prefix, local string) string {
	if prefix == "" {
		return local
	}
	return prefix + ":" + local
}

func (g *generator) write(b *strings.Builder, e *made) {
	b.WriteString("<" + e.name)
	var parts []string
	for p, uri := range e.declared {
		parts = append(parts, "xmlns"+strings.TrimSuffix(":"+p, ":")+`="`+uri+`"`)
	}
	for name, value := range e.attrs {
		quote := `"`
		if !strings.Contains(value, "'") && g.IntN(3) == 0 {
			quote = "'"
		}
		parts = append(parts, name+pick(g, []string{"=", " = ", "\n="})+quote+value+quote)
	}
	slices.Sort(parts)
	g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	for _, p := range parts {
		b.WriteString(pick(g, []string{" ", "\n  ", "\t"}) + p)
	}
	if len(e.content) == 0 && g.IntN(2) == 0 {
		b.WriteString(pick(g, []string{"/>", " />"}))
		return
	}
	b.WriteString(pick(g, []string{">", " >", "\r\n>"}))
	for _, c := range e.content {
		if child, ok := c.(*made); ok {
			g.write(b, child)
		} else {
			b.WriteString(c.(string))
		}
	}
	b.WriteString("</" + e.name + pick(g, []string{">", " >"}))
}

// alone returns the document that e would be if it had itself what it takes over from around it: its canonical form by the
// method is that of the subtree.
func (g *generator) alone(e *made, method string) string {
	whole := *e
	whole.declared, whole.attrs = clone(e.scope), clone(e.attrs)
	for name, value := range e.xml {
		if method == c14n.C14N10Comments || method == c14n.C14N11Comments && name != "xml:id" {
			whole.attrs[name] = value
		}
	}
	var b strings.Builder
	g.write(&b, &whole)
	return b.String()
}

// all returns e and the elements in it.
func (e *made) all() []*made {
	list := []*made{e}
	for _, c := range e.content {
		if child, ok := c.(*made); ok {
			list = append(list, child.all()...)
		}
	}
	return list
}

func clone(m map[string]string) map[string]string {
	c := make(map[string]string, len(m)+2)
	for k, v := range m {
		c[k] = v
	}
	return c
}
