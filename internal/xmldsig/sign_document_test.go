// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// author writes random documents.
type author struct {
	*rand.Rand
	b     strings.Builder
	ids   []string
	paths []string // of elements
	enc   xml.Encoding
}

func (a *author) pick(list ...string) string { return list[a.IntN(len(list))] }

var charset = map[xml.Encoding]string{
	xml.UTF8: "яЯ漢😀 &amp;é", xml.UTF16LE: "яЯ漢😀 &lt;é", xml.UTF16BE: "яЯ漢😀é", xml.Windows1251: "яЯ№Ђ &#233;",
	xml.KOI8R: "яЯ═ &#x6f22;", xml.Latin1: "é§ &#1103;", xml.ASCII: "~ &#1103; &gt;",
}

func (a *author) word() string {
	runes := []rune(charset[a.enc])
	if a.IntN(2) == 0 || bytes.ContainsRune([]byte(charset[a.enc]), '&') {
		return a.pick("", " ", "x", "\n\t", charset[a.enc])
	}
	return string(runes[a.IntN(len(runes))])
}

func (a *author) name() string {
	if a.enc == xml.ASCII || a.enc == xml.Latin1 {
		return a.pick("a", "b", "long-name", "p:c")
	}
	return a.pick("a", "строка", "p:c", "p:поле", "_.1")
}

// element writes an element and what is in it. path is the parent's.
func (a *author) element(path string, depth int) {
	name := a.name()
	if path == "" {
		name = strings.TrimPrefix(name, "p:")
	}
	path += "/" + name
	a.b.WriteString("<" + name)
	if depth == 0 {
		a.b.WriteString(` xmlns:p="urn:p"`)
	} else if a.IntN(5) == 0 {
		a.b.WriteString(a.pick(` xmlns="urn:other"`, ` xmlns:p='urn:q'`, ` xmlns:ds="urn:not-ds"`, ` xml:lang = "ru"`))
	}
	if a.IntN(3) == 0 {
		id := fmt.Sprintf("id%d", len(a.ids))
		a.ids = append(a.ids, id)
		a.b.WriteString(` Id="` + id + `"`)
	}
	if a.IntN(3) == 0 {
		a.b.WriteString(` z="` + a.word() + `"`)
	}
	a.paths = append(a.paths, path)
	if a.IntN(4) == 0 {
		a.b.WriteString(a.pick("/>", " />", "\n/>"))
		return
	}
	a.b.WriteString(a.pick(">", " >"))
	for range a.IntN(5 - min(depth, 4)) {
		switch a.IntN(8) {
		case 0:
			a.b.WriteString("<!-- " + a.pick("c", "<ds:Signature>") + " -->")
		case 1:
			a.b.WriteString("<?pi " + a.pick("", "x") + "?>")
		case 2:
			a.b.WriteString("<![CDATA[<&]]>")
		case 3, 4:
			a.b.WriteString(a.word())
		default:
			a.element(path, depth+1)
		}
	}
	a.b.WriteString("</" + name + a.pick(">", " >"))
}

// document returns a random document in its encoding.
func (a *author) document(t testing.TB) string {
	t.Helper()
	a.enc = []xml.Encoding{xml.UTF8, xml.UTF16LE, xml.UTF16BE, xml.Windows1251, xml.KOI8R, xml.Latin1, xml.ASCII}[a.IntN(7)]
	label := strings.TrimSuffix(strings.TrimSuffix(string(a.enc), "le"), "be")
	if a.enc != xml.UTF8 || a.IntN(2) == 0 {
		a.b.WriteString(`<?xml version="1.0" encoding="` + label + `"?>` + a.pick("", "\n", "\r\n"))
	}
	a.b.WriteString(a.pick("", "<!--c-->", "<?p?>\n"))
	a.element("", 0)
	a.b.WriteString(a.pick("", "\n", "<!--d-->"))
	out, err := a.enc.Encode([]byte(a.b.String()))
	if err != nil {
		t.Fatalf("%v: %s", err, a.b.String())
	}
	mark := map[xml.Encoding]string{xml.UTF16LE: "\xff\xfe", xml.UTF16BE: "\xfe\xff"}[a.enc]
	if a.enc == xml.UTF8 {
		mark = a.pick("", "\xef\xbb\xbf")
	}
	return mark + string(out)
}

