// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// holder is a key with a certificate of a CA of the same kind.
type holder struct {
	key  algo.PrivateKey
	id   algo.ID
	cert *cert.Certificate
	root *cert.Certificate
}

func (h *holder) trust() cert.Trust { return cert.Trust{Roots: []*cert.Certificate{h.root}} }

var holders sync.Map

// holderOf returns the one holder of a kind of key.
func holderOf(t testing.TB, kind string) *holder {
	t.Helper()
	if h, ok := holders.Load(kind); ok {
		return h.(*holder)
	}
	h := &holder{}
	var err error
	if h.key, err = algo.GenerateKey(kind); err != nil {
		t.Fatal(err)
	}
	ca, err := algo.GenerateKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	h.id = h.key.Public().Algorithms()[0]
	if h.root, err = cert.Build(cert.Template{Subject: cert.Person{CommonName: "Корень " + kind}, Key: ca.Public(), CA: true}, nil, ca); err != nil {
		t.Fatal(err)
	}
	person := cert.Person{CommonName: "Демонстрационный Подписант", INN: "500100732259"}
	if h.cert, err = cert.Build(cert.Template{Subject: person, Key: h.key.Public()}, h.root, ca); err != nil {
		t.Fatal(err)
	}
	actual, _ := holders.LoadOrStore(kind, h)
	return actual.(*holder)
}

// Words of test documents: fill puts in what they stand for.
const (
	emptyDigest = "<ds:DigestValue>AAAA</ds:DigestValue>"
	emptyValue  = "<ds:SignatureValue>AAAA</ds:SignatureValue>"
	algorithmAt = "ALGORITHM"
	digestAt    = "DIGEST"
	certAt      = "CERTIFICATE"
	printAt     = "THUMBPRINT"
)

// fill signs every signature of doc whose values are empty, in document order, with what Verify is made of and without its
// checks: it signs whatever the references lead to.
func (h *holder) fill(t testing.TB, doc string) string {
	t.Helper()
	a, _ := algo.Lookup(h.id)
	doc = strings.NewReplacer(algorithmAt, a.XMLSignature, digestAt, a.Digest.XML(), certAt, inBase64(h.cert.Raw),
		printAt, inBase64(a.Digest.Sum(h.cert.Raw))).Replace(doc)
	for n := strings.Count(doc, emptyValue); n > 0; n-- {
		number := -1
		for i, sig := range scanned(t, doc).found {
			if sig.info != nil && bytes.Equal(sig.value, []byte{0, 0, 0}) && number < 0 {
				number = i
			}
		}
		if number < 0 {
			t.Fatalf("no readable empty signature in %s", doc)
		}
		doc = h.fillOne(t, doc, number)
	}
	return doc
}

func (h *holder) fillOne(t testing.TB, doc string, number int) string {
	t.Helper()
	for n := range scanned(t, doc).found[number].info.references {
		sig := scanned(t, doc).found[number]
		ref := &sig.info.references[n]
		if !bytes.Equal(ref.value, []byte{0, 0, 0}) {
			continue
		}
		c, err := newChain(ref, sig.begin, DefaultIDNames)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := algo.DigestByXML(ref.digest)
		w := newWork(c, d)
		runWork(t, doc, w)
		value := inBase64(w.sum.Sum(nil))
		doc = doc[:sig.begin] + strings.Replace(doc[sig.begin:], emptyDigest, "<ds:DigestValue>"+value+"</ds:DigestValue>", 1)
	}
	sig := scanned(t, doc).found[number]
	var octets bytes.Buffer
	job := &c14n.Job{Nodes: c14n.Element(sig.infoAt).WithComments(), Method: sig.info.method, Out: &octets}
	if err := c14n.Run(context.Background(), xml.NewReader(strings.NewReader(doc), xml.Limits{}), 0, job); err != nil {
		t.Fatal(err)
	}
	raw, err := h.key.Sign(rand.Reader, h.id, algo.Input{Message: octets.Bytes()})
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = algo.ToXML(h.key.Public(), h.id, raw); err != nil {
		t.Fatal(err)
	}
	value := inBase64(raw)
	return doc[:sig.begin] + strings.Replace(doc[sig.begin:], emptyValue, "<ds:SignatureValue>"+value+"</ds:SignatureValue>", 1)
}

