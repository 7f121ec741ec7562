// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"errors"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
)

// covered reports whether a valid reference of a valid signature covers this part of doc: an element somebody would act on.
func covered(rep *cms.Report, doc, part string) bool {
	begin := int64(strings.Index(doc, part))
	end := begin + int64(len(part))
	for _, s := range rep.Signers {
		for _, r := range s.References {
			if !s.Valid || !r.Valid || begin < r.Begin || end > r.End {
				continue
			}
			hidden := false
			for _, h := range r.Holes {
				hidden = hidden || begin < h[1] && end > h[0]
			}
			if !hidden {
				return true
			}
		}
	}
	return false
}

// assertion is a signed element as single sign-on has it, and what an attacker puts beside it.
const (
	genuine = `<a:Assertion xmlns:a="urn:a" ID="original"><a:Subject>Демонстрационный Подписант</a:Subject>`
	subject = `<a:Subject>Злоумышленник</a:Subject>`
	closing = `</a:Assertion>`
)

// TestWrapping moves a signed element about the document, as the permutations XSW1 to XSW9 do, each with three kinds of Id on
// the forged element: its own, that of the signed one, and that one under another name.
func TestWrapping(t *testing.T) {
	h := holderOf(t, "p256")
	signed := h.fill(t, genuine+signatureText(c14n.Exclusive, referenceText("#original", TransformEnveloped, c14n.Exclusive), "")+closing)
	at := strings.Index(signed, "<ds:Signature")
	signature := signed[at : len(signed)-len(closing)]
	bare := genuine + closing // the signed element without its signature
	into := func(child string) string {
		return strings.Replace(signature, "</ds:Signature>", child+"</ds:Signature>", 1)
	}
	response := func(in string) string { return `<Response ID="response">` + in + `</Response>` }
	if doc := response(signed); !verify(t, doc, h.trust()).Valid() || !covered(verify(t, doc, h.trust()), doc, "Демонстрационный") {
		t.Fatal("the document to forge is not valid")
	}
	for name, forge := range map[string]func(open string) string{
		"XSW1 original in the forged one's signature": func(open string) string { return open + subject + into(bare) + closing },
		"XSW2 original before the signature":          func(open string) string { return open + subject + bare + signature + closing },
		"XSW3 forged before the original":             func(open string) string { return response(open + subject + closing + signed) },
		"XSW4 original in the forged one":             func(open string) string { return response(open + subject + signed + closing) },
		"XSW5 original after the forged one":          func(open string) string { return response(open + subject + signature + closing + bare) },
		"XSW6 original in the moved signature":        func(open string) string { return response(open + subject + into(bare) + closing) },
		"XSW7 forged in Extensions": func(open string) string {
			return response(`<Extensions>` + open + subject + closing + `</Extensions>` + signed)
		},
		"XSW8 original in an Object": func(open string) string {
			return response(open + subject + into("<ds:Object>"+bare+"</ds:Object>") + closing)
		},
		"XSW9 forged in an Object of the original": func(open string) string {
			return response(strings.Replace(signed, "</ds:Signature>", "<ds:Object>"+open+subject+closing+"</ds:Object></ds:Signature>", 1))
		},
	} {
		for kind, id := range map[string]string{
			"own Id": `ID="forged"`, "same Id": `ID="original"`, "same Id, other name": `Id="original"`, "same Id, xml:id": `xml:id="original"`,
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				doc := forge(`<a:Assertion xmlns:a="urn:a" ` + id + `>`)
				rep := verify(t, doc, h.trust())
				if covered(rep, doc, "Злоумышленник") {
					t.Errorf("the forged element counts as covered: %s", doc)
				}
				for _, s := range rep.Signers {
					for _, r := range s.References {
						if r.Whole || r.Valid && r.ID != "original" {
							t.Errorf("%+v", r)
						}
					}
				}
				if kind != "own Id" && rep.Valid() {
					t.Error("valid although two elements have the Id")
				}
				if name[:4] == "XSW1" || name[:4] == "XSW6" {
					if !errors.Is(rep.Signers[0].Problem, ErrFormat) {
						t.Errorf("an element in the signature that has no place there: %v", rep.Signers[0].Problem)
					}
				}
			})
		}
	}
}

