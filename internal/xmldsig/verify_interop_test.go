// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
)

// sign lets xmlsec1 fill a template.
func (x *xmlsec) sign(doc string, h *holder, ids ...string) (string, error) {
	der, err := algo.MarshalPKCS8(h.key)
	if err != nil {
		return "", err
	}
	key := x.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	signed := filepath.Join(x.dir, "signed.xml")
	args := []string{"--sign", "--privkey-pem", key + "," + x.write("cert.pem", certificatePEM(h.cert)), "--output", signed}
	for _, id := range ids {
		args = append(args, "--id-attr:Id", id)
	}
	if out, err := exec.Command(x.program, append(args, x.write("template.xml", []byte(doc)))...).CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	filled, err := os.ReadFile(signed)
	return string(filled), err
}

// unfilled is a signature for xmlsec1 to fill.
func unfilled(method string, a algo.Algorithm, key, more string, references ...string) string {
	s := signatureText(method, strings.Join(references, ""), more)
	from, to := strings.Index(s, "<ds:X509Data>"), strings.Index(s, "</ds:KeyInfo>")
	return strings.NewReplacer("AAAA", "", "ALGORITHM", a.XMLSignature, "DIGEST", a.Digest.XML()).Replace(s[:from] + key + s[to:])
}

// TestVerifyXMLSec checks what xmlsec1 signs.
func TestVerifyXMLSec(t *testing.T) {
	x := newXMLSec(t)
	const certificate = "<ds:X509Data><ds:X509Certificate/></ds:X509Data>"
	n := 0
	for id := range signerKinds {
		a, _ := algo.Lookup(id)
		if a.PSS {
			continue // xmlsec1 1.2.37 has no RSASSA-PSS
		}
		h := signerOf(t, id).holder
		for _, method := range []string{c14n.C14N10, c14n.C14N10Comments, c14n.C14N11, c14n.C14N11Comments, c14n.Exclusive, c14n.ExclusiveComments} {
			for form, doc := range map[string]string{
				"enveloped":  `<d xmlns="urn:d" xmlns:b="urn:b" xml:lang="ru"><!-- a --><b:e b:a="&#10;&lt;" a="1"/>текст` + unfilled(method, a, certificate, "", referenceText("", TransformEnveloped, method)) + "</d>",
				"detached":   `<d xmlns:b="urn:b" xml:space="preserve"><e Id="x">1</e><e Id="y"><b:f/></e>` + unfilled(method, a, certificate, "", referenceText("#x", method), referenceText("#y")) + "</d>",
				"enveloping": unfilled(method, a, certificate, `<ds:Object Id="o"><a xmlns="urn:a">1</a></ds:Object>`, referenceText("#o", method)),
				"base64":     unfilled(method, a, certificate, `<ds:Object Id="o">0J/RgNC4 0LLQtdGC</ds:Object>`, referenceText("#o", TransformBase64)),
				"parallel":   "<d>1" + unfilled(method, a, certificate, "", referenceText("", TransformEnveloped, parallel, method)) + "<e/></d>",
				"filter2":    "<d>1" + unfilled(method, a, certificate, "", referenceText("", `<ds:Transform Algorithm="`+TransformFilter2+`"><XPath xmlns="`+NamespaceFilter2+`" Filter="subtract">//ds:Signature</XPath></ds:Transform>`)) + "<e/></d>",
			} {
				signed, err := x.sign(doc, h, "e", "http://www.w3.org/2000/09/xmldsig#Object")
				if err != nil {
					t.Errorf("%s, %s, %s: xmlsec1 does not sign: %v", id, method, form, err)
					continue
				}
				rep := verify(t, signed, h.trust())
				if s := rep.Signers[0]; !s.Valid || !s.Trusted || s.Algorithm != id {
					t.Errorf("%s, %s, %s: %v, %v: %s", id, method, form, s.Problem, s.TrustProblem, signed)
					continue
				}
				n++
			}
		}
	}
	t.Logf("%d signatures of xmlsec1 verified", n)
}

// TestVerifyXMLSecKeys checks what xmlsec1 writes about the key, with the certificate given from outside.
func TestVerifyXMLSecKeys(t *testing.T) {
	x := newXMLSec(t)
	for id := range signerKinds {
		a, _ := algo.Lookup(id)
		if a.PSS {
			continue
		}
		h := signerOf(t, id).holder
		for _, key := range []string{
			"<ds:KeyValue/>", "<ds:X509Data><ds:X509SubjectName/></ds:X509Data>", "<ds:X509Data><ds:X509IssuerSerial/></ds:X509Data>", "<ds:X509Data><ds:X509SKI/></ds:X509Data>",
		} {
			signed, err := x.sign("<d>1"+unfilled(c14n.Exclusive, a, key, "", referenceText("", TransformEnveloped))+"</d>", h)
			if err != nil {
				if key != "<ds:KeyValue/>" || strings.HasPrefix(string(id), "rsa") {
					t.Errorf("%s, %s: xmlsec1 does not sign: %v", id, key, err)
				}
				continue // it writes no KeyValue of GOST and EC keys
			}
			s := verifyWith(t, signed, h.trust(), VerifyOptions{Certificates: []*cert.Certificate{h.root, h.cert}}).Signers[0]
			if !s.Valid || !s.Certificate.Equal(h.cert) {
				t.Errorf("%s, %s: %v: %s", id, key, s.Problem, signed)
			}
			if s := verify(t, signed, h.trust()).Signers[0]; !errors.Is(s.Problem, cms.ErrNoCertificate) || errors.Is(s.Problem, ErrBareKey) != (key == "<ds:KeyValue/>") {
				t.Errorf("%s, %s: %v: without the certificate", id, key, s.Problem)
			}
		}
	}
}

