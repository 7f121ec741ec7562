// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"

	"persten/internal/algo"
	"persten/internal/cms"
	"persten/internal/journal"
	"persten/internal/signing"
	"persten/internal/token/keyfile"
	"persten/proto"
)

const contract = `<?xml version="1.0" encoding="UTF-8"?>
<Договор xmlns="urn:example:contract" Id="all">
  <Стороны Id="parties"><Сторона>Демонстрационный Подписант</Сторона></Стороны>
  <Сумма Id="sum" валюта="RUB">1000</Сумма>
</Договор>
`

// xmlContent is a sealed document.
func (b *bench) xmlContent(t *testing.T, text string) *signing.Content {
	t.Helper()
	_, c, err := b.Store().Create(page.Channel, "contract.xml", "application/xml", func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// signXML signs a document with the first demo key, or the one in r.
func (b *bench) signXML(t *testing.T, text string, r signing.XMLRequest) ([]byte, error) {
	t.Helper()
	if r.Certificate == "" {
		r.Certificate = b.keys(t)[0].ID()
	}
	r.Content = b.xmlContent(t, text)
	var out bytes.Buffer
	_, err := b.SignXML(context.Background(), page, r, &out)
	return out.Bytes(), err
}

func (b *bench) verifyXML(t *testing.T, doc []byte) *cms.Report {
	t.Helper()
	report, err := b.VerifyXML(context.Background(), bytes.NewReader(doc), nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// Every key of the demo token in every mode and with XAdES: made, verified, journalled with its form.
func TestSignXMLEveryKey(t *testing.T) {
	b := newBench(t, &person{decide: yes})
	forms := map[string]signing.XMLForm{
		"xmldsig enveloped":    {},
		"xades-bes enveloped":  {Profile: "xades-bes", Columns: 64, KeyValue: true, SignatureID: "mine"},
		"xmldsig enveloping":   {Mode: "enveloping"},
		"xades-bes enveloping": {Mode: "enveloping", Profile: "xades-bes"},
		"xmldsig detached":     {Mode: "detached", References: []string{"sum", "parties"}},
		"fns enveloped":        {Profile: "fns", Columns: 76, Parallel: true},
	}
	signatures := 0
	for _, k := range b.keys(t) {
		for profile, form := range forms {
			b.person.pins = []string{keyfile.DemoPIN}
			out, err := b.signXML(t, contract, signing.XMLRequest{Certificate: k.ID(), Form: form})
			if err != nil {
				t.Errorf("%s, %s: %v", k.Certificate().Key.Describe(), profile, err)
				continue
			}
			signatures++
			if report := b.verifyXML(t, out); !report.Trusted() || len(report.Signers) != 1 {
				t.Errorf("%s, %s: %+v", k.Certificate().Key.Describe(), profile, report)
			}
			if q := b.lastQuestion(); q.Profile != profile || q.XML == nil || !q.Attached {
				t.Errorf("asked about %q, want %q", q.Profile, profile)
			}
			if got := b.lastRecord(t, "begin").Profile; got != profile {
				t.Errorf("journal says %q, want %q", got, profile)
			}
		}
	}
	if n := len(b.records(t)); n != 2*signatures || signatures != 4*len(forms) {
		t.Errorf("%d journal lines for %d signatures", n, signatures)
	}
}

func (b *bench) lastQuestion() signing.Question {
	b.person.mu.Lock()
	defer b.person.mu.Unlock()
	return b.person.asked[len(b.person.asked)-1]
}

// lastRecord is the journal's last line of a type.
func (b *bench) lastRecord(t *testing.T, kind string) (last journal.Line) {
	t.Helper()
	lines, err := journal.List(b.journal, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if string(l.Type) == kind {
			last = l
		}
	}
	return last
}

// The question says what will be covered, and the signature covers just that.
func TestQuestionShowsWhatIsSigned(t *testing.T) {
	element := func(name string) signing.Span {
		begin := strings.Index(contract, "<"+name)
		end := strings.Index(contract, "</"+name+">") + len("</"+name+">")
		return signing.Span{Begin: int64(begin), End: int64(end), Element: name, Instructions: true}
	}
	sum, parties, all := element("Сумма"), element("Стороны"), element("Договор")
	sum.ID, parties.ID = "sum", "parties"
	for name, c := range map[string]struct {
		form  signing.XMLForm
		want  []signing.Span
		whole bool
	}{
		"whole":    {signing.XMLForm{Profile: "xades-bes"}, []signing.Span{all}, true},
		"two":      {signing.XMLForm{Mode: "detached", References: []string{"sum", "parties"}}, []signing.Span{sum, parties}, false},
		"one":      {signing.XMLForm{References: []string{"sum"}, Path: "/*"}, []signing.Span{sum}, false},
		"embedded": {signing.XMLForm{Mode: "enveloping"}, []signing.Span{all}, true},
	} {
		b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
		out, err := b.signXML(t, contract, signing.XMLRequest{Form: c.form})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		d := b.lastQuestion().Documents[0]
		if !reflect.DeepEqual(d.Covered, c.want) || d.Whole != c.whole {
			t.Errorf("%s: covered %+v whole %v, want %+v %v", name, d.Covered, d.Whole, c.want, c.whole)
		}
		var recorded []signing.Span
		for i, s := range b.lastRecord(t, "begin").Documents[0].Covered {
			recorded = append(recorded, signing.Span{Begin: s.Begin, End: s.End, Element: c.want[i].Element, ID: c.want[i].ID, Instructions: true})
		}
		if !reflect.DeepEqual(recorded, c.want) {
			t.Errorf("%s: the journal says %+v", name, recorded)
		}
		if got := signedNames(b.verifyXML(t, out)); got != names(c.want) {
			t.Errorf("%s: signed %s, want %s", name, got, names(c.want))
		}
	}
}

func names(spans []signing.Span) string {
	var list []string
	for _, s := range spans {
		list = append(list, s.Element+"#"+s.ID)
	}
	return strings.Join(list, " ")
}

// signedNames are the elements a signature covers beside its own parts.
func signedNames(r *cms.Report) string {
	var list []string
	for _, ref := range r.Signers[0].References {
		switch {
		case ref.Own && ref.Name == "Object":
			list = append(list, "Договор#") // what was put into it
		case !ref.Own:
			list = append(list, ref.Name+"#"+ref.ID)
		}
	}
	return strings.Join(list, " ")
}

// An element in the document that is a signature already is a hole in what a parallel signature covers.
func TestSecondSignature(t *testing.T) {
	p := &person{decide: yes, pins: []string{keyfile.DemoPIN, keyfile.DemoPIN}}
	b := newBench(t, p)
	once, err := b.signXML(t, contract, signing.XMLRequest{Form: signing.XMLForm{Parallel: true}})
	if err != nil {
		t.Fatal(err)
	}
	twice, err := b.signXML(t, string(once), signing.XMLRequest{Certificate: b.keys(t)[2].ID(), Form: signing.XMLForm{Parallel: true}})
	if err != nil {
		t.Fatal(err)
	}
	if r := b.verifyXML(t, twice); len(r.Signers) != 2 || !r.Trusted() {
		t.Errorf("%+v", r)
	}
	d := b.lastQuestion().Documents[0]
	if d.Whole || !d.Rest || len(d.Covered) != 2 {
		t.Errorf("whole %v, rest %v, %+v", d.Whole, d.Rest, d.Covered)
	}
	first := strings.Index(string(once), ":Signature") // of the first signature, which is not covered
	for _, s := range d.Covered {
		if s.Begin <= int64(first) && int64(first) < s.End {
			t.Errorf("the first signature is shown as covered: %+v", s)
		}
	}
	p.pins = []string{keyfile.DemoPIN}
	asked := len(p.asked)
	once, err = b.signXML(t, contract, signing.XMLRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.signXML(t, string(once), signing.XMLRequest{}); !errors.Is(err, proto.CodeXMLSignatureHurt) || len(p.asked) != asked+1 {
		t.Errorf("over one that is not parallel: %v, %d questions", err, len(p.asked)-asked)
	}
}

// The prompt's descriptor is read-only, but a process of the same user can open the same file for writing.
func TestXMLChangedAfterApproval(t *testing.T) {
	for _, form := range []signing.XMLForm{{}, {Mode: "enveloping", Profile: "xades-bes"}, {Mode: "detached", References: []string{"sum"}}} {
		b := newBench(t, &person{pins: []string{keyfile.DemoPIN}, decide: func(_ context.Context, q signing.Question) (signing.Decision, error) {
			f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", q.Documents[0].Content.Fd()), os.O_RDWR, 0)
			if err != nil {
				return signing.Decision{}, err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte("9"), int64(strings.Index(contract, "1000")))
			return signing.Decision{Approved: true}, err
		}})
		out, err := b.signXML(t, contract, signing.XMLRequest{Form: form})
		if !errors.Is(err, proto.CodeContentChanged) || len(out) != 0 {
			t.Errorf("%+v: %v, %d bytes", form, err, len(out))
		}
		if r := b.records(t); len(r) != 2 || r[1] != "end sign content_changed" {
			t.Errorf("journal: %q", r)
		}
		b.idle(t)
	}
}

func TestRejectedXMLSignsNothing(t *testing.T) {
	b := newBench(t, &person{decide: no})
	out, err := b.signXML(t, contract, signing.XMLRequest{})
	if !errors.Is(err, proto.CodeUserRejected) || len(out) != 0 {
		t.Errorf("%v, %d bytes", err, len(out))
	}
	if got := b.records(t); len(got) != 1 || got[0] != "note refused user_rejected" {
		t.Errorf("journal: %q", got)
	}
}

// What cannot be signed is told before anybody is asked.
func TestXMLRefusedBeforeAsking(t *testing.T) {
	deep := strings.Repeat("<a>", 100_000) + strings.Repeat("</a>", 100_000)
	policy := &signing.XMLPolicy{ID: "1.2.3", Digest: make([]byte, 32), DigestAlg: "sha256"}
	for name, c := range map[string]struct {
		doc       string
		form      signing.XMLForm
		algorithm string
		want      proto.Code
		args      map[string]string
	}{
		"not well-formed":      {"<a>\n<b></a>", signing.XMLForm{}, "", proto.CodeFormatXML, map[string]string{"line": "2"}},
		"no XML":               {"Договор", signing.XMLForm{}, "", proto.CodeFormatXML, map[string]string{"line": "1", "column": "1"}},
		"empty":                {"", signing.XMLForm{}, "", proto.CodeFormatXML, nil},
		"doctype":              {"<!DOCTYPE a><a/>", signing.XMLForm{}, "", proto.CodeXMLDoctype, map[string]string{"line": "1"}},
		"deep":                 {deep, signing.XMLForm{}, "", proto.CodeXMLLimit, map[string]string{"line": "1"}},
		"absent Id":            {contract, signing.XMLForm{References: []string{"none"}}, "", proto.CodeXMLReferenceAbsent, map[string]string{"id": "none"}},
		"Id of no attribute":   {`<a><b ID="sum"/></a>`, signing.XMLForm{References: []string{"sum"}, IDAttributes: []string{"key"}}, "", proto.CodeXMLReferenceAbsent, map[string]string{"id": "sum"}},
		"Id twice":             {`<a><b Id="x"/><c Id="x"/></a>`, signing.XMLForm{References: []string{"x"}}, "", proto.CodeXMLReferenceAmbiguous, map[string]string{"id": "x"}},
		"absent place":         {contract, signing.XMLForm{Path: "/none"}, "", proto.CodeXMLPlaceAbsent, map[string]string{"path": "/none"}},
		"beside the root":      {contract, signing.XMLForm{Path: "/*", Position: "after"}, "", proto.CodeXMLPlaceAbsent, nil},
		"no template":          {contract, signing.XMLForm{Mode: "template"}, "", proto.CodeXMLTemplateAbsent, nil},
		"no policy":            {contract, signing.XMLForm{Profile: "xades-epes"}, "", proto.CodeRequestInvalid, nil},
		"policy without XAdES": {contract, signing.XMLForm{Policy: policy}, "", proto.CodeRequestInvalid, nil},
		"policy's digest":      {contract, signing.XMLForm{Profile: "xades-epes", Policy: &signing.XMLPolicy{ID: "1", Digest: []byte{1}, DigestAlg: "sha256"}}, "", proto.CodeRequestInvalid, map[string]string{"field": "policy.digest"}},
		"unknown digest":       {contract, signing.XMLForm{Profile: "xades-epes", Policy: &signing.XMLPolicy{ID: "1", DigestAlg: "md5"}}, "", proto.CodeRequestInvalid, map[string]string{"field": "policy.digest"}},
		"columns":              {contract, signing.XMLForm{Columns: 65}, "", proto.CodeRequestInvalid, map[string]string{"field": "columns"}},
		"detached from what":   {contract, signing.XMLForm{Mode: "detached"}, "", proto.CodeRequestInvalid, nil},
		"unknown mode":         {contract, signing.XMLForm{Mode: "sideways"}, "", proto.CodeRequestInvalid, nil},
		"unknown c14n":         {contract, signing.XMLForm{C14N: "urn:x"}, "", proto.CodeAlgorithmUnsupported, nil},
		"another key's":        {contract, signing.XMLForm{}, "gost2012-512", proto.CodeAlgorithmUnsupported, map[string]string{"algorithm": "gost2012-512"}},
		"legacy":               {contract, signing.XMLForm{}, "rsa-sha1", proto.CodeAlgorithmUnsupported, map[string]string{"algorithm": "rsa-sha1"}},
	} {
		b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
		out, err := b.signXML(t, c.doc, signing.XMLRequest{Certificate: b.keyOf(t, algo.RSASHA256), Form: c.form, Algorithm: c.algorithm})
		if !errors.Is(err, c.want) || len(out) != 0 || len(b.person.asked) != 0 || len(b.records(t)) != 0 {
			t.Errorf("%s: %v, want %s; %d questions", name, err, c.want, len(b.person.asked))
			continue
		}
		args := proto.AsError(err).Args
		for k, v := range c.args {
			if args[k] != v {
				t.Errorf("%s: args %v, want %v", name, args, c.args)
			}
		}
	}
}

// keyOf is the demo key with an algorithm.
func (b *bench) keyOf(t *testing.T, id algo.ID) string {
	t.Helper()
	for _, k := range b.keys(t) {
		if k.Algorithms()[0] == id {
			return k.ID()
		}
	}
	t.Fatalf("no demo key for %s", id)
	return ""
}

// All that shapes the output stands in the question, and the output has it.
func TestFormIsBound(t *testing.T) {
	form := signing.XMLForm{
		Mode: "enveloped", Profile: "xades-epes", References: []string{"sum"}, C14N: "http://www.w3.org/2006/12/xml-c14n11",
		Path: "/d:Договор/d:Стороны", Position: "after", Namespaces: map[string]string{"d": "urn:example:contract"},
		IDAttributes: []string{"Id", "{urn:example:contract}key"}, SignatureID: "signature-of-sum", Columns: 64, KeyValue: true, Parallel: true,
		Policy: &signing.XMLPolicy{ID: "1.2.643.0.0", Digest: make([]byte, 32), DigestAlg: "sha256", URI: "https://portal.example/policy"},
	}
	b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
	out, err := b.signXML(t, contract, signing.XMLRequest{
		Certificate: b.keyOf(t, algo.RSASHA256), Form: form, Algorithm: string(algo.RSAPSSSHA512), Note: "one", Name: "n.xml", MIME: "text/xml",
	})
	if err != nil {
		t.Fatal(err)
	}
	q := b.lastQuestion()
	if !reflect.DeepEqual(*q.XML, form) || q.Algorithm != "rsa-pss-sha512" || q.Note != "one" || q.Documents[0].Name != "n.xml" || q.Documents[0].Alg != "sha512" {
		t.Errorf("asked %+v %+v", *q.XML, q)
	}
	s := b.verifyXML(t, out).Signers[0]
	if !s.Trusted || s.Format != cms.FormatXAdESEPES || s.Algorithm != algo.RSAPSSSHA512 || s.ID != "signature-of-sum" || s.Policy == nil || s.Policy.ID != "urn:oid:1.2.643.0.0" {
		t.Errorf("made %+v", s)
	}
	text := string(out)
	after := text[strings.Index(text, "</Стороны>"):]
	if !strings.HasPrefix(after, "</Стороны><") || !strings.Contains(after, `Id="signature-of-sum"`) || !strings.Contains(after, "KeyValue") || !strings.Contains(after, form.C14N) {
		t.Errorf("not after the parties:\n%s", after)
	}
	if strings.TrimSuffix(contract, after) == contract && !strings.HasPrefix(text, contract[:strings.Index(contract, "</Стороны>")]) {
		t.Error("the bytes before the signature were touched")
	}
}

func TestVerifyXMLSaysWhatIsMissing(t *testing.T) {
	b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
	out, err := b.signXML(t, contract, signing.XMLRequest{})
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		doc  string
		want error
	}{
		"no signature": {context.Background(), contract, proto.CodeXMLSignatureAbsent},
		"no XML":       {context.Background(), "text", proto.CodeFormatXML},
		"doctype":      {context.Background(), "<!DOCTYPE a>" + string(out), proto.CodeXMLDoctype},
		"cut":          {context.Background(), string(out[:len(out)-20]), proto.CodeFormatXML},
		"gone":         {gone, string(out), context.Canceled},
	} {
		if _, err := b.VerifyXML(c.ctx, strings.NewReader(c.doc), nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	report, err := b.VerifyXML(context.Background(), strings.NewReader(strings.Replace(string(out), "1000", "9000", 1)), nil)
	if err != nil || report.Valid() {
		t.Fatalf("a changed document: %v, %+v", err, report)
	}
	r := signing.Reported(report, "ru")
	if r.Valid || r.Signers[0].Code != proto.CodeContentMismatch || r.Signers[0].References[0].Valid {
		t.Errorf("%+v", r.Signers[0])
	}
}

// FormOf takes over every parameter of sign.xml: one that it forgot would be neither shown nor made.
func TestFormOfTakesAll(t *testing.T) {
	p := proto.SignXMLParams{
		Mode: proto.XMLModeDetached, Profile: proto.XMLProfileDsig, References: []proto.XMLReference{{ID: "a"}}, C14N: "c",
		Place:        &proto.XMLPlace{Path: "/p", Position: proto.XMLPositionBefore, Namespaces: []proto.XMLNamespace{{Prefix: "d", URI: "u"}}},
		IDAttributes: []string{"i"}, SignatureID: "s", Columns: 64, KeyValue: true, Parallel: true,
		Policy: &proto.XMLPolicy{ID: "1", Digest: []byte{1}, DigestAlg: "sha256", URI: "u"},
	}
	f := signing.FormOf(p)
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not set", v.Type().Field(i).Name)
		}
	}
	if f.Profile != "xmldsig" || f.Position != "before" || !maps.Equal(f.Namespaces, map[string]string{"d": "u"}) {
		t.Errorf("%+v", f)
	}
}

// The tree of a document in any encoding marks just what the question covers: both count as the reader does.
func TestTreeOfQuestion(t *testing.T) {
	encoded := func(s string) string {
		b := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return string(b)
	}
	cp1251 := strings.NewReplacer("сумма", "\xf1\xf3\xec\xec\xe0", "до", "\xe4\xee")
	plain := `<doc><сумма>до</сумма><sum Id="s" v="1">1000<b/></sum><c/></doc>`
	for name, doc := range map[string]string{
		"utf-8":        plain,
		"bom":          "\xef\xbb\xbf" + plain,
		"utf-16":       encoded(plain),
		"windows-1251": `<?xml version="1.0" encoding="windows-1251"?>` + cp1251.Replace(plain),
	} {
		b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
		out, err := b.signXML(t, doc, signing.XMLRequest{Form: signing.XMLForm{References: []string{"s"}}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !b.verifyXML(t, out).Trusted() || !bytes.HasPrefix(out, []byte(doc[:len(doc)-20])) {
			t.Errorf("%s: %q", name, out)
		}
		rows, _, err := signing.Tree(strings.NewReader(doc), b.lastQuestion().Documents[0].Covered, 100)
		want := "  element <doc>\n    element <сумма> до\n*   element <sum Id=\"s\" v=\"1\">\n*     text 1000\n*     element <b>\n    element <c>\n"
		if got := drawn(rows); err != nil || got != want {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}
