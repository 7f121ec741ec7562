// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"persten/internal/cert"
	"persten/internal/xmldsig/c14n"
)

// TestVerifyFlippedBits changes one bit in 10,000 places of signed documents. What the signature does not cover is left out,
// with the reason.
func TestVerifyFlippedBits(t *testing.T) {
	const flips = 10_000
	a, b, c := holderOf(t, "gost256"), holderOf(t, "rsa2048"), holderOf(t, "p256")
	typed := typedReference("#props", TypeSignedProperties, c14n.Exclusive)
	data := `<d xmlns="urn:d" xmlns:b="urn:b"><b:e a="1" b:a="&#10;">сумма &amp; 100</b:e>`
	type unsigned struct{ from, to, reason string }
	key := unsigned{"<ds:KeyInfo", "</ds:KeyInfo>", "plain XMLDSig does not sign KeyInfo: another certificate of the same key may stand there"}
	id := unsigned{` Id="sig"`, `"sig"`, "nothing refers to the Id of a signature without properties"}
	docs := []struct {
		text string
		free []unsigned
	}{
		{b.fill(t, data+signatureText(c14n.Exclusive, referenceText("", TransformEnveloped, c14n.Exclusive), "")+"</d>"), []unsigned{key, id}},
		{a.fill(t, data+signatureText(c14n.C14N10, referenceText("", TransformEnveloped)+typed, propertiesText)+"</d>"), nil},
		{c.fill(t, data+signatureText(c14n.C14N11, referenceText("", TransformEnveloped, parallel)+typed, propertiesText)+"</d>"), nil},
		{a.fill(t, signatureText(c14n.Exclusive, referenceText("#o")+typed, propertiesText+`<ds:Object Id="o"><a>1</a></ds:Object>`)), nil},
	}
	trust := cert.Trust{Roots: []*cert.Certificate{a.root, b.root, c.root}}
	random := rand.New(rand.NewPCG(4, 2026))
	for done := 0; done < flips; {
		doc := docs[done%len(docs)]
		at, bit := random.IntN(len(doc.text)), byte(1)<<random.IntN(8)
		free := false
		for _, f := range doc.free {
			from := strings.Index(doc.text, f.from)
			free = free || at >= from && at < from+strings.Index(doc.text[from:], f.to)+len(f.to)
		}
		if free {
			continue
		}
		done++
		changed := []byte(doc.text)
		changed[at] ^= bit
		rep, err := Verify(context.Background(), bytes.NewReader(changed), trust, VerifyOptions{})
		if err == nil && rep.Valid() {
			t.Errorf("valid with bit %#x of byte %d changed: ...%s...", bit, at, changed[max(0, at-40):min(len(changed), at+40)])
		}
	}
	for i, doc := range docs {
		if !verify(t, doc.text, trust).Trusted() {
			t.Errorf("document %d was not valid to begin with", i)
		}
	}
}
