// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// fixedHolder has the same key in every process: the documents a fuzzing process starts from were signed by another one.
func fixedHolder(t testing.TB) *holder {
	t.Helper()
	raw, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	h := &holder{id: algo.ECDSASHA256}
	if h.key, err = algo.ParsePKCS8(der); err != nil {
		t.Fatal(err)
	}
	person := cert.Person{CommonName: "Демонстрационный Подписант"}
	if h.cert, err = cert.Build(cert.Template{Subject: person, Key: h.key.Public()}, nil, h.key); err != nil {
		t.Fatal(err)
	}
	h.root = h.cert
	return h
}

// signedSeeds are documents of every form. None has the word FORGED in it.
func signedSeeds(t testing.TB, h *holder) []string {
	typed := typedReference("#props", TypeSignedProperties, c14n.Exclusive)
	filter2 := `<ds:Transform Algorithm="` + TransformFilter2 + `"><XPath xmlns="` + NamespaceFilter2 +
		`" Filter="subtract">//ds:Signature</XPath></ds:Transform>`
	var list []string
	for _, doc := range []string{
		`<d><e a="1">100</e>` + signatureText(c14n.Exclusive, referenceText("", TransformEnveloped, c14n.Exclusive), "") + `</d>`,
		`<d>1` + signatureText(c14n.C14N10, referenceText("", TransformEnveloped, parallel), "") + `<e/></d>`,
		`<d><e Id="x"><f>1</f></e><e Id="y"/>` + signatureText(c14n.C14N11, referenceText("#x", c14n.C14N11)+referenceText("#y")+typed, propertiesText) + `</d>`,
		signatureText(c14n.C14N10, referenceText("#o", TransformBase64), `<ds:Object Id="o">0J/RgNC4 0LLQtdGC</ds:Object>`),
		signatureText(c14n.Exclusive, referenceText("#o")+typed, propertiesText+`<ds:Object Id="o"><a>1</a></ds:Object>`),
		`<d xmlns="urn:d"><e Id="x"> 1<f/></e>` + signatureText(c14n.Exclusive, referenceText("#x", c14n.Exclusive, TransformSMEV), "") + `</d>`,
		`<d>1<e/>` + signatureText(c14n.C14N10Comments, referenceText("#xpointer(/)", filter2, c14n.C14N10Comments), "") + `</d>`,
		`<r><a ID="x"><s>1</s>` + signatureText(c14n.Exclusive, referenceText("#x", TransformEnveloped, c14n.Exclusive), "") + `</a></r>`,
	} {
		list = append(list, h.fill(t, doc))
	}
	return list
}

// FuzzVerify looks for documents that make the verifier panic, and for any that it calls signed although nobody signed what
// it says is covered.
func FuzzVerify(f *testing.F) {
	h := fixedHolder(f)
	known := map[string]bool{}
	for _, doc := range signedSeeds(f, h) {
		f.Add([]byte(doc))
		for _, octets := range digested(f, doc, h) {
			known[octets] = true
		}
	}
	if len(known) < 8 {
		f.Fatalf("only %d octet strings are known", len(known))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		for _, octets := range digested(t, string(doc), h) {
			if !known[octets] && !strings.Contains(octets, "SignedProperties") { // these have the certificate of another process
				t.Errorf("%q counts as signed", octets)
			}
		}
	})
}

// byHolder reports whether a signature is valid and made with h's key.
func byHolder(s *cms.SignerReport, h *holder) bool {
	return s.Valid && s.Certificate.Key.Equal(h.key.Public())
}

// digested returns the octets of all references of the valid signatures of h.
func digested(t testing.TB, doc string, h *holder) []string {
	t.Helper()
	octets := map[[2]int]*bytes.Buffer{}
	rep, err := Verify(context.Background(), strings.NewReader(doc), h.trust(), VerifyOptions{Canonical: func(s, r int) io.Writer {
		octets[[2]int{s, r}] = &bytes.Buffer{}
		return octets[[2]int{s, r}]
	}})
	if err != nil {
		return nil
	}
	var list []string
	for i := range rep.Signers {
		for k := range rep.Signers[i].References {
			if byHolder(&rep.Signers[i], h) {
				list = append(list, octets[[2]int{i, k}].String())
			}
		}
	}
	return list
}

