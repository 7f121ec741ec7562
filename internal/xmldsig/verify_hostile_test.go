// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"persten/internal/cert"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// generated is a document made while it is read: head, a filling repeated until it is long enough, tail.
type generated struct {
	head, filling, tail string
	length              int64 // of all the fillings together, a multiple of one
	at                  int64
}

func (g *generated) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart {
		return 0, errors.New("only to the beginning")
	}
	g.at = 0
	return 0, nil
}

func (g *generated) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		var from string
		switch at, head := g.at, int64(len(g.head)); {
		case at < head:
			from = g.head[at:]
		case at < head+g.length:
			from = g.filling[(at-head)%int64(len(g.filling)):]
		case at < head+g.length+int64(len(g.tail)):
			from = g.tail[at-head-g.length:]
		default:
			if n == 0 {
				return 0, io.EOF
			}
			return n, nil
		}
		k := copy(p[n:], from)
		n, g.at = n+k, g.at+int64(k)
	}
	return n, nil
}

// TestVerifyHostile gives documents made to exhaust a verifier. Each is refused, or reported on, in the time its size allows:
// a second for every 64 KiB.
func TestVerifyHostile(t *testing.T) {
	sig := func(references, more string) string {
		return strings.ReplaceAll(strings.ReplaceAll(signatureText(c14n.Exclusive, references, more), "ALGORITHM", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"), "DIGEST", "http://www.w3.org/2001/04/xmlenc#sha256")
	}
	var filters strings.Builder
	for i := range 64 {
		fmt.Fprintf(&filters, "%s", strings.Replace(referenceText("", strings.Replace(parallel, "not(", fmt.Sprintf("%d=%d and not(", i, i), 1)), "DIGEST", "http://www.w3.org/2001/04/xmlenc#sha256", 1))
	}
	var distinct strings.Builder
	for i := range 60 {
		for k := range 128 {
			distinct.WriteString(sig(referenceText(fmt.Sprintf("#x%d.%d", i, k)), ""))
		}
	}
	deep := strings.Repeat("<a>", 200) + strings.Repeat("</a>", 200)
	signed := func(in string) string { return "<d>" + in + sig(referenceText("", TransformEnveloped), "") + "</d>" }
	for name, one := range map[string]struct {
		doc  string
		want error // of Verify; nil: a report that is not valid
	}{
		"entity bomb":             {`<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><d>&b;</d>`, xml.ErrDoctype},
		"external subset":         {`<!DOCTYPE d SYSTEM "http://a.test/d.dtd"><d/>`, xml.ErrDoctype},
		"external entity":         {`<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><d>&a;</d>`, xml.ErrDoctype},
		"parameter entities":      {`<!DOCTYPE d [<!ENTITY % a "<!ENTITY b 'c'>"> %a; %a;]><d/>`, xml.ErrDoctype},
		"depth of a million":      {strings.Repeat("<a>", 1e6) + strings.Repeat("</a>", 1e6), xml.ErrLimit},
		"100,000 attributes":      {"<d" + many(100_000, ` a%d=""`) + "/>", xml.ErrLimit},
		"100,000 namespaces":      {"<d" + many(100_000, ` xmlns:a%d="urn:a"`) + "/>", xml.ErrLimit},
		"100,000 signatures":      {"<d>" + strings.Repeat(`<Signature xmlns="`+NamespaceDSig+`"/>`, 100_000) + "</d>", ErrLimit},
		"nested signatures":       {strings.Repeat(`<Signature xmlns="`+NamespaceDSig+`">`, 200) + strings.Repeat("</Signature>", 200), ErrLimit},
		"10,000 references":       {signed(sig(strings.Repeat(referenceText(""), 10_000), "")), nil},
		"1,000,000 elements":      {strings.Replace(signed(""), "<ds:KeyInfo>", "<ds:KeyInfo>"+strings.Repeat("<a/>", 1_000_000), 1), nil},
		"100 transforms":          {"<d>" + sig(referenceText("", manyTransforms(100, c14n.Exclusive)...), "") + "</d>", nil},
		"transforms that grow":    {"<d>" + strings.Repeat("&lt;", 20_000) + sig(strings.Repeat(referenceText("", manyTransforms(8, c14n.Exclusive)...), 128), "") + "</d>", nil},
		"28 chains of documents":  {"<d>" + strings.Repeat("<a>1</a>", 5_000) + sig(distinctChains(4), "") + "</d>", nil},
		"140 chains of documents": {"<d>" + sig(distinctChains(20), "") + "</d>", ErrLimit},
		"64 filters":              {"<d>" + strings.Repeat("<a>1</a>", 4_000) + sig(filters.String(), "") + "</d>", nil},
		"64 filters, deep":        {"<d>" + strings.Repeat(deep, 40) + sig(filters.String(), "") + "</d>", ErrLimit},
		"7,680 signatures":        {"<d>" + distinct.String() + "</d>", ErrLimit},
		"many distinct Ids":       {"<d>" + strings.Repeat(`<a Id="x"/>`, 5_000) + many(60, "%d"+sig(distinctIDs(8), "")) + "</d>", nil},
		"640 distinct references": {"<d>" + many(5, "%d"+strings.ReplaceAll(sig(distinctIDs(128), ""), "#x", "#x%[1]d.")) + "</d>", ErrLimit},
		"too many distinct Ids":   {"<d>" + many(60, "%d"+sig(distinctIDs(128), "")) + "</d>", nil},
		"certificates":            {signed(strings.Replace(sig(referenceText(""), ""), "CERTIFICATE", strings.Repeat("MIIB", 200_000), 1)), nil},
		"40,000 certificates":     {strings.Replace(signed(""), "<ds:X509Certificate>CERTIFICATE</ds:X509Certificate>", strings.Repeat("<ds:X509Certificate>AAAA</ds:X509Certificate>", 40_000), 1), nil},
		"base64 of no end":        {signed(strings.Replace(sig(referenceText(""), ""), emptyValue, "<ds:SignatureValue>"+strings.Repeat("AAAA", 1<<20)+"</ds:SignatureValue>", 1)), nil},
		"properties of no end":    {"<d>" + sig(typedReference("#props", TypeSignedProperties, c14n.Exclusive), strings.Replace(propertiesText, "<xades:SignedSignatureProperties>", "<xades:SignedSignatureProperties>"+strings.Repeat("<a/>", 500_000), 1)) + "</d>", nil},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			rep, err := Verify(context.Background(), strings.NewReader(one.doc), cert.Trust{}, VerifyOptions{})
			took, allowed := time.Since(begin), time.Duration(1+len(one.doc)>>16)*time.Second
			if one.want != nil && !errors.Is(err, one.want) || one.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, one.want)
			}
			if err == nil && rep.Valid() {
				t.Error("valid")
			}
			if took > allowed {
				t.Errorf("%v for %d bytes", took, len(one.doc))
			}
			t.Logf("%v for %d bytes", took, len(one.doc))
		})
	}
}