func inBase64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func scanned(t testing.TB, doc string) *scanner {
	t.Helper()
	s, err := scan(context.Background(), xml.NewReader(strings.NewReader(doc), xml.Limits{}))
	if err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	return s
}

func runWork(t testing.TB, doc string, w *work) {
	t.Helper()
	b := &budget{}
	b.left.Store(1 << 30)
	w.start(context.Background(), xml.Limits{}, b, false)
	err := c14n.Run(context.Background(), xml.NewReader(strings.NewReader(doc), xml.Limits{}), 0, w.job)
	w.finish(err)
	if err = errors.Join(err, w.err); err != nil {
		t.Fatal(err)
	}
}

// verify returns the report on a document that can be read.
func verify(t testing.TB, doc string, trust cert.Trust) *cms.Report {
	t.Helper()
	return verifyWith(t, doc, trust, VerifyOptions{})
}

func verifyWith(t testing.TB, doc string, trust cert.Trust, o VerifyOptions) *cms.Report {
	t.Helper()
	rep, err := Verify(context.Background(), strings.NewReader(doc), trust, o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// signatureText is a ds:Signature to fill. references are whole ds:Reference elements, more goes in after KeyInfo.
func signatureText(method, references, more string) string {
	return `<ds:Signature xmlns:ds="` + NamespaceDSig + `" Id="sig"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="` + method +
		`"/><ds:SignatureMethod Algorithm="ALGORITHM"/>` + references + `</ds:SignedInfo>` + emptyValue +
		`<ds:KeyInfo><ds:X509Data><ds:X509Certificate>CERTIFICATE</ds:X509Certificate></ds:X509Data></ds:KeyInfo>` + more + `</ds:Signature>`
}

// referenceText is a ds:Reference to fill; transforms are names, or whole ds:Transform elements.
func referenceText(uri string, transforms ...string) string {
	return typedReference(uri, "", transforms...)
}

func typedReference(uri, kind string, transforms ...string) string {
	var b strings.Builder
	b.WriteString(`<ds:Reference URI="` + uri + `"`)
	if kind != "" {
		b.WriteString(` Type="` + kind + `"`)
	}
	b.WriteString(`>`)
	if len(transforms) > 0 {
		b.WriteString(`<ds:Transforms>`)
		for _, one := range transforms {
			if !strings.HasPrefix(one, "<") {
				one = `<ds:Transform Algorithm="` + one + `"/>`
			}
			b.WriteString(one)
		}
		b.WriteString(`</ds:Transforms>`)
	}
	b.WriteString(`<ds:DigestMethod Algorithm="DIGEST"/>` + emptyDigest + `</ds:Reference>`)
	return b.String()
}

// xpath is an XPath transform; declarations go on its XPath element.
func xpath(declarations, expression string) string {
	return `<ds:Transform Algorithm="` + TransformXPath + `"><ds:XPath` + declarations + `>` + expression + `</ds:XPath></ds:Transform>`
}

// parallel is the transform that leaves out every signature.
const parallel = `<ds:Transform Algorithm="` + TransformXPath + `"><ds:XPath>not(ancestor-or-self::ds:Signature)</ds:XPath></ds:Transform>`

// propertiesText is a ds:Object with XAdES properties for the signature "sig".
const propertiesText = `<ds:Object><xades:QualifyingProperties xmlns:xades="` + NamespaceXAdES + `" Target="#sig">` + signedText + `</xades:QualifyingProperties></ds:Object>`

const signedText = `<xades:SignedProperties Id="props"><xades:SignedSignatureProperties>` +
	`<xades:SigningTime>2026-05-06T07:08:09+03:00</xades:SigningTime><xades:SigningCertificateV2><xades:Cert><xades:CertDigest>` +
	`<ds:DigestMethod Algorithm="DIGEST"/><ds:DigestValue>THUMBPRINT</ds:DigestValue></xades:CertDigest></xades:Cert></xades:SigningCertificateV2>` +
	`</xades:SignedSignatureProperties></xades:SignedProperties>`

var kinds = []string{"rsa2048", "p256", "gost256", "gost512"}

// checkHolds requires that every signature is valid and trusted.
func checkHolds(t testing.TB, rep *cms.Report) {
	t.Helper()
	for i, s := range rep.Signers {
		if !s.Valid || !s.Trusted {
			t.Errorf("signature %d: valid %v (%v), trusted %v (%v)", i, s.Valid, s.Problem, s.Trusted, s.TrustProblem)
		}
	}
}

func TestVerifyEnveloped(t *testing.T) {
	for _, kind := range kinds {
		h := holderOf(t, kind)
		for _, method := range []string{c14n.C14N10, c14n.C14N11, c14n.Exclusive, c14n.C14N10Comments, c14n.C14N11Comments, c14n.ExclusiveComments} {
			doc := h.fill(t, `<?xml version="1.0"?><!-- a --><d xml:lang="ru"><e a="&#10;">текст<!-- b --></e>`+
				signatureText(method, referenceText("", TransformEnveloped, method), "")+"</d>\n")
			rep := verify(t, doc, h.trust())
			checkHolds(t, rep)
			s := rep.Signers[0]
			if s.Format != cms.FormatXMLDSig || s.ID != "sig" || s.Algorithm != h.id || !s.Certificate.Equal(h.cert) || len(s.References) != 1 {
				t.Fatalf("%s, %s: %+v", kind, method, s)
			}
			r := s.References[0]
			begin, end := int64(strings.Index(doc, "<ds:Signature")), int64(strings.Index(doc, "</ds:Signature>")+len("</ds:Signature>"))
			if !r.Whole || r.Own || !r.Valid || r.Name != "d" || len(r.Holes) != 1 || r.Holes[0] != [2]int64{begin, end} {
				t.Errorf("%s, %s: %+v", kind, method, r)
			}
			if rep.Content.Size != int64(len(doc)) || !rep.Attached {
				t.Errorf("%+v", rep.Content)
			}
		}
	}
}

// TestVerifyProperties reads a XAdES signature, and what Canonical gets.
func TestVerifyProperties(t *testing.T) {
	h := holderOf(t, "gost256")
	doc := h.fill(t, `<d><e Id="x">текст</e>`+signatureText(c14n.Exclusive,
		referenceText("#x", c14n.Exclusive)+typedReference("#props", TypeSignedProperties, c14n.Exclusive), propertiesText)+`</d>`)
	octets := map[int]*bytes.Buffer{}
	o := VerifyOptions{Canonical: func(signature, reference int) io.Writer {
		octets[reference] = &bytes.Buffer{}
		return octets[reference]
	}}
	rep, err := Verify(context.Background(), strings.NewReader(doc), h.trust(), o)
	if err != nil {
		t.Fatal(err)
	}
	checkHolds(t, rep)
	s := rep.Signers[0]
	if s.Format != cms.FormatXAdESBES || !s.SigningTime.Equal(time.Date(2026, 5, 6, 4, 8, 9, 0, time.UTC)) {
		t.Errorf("%s at %v", s.Format, s.SigningTime)
	}
	if got := octets[0].String(); got != `<e Id="x">текст</e>` {
		t.Errorf("octets of the first reference: %s", got)
	}
	if r := s.References[0]; doc[r.Begin:r.End] != `<e Id="x">текст</e>` || r.ID != "x" || r.Name != "e" || r.Own || r.Whole {
		t.Errorf("%+v", r)
	}
	if r := s.References[1]; !r.Own || r.ID != "props" || !strings.HasPrefix(doc[r.Begin:r.End], "<xades:SignedProperties") {
		t.Errorf("%+v", r)
	}
}

// TestVerifyForms goes through forms of references and what is said about them.
func TestVerifyForms(t *testing.T) {
	h := holderOf(t, "p256")
	for name, one := range map[string]struct {
		doc  string
		want string // of the first reference: name, own, whole, exact
		err  error
	}{
		"enveloping":        {signatureText(c14n.C14N10, referenceText("#o"), `<ds:Object Id="o"><a>1</a></ds:Object>`), "Object true false true", nil},
		"base64":            {signatureText(c14n.C14N10, referenceText("#o", TransformBase64), `<ds:Object Id="o">0J/RgNC4 0LLQtdGC</ds:Object>`), "Object true false false", nil},
		"xpointer":          {`<d><e ID="x">1<!-- 2 --></e>` + signatureText(c14n.C14N10, referenceText("#xpointer(id('x'))", c14n.C14N10Comments), "") + `</d>`, "e false false true", nil},
		"root":              {`<d>1<!-- 2 -->` + signatureText(c14n.C14N10, referenceText("#xpointer(/)", TransformEnveloped), "") + `</d>`, "d false true true", nil},
		"wsu":               {`<d xmlns:wsu="` + NamespaceWSU + `"><e wsu:Id="x"/>` + signatureText(c14n.C14N10, referenceText("#x"), "") + `</d>`, "e false false true", nil},
		"xml:id":            {`<d><e xml:id="x"/>` + signatureText(c14n.C14N10, referenceText("#x"), "") + `</d>`, "e false false true", nil},
		"smev":              {`<d xmlns="urn:d"><e Id="x"> <f>1</f></e>` + signatureText(c14n.Exclusive, referenceText("#x", c14n.Exclusive, TransformSMEV), "") + `</d>`, "e false false true", nil},
		"twice":             {`<d><e Id="x"><f>1</f></e>` + signatureText(c14n.Exclusive, referenceText("#x", c14n.Exclusive, c14n.C14N10), "") + `</d>`, "e false false true", nil},
		"itself":            {`<d>` + signatureText(c14n.C14N10, referenceText("#sig", TransformEnveloped), "") + `</d>`, " false false false", ErrNothingSigned},
		"key":               {strings.Replace(signatureText(c14n.C14N10, referenceText("#k"), ""), "<ds:KeyInfo>", `<ds:KeyInfo Id="k">`, 1), "KeyInfo true false true", ErrNothingSigned},
		"no such id":        {`<d>` + strings.ReplaceAll(signatureText(c14n.C14N10, referenceText("#x"), ""), "AAAA", "AAAAAAAA") + `</d>`, " false false false", ErrReference},
		"external":          {`<d>` + strings.ReplaceAll(signatureText(c14n.C14N10, referenceText("http://a.test/"), ""), "AAAA", "AAAAAAAA") + `</d>`, " false false false", ErrUnsupported},
		"file":              {`<d>` + strings.ReplaceAll(signatureText(c14n.C14N10, referenceText("/etc/passwd"), ""), "AAAA", "AAAAAAAA") + `</d>`, " false false false", ErrUnsupported},
		"xslt":              {`<d>` + strings.ReplaceAll(signatureText(c14n.C14N10, referenceText("", "http://www.w3.org/TR/1999/REC-xslt-19991116"), ""), "AAAA", "AAAAAAAA") + `</d>`, " false false false", ErrUnsupported},
		"xpointer 2":        {`<d>` + strings.ReplaceAll(signatureText(c14n.C14N10, referenceText("#xpointer(//e)"), ""), "AAAA", "AAAAAAAA") + `</d>`, " false false false", ErrUnsupported},
		"all of them":       {`<d>1` + signatureText(c14n.Exclusive, referenceText("", TransformEnveloped, parallel), "") + `</d>`, "d false true true", nil},
		"cut":               {`<d>1<e>2</e>` + signatureText(c14n.C14N10, referenceText("", TransformEnveloped, xpath("", "not(ancestor-or-self::e)")), "") + `</d>`, "d false false true", nil},
		"texts":             {`<d a="1">1<e>2</e>` + signatureText(c14n.C14N10, referenceText("", TransformEnveloped, xpath("", "self::text()")), "") + `</d>`, " false false false", ErrNothingSigned},
		"cut later":         {`<d>1<e>2</e>` + signatureText(c14n.C14N10, referenceText("", TransformEnveloped, c14n.C14N10, xpath("", "not(ancestor-or-self::e)")), "") + `</d>`, "d false false false", nil},
		"prefix signed":     {`<d>1` + signatureText(c14n.C14N10, referenceText("", TransformEnveloped, xpath(` xmlns:p="urn:p"`, "not(ancestor-or-self::p:e)")), "") + `</d>`, "d false true true", nil},
		"prefix not signed": {`<d>1` + signatureText(c14n.Exclusive, referenceText("", TransformEnveloped, xpath(` xmlns:p="urn:p"`, "not(ancestor-or-self::p:e)")), "") + `</d>`, "d false true true", ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			s := verify(t, h.fill(t, one.doc), h.trust()).Signers[0]
			if one.err == nil && s.Problem != nil || !errors.Is(s.Problem, one.err) {
				t.Errorf("problem: %v", s.Problem)
			}
			if len(s.References) == 0 {
				t.Fatal("no references in the report")
			}
			r := s.References[0]
			if got := fmt.Sprintf("%s %v %v %v", r.Name, r.Own, r.Whole, r.End > r.Begin); got != one.want {
				t.Errorf("got %q, want %q", got, one.want)
			}
		})
	}
}

// TestVerifySeveral checks signatures of two people and a counter-signature.
func TestVerifySeveral(t *testing.T) {
	a, b := holderOf(t, "gost512"), holderOf(t, "rsa2048")
	one := strings.Replace(signatureText(c14n.Exclusive, referenceText("", TransformEnveloped, parallel, c14n.Exclusive), ""), `"sig"`, `"first"`, 1)
	two := strings.Replace(one, `"first"`, `"second"`, 1)
	counter := strings.Replace(signatureText(c14n.Exclusive, referenceText("#value"), ""), `"sig"`, `"third"`, 1)
	doc := b.fill(t, strings.Replace(a.fill(t, `<d>1`+one+`<!-- two --></d>`), "<!-- two -->", two, 1))
	doc = strings.Replace(doc, "<ds:SignatureValue>", `<ds:SignatureValue Id="value">`, 1)
	doc = a.fill(t, strings.Replace(doc, "</ds:KeyInfo>", "</ds:KeyInfo><ds:Object>"+counter+"</ds:Object>", 1))
	rep := verify(t, doc, cert.Trust{Roots: []*cert.Certificate{a.root, b.root}})
	checkHolds(t, rep)
	var ids []string
	for _, s := range rep.Signers {
		ids = append(ids, s.ID, s.References[0].Name, fmt.Sprint(s.References[0].Whole, len(s.References[0].Holes)))
	}
	if got, want := strings.Join(ids, " "), "first d true 2 third SignatureValue false 0 second d true 2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestVerifyErrors(t *testing.T) {
	for doc, want := range map[string]error{
		`<d/>`:                ErrNoSignature,
		``:                    xml.ErrSyntax,
		`<d></e>`:             xml.ErrSyntax,
		`<!DOCTYPE d []><d/>`: xml.ErrDoctype,
		`<d>` + strings.Repeat(`<Signature xmlns="`+NamespaceDSig+`"/>`, maxSignatures+1) + `</d>`: ErrLimit,
	} {
		if _, err := Verify(context.Background(), strings.NewReader(doc), cert.Trust{}, VerifyOptions{}); !errors.Is(err, want) {
			t.Errorf("%.40s: %v, want %v", doc, err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Verify(ctx, strings.NewReader(`<d/>`), cert.Trust{}, VerifyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// fickle is another document each time it is read.
type fickle struct {
	*strings.Reader
	docs []string
}

func (f *fickle) Seek(int64, int) (int64, error) {
	f.Reader, f.docs = strings.NewReader(f.docs[0]), f.docs[1:]
	return 0, nil
}

func TestVerifyChangingDocument(t *testing.T) {
	h := holderOf(t, "p256")
	good := h.fill(t, `<d>1`+signatureText(c14n.Exclusive, referenceText("", TransformEnveloped), "")+`</d>`)
	bad := strings.Replace(good, "<d>1", "<d>2", 1)
	for _, docs := range [][]string{{bad, good}, {good, bad}, {good, good + "\n"}} {
		if _, err := Verify(context.Background(), &fickle{docs: docs}, h.trust(), VerifyOptions{}); !errors.Is(err, ErrChanged) {
			t.Errorf("got %v", err)
		}
	}
}

// TestSignatureStrict gives signatures a schema does not allow.
func TestSignatureStrict(t *testing.T) {
	h := holderOf(t, "p256")
	good := h.fill(t, `<d>1`+signatureText(c14n.Exclusive, referenceText("", TransformEnveloped), "")+`</d>`)
	if !verify(t, good, h.trust()).Valid() {
		t.Fatal("the signature to change is not valid")
	}
	info := good[strings.Index(good, "<ds:SignedInfo>") : strings.Index(good, "</ds:SignedInfo>")+len("</ds:SignedInfo>")]
	for name, change := range map[string][2]string{
		"SignedInfo twice":        {info, info + info},
		"SignatureValue twice":    {"<ds:KeyInfo>", "<ds:SignatureValue>AAAA</ds:SignatureValue><ds:KeyInfo>"},
		"SignedInfo last":         {"</ds:Signature>", info + "</ds:Signature>"},
		"child unknown":           {"<ds:KeyInfo>", "<a/><ds:KeyInfo>"},
		"child of another space":  {"<ds:KeyInfo>", `<KeyInfo/><ds:KeyInfo>`},
		"text":                    {"<ds:KeyInfo>", "text<ds:KeyInfo>"},
		"attribute":               {`Id="sig"`, `Id="sig" a="b"`},
		"no references":           {info[strings.Index(info, "<ds:Reference"):strings.Index(info, "</ds:SignedInfo>")], ""},
		"no SignedInfo":           {info, ""},
		"comment in DigestValue":  {"<ds:DigestValue>", "<ds:DigestValue><!-- a -->"},
		"element in DigestValue":  {"<ds:DigestValue>", "<ds:DigestValue><a/>"},
		"digest empty":            {"</ds:DigestValue>", "</ds:DigestValue><ds:DigestValue></ds:DigestValue>"},
		"base64 of two spellings": {"<ds:SignatureValue>", "<ds:SignatureValue>="},
		"signature in SignedInfo": {"<ds:Reference ", "<ds:Signature/><ds:Reference "},
		"unknown parameter":       {`Algorithm="` + TransformEnveloped + `"/>`, `Algorithm="` + TransformEnveloped + `"><a/></ds:Transform>`},
	} {
		doc := strings.Replace(good, change[0], change[1], 1)
		if doc == good {
			t.Errorf("%s: nothing changed", name)
			continue
		}
		rep := verify(t, doc, h.trust())
		if s := rep.Signers[0]; s.Valid || !errors.Is(s.Problem, ErrFormat) {
			t.Errorf("%s: valid %v, problem %v", name, s.Valid, s.Problem)
		}
	}
}

// vectors returns the folder of public test vectors, and skips when there is none.
func vectors(t testing.TB, folder, instead string) string {
	t.Helper()
	dir := filepath.Join(cmp.Or(os.Getenv("VECTORS"), "../../../shared/vectors"), folder)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("%s: no %s folder under VECTORS", instead, folder)
	}
	return dir
}
