// SPDX-License-Identifier: GPL-3.0-or-later

package c14n_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// register returns a document of about this size, of the kind that portals exchange: records with prefixes, attributes and
// Russian text.
func register(size int) []byte {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<r:Register xmlns:r=\"urn:register\" xmlns:p=\"urn:person\" xmlns=\"urn:default\">\n")
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, `  <r:Record Id="rec-%d" status="active" p:kind="1">
    <p:Name first="Иван" last="Петров"/>
    <Amount currency="RUB">%d.50</Amount>
    <p:Note xml:lang="ru">Назначение платежа: оплата по договору &#8470; %d &amp; услуги связи</p:Note>
  </r:Record>
`, i, i*37, i)
	}
	b.WriteString("</r:Register>\n")
	return b.Bytes()
}

func benchmark(b *testing.B, n c14n.Nodes, m c14n.Method) {
	doc := register(10 << 20)
	b.Run("10MiB", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		b.ReportAllocs()
		for b.Loop() {
			j := &c14n.Job{Nodes: n, Method: m, Out: io.Discard}
			if err := c14n.Run(context.Background(), xml.NewReader(bytes.NewReader(doc), xml.Limits{}), 0, j); err != nil || j.Size == 0 {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkExclusive(b *testing.B) {
	benchmark(b, c14n.Document(), c14n.Method{URI: c14n.Exclusive})
}
func BenchmarkInclusive(b *testing.B) { benchmark(b, c14n.Document(), c14n.Method{URI: c14n.C14N10}) }

// BenchmarkFiltered decides every node by an expression that is not one of the short ways.
func BenchmarkFiltered(b *testing.B) {
	x, err := c14n.CompileXPath("not(ancestor-or-self::node()/self::ds:Signature)", ds, 0)
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, c14n.Document().Filter(x), c14n.Method{URI: c14n.Exclusive})
}

func BenchmarkSMEV(b *testing.B) {
	doc := register(10 << 20)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if err := c14n.SMEV(context.Background(), io.Discard, xml.NewReader(bytes.NewReader(doc), xml.Limits{})); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDeclarations is the worst case for looking up what is declared: thousands of prefixes, all bound again and again.
func BenchmarkDeclarations(b *testing.B) {
	var s strings.Builder
	s.WriteString("<r>")
	for i := range 4 {
		s.WriteString("<e")
		for k := range 1000 {
			fmt.Fprintf(&s, ` xmlns:p%d="urn:%d"`, i*1000+k, k)
		}
		s.WriteString(">")
	}
	for range 50000 {
		s.WriteString(`<p3999:x xmlns:p1="urn:x"/>`)
	}
	s.WriteString("</e></e></e></e></r>")
	b.SetBytes(int64(s.Len()))
	for b.Loop() {
		for _, uri := range []string{c14n.C14N10, c14n.Exclusive} {
			j := &c14n.Job{Method: c14n.Method{URI: uri}, Out: io.Discard}
			if err := c14n.Run(context.Background(), xml.NewReader(strings.NewReader(s.String()), xml.Limits{}), 0, j); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkDeclarationsFiltered is the same with filters, which have to decide on every namespace node, or could.
func BenchmarkDeclarationsFiltered(b *testing.B) {
	doc := strings.TrimSuffix(declaring(2000, 80), strings.Repeat("</e>", 83)) + strings.Repeat("<p0-1:x/>", 2000) + strings.Repeat("</e>", 83)
	path, err := c14n.CompilePath("//none", nil, 0)
	if err != nil {
		b.Fatal(err)
	}
	always, err := c14n.CompileXPath("true()", nil, 0)
	if err != nil {
		b.Fatal(err)
	}
	sets := map[string]c14n.Nodes{
		"path":       c14n.Document().Filter2([]c14n.SetOp{{Op: c14n.Subtract, Path: path}}),
		"expression": c14n.Document().Filter(always),
	}
	for name, nodes := range sets {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for _, uri := range []string{c14n.C14N10, c14n.Exclusive} {
					j := &c14n.Job{Nodes: nodes, Method: c14n.Method{URI: uri}, Out: io.Discard}
					if err := c14n.Run(context.Background(), xml.NewReader(strings.NewReader(doc), xml.Limits{}), 0, j); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkReaderOnly(b *testing.B) {
	doc := register(10 << 20)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		r := xml.NewReader(bytes.NewReader(doc), xml.Limits{})
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
