// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig/xml"
)

// signer is a holder as cms.Signer.
type signer struct {
	*holder
	id     algo.ID
	calls  int
	change func([]byte) []byte // what the "token" does to the signature
	err    error
}

func (s *signer) Certificate() *cert.Certificate { return s.cert }
func (s *signer) Algorithm() algo.ID             { return s.id }

func (s *signer) Sign(_ context.Context, in algo.Input) ([]byte, error) {
	s.calls++
	if s.err != nil {
		return nil, s.err
	}
	sig, err := s.key.Sign(rand.Reader, s.id, algo.Input{Digest: in.Digest})
	if s.change != nil {
		sig = s.change(sig)
	}
	return sig, err
}

// signerKinds is every algorithm that is signed with, and the kind of key it goes with.
var signerKinds = map[algo.ID]string{
	algo.RSASHA256: "rsa2048", algo.RSASHA384: "rsa2048", algo.RSASHA512: "rsa2048",
	algo.RSAPSSSHA256: "rsa2048", algo.RSAPSSSHA384: "rsa2048", algo.RSAPSSSHA512: "rsa2048",
	algo.ECDSASHA256: "p256", algo.ECDSASHA384: "p384", algo.ECDSASHA512: "p521",
	algo.GOST256: "gost256", algo.GOST512: "gost512",
}

func signerOf(t testing.TB, id algo.ID) *signer {
	t.Helper()
	kind := signerKinds[id]
	if curve := map[string]elliptic.Curve{"p384": elliptic.P384(), "p521": elliptic.P521()}[kind]; curve != nil {
		return &signer{holder: largeHolder(t, kind, curve), id: id}
	}
	return &signer{holder: holderOf(t, kind), id: id}
}

// largeHolder makes a holder of a curve that algo.GenerateKey does not make keys of.
func largeHolder(t testing.TB, kind string, curve elliptic.Curve) *holder {
	t.Helper()
	if h, ok := holders.Load(kind); ok {
		return h.(*holder)
	}
	raw, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	key, err := algo.ParsePKCS8(der)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := algo.GenerateKey("p256")
	if err != nil {
		t.Fatal(err)
	}
	h := &holder{key: key, id: algo.Signing(key.Public())[0]}
	if h.root, err = cert.Build(cert.Template{Subject: cert.Person{CommonName: "Корень " + kind}, Key: ca.Public(), CA: true}, nil, ca); err != nil {
		t.Fatal(err)
	}
	person := cert.Person{CommonName: "Демонстрационный Подписант"}
	if h.cert, err = cert.Build(cert.Template{Subject: person, Key: key.Public()}, h.root, ca); err != nil {
		t.Fatal(err)
	}
	actual, _ := holders.LoadOrStore(kind, h)
	return actual.(*holder)
}

func signDocument(t testing.TB, s *signer, doc string, o Options) string {
	t.Helper()
	var w bytes.Buffer
	if err := Sign(context.Background(), &w, strings.NewReader(doc), s, o); err != nil {
		t.Fatal(err)
	}
	return w.String()
}

const order = `<?xml version="1.0" encoding="UTF-8"?>
<!-- before -->
<z:заказ xmlns:z="urn:z" xmlns="urn:d" номер="7" Id="root"><строка Id="a" z:b="1">Гайка &amp; болт</строка>
  <строка Id="b"><![CDATA[<5>]]></строка><пусто/>
</z:заказ>
<?after it?>
`

const orderTemplate = `<заказ><строка Id="a">x</строка><Подпись><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="t">
  <ds:SignedInfo>
    <ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>
    <ds:SignatureMethod Algorithm="ALGORITHM"/>
    <ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/></ds:Transforms>
      <ds:DigestMethod Algorithm="DIGEST"/><ds:DigestValue/></ds:Reference>
    <ds:Reference URI="#a"><ds:DigestMethod Algorithm="DIGEST"/><ds:DigestValue> </ds:DigestValue></ds:Reference>
  </ds:SignedInfo>
  <ds:SignatureValue></ds:SignatureValue>
  <ds:KeyInfo><ds:KeyName>имя</ds:KeyName><ds:X509Data>
  <ds:X509Certificate/></ds:X509Data></ds:KeyInfo>
</ds:Signature></Подпись></заказ>`

// form is one way to sign.
type form struct {
	name string
	doc  string
	o    Options
	own  int // references to the signature's own parts
}

