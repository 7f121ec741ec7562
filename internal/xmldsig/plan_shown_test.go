// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// million is what a hostile page wants signed unseen.
const million = "I owe a million"

// hostileOrders are documents and orders that try to sign the million without showing it, or to show it without signing it.
var hostileOrders = map[string]struct {
	doc string
	o   Options
}{
	"text alone": {`<d><a Id="a">hello</a><b>` + million + `</b>` +
		toFill(referenceText("#a", c14n.Exclusive)+referenceText("", TransformEnveloped, xpath("", "self::text()"), c14n.C14N10), "") + `</d>`, Options{}},
	"attributes alone": {`<d><a Id="a">hello</a><b say="` + million + `"/>` + toFill(referenceText("#a", c14n.Exclusive)+
		referenceText("", TransformEnveloped, xpath("", "count(parent::*/@say)=1 and not(self::text()) and not(self::b)"), c14n.C14N10), "") + `</d>`, Options{}},
	"comments alone": {`<d><a Id="a">hello</a><!-- ` + million + ` -->` + toFill(referenceText("#a", c14n.Exclusive)+
		referenceText("#xpointer(/)", TransformEnveloped, xpath("", "self::comment()"), c14n.C14N10Comments), "") + `</d>`, Options{}},
	"comment in an element": {`<d><a Id="a">hello<!-- ` + million + ` --></a>` +
		toFill(referenceText("#xpointer(id('a'))", c14n.C14N10Comments), "") + `</d>`, Options{}},
	"comment dropped": {`<d><a Id="a">hello<!-- ` + million + ` --></a>` +
		toFill(referenceText("#xpointer(id('a'))", c14n.C14N10Comments, c14n.Exclusive), "") + `</d>`, Options{}},
	"instruction alone": {`<?b ` + million + `?><d><a Id="a">hello</a>` + toFill(referenceText("#a", c14n.Exclusive)+
		referenceText("", TransformEnveloped, xpath("", "self::processing-instruction()"), c14n.C14N10), "") + `</d>`, Options{}},
	"instruction beside the root": {`<?b ` + million + `?><d>hello</d>`, Options{Mode: Enveloped}},
	"instruction after the root":  {`<d>hello</d><?b ` + million + `?>`, Options{Mode: Enveloped}},
	"instruction, parallel":       {`<d>hello</d><?b ` + million + `?>`, Options{Mode: Enveloped, Parallel: true}},
	"instruction under SMEV": {`<d xmlns="urn:d"><c Id="c">1<?b ` + million + `?>0</c><CallerInformationSystemSignature/></d>`,
		Options{Mode: Detached, Profile: SMEV3, References: []Ref{{ID: "c"}}}},
	"object beside properties": {`<d><a Id="a">hello</a>` + toFill(referenceText("#a", c14n.Exclusive)+referenceText("#hid", c14n.Exclusive)+
		typedReference("#props", TypeSignedProperties, c14n.Exclusive), object(`<b Id="hid">`+million+`</b>`, "")) + `</d>`, Options{}},
	"inside the properties": {`<d><a Id="a">hello</a>` + toFill(referenceText("#a", c14n.Exclusive)+referenceText("#hid", c14n.Exclusive),
		object("", `<b Id="hid">`+million+`</b>`)) + `</d>`, Options{}},
	"KeyName": {`<d><a Id="a">hello</a>` + strings.Replace(toFill(referenceText("#a", c14n.Exclusive)+referenceText("#hid", c14n.Exclusive), ""),
		"<ds:KeyInfo>", `<ds:KeyInfo><ds:KeyName Id="hid">`+million+`</ds:KeyName>`, 1) + `</d>`, Options{}},
	"cut out before a filter": {`<r><d Id="d"><a>hello</a><x>` + million + `</x></d>` +
		toFill(referenceText("#d", xpath("", "not(ancestor-or-self::x)"), xpath("", "true()"), c14n.Exclusive), "") + `</r>`, Options{}},
	"put back into a hole": {`<d><a>hello<b>x<c>y</c></b> ` + million + `</a>` + toFill(referenceText("",
		filter2("intersect", "//a", "subtract", "//b", "union", "//c"), c14n.Exclusive), "") + `</d>`, Options{}},
	"in what looks like a signature": {`<d>ok<ds:Signature xmlns:ds="` + NamespaceDSig + `"><ds:Object>` + million + `</ds:Object></ds:Signature></d>`,
		Options{Mode: Enveloped, Parallel: true}},
}