func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func manyTransforms(n int, uri string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = uri
	}
	return list
}

// distinctChains is n references that each read octets as a document seven times.
func distinctChains(n int) string {
	var b strings.Builder
	for i := range n {
		list := manyTransforms(8, c14n.Exclusive)
		list[0] = fmt.Sprintf(`<ds:Transform Algorithm="%s"><x:InclusiveNamespaces xmlns:x="%s" PrefixList="p%d"/></ds:Transform>`, c14n.Exclusive, c14n.Exclusive, i)
		b.WriteString(strings.Replace(referenceText("", list...), "DIGEST", "http://www.w3.org/2001/04/xmlenc#sha256", 1))
	}
	return b.String()
}

func distinctIDs(n int) string {
	return many(n, strings.Replace(referenceText("#x%d"), "DIGEST", "http://www.w3.org/2001/04/xmlenc#sha256", 1))
}

// TestVerifyLarge checks that memory does not grow with the document.
func TestVerifyLarge(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() {
		size = 1 << 26
	}
	sig := strings.NewReplacer("ALGORITHM", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "DIGEST", "http://www.w3.org/2001/04/xmlenc#sha256").
		Replace(signatureText(c14n.Exclusive, referenceText("", TransformEnveloped, c14n.Exclusive), ""))
	doc := &generated{head: "<d>", filling: strings.Repeat("text of a document ", 64) + "\n0123456789abcde", tail: sig + "</d>"}
	doc.length = size / int64(len(doc.filling)) * int64(len(doc.filling))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	rep, err := Verify(context.Background(), doc, cert.Trust{}, VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	t.Logf("%d MiB in %v, %d KiB allocated", doc.length>>20, time.Since(begin), (after.TotalAlloc-before.TotalAlloc)>>10)
	if r := rep.Signers[0].References[0]; r.Size < doc.length || rep.Valid() {
		t.Errorf("%+v", r)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("%d MiB allocated", n>>20)
	}
}

// BenchmarkVerify checks an enveloped signature of 10 MB.
func BenchmarkVerify(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind, func(b *testing.B) {
			h := holderOf(b, kind)
			row := `<row id="17" b:kind="a"><name>Строка таблицы</name><sum>100.50</sum></row>` + "\n"
			doc := h.fill(b, `<d xmlns="urn:d" xmlns:b="urn:b">`+strings.Repeat(row, 10_000_000/len(row))+
				signatureText(c14n.Exclusive, referenceText("", TransformEnveloped, c14n.Exclusive), "")+"</d>")
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if rep := verify(b, doc, h.trust()); !rep.Trusted() {
					b.Fatal(rep.Signers[0].Problem)
				}
			}
		})
	}
}