func forms(a algo.Algorithm) []form {
	filled := strings.NewReplacer("ALGORITHM", a.XMLSignature, "DIGEST", a.Digest.XML()).Replace(orderTemplate)
	return []form{
		{"enveloped", order, Options{}, 0},
		{"enveloping", order, Options{Mode: Enveloping}, 0},
		{"base64", "не XML \x00\xff", Options{Mode: Enveloping, Base64: true}, 0},
		{"detached", order, Options{Mode: Detached, References: []Ref{{ID: "a"}, {ID: "b"}}}, 0},
		{"template", filled, Options{Mode: Template}, 0},
		{"xades", order, Options{Profile: XAdESBES, MIMEType: "text/xml"}, 1},
	}
}

// TestSignVerify makes every form of signature with every algorithm.
func TestSignVerify(t *testing.T) {
	for id := range signerKinds {
		a, _ := algo.Lookup(id)
		s := signerOf(t, id)
		for _, f := range forms(a) {
			t.Run(string(id)+" "+f.name, func(t *testing.T) {
				out := signDocument(t, s, f.doc, f.o)
				rep := verify(t, out, s.trust())
				if !rep.Valid() || !rep.Trusted() || len(rep.Signers) != 1 {
					t.Fatalf("%+v\n%s", rep.Signers, out)
				}
				one := rep.Signers[0]
				if !one.Certificate.Equal(s.cert) || one.Algorithm != id {
					t.Errorf("signed by %s with %s", one.Certificate.Subject().CommonName, one.Algorithm)
				}
				comparePlan(t, f.name, f.doc, out, f.o, rep)
				for _, r := range one.References {
					if r.Digest != a.Digest {
						t.Errorf("digest %s", r.Digest)
					}
				}
			})
		}
	}
}

func encodingOf(name string) xml.Encoding { return xml.Encoding(name) }

func TestSignRefuses(t *testing.T) {
	boom := errors.New("token fell out")
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		owner func(*signer)
		o     Options
		doc   string
		want  error
		calls int
	}{
		{"another digest", nil, nil, Options{Content: make([]byte, 32)}, order, cms.ErrContentChanged, 0},
		{"token error", nil, func(s *signer) { s.err = boom }, Options{}, order, boom, 1},
		{"wrong signature", nil, func(s *signer) { s.change = func(b []byte) []byte { b[9] ^= 1; return b } }, Options{}, order, cms.ErrSelfCheck, 1},
		{"no signature", nil, func(s *signer) { s.change = func([]byte) []byte { return nil } }, Options{}, order, cms.ErrSelfCheck, 1},
		{"another's algorithm", nil, func(s *signer) { s.id = algo.RSASHA256 }, Options{}, order, algo.ErrUnsupported, 0},
		{"cancelled", gone, nil, Options{}, order, context.Canceled, 0},
		{"not well-formed", nil, nil, Options{}, order + "x", xml.ErrSyntax, 0},
		{"doctype", nil, nil, Options{}, "<!DOCTYPE a><a/>", xml.ErrDoctype, 0},
		{"not XML", nil, nil, Options{Mode: Enveloping}, "%PDF-1.7", xml.ErrSyntax, 0},
		{"nothing", nil, nil, Options{}, "", xml.ErrSyntax, 0},
		{"too deep", nil, nil, Options{Limits: xml.Limits{Depth: 1}}, order, xml.ErrLimit, 0},
		{"Id taken", nil, nil, Options{SignatureID: "ro"}, order, ErrOptions, 0},
		{"no Id", nil, nil, Options{SignatureID: "1 2"}, order, ErrOptions, 0},
		{"strange Id", nil, nil, Options{References: []Ref{{ID: "x(y)"}}}, order, ErrOptions, 0},
		{"control character", nil, nil, Options{Profile: XAdESBES, Roles: []string{"x\x01"}}, order, ErrOptions, 0},
		{"broken text", nil, nil, Options{References: []Ref{{ID: "\xff"}}}, order, ErrOptions, 0},
		{"policy", nil, nil, Options{Profile: XAdESEPES, Policy: &Policy{ID: "1.2", Digest: algo.SHA256}}, order, ErrOptions, 0},
		{"columns", nil, nil, Options{Columns: 70}, order, ErrOptions, 0},
		{"canonicalization", nil, nil, Options{C14N: "urn:x"}, order, ErrOptions, 0},
		{"digest", nil, nil, Options{References: []Ref{{Digest: algo.SHA1}}}, order, ErrOptions, 0},
		{"unknown digest", nil, nil, Options{References: []Ref{{Digest: "md5"}}}, order, ErrOptions, 0},
		{"transform", nil, nil, Options{References: []Ref{{Transforms: []string{"urn:x"}}}}, order, ErrOptions, 0},
		{"itself", nil, nil, Options{References: []Ref{{Transforms: []string{}}}}, order, ErrOptions, 0},
		{"nothing signed", nil, nil, Options{References: []Ref{{ID: "sig"}}, SignatureID: "sig"}, order, ErrOptions, 0},
		{"absent", nil, nil, Options{References: []Ref{{ID: "zz"}}}, order, ErrReference, 0},
		{"twice", nil, nil, Options{References: []Ref{{ID: "a"}}}, `<r><a Id="a"/><b Id="a"/></r>`, ErrReference, 0},
		{"mode", nil, nil, Options{Mode: "beside"}, order, ErrOptions, 0},
		{"detached without Id", nil, nil, Options{Mode: Detached}, order, ErrOptions, 0},
		{"roles without XAdES", nil, nil, Options{Roles: []string{"x"}}, order, ErrOptions, 0},
		{"base64 inside", nil, nil, Options{Base64: true}, order, ErrOptions, 0},
		{"place of an envelope", nil, nil, Options{Mode: Enveloping, Place: Place{Path: "/r"}}, order, ErrOptions, 0},
		{"actor", nil, nil, Options{Actor: "x"}, order, ErrOptions, 0},
	} {
		s, ctx := signerOf(t, algo.GOST256), c.ctx
		if c.owner != nil {
			c.owner(s)
		}
		if ctx == nil {
			ctx = context.Background()
		}
		var w bytes.Buffer
		err := Sign(ctx, &w, strings.NewReader(c.doc), s, c.o)
		if !errors.Is(err, c.want) || s.calls != c.calls || w.Len() != 0 {
			t.Errorf("%s: %v, %d calls, %d bytes", c.name, err, s.calls, w.Len())
		}
		if c.ctx == nil && c.owner == nil && c.o.Content == nil {
			refused(t, c.name, s, c.doc, c.o, c.want)
		}
	}
}