// without cuts the new signature, which the document holds nothing like, out of signed bytes.
func without(t testing.TB, signed string, enc xml.Encoding, id string) string {
	t.Helper()
	in := func(s string) []byte {
		b, err := enc.Encode([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := []byte(signed)
	begin := bytes.Index(b, in(`<ds:Signature xmlns:ds="`+NamespaceDSig+`" Id="`+id+`"`))
	end := bytes.LastIndex(b, in("</ds:Signature>"))
	if begin < 0 || end < 0 {
		t.Fatalf("no signature in %q", signed)
	}
	return string(slices.Concat(b[:begin], b[end+len(in("</ds:Signature>")):]))
}

// TestBytesOutside signs random documents in every encoding at random places. The result without the signature is the
// document, and Plan has told what Verify says is covered.
func TestBytesOutside(t *testing.T) {
	s := signerOf(t, algo.ECDSASHA256)
	encodings, places := map[xml.Encoding]int{}, map[Position]int{}
	for seed := range uint64(600) {
		a := &author{Rand: rand.New(rand.NewPCG(seed, 4))}
		doc := a.document(t)
		o := Options{
			SignatureID: "sig", Columns: []int{0, 64, 76}[a.IntN(3)], Namespaces: map[string]string{"p": "urn:p"},
			Profile: []Profile{DSig, XAdESBES}[a.IntN(2)], Roles: nil,
		}
		o.Place.Path = strings.ReplaceAll(a.pick(append(a.paths, "")...), "p:", "")
		o.Place.Position = []Position{"", LastChild, FirstChild, Before, After}[a.IntN(5)]
		if strings.Count(o.Place.Path, "/") < 2 && (o.Place.Position == Before || o.Place.Position == After) {
			o.Place.Position = FirstChild
		}
		if o.Profile == XAdESBES {
			o.Roles, o.MIMEType = []string{"роль 漢"}, "text/xml"
		}
		if len(a.ids) > 0 && a.IntN(2) == 0 {
			o.Mode, o.References = Detached, []Ref{{ID: a.ids[a.IntN(len(a.ids))]}}
		} else if a.IntN(3) == 0 {
			o.Parallel = true
		}
		if a.IntN(4) == 0 {
			o.C14N = a.pick(c14n.C14N10, c14n.C14N11, c14n.ExclusiveComments, c14n.C14N10Comments)
		}
		out := signDocument(t, s, doc, o)
		rep := verify(t, out, s.trust())
		if !rep.Valid() {
			t.Fatalf("seed %d: %v\n%s", seed, rep.Signers[0].Problem, out)
		}
		encodings[a.enc]++
		places[o.Place.Position]++
		got := without(t, out, a.enc, "sig")
		if got != doc && !sameButEmpty(t, doc, got, a.enc) {
			t.Fatalf("seed %d, %s: \n%q\nbecame\n%q", seed, a.enc, doc, got)
		}
		comparePlan(t, fmt.Sprint("seed ", seed), doc, out, o, rep)
	}
	t.Log(encodings, places)
}

// sameButEmpty reports whether one empty tag was opened and nothing else done.
func sameButEmpty(t testing.TB, doc, got string, enc xml.Encoding) bool {
	t.Helper()
	i := 0
	for i < min(len(doc), len(got)) && doc[i] == got[i] {
		i++
	}
	for n := range 3 { // of a two-byte encoding some of the bytes may be the same
		if i < n {
			break
		}
		from := i - n
		slash, _ := enc.Encode([]byte("/>"))
		rest, ok := strings.CutPrefix(doc[from:], string(slash))
		open := regexp.MustCompile(`^></[^<>/ ]+>$`)
		if ok && strings.HasSuffix(got[from:], rest) {
			middle := strings.TrimSuffix(got[from:], rest)
			text, err := decode(enc, middle)
			if err == nil && open.MatchString(text) {
				return true
			}
		}
	}
	return false
}

// decode reads a piece of text in an encoding by trying each character.
func decode(enc xml.Encoding, s string) (string, error) {
	var out strings.Builder
	alphabet := "abcdefghijklmnopqrstuvwxyz-<>/_.1:абвгдежзийклмнопрстуфхцчшщъыьэюя"
	for s != "" {
		found := false
		for _, r := range alphabet {
			if b, err := enc.Encode([]byte(string(r))); err == nil && strings.HasPrefix(s, string(b)) {
				out.WriteRune(r)
				s, found = s[len(b):], true
				break
			}
		}
		if !found {
			return "", fmt.Errorf("unknown character in %q", s)
		}
	}
	return out.String(), nil
}

// comparePlan checks Plan against the report on the signed document: the same references, and in both the same tokens.
func comparePlan(t testing.TB, name, doc, signed string, o Options, rep *cms.Report) {
	t.Helper()
	plan, err := Plan(context.Background(), strings.NewReader(doc), o)
	if err != nil {
		t.Fatalf("%s: plan: %v", name, err)
	}
	var data []cms.Reference
	for _, r := range rep.Signers[0].References {
		if !r.Own || o.Mode == Enveloping && r.Type == TypeObject {
			data = append(data, r)
		}
	}
	if len(data) != len(plan.References) {
		t.Fatalf("%s: %d references, planned %d", name, len(data), len(plan.References))
	}
	for i, r := range data {
		p := plan.References[i]
		if o.Mode == Enveloping {
			if !p.Whole || p.Begin >= p.End || p.Size != r.Size || !o.Base64 && !strings.Contains(coveredTokens(t, signed, r), coveredTokens(t, doc, p)) {
				t.Errorf("%s: %+v, planned %+v", name, r, p)
			}
			continue
		}
		if r.URI != p.URI || r.Name != p.Name || r.ID != p.ID || r.Size != p.Size || r.Whole != p.Whole {
			t.Errorf("%s: %+v, planned %+v", name, r, p)
		}
		before, after := coveredTokens(t, doc, p), coveredTokens(t, signed, r)
		if before != after {
			t.Errorf("%s: planned\n%s\ncovered\n%s", name, before, after)
		}
	}
}

// coveredTokens lists the tokens of a document that a reference covers; an empty element may be written in either way.
func coveredTokens(t testing.TB, doc string, ref cms.Reference) string {
	t.Helper()
	var b strings.Builder
	for r := xml.NewReader(strings.NewReader(doc), xml.Limits{}); ; {
		tok, err := r.Next()
		if err != nil {
			return b.String()
		}
		at := tok.Begin
		if tok.Kind == xml.End && tok.Begin == tok.Fin {
			at-- // belongs to the tag before
		}
		if covers(&ref, at) {
			fmt.Fprintf(&b, "%d %s %s %d|", tok.Kind, tok.Name.Local, tok.Data, len(tok.Attrs))
		}
	}
}

// TestTemplate: every byte outside the fields stays.
func TestTemplate(t *testing.T) {
	fields := regexp.MustCompile(`(?s)<ds:(DigestValue|SignatureValue|X509Certificate)(/>|>[^<]*</ds:[A-Za-z0-9]+>)`)
	for _, id := range []algo.ID{algo.RSASHA256, algo.GOST256} {
		a, _ := algo.Lookup(id)
		s := signerOf(t, id)
		text := strings.NewReplacer("ALGORITHM", a.XMLSignature, "DIGEST", a.Digest.XML()).Replace(orderTemplate)
		for name, doc := range map[string]string{
			"utf-8":        text,
			"windows-1251": windows1251(t, `<?xml version="1.0" encoding="windows-1251"?>`+text),
			"old values":   fields.ReplaceAllString(text, "<ds:$1>QUJD\n</ds:$1>"),
		} {
			o := Options{Mode: Template}
			if name == "old values" {
				o.Place.Path = "//Подпись/Signature"
			}
			out := signDocument(t, s, doc, o)
			if rep := verify(t, out, s.trust()); !rep.Valid() || !rep.Signers[0].Certificate.Equal(s.cert) {
				t.Errorf("%s: %v", name, rep.Signers[0].Problem)
			}
			if fields.ReplaceAllString(doc, "<$1>") != fields.ReplaceAllString(out, "<$1>") {
				t.Errorf("%s: %s\nbecame\n%s", name, doc, out)
			}
			plan, err := Plan(context.Background(), strings.NewReader(doc), o)
			if err != nil || plan.Algorithm != id || len(plan.References) != 2 {
				t.Errorf("%s: plan %+v, %v", name, plan, err)
			}
		}
		filled := func(method, digest string) string {
			return strings.NewReplacer("ALGORITHM", method, "DIGEST", digest).Replace(orderTemplate)
		}
		rsa, ecdsa := "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
		for why, doc := range map[string]string{
			"weak digest": filled(a.XMLSignature, algo.SHA1.XML()), "weak method": filled("http://www.w3.org/2000/09/xmldsig#rsa-sha1", a.Digest.XML()),
			"no template": order, "no method": filled("urn:x", a.Digest.XML()), "no digest method": filled(a.XMLSignature, "urn:x"),
			"strange transform": strings.Replace(text, TransformEnveloped, "http://www.w3.org/TR/1999/REC-xslt-19991116", 1),
			"absent Id":         strings.Replace(text, `URI="#a"`, `URI="#z"`, 1),
			"itself":            strings.Replace(text, `URI="#a"`, `URI="#t"`, 1),
			"no value":          strings.Replace(text, "<ds:SignatureValue></ds:SignatureValue>", "", 1),
		} {
			refused(t, why, s, doc, Options{Mode: Template}, ErrTemplate)
		}
		for _, method := range []string{rsa, ecdsa} {
			var w bytes.Buffer
			if err := Sign(context.Background(), &w, strings.NewReader(filled(method, a.Digest.XML())), s, Options{Mode: Template}); err == nil || w.Len() != 0 {
				t.Errorf("template for %s filled with %s", method, id)
			}
		}
	}
}

// TestParallel: three people sign one document one after another, and all the signatures stay valid. Without the option the
// second would break the first, which is refused.
func TestParallel(t *testing.T) {
	x := newXMLSec(t)
	doc := order
	for i, id := range []algo.ID{algo.RSASHA256, algo.GOST256, algo.ECDSASHA256} {
		s := signerOf(t, id)
		o := Options{Parallel: true, Profile: []Profile{DSig, XAdESBES, FNS}[i]}
		unsigned := doc
		doc = signDocument(t, s, doc, o)
		rep := verify(t, doc, s.trust())
		comparePlan(t, string(id), unsigned, doc, o, &cms.Report{Signers: rep.Signers[i:]})
		if first := rep.Signers[i].References[0]; !first.Whole || first.Begin == first.End {
			t.Errorf("covered: %+v", first)
		}
		if !rep.Valid() || len(rep.Signers) != i+1 {
			t.Fatalf("%d signatures: %+v", len(rep.Signers), rep.Signers)
		}
	}
	if said, ok := x.verify(doc, signerOf(t, algo.RSASHA256).cert); !ok {
		t.Errorf("xmlsec1 refuses the first: %s", said)
	}
	s := signerOf(t, algo.RSASHA256)
	once := signDocument(t, s, order, Options{})
	refused(t, "second", s, once, Options{}, ErrBreaks)
	refused(t, "second, parallel", s, once, Options{Parallel: true}, ErrBreaks)
	// A signature that is not valid anyway is nobody's loss.
	spoilt := strings.Replace(once, "Гайка", "Шайба", 1)
	if rep := verify(t, signDocument(t, s, spoilt, Options{}), s.trust()); rep.Signers[0].Valid || !rep.Signers[1].Valid {
		t.Errorf("%+v", rep.Signers)
	}
	// Signing what a signed document encloses leaves its signature to whoever takes the document out again.
	if rep := verify(t, signDocument(t, s, once, Options{Mode: Enveloping}), s.trust()); !rep.Signers[0].Valid {
		t.Errorf("%+v", rep.Signers)
	}
	// Signatures of different elements do not meet.
	first := signDocument(t, s, order, Options{Mode: Detached, References: []Ref{{ID: "a"}}})
	if rep := verify(t, signDocument(t, s, first, Options{Mode: Detached, References: []Ref{{ID: "b"}}}), s.trust()); !rep.Valid() {
		t.Errorf("%+v", rep.Signers)
	}
}

// TestTemplateBeside: filling one template leaves other signatures alone, or is refused when it cannot.
func TestTemplateBeside(t *testing.T) {
	a, _ := algo.Lookup(algo.GOST256)
	s := signerOf(t, algo.GOST256)
	text := strings.NewReplacer("ALGORITHM", a.XMLSignature, "DIGEST", a.Digest.XML()).Replace(orderTemplate)
	for _, position := range []Position{FirstChild, LastChild} { // before the template and after it
		parallel := signDocument(t, s, text, Options{Parallel: true, Place: Place{Position: position}})
		out := signDocument(t, s, parallel, Options{Mode: Template})
		if rep := verify(t, out, s.trust()); !rep.Valid() || len(rep.Signers) != 2 {
			t.Errorf("%s: %+v", position, rep.Signers)
		}
		around := signDocument(t, s, text, Options{Place: Place{Position: position}})
		refused(t, "template signed by another", s, around, Options{Mode: Template}, ErrBreaks)
	}
}

// TestTemplateKeyInfo: the certificate goes where the template has room for it, and stays out where it has not.
func TestTemplateKeyInfo(t *testing.T) {
	a, _ := algo.Lookup(algo.RSASHA256)
	s := signerOf(t, algo.RSASHA256)
	own := "<d:X509Certificate>" + inBase64(s.cert.Raw) + "</d:X509Certificate>"
	for keyInfo, want := range map[string]string{
		``:                                     ``,
		`<d:KeyInfo/>`:                         `<d:KeyInfo><d:X509Data>` + own + `</d:X509Data></d:KeyInfo>`,
		`<d:KeyInfo> </d:KeyInfo>`:             `<d:KeyInfo><d:X509Data>` + own + `</d:X509Data></d:KeyInfo>`,
		`<d:KeyInfo><d:X509Data/></d:KeyInfo>`: `<d:KeyInfo><d:X509Data>` + own + `</d:X509Data></d:KeyInfo>`,
		`<d:KeyInfo><d:KeyName>я</d:KeyName><d:X509Data/></d:KeyInfo>`: `<d:KeyInfo><d:KeyName>я</d:KeyName><d:X509Data>` + own + `</d:X509Data></d:KeyInfo>`,
		`<d:KeyInfo><d:KeyName>я</d:KeyName></d:KeyInfo>`:              `<d:KeyInfo><d:KeyName>я</d:KeyName></d:KeyInfo>`,
	} {
		doc := `<d:Signature xmlns:d="` + NamespaceDSig + `"><d:SignedInfo><d:CanonicalizationMethod Algorithm="` + c14n.C14N11 +
			`"/><d:SignatureMethod Algorithm="` + a.XMLSignature + `"/><d:Reference URI="#o"><d:DigestMethod Algorithm="` + a.Digest.XML() +
			`"/><d:DigestValue/></d:Reference></d:SignedInfo><d:SignatureValue/>` + keyInfo + `<d:Object Id="o"><x/></d:Object></d:Signature>`
		out := signDocument(t, s, doc, Options{Mode: Template})
		rep, err := Verify(context.Background(), strings.NewReader(out), s.trust(), VerifyOptions{Certificates: []*cert.Certificate{s.cert}})
		if err != nil || !rep.Valid() {
			t.Errorf("%s: %v, %+v", keyInfo, err, rep)
		}
		if !strings.Contains(out, "</d:SignatureValue>"+want+"<d:Object") {
			t.Errorf("%s became %s", keyInfo, out)
		}
		comparePlan(t, keyInfo, doc, out, Options{Mode: Template}, withData(rep))
	}
}

// withData leaves what comparePlan compares: references to data, also in an Object.
func withData(rep *cms.Report) *cms.Report {
	one := rep.Signers[0]
	one.References = slices.Clone(one.References)
	for i := range one.References {
		one.References[i].Own = false
	}
	return &cms.Report{Signers: []cms.SignerReport{one}}
}

// TestPlaces puts the signature, written §, everywhere.
func TestPlaces(t *testing.T) {
	s := signerOf(t, algo.ECDSASHA256)
	doc := `<r><b>1</b><c><b x="1"/><b>2</b></c><p:b xmlns:p="urn:p">3</p:b><b/></r>`
	for want, p := range map[string]Place{
		`<r>§<b>1</b><c><b x="1"/><b>2</b></c><p:b xmlns:p="urn:p">3</p:b><b/></r>`:    {"", FirstChild},
		`<r><b>1</b><c><b x="1"/><b>2</b></c><p:b xmlns:p="urn:p">3</p:b><b/>§</r>`:    {"/r", ""},
		`<r><b>1§</b><c><b x="1"/><b>2</b></c><p:b xmlns:p="urn:p">3</p:b><b/></r>`:    {"//b", LastChild},
		`<r><b>1</b><c>§<b x="1"/><b>2</b></c><p:b xmlns:p="urn:p">3</p:b><b/></r>`:    {"/r/c/b", Before},
		`<r><b>1</b><c><b x="1"/>§<b>2</b></c><p:b xmlns:p="urn:p">3</p:b><b/></r>`:    {"/r/c/b", After},
		`<r><b>1</b><c><b x="1">§</b><b>2</b></c><p:b xmlns:p="urn:p">3</p:b><b/></r>`: {"//c/b[1]", FirstChild},
		`<r><b>1</b><c><b x="1"/><b>§2</b></c><p:b xmlns:p="urn:p">3</p:b><b/></r>`:    {"//b[2]", FirstChild},
		`<r><b>1</b><c><b x="1"/><b>2</b>§</c><p:b xmlns:p="urn:p">3</p:b><b/></r>`:    {"/*/c", ""},
		`<r><b>1</b><c><b x="1"/><b>2</b></c><p:b xmlns:p="urn:p">3§</p:b><b/></r>`:    {"//q:b", ""},
		`<r><b>1</b><c><b x="1"/><b>2</b></c><p:b xmlns:p="urn:p">3</p:b>§<b/></r>`:    {"/r/b[2]", After},
		`<r><b>1</b><c><b x="1"/><b>2</b></c><p:b xmlns:p="urn:p">3</p:b><b>§</b></r>`: {"/r/b[3]", ""},
		`<r><b>1</b><c><b x="1"/><b>2§</b></c><p:b xmlns:p="urn:p">3</p:b><b/></r>`:    {"//*/*/*[2]", ""},
	} {
		out := signDocument(t, s, doc, Options{Place: p, Namespaces: map[string]string{"q": "urn:p"}})
		begin, end := strings.Index(out, "<ds:Signature "), strings.Index(out, "</ds:Signature>")+len("</ds:Signature>")
		if got := out[:begin] + "§" + out[end:]; got != want {
			t.Errorf("%v:\n%s, want\n%s", p, got, want)
		}
	}
	for _, empty := range []string{"<r/>", "<p:r\txmlns:p='urn:p' \n/>", "<?xml version='1.0'?><r a='/>'/>\n"} {
		out := signDocument(t, s, empty, Options{})
		if rep := verify(t, out, s.trust()); !rep.Valid() {
			t.Errorf("%s: %v", empty, rep.Signers[0].Problem)
		}
	}
	for _, path := range []string{
		"r", "/x", "//x", "/r/b[4]", "/r/b[0]", "/r/b[x]", "/r/b[1", "/", "//", "/r//", "/q:r", "/z:r", "/r[@a]", "/r/text()", "/r:q:b",
		strings.Repeat("/r", maxSteps+1), "/r/b[9999999999999999999]",
	} {
		refused(t, path, s, doc, Options{Place: Place{Path: path}, Namespaces: map[string]string{"q": "urn:p"}}, ErrPlace)
	}
	for _, p := range []Position{Before, After, "beside"} {
		refused(t, string(p), s, doc, Options{Place: Place{Position: p}}, ErrPlace)
	}
}

// TestKeyInfo: the optional parts are there, in the order of the options, and the chain holds each certificate once.
func TestKeyInfo(t *testing.T) {
	x := newXMLSec(t)
	for _, id := range []algo.ID{algo.RSASHA256, algo.ECDSASHA256, algo.GOST256} {
		s := signerOf(t, id)
		out := signDocument(t, s, order, Options{
			Chain: []*cert.Certificate{s.root, s.cert, s.root}, KeyValue: true, IssuerSerial: true, SubjectName: true, Columns: 64,
		})
		if rep := verify(t, out, s.trust()); !rep.Valid() || !rep.Trusted() {
			t.Errorf("%s: %v", id, rep.Signers[0].Problem)
		}
		if said, ok := x.verify(out, s.cert); !ok {
			t.Errorf("%s: xmlsec1: %s", id, said)
		}
		if n := strings.Count(out, "<ds:X509Certificate>"); n != 2 {
			t.Errorf("%s: %d certificates", id, n)
		}
		for _, want := range []string{"KeyValue>", "<ds:X509SubjectName>", "CN=Демонстрационный Подписант", s.cert.X509.SerialNumber.String()} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %s", id, want)
			}
		}
		for _, line := range strings.Split(out[strings.Index(out, "<ds:X509Certificate>"):], "\n")[1:3] {
			if len(line) != 64 {
				t.Errorf("%s: a line of %d characters", id, len(line))
			}
		}
	}
}