// TestShownIsSigned: what a plan covers is what is digested, or there is no plan.
func TestShownIsSigned(t *testing.T) {
	s := signerOf(t, algo.RSASHA256)
	planned := 0
	for name, one := range hostileOrders {
		if one.o.Mode == "" {
			one.o.Mode = Template
		}
		plan, err := Plan(context.Background(), strings.NewReader(one.doc), one.o)
		if err != nil {
			t.Logf("%s: refused: %v", name, err)
			continue
		}
		if !told(plan.References) {
			continue // signing shows no such plan
		}
		var w bytes.Buffer
		if err := Sign(context.Background(), &w, strings.NewReader(one.doc), s, one.o); err != nil {
			t.Logf("%s: not signed: %v", name, err)
			continue
		}
		planned++
		out := w.String()
		var octets strings.Builder
		rep := verifyWith(t, out, s.trust(), VerifyOptions{Canonical: func(signature, _ int) io.Writer { return &octets }})
		if last := rep.Signers[len(rep.Signers)-1]; !last.Valid {
			t.Fatalf("%s: %v", name, last.Problem)
		}
		shown, signed := showsMillion(t, one.doc, plan.References), strings.Contains(octets.String(), million)
		if shown != signed {
			t.Errorf("%s: shown %v, signed %v: %+v", name, shown, signed, plan.References)
		}
		if reported := showsMillion(t, out, rep.Signers[len(rep.Signers)-1].References); reported != signed {
			t.Errorf("%s: reported %v, signed %v", name, reported, signed)
		}
		for _, r := range plan.References {
			if r.Whole && len(r.Holes) > 0 && !strings.Contains(one.doc, "SignedInfo") {
				t.Errorf("%s: whole, with holes that are no signatures: %v", name, r.Holes)
			}
		}
	}
	if planned < 8 {
		t.Errorf("only %d orders had a plan", planned)
	}
}

// told reports whether it is known of every reference what it covers.
func told(list []cms.Reference) bool {
	for _, r := range list {
		if r.Begin >= r.End {
			return false
		}
	}
	return len(list) > 0
}

// showsMillion reports whether the token that says it is covered.
func showsMillion(t *testing.T, doc string, list []cms.Reference) bool {
	t.Helper()
	for r := xml.NewReader(strings.NewReader(doc), xml.Limits{}); ; {
		tok, err := r.Next()
		if err != nil {
			return false
		}
		if !strings.Contains(doc[tok.Begin:tok.Fin], million) {
			continue
		}
		for _, ref := range list {
			if covers(&ref, tok.Begin) && (tok.Kind != xml.Comment || ref.Comments) && (tok.Kind != xml.Instruction || ref.Instructions) {
				return true
			}
		}
	}
}

// toFill is a signature to fill.
func toFill(references, more string) string {
	a, _ := algo.Lookup(algo.RSASHA256)
	return strings.NewReplacer("ALGORITHM", a.XMLSignature, "DIGEST", a.Digest.XML(), "CERTIFICATE", "",
		"<ds:DigestValue>AAAA</ds:DigestValue>", "<ds:DigestValue/>", emptyValue, "<ds:SignatureValue/>").Replace(signatureText(c14n.Exclusive, references, more))
}

// object holds something and properties that hold something.
func object(beside, inside string) string {
	return `<ds:Object>` + beside + `<xades:QualifyingProperties xmlns:xades="` + NamespaceXAdES + `" Target="#sig"><xades:SignedProperties Id="props">` +
		inside + `</xades:SignedProperties></xades:QualifyingProperties></ds:Object>`
}

// filter2 is a transform of pairs: what to do, and a path.
func filter2(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		b.WriteString(`<f:XPath xmlns:f="` + NamespaceFilter2 + `" Filter="` + pairs[i] + `">` + pairs[i+1] + `</f:XPath>`)
	}
	return `<ds:Transform Algorithm="` + TransformFilter2 + `">` + b.String() + `</ds:Transform>`
}