// shifty is a document that is another one from some reading on.
type shifty struct {
	*strings.Reader
	second string
	left   int // readings of the first
}

func (s *shifty) Seek(off int64, whence int) (int64, error) {
	if off == 0 && whence == io.SeekStart {
		if s.left--; s.left < 0 {
			s.Reader = strings.NewReader(s.second)
		}
	}
	return s.Reader.Seek(off, whence)
}

// TestContentChanges: whenever the document changes, no signed document comes out that is another one than was approved, and
// the key is not used once the change can be seen.
func TestContentChanges(t *testing.T) {
	doc := `<r><price>100</price></r>`
	sum := algo.SHA256.Sum([]byte(doc))
	seen := map[bool]int{}
	for _, second := range []string{`<r><price>900</price></r>`, `<r><price>10</price></r>`, `<r><price>1000</price></r>`, ""} {
		for _, o := range []Options{{}, {Mode: Enveloping}, {Mode: Enveloping, Base64: true}} {
			for left := range 40 {
				s := signerOf(t, algo.ECDSASHA256)
				o.Content = sum
				var w bytes.Buffer
				err := Sign(context.Background(), &w, &shifty{strings.NewReader(doc), second, left}, s, o)
				if err == nil {
					if rep := verify(t, w.String(), s.trust()); !rep.Valid() || !o.Base64 && !strings.Contains(w.String(), "<price>100<") {
						t.Fatalf("%d: signed %s", left, w.String())
					}
				}
				seen[err == nil]++
			}
		}
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("%v", seen)
	}
	t.Log(seen)
}

// TestContent: what was approved is signed, whatever the mode puts around it.
func TestContent(t *testing.T) {
	for _, id := range []algo.ID{algo.RSASHA512, algo.GOST256} {
		a, _ := algo.Lookup(id)
		for _, f := range forms(a) {
			f.o.Content = a.Digest.Sum([]byte(f.doc))
			signDocument(t, signerOf(t, id), f.doc, f.o)
			f.o.Content[3] ^= 1
			s := signerOf(t, id)
			var w bytes.Buffer
			err := Sign(context.Background(), &w, strings.NewReader(f.doc), s, f.o)
			if !errors.Is(err, cms.ErrContentChanged) || w.Len() != 0 || s.calls != 0 {
				t.Errorf("%s, %s: %v", id, f.name, err)
			}
		}
	}
}