// TestWrappingWhole hides a forged document where a signature of the whole document leaves a hole, and splits text by
// comments, which the canonical form does not keep.
func TestWrappingWhole(t *testing.T) {
	h := holderOf(t, "p256")
	doc := h.fill(t, `<d><sum>100</sum>`+signatureText(c14n.Exclusive, referenceText("", TransformEnveloped, c14n.Exclusive), "")+`</d>`)
	for name, forged := range map[string]string{
		"in an Object":           strings.Replace(doc, "</ds:Signature>", "<ds:Object><sum>900</sum></ds:Object></ds:Signature>", 1),
		"as another root's part": `<e><sum>900</sum>` + doc + `</e>`,
		"before":                 strings.Replace(doc, "<d>", "<d><sum>900</sum>", 1),
		"in KeyInfo":             strings.Replace(doc, "</ds:KeyInfo>", "<sum>900</sum></ds:KeyInfo>", 1),
		"in another signature":   strings.Replace(doc, "</d>", `<ds:Signature xmlns:ds="`+NamespaceDSig+`"><ds:Object><sum>900</sum></ds:Object></ds:Signature></d>`, 1),
	} {
		rep := verify(t, forged, h.trust())
		if covered(rep, forged, "900") {
			t.Errorf("%s: covered", name)
		}
		whole := rep.Signers[0].References[0].Whole
		if hidden := name == "in an Object" || name == "in KeyInfo"; rep.Valid() != hidden || hidden && !whole {
			t.Errorf("%s: valid %v, whole %v: %v", name, rep.Valid(), whole, rep.Signers[0].Problem)
		}
	}
	split := strings.Replace(doc, "100", "1<!-- -->00", 1)
	if rep := verify(t, split, h.trust()); !rep.Valid() || rep.Signers[0].References[0].Size != verify(t, doc, h.trust()).Signers[0].References[0].Size {
		t.Error("a comment changed what was digested")
	}
}

