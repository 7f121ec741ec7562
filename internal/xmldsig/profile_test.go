// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/cms"
)

const soapMessage = `<?xml version="1.0" encoding="UTF-8"?>
<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/" xmlns:r="urn:r">HEADER
  <S:Body BODY><r:Запрос><r:Номер>7</r:Номер></r:Запрос></S:Body>
</S:Envelope>`

func soapText(header, body string) string {
	return strings.NewReplacer("HEADER", header, "BODY", body).Replace(soapMessage)
}

const wsuBody = `xmlns:w="` + NamespaceWSU + `" w:Id="body"`

const foreignSecurity = `<S:Header><r:Путь w:Id="hop" xmlns:w="` + NamespaceWSU + `"/><w:Security xmlns:w="` + NamespaceWSSE +
	`" S:actor="urn:other"><w:UsernameToken/></w:Security></S:Header>`

// TestSMEV2 signs messages with and without a header, with and without an Id on the body, in SOAP 1.1 and 1.2.
func TestSMEV2(t *testing.T) {
	x := newXMLSec(t)
	s := signerOf(t, algo.GOST256)
	for name, c := range map[string]struct {
		doc      string
		o        Options
		security int // headers there are then
	}{
		"bare":           {soapText("", ""), Options{}, 1},
		"own Id":         {soapText("", wsuBody), Options{}, 1},
		"prefix taken":   {soapText("", `xmlns:wsu="urn:else"`), Options{}, 1},
		"empty header":   {soapText("<S:Header/>", ""), Options{}, 1},
		"other security": {soapText(foreignSecurity, ""), Options{}, 2},
		"own security": {
			soapText(strings.ReplaceAll(foreignSecurity, "urn:other", actorSMEV), ""), Options{}, 1,
		},
		"several": {
			soapText(foreignSecurity, wsuBody), Options{References: []Ref{{ID: "body"}, {ID: "hop"}}, Columns: 76}, 2,
		},
		"soap 1.2": {strings.ReplaceAll(soapText("", ""), soap11, soap12), Options{Actor: "urn:кто"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Profile = SMEV2
			out := signDocument(t, s, c.doc, c.o)
			rep := verify(t, out, s.trust())
			if !rep.Valid() || !rep.Signers[0].Certificate.Equal(s.cert) {
				t.Fatalf("%v\n%s", rep.Signers[0].Problem, out)
			}
			if n := strings.Count(out, ":Security "); n != c.security {
				t.Errorf("%d security headers in %s", n, out)
			}
			if refs := rep.Signers[0].References; refs[0].Name != "Body" || len(refs) != max(1, len(c.o.References)) {
				t.Errorf("signed: %+v", refs)
			}
			args := []string{soap11 + ":Body", soap12 + ":Body", "urn:r:Путь"}
			if said, ok := x.verify(out, s.cert, args...); !ok {
				t.Errorf("xmlsec1: %s\n%s", said, out)
			}
		})
	}
}

func TestSMEV2Refuses(t *testing.T) {
	s := signerOf(t, algo.GOST256)
	for name, c := range map[string]struct {
		doc  string
		o    Options
		want error
	}{
		"no envelope":   {`<a/>`, Options{}, ErrPlace},
		"no body":       {`<S:Envelope xmlns:S="` + soap11 + `"/>`, Options{}, ErrPlace},
		"other soap":    {strings.ReplaceAll(soapText("", ""), soap11, "urn:soap"), Options{}, ErrPlace},
		"absent Id":     {soapText("", ""), Options{References: []Ref{{ID: "x"}}}, ErrReference},
		"Id twice":      {soapText(`<S:Header><r:x Id="body"/></S:Header>`, wsuBody), Options{}, ErrReference},
		"inclusive":     {soapText("", ""), Options{C14N: "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"}, ErrOptions},
		"place":         {soapText("", ""), Options{Place: Place{Path: "/Envelope"}}, ErrOptions},
		"the document":  {soapText("", ""), Options{References: []Ref{{}}}, ErrOptions},
		"whole message": {soapText("", ""), Options{Mode: Enveloped}, ErrOptions},
	} {
		c.o.Profile = SMEV2
		refused(t, name, s, c.doc, c.o, c.want)
	}
}