// TestEnvelopingBase64: the content comes out as it went in.
func TestEnvelopingBase64(t *testing.T) {
	s := signerOf(t, algo.ECDSASHA256)
	for _, n := range []int{1, 2, 3, 47, 48, 49, 57, 58, 9000, 300000} {
		content := strings.Repeat("x\x00\xffтекст", n/8+1)[:n]
		for _, columns := range []int{0, 64, 76} {
			out := signDocument(t, s, content, Options{Mode: Enveloping, Base64: true, Columns: columns, MIMEType: "application/pdf"})
			if rep := verify(t, out, s.trust()); !rep.Valid() {
				t.Errorf("%d, %d: %v", n, columns, rep.Signers[0].Problem)
			}
			begin := strings.Index(out, `Encoding="`+TransformBase64+`">`) + len(`Encoding="`+TransformBase64+`">`)
			text := out[begin:strings.Index(out, "</ds:Object>")]
			if got, err := decodeBase64(text); err != nil || string(got) != content {
				t.Errorf("%d, %d: %v", n, columns, err)
			}
			if longest := len(strings.SplitN(text, "\n", 2)[0]); columns > 0 && longest > columns || columns == 0 && strings.Contains(text, "\n") {
				t.Errorf("%d, %d: a line of %d", n, columns, longest)
			}
		}
	}
	if err := Sign(context.Background(), io.Discard, strings.NewReader(""), s, Options{Mode: Enveloping, Base64: true}); !errors.Is(err, ErrOptions) {
		t.Errorf("nothing: %v", err)
	}
}

// rows is a document of many rows that exists nowhere.
type rows struct{ n, at int64 }

const (
	rowsHead = "<rows>\n"
	row      = `<row n="12345" kind="line"><name>Болт М8</name><price cur="RUB">100.50</price></row>` + "\n"
	rowsTail = "</rows>\n"
)

func (r *rows) size() int64 { return int64(len(rowsHead)+len(rowsTail)) + r.n*int64(len(row)) }

func (r *rows) Read(p []byte) (int, error) {
	text, at := rowsHead, r.at
	if body := r.at - int64(len(rowsHead)); body >= r.n*int64(len(row)) {
		text, at = rowsTail, body-r.n*int64(len(row))
	} else if body >= 0 {
		text, at = row, body%int64(len(row))
	}
	if at >= int64(len(text)) {
		return 0, io.EOF
	}
	n := copy(p, text[at:])
	for n < len(p) && text == row && r.at+int64(n) < int64(len(rowsHead))+r.n*int64(len(row)) {
		n += copy(p[n:], row)
	}
	if left := int64(len(rowsHead)) + r.n*int64(len(row)) - r.at; text == row {
		n = int(min(int64(n), left))
	}
	r.at += int64(n)
	return n, nil
}

func (r *rows) Seek(off int64, whence int) (int64, error) {
	r.at = off
	if whence == io.SeekEnd {
		r.at += r.size()
	}
	return r.at, nil
}

// TestMemory signs 64 MiB in each mode that reads all of it: all allocations together stay below 8 MiB.
func TestMemory(t *testing.T) {
	s := signerOf(t, algo.ECDSASHA256)
	for name, o := range map[string]Options{
		"enveloped": {}, "enveloping": {Mode: Enveloping}, "base64": {Mode: Enveloping, Base64: true, Columns: 76}, "xades": {Profile: XAdESBES},
	} {
		doc := &rows{n: 64 << 20 / int64(len(row))}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := Sign(context.Background(), io.Discard, doc, s, o); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
			t.Errorf("%s: %d bytes allocated", name, n)
		} else {
			t.Logf("%s: %d bytes allocated for %d of document", name, n, doc.size())
		}
	}
}

// BenchmarkSign signs 10 MB, enveloped.
func BenchmarkSign(b *testing.B) {
	for _, id := range []algo.ID{algo.RSASHA256, algo.GOST256} {
		b.Run(string(id), func(b *testing.B) {
			s := signerOf(b, id)
			doc, err := io.ReadAll(&rows{n: 10e6 / int64(len(row))})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if err := Sign(context.Background(), io.Discard, bytes.NewReader(doc), s, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