// TestWrappingProperties forges XAdES properties, of a signature that covers an element by Id: whatever is done elsewhere in the
// document changes no digest.
func TestWrappingProperties(t *testing.T) {
	h, other, twin := holderOf(t, "p256"), holderOf(t, "rsa2048"), twinOf(t, "p256")
	typed := typedReference("#props", TypeSignedProperties, c14n.Exclusive)
	text := signatureText(c14n.Exclusive, referenceText("#x", c14n.Exclusive)+typed, propertiesText)
	unfilled := `<d><sum Id="x">100</sum>` + text + `</d>`
	good := h.fill(t, unfilled)
	if rep := verify(t, good, h.trust()); !rep.Valid() || rep.Signers[0].Format != cms.FormatXAdESBES {
		t.Fatalf("the signature to forge is not valid: %v", rep.Signers[0].Problem)
	}
	properties, qualifying := partOf(good, "SignedProperties"), partOf(good, "QualifyingProperties")
	forged := strings.Replace(properties, "2026-05-06", "2020-01-01", 1)
	renamed := strings.Replace(forged, `"props"`, `"forged"`, 1)
	spaces := ` xmlns:ds="` + NamespaceDSig + `" xmlns:xades="` + NamespaceXAdES + `"`
	alone := func(s string) string { return strings.Replace(s, " Id", spaces+" Id", 1) }
	inner := propertiesText[len("<ds:Object>") : len(propertiesText)-len("</ds:Object>")]
	replace := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	resign := func(pairs ...string) string { return h.fill(t, strings.NewReplacer(pairs...).Replace(unfilled)) }
	for name, one := range map[string]struct {
		doc  string
		want error
	}{
		"SignedProperties twice":               {replace(properties, properties+forged), ErrFormat},
		"SignedProperties twice, forged first": {replace(properties, forged+properties), ErrFormat},
		"SignedProperties twice, other Id":     {replace(properties, renamed+properties), ErrFormat},
		"SignedProperties moved away":          {replace(qualifying, ""), ErrReference},
		"SignedProperties moved, forged here":  {strings.Replace(replace(properties, renamed), "<d>", "<d>"+alone(properties), 1), cms.ErrAttributes},
		"SignedProperties moved, as signed":    {h.fill(t, strings.Replace(strings.Replace(unfilled, signedText, strings.Replace(signedText, "props", "forged", 1), 1), "<d>", "<d>"+alone(signedText), 1)), cms.ErrAttributes},
		"Target of another signature":          {resign(`Target="#sig"`, `Target="#other"`), cms.ErrAttributes},
		"no Target":                            {resign(` Target="#sig"`, ``), ErrFormat},
		"signature without Id":                 {resign(` Id="sig"`, ``), cms.ErrAttributes},
		"reference without Type":               {resign(` Type="`+TypeSignedProperties+`"`, ``), cms.ErrAttributes},
		"no reference":                         {resign(typed, ``), cms.ErrAttributes},
		"two references of the Type":           {resign(typed, typed+typed), cms.ErrAttributes},
		"Type on another reference":            {resign(`URI="#x"`, `URI="#x" Type="`+TypeSignedProperties+`"`, ` Type="`+TypeSignedProperties+`"`, ``), cms.ErrAttributes},
		"certificate of somebody else":         {resign("CERTIFICATE", inBase64(other.cert.Raw)), cms.ErrAlgorithm},
		"certificate of somebody's like key":   {resign("CERTIFICATE", inBase64(h.root.Raw)), cms.ErrSignature},
		"other certificate of the same key":    {resign("CERTIFICATE", inBase64(twin.Raw)), cms.ErrSigningCertificate},
		"the same, after signing":              {replace(inBase64(h.cert.Raw), inBase64(twin.Raw)), cms.ErrSigningCertificate},
		"digest of another certificate":        {resign("THUMBPRINT", inBase64(make([]byte, 32))), cms.ErrSigningCertificate},
		"no certificate named":                 {resign(partOf(signedText, "SigningCertificateV2"), ""), cms.ErrSigningCertificate},
		"properties outside of the signature":  {h.fill(t, strings.Replace(strings.Replace(unfilled, propertiesText, "", 1), "<d>", `<d xmlns:ds="`+NamespaceDSig+`">`+inner, 1)), cms.ErrAttributes},
		"properties in KeyInfo":                {resign("</ds:KeyInfo>"+propertiesText, inner+"</ds:KeyInfo>"), ErrFormat},
		"second QualifyingProperties":          {replace(qualifying, qualifying+strings.Replace(qualifying, "props", "forged", 1)), ErrFormat},
		"second Object of properties":          {replace("</ds:Signature>", "<ds:Object>"+strings.Replace(qualifying, "props", "forged", 1)+"</ds:Object></ds:Signature>"), ErrFormat},
		"Id of an element of the document":     {replace("<d>", `<d Id="props">`), ErrReference},
		"Id under another name":                {replace("<d>", `<d xml:id="props">`), ErrReference},
		"copy in UnsignedProperties":           {replace("</xades:QualifyingProperties>", "<xades:UnsignedProperties>"+renamed+"</xades:UnsignedProperties></xades:QualifyingProperties>"), ErrFormat},
		"copy deep in an Object":               {replace("</ds:Signature>", "<ds:Object><x>"+alone(renamed)+"</x></ds:Object></ds:Signature>"), ErrFormat},
		"time changed":                         {replace("2026-05-06", "2020-01-01"), cms.ErrDigest},
		"transform that cuts":                  {resign(typed, typedReference("#props", TypeSignedProperties, parallel)), cms.ErrAttributes},
		"reference to the Object":              {resign(typed, typedReference("#o", TypeSignedProperties), "<ds:Object>", `<ds:Object Id="o">`), cms.ErrAttributes},
	} {
		t.Run(name, func(t *testing.T) {
			if one.doc == good {
				t.Fatal("nothing changed")
			}
			s := verify(t, one.doc, h.trust()).Signers[0]
			if s.Valid || !errors.Is(s.Problem, one.want) {
				t.Errorf("valid %v, problem %v: %s", s.Valid, s.Problem, one.doc)
			}
			if s.SigningTime.Year() == 2020 {
				t.Error("the forged time is reported")
			}
		})
	}
}

// partOf is an element of XAdES in s.
func partOf(s, name string) string {
	end := "</xades:" + name + ">"
	return s[strings.Index(s, "<xades:"+name) : strings.Index(s, end)+len(end)]
}

// twinOf returns another certificate of a holder's key, from the same CA name and with the same subject.
func twinOf(t *testing.T, kind string) *cert.Certificate {
	h := holderOf(t, kind)
	ca, err := algo.GenerateKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	root, err := cert.Build(cert.Template{Subject: h.root.Subject(), Key: ca.Public(), CA: true}, nil, ca)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.Build(cert.Template{Subject: h.cert.Subject(), Key: h.key.Public()}, root, ca)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