// TestVerifyRearranged copies, moves, removes and renames elements of signed documents and puts forged ones among them, at
// random: what is forged is never in the covered part of a valid signature.
func TestVerifyRearranged(t *testing.T) {
	h := fixedHolder(t)
	seeds := signedSeeds(t, h)
	random := rand.New(rand.NewPCG(4, 1))
	read, valid := 0, 0
	for range 10_000 {
		edits := make([]byte, 3*(1+random.IntN(4)))
		for i := range edits {
			edits[i] = byte(random.Uint32())
		}
		was, is := checkRearranged(t, h, seeds[random.IntN(len(seeds))], edits)
		if was {
			read++
		}
		if is {
			valid++
		}
	}
	t.Logf("%d documents could be read, %d held a valid signature", read, valid)
	if read < 5_000 || valid < 500 {
		t.Error("too few to mean something")
	}
}

// FuzzRearranged is TestVerifyRearranged with edits that look for new ways through the code.
func FuzzRearranged(f *testing.F) {
	h := fixedHolder(f)
	seeds := signedSeeds(f, h)
	f.Add(byte(0), []byte{0, 1, 2})
	f.Add(byte(7), []byte{2, 1, 3, 4, 5, 6})
	f.Fuzz(func(t *testing.T, seed byte, edits []byte) {
		checkRearranged(t, h, seeds[int(seed)%len(seeds)], edits[:min(len(edits), 24)])
	})
}

// checkRearranged edits a document, verifies it, and tells whether it could be read and held a valid signature.
func checkRearranged(t testing.TB, h *holder, doc string, edits []byte) (read, valid bool) {
	for ; len(edits) >= 3; edits = edits[3:] {
		doc = rearranged(doc, edits[0], edits[1], edits[2])
	}
	rep, err := Verify(context.Background(), strings.NewReader(doc), h.trust(), VerifyOptions{})
	if err != nil {
		return false, false
	}
	for i := range rep.Signers {
		s := &rep.Signers[i]
		if !byHolder(s, h) {
			continue
		}
		valid = true
		for _, r := range s.References {
			if text := coveredText(doc, r); strings.Contains(text, "FORGED") {
				t.Errorf("covered: %s\nin %s", text, doc)
			}
			if !r.Valid || r.Whole && r.Begin != 0 {
				t.Errorf("%+v in %s", r, doc)
			}
		}
	}
	return true, valid
}

// coveredText is what a reference says it covers.
func coveredText(doc string, r cms.Reference) string {
	var b strings.Builder
	at := r.Begin
	for _, h := range r.Holes {
		b.WriteString(doc[at:max(at, h[0])])
		at = max(at, h[1])
	}
	b.WriteString(doc[at:max(at, r.End)])
	return b.String()
}

// rearranged carries out one edit. The numbers choose it and the elements it is about.
func rearranged(doc string, edit, i, j byte) string {
	list := elementsOf(doc)
	if len(list) == 0 {
		return doc
	}
	a, b := list[int(i)%len(list)], list[int(j)%len(list)]
	text := doc[a.begin:a.end]
	insert := func(at int64, s string) string { return doc[:at] + s + doc[at:] }
	without := func(s string) string { return strings.Replace(s, text, "", 1) }
	tag := int64(strings.IndexAny(text, " />")) + a.begin // where attributes go
	switch edit % 12 {
	case 0:
		return insert(b.end, text)
	case 1:
		return insert(b.begin, text)
	case 2:
		return doc[:a.begin] + doc[a.end:]
	case 3:
		return without(insert(b.end, text))
	case 4:
		return insert(b.begin, "<f>FORGED</f>")
	case 5:
		return insert(a.begin+int64(strings.Index(text, ">"))+1, "FORGED")
	case 6:
		return insert(tag, ` a="FORGED"`)
	case 7:
		return insert(tag, ` ID="`+[]string{"x", "o", "props", "sig", "y"}[j%5]+`"`)
	case 8:
		return doc[:a.begin] + "<w>" + text + "<f>FORGED</f></w>" + doc[a.end:]
	case 9:
		return doc[:a.begin] + strings.Replace(text, ` Id=`, ` ID=`, 1) + doc[a.end:]
	case 10:
		return insert(a.begin, "<ds:Object xmlns:ds=\""+NamespaceDSig+"\"><f>FORGED</f></ds:Object>")
	}
	return insert(b.begin, strings.Replace(text, ">", ">FORGED", 1))
}

// elementsOf lists the elements of a document, none when it cannot be read.
func elementsOf(doc string) []span {
	var list []span
	var open []int
	for r := xml.NewReader(strings.NewReader(doc), xml.Limits{}); ; {
		t, err := r.Next()
		switch {
		case err == io.EOF:
			return list
		case err != nil:
			return nil
		case t.Kind == xml.Start:
			open = append(open, len(list))
			list = append(list, span{begin: t.Begin})
		case t.Kind == xml.End:
			list[open[len(open)-1]].end = t.Fin
			open = open[:len(open)-1]
		}
	}
}