// refused checks the error of Sign and of Plan, that the key was not used and that nothing was written.
func refused(t *testing.T, name string, s *signer, doc string, o Options, want error) {
	t.Helper()
	s.calls = 0
	var w strings.Builder
	if err := Sign(context.Background(), &w, strings.NewReader(doc), s, o); !errors.Is(err, want) || w.Len() != 0 || s.calls != 0 {
		t.Errorf("%s: %v, %d bytes, %d uses of the key", name, err, w.Len(), s.calls)
	}
	if _, err := Plan(context.Background(), strings.NewReader(doc), o); !errors.Is(err, want) {
		t.Errorf("%s: plan: %v", name, err)
	}
}

// TestSMEV2Template fills a header somebody else has made: the token, the digest, the value.
func TestSMEV2Template(t *testing.T) {
	x := newXMLSec(t)
	s := signerOf(t, algo.GOST256)
	a, _ := algo.Lookup(algo.GOST256)
	header := `<S:Header><o:Security xmlns:o="` + NamespaceWSSE + `" xmlns:u="` + NamespaceWSU + `"><o:BinarySecurityToken u:Id="T" EncodingType="` +
		EncodingBase64Binary + `" ValueType="` + ValueTypeX509v3 + `"> </o:BinarySecurityToken><Signature xmlns="` + NamespaceDSig + `"><SignedInfo>` +
		`<CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><SignatureMethod Algorithm="` + a.XMLSignature +
		`"/><Reference URI="#body"><Transforms><Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></Transforms><DigestMethod Algorithm="` +
		a.Digest.XML() + `"/><DigestValue/></Reference></SignedInfo><SignatureValue/><KeyInfo><o:SecurityTokenReference><o:Reference URI="#T" ValueType="` +
		ValueTypeX509v3 + `"/></o:SecurityTokenReference></KeyInfo></Signature></o:Security></S:Header>`
	doc := soapText(header, wsuBody)
	out := signDocument(t, s, doc, Options{Profile: SMEV2, Mode: Template})
	rep, err := Verify(context.Background(), strings.NewReader(out), s.trust(), VerifyOptions{})
	if err != nil || !rep.Valid() || !rep.Trusted() || !rep.Signers[0].Certificate.Equal(s.cert) {
		t.Fatalf("%v, %+v", err, rep)
	}
	if said, ok := x.verify(out, s.cert, soap11+":Body"); !ok {
		t.Errorf("xmlsec1: %s", said)
	}
	fields := regexp.MustCompile(`(<(?:o:BinarySecurityToken u[^>]*|DigestValue|SignatureValue))(/>|>[^<]*</[^>]*>)`)
	if fields.ReplaceAllString(doc, "$1") != fields.ReplaceAllString(out, "$1") {
		t.Errorf("%s\nbecame\n%s", doc, out)
	}
}

const smevMessage = `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/" xmlns:ns="urn://x-artefacts-smev-gov-ru/services/message-exchange/types/1.1">
  <S:Body>
    <ns2:SendRequestRequest xmlns:ns2="urn://x-artefacts-smev-gov-ru/services/message-exchange/types/1.1">
      <ns:SenderProvidedRequestData Id="SIGNED_BY_CONSUMER"><ns:MessageID>db0486d0</ns:MessageID>
        <q xmlns="urn:q" xmlns:unused="urn:u" Id="PERSONAL_SIGNATURE"><Имя б="2" а="1">Т785ЕС57</Имя></q>
        <ns:PersonalSignature/>
      </ns:SenderProvidedRequestData>
      <ns2:CallerInformationSystemSignature/>
    </ns2:SendRequestRequest>
  </S:Body>
</S:Envelope>`