// TestVerifyKeyInfo checks the ways a signature names its key, as xmlsec1 writes them and by hand.
func TestVerifyKeyInfo(t *testing.T) {
	for _, kind := range []string{"rsa2048", "p256", "gost256"} {
		h := holderOf(t, kind)
		doc := h.fill(t, `<d xmlns:wsu="`+NamespaceWSU+`" xmlns:wsse="`+NamespaceWSSE+`"><e Id="x">1</e><t/>`+signatureText(c14n.Exclusive, referenceText("#x"), "")+`</d>`)
		inline := "<ds:X509Data><ds:X509Certificate>" + inBase64(h.cert.Raw) + "</ds:X509Certificate></ds:X509Data>"
		x := h.cert.X509
		token := `<wsse:BinarySecurityToken wsu:Id="token" EncodingType="` + EncodingBase64Binary + `" ValueType="` + ValueTypeX509v3 + `">` + inBase64(h.cert.Raw) + `</wsse:BinarySecurityToken>`
		security := func(in string) string { return "<wsse:SecurityTokenReference>" + in + "</wsse:SecurityTokenReference>" }
		print := algo.SHA1.Sum(h.cert.Raw)
		for name, one := range map[string]struct {
			key, token string
			given      bool // the certificate comes with the options
			want       error
		}{
			"certificate":         {inline, "", false, nil},
			"several, leaf last":  {strings.Replace(inline, "<ds:X509C", "<ds:X509Certificate>"+inBase64(h.root.Raw)+"</ds:X509Certificate><ds:X509C", 1), "", false, nil},
			"unreadable":          {"<ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate></ds:X509Data>", "", false, cms.ErrNoCertificate},
			"nothing":             {"", "", false, cms.ErrNoCertificate},
			"nothing, given":      {"", "", true, nil},
			"name, given":         {"<ds:KeyName>key</ds:KeyName>", "", true, nil},
			"retrieval, given":    {`<ds:RetrievalMethod URI="http://a.test/"/>`, "", true, nil},
			"serial":              {"<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=?</ds:X509IssuerName><ds:X509SerialNumber>" + x.SerialNumber.String() + "</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>", "", true, nil},
			"other serial":        {"<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=?</ds:X509IssuerName><ds:X509SerialNumber>1" + x.SerialNumber.String() + "</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>", "", true, cms.ErrNoCertificate},
			"key identifier":      {"<ds:X509Data><ds:X509SKI>" + inBase64(x.SubjectKeyId) + "</ds:X509SKI></ds:X509Data>", "", true, nil},
			"subject":             {"<ds:X509Data><ds:X509SubjectName>" + x.Subject.String() + "</ds:X509SubjectName></ds:X509Data>", "", true, nil},
			"token":               {security(`<wsse:Reference URI="#token" ValueType="` + ValueTypeX509v3 + `"/>`), token, false, nil},
			"token twice":         {security(`<wsse:Reference URI="#token"/>`), token + token, false, cms.ErrNoCertificate},
			"token of other name": {security(`<wsse:Reference URI="#token"/>`), strings.ReplaceAll(token, "BinarySecurityToken", "Token"), false, cms.ErrNoCertificate},
			"no token":            {security(`<wsse:Reference URI="#token"/>`), "", false, cms.ErrNoCertificate},
			"token elsewhere":     {security(`<wsse:Reference URI="http://a.test/token"/>`), token, false, cms.ErrNoCertificate},
			"thumbprint":          {security(`<wsse:KeyIdentifier ValueType="http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1">` + inBase64(print) + `</wsse:KeyIdentifier>`), "", true, nil},
			"der":                 {`<k:DEREncodedKeyValue xmlns:k="` + NamespaceDSig11 + `">` + inBase64(h.cert.Key.SPKI()) + `</k:DEREncodedKeyValue>`, "", false, ErrBareKey},
			"der, given":          {`<k:DEREncodedKeyValue xmlns:k="` + NamespaceDSig11 + `">` + inBase64(h.cert.Key.SPKI()) + `</k:DEREncodedKeyValue>`, "", true, nil},
			"key of another":      {`<k:DEREncodedKeyValue xmlns:k="` + NamespaceDSig11 + `">` + inBase64(h.root.Key.SPKI()) + `</k:DEREncodedKeyValue>`, "", false, cms.ErrSignature},
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				var o VerifyOptions
				if one.given {
					o.Certificates = []*cert.Certificate{h.root, h.cert}
				}
				s := verifyWith(t, strings.Replace(strings.Replace(doc, inline, one.key, 1), "<t/>", one.token, 1), h.trust(), o).Signers[0]
				if one.want == nil && !s.Valid || !errors.Is(s.Problem, one.want) {
					t.Errorf("valid %v, problem %v", s.Valid, s.Problem)
				}
				if one.want == nil && !s.Certificate.Equal(h.cert) {
					t.Errorf("certificate of %v", s.Certificate.Subject())
				}
			})
		}
	}
}