// TestSMEV3 makes a personal signature, then the system's over the element that holds it.
func TestSMEV3(t *testing.T) {
	s := signerOf(t, algo.GOST256)
	personal := signDocument(t, s, smevMessage, Options{
		Profile: SMEV3, References: []Ref{{ID: "PERSONAL_SIGNATURE"}}, Place: Place{Path: "//PersonalSignature"},
	})
	out := signDocument(t, s, personal, Options{Profile: SMEV3, References: []Ref{{ID: "SIGNED_BY_CONSUMER"}}})
	rep := verify(t, out, s.trust())
	if !rep.Valid() || len(rep.Signers) != 2 {
		t.Fatalf("%+v\n%s", rep.Signers, out)
	}
	for i, name := range []string{"q", "SenderProvidedRequestData"} {
		if ref := rep.Signers[i].References[0]; ref.Name != name {
			t.Errorf("signature %d covers %s", i, ref.Name)
		}
	}
	if !strings.Contains(out, "<ns:PersonalSignature><ds:Signature ") ||
		!strings.Contains(out, "</ds:Signature></ns2:CallerInformationSystemSignature>") {
		t.Errorf("places: %s", out)
	}
	// The transform forgives white space between elements and other prefixes, nothing else.
	moved := strings.NewReplacer("\n        <ns:Pers", "<ns:Pers", `xmlns:unused="urn:u"`, `xmlns:other="urn:o"`).Replace(out)
	if rep := verify(t, moved, s.trust()); moved == out || !rep.Valid() {
		t.Errorf("white space: %v", rep.Signers[0].Problem)
	}
	if rep := verify(t, strings.Replace(out, "Т785ЕС57", "Т785ЕС58", 1), s.trust()); rep.Signers[0].Valid || rep.Signers[1].Valid {
		t.Error("another number is accepted")
	}
	refused(t, "no reference", s, smevMessage, Options{Profile: SMEV3}, ErrOptions)
	refused(t, "no place", s, soapText("", `Id="b"`), Options{Profile: SMEV3, References: []Ref{{ID: "b"}}}, ErrPlace)
	refused(t, "around itself", s, smevMessage,
		Options{Profile: SMEV3, References: []Ref{{ID: "SIGNED_BY_CONSUMER"}}, Place: Place{Path: "//PersonalSignature"}}, ErrOptions)
	// The personal signature stands inside what the system has signed.
	refused(t, "too late", s, signDocument(t, s, smevMessage, Options{Profile: SMEV3, References: []Ref{{ID: "SIGNED_BY_CONSUMER"}}}),
		Options{Profile: SMEV3, References: []Ref{{ID: "PERSONAL_SIGNATURE"}}, Place: Place{Path: "//PersonalSignature"}}, ErrBreaks)
}

const powerOfAttorney = `<?xml version="1.0" encoding="windows-1251"?>
<Доверенность xmlns="urn://x-artefacts/EMCHD_1" ВерсФорм="EMCHD_1" ИдФайл="ON_EMCHD_1"><Документ Id="d1"><Довер/></Документ></Доверенность>
`

func windows1251(t testing.TB, s string) string {
	t.Helper()
	b, err := encodingOf("windows-1251").Encode([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestOtherProfiles: what is left is told apart by its defaults, and verified by xmlsec1.
func TestOtherProfiles(t *testing.T) {
	x := newXMLSec(t)
	s := signerOf(t, algo.GOST512)
	policy := &Policy{ID: "1.2.643.1.2.3", Digest: algo.SHA256, Value: make([]byte, 32), URI: "https://example.org/policy"}
	for name, c := range map[string]struct {
		o      Options
		format string
		refs   int
		name   string
	}{
		"mchd":          {Options{Profile: MChD}, cms.FormatXMLDSig, 1, "Доверенность"},
		"mchd detached": {Options{Profile: MChD, Mode: Detached, References: []Ref{{ID: "d1"}}}, cms.FormatXMLDSig, 1, "Документ"},
		"fns":           {Options{Profile: FNS}, cms.FormatXMLDSig, 1, "Доверенность"},
		"bes":           {Options{Profile: XAdESBES}, cms.FormatXAdESBES, 2, "Доверенность"},
		"epes":          {Options{Profile: XAdESEPES, Policy: policy}, cms.FormatXAdESEPES, 2, "Доверенность"},
		"implied":       {Options{Profile: XAdESEPES, Policy: &Policy{}}, cms.FormatXAdESEPES, 2, "Доверенность"},
	} {
		out := signDocument(t, s, windows1251(t, powerOfAttorney), c.o)
		rep := verify(t, out, s.trust())
		if !rep.Valid() {
			t.Errorf("%s: %v", name, rep.Signers[0].Problem)
			continue
		}
		one := rep.Signers[0]
		if one.Format != c.format || len(one.References) != c.refs || one.References[0].Name != c.name {
			t.Errorf("%s: %s, %+v", name, one.Format, one.References)
		}
		if said, ok := x.verify(out, s.cert, "urn://x-artefacts/EMCHD_1:Документ"); !ok {
			t.Errorf("%s: xmlsec1: %s", name, said)
		}
	}
	refused(t, "no policy", s, order, Options{Profile: XAdESEPES}, ErrOptions)
	refused(t, "policy in BES", s, order, Options{Profile: XAdESBES, Policy: policy}, ErrOptions)
	refused(t, "unknown", s, order, Options{Profile: "cades"}, ErrOptions)
	refused(t, "fns detached", s, order, Options{Profile: FNS, Mode: Detached, References: []Ref{{ID: "a"}}}, ErrOptions)
}
