// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// TestVerifyPropertyForms reads the forms XAdES properties have.
func TestVerifyPropertyForms(t *testing.T) {
	h := holderOf(t, "p256")
	serial := h.cert.X509.SerialNumber
	v2 := partOf(signedText, "SigningCertificateV2")
	v1 := strings.NewReplacer("SigningCertificateV2", "SigningCertificate", "</xades:CertDigest>",
		"</xades:CertDigest><xades:IssuerSerial><ds:X509IssuerName>CN=?</ds:X509IssuerName><ds:X509SerialNumber>SERIAL</ds:X509SerialNumber></xades:IssuerSerial>").Replace(v2)
	der := func(n *big.Int) string {
		b, err := asn1.Marshal(struct {
			Issuer []asn1.RawValue
			Serial *big.Int
		}{[]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: h.cert.X509.RawIssuer}}, n})
		if err != nil {
			t.Fatal(err)
		}
		return "</xades:CertDigest><xades:IssuerSerialV2>" + inBase64(b) + "</xades:IssuerSerialV2>"
	}
	other := new(big.Int).Add(serial, big.NewInt(1))
	policy := func(in string) string {
		return v2 + "<xades:SignaturePolicyIdentifier>" + in + "</xades:SignaturePolicyIdentifier>"
	}
	named := `<xades:SignaturePolicyId><xades:SigPolicyId><xades:Identifier Qualifier="OIDAsURN">urn:oid:1.2.643.1</xades:Identifier></xades:SigPolicyId>` +
		`<xades:SigPolicyHash><ds:DigestMethod Algorithm="DIGEST"/><ds:DigestValue>AQID</ds:DigestValue></xades:SigPolicyHash>` +
		`<xades:SigPolicyQualifiers><xades:SigPolicyQualifier><xades:SPURI>http://a.test/policy</xades:SPURI></xades:SigPolicyQualifier></xades:SigPolicyQualifiers></xades:SignaturePolicyId>`
	for name, one := range map[string]struct {
		properties string // in place of SigningCertificateV2
		want       error
		policy     string
	}{
		"V1":                    {strings.Replace(v1, "SERIAL", serial.String(), 1), nil, ""},
		"V1, other serial":      {strings.Replace(v1, "SERIAL", other.String(), 1), cms.ErrSigningCertificate, ""},
		"V1, no serial":         {strings.Replace(v1, "SERIAL", "x", 1), ErrFormat, ""},
		"V2 with serial":        {strings.Replace(v2, "</xades:CertDigest>", der(serial), 1), nil, ""},
		"V2, other serial":      {strings.Replace(v2, "</xades:CertDigest>", der(other), 1), cms.ErrSigningCertificate, ""},
		"V2, another first":     {strings.Replace(v2, "<xades:Cert>", strings.Replace(v2[strings.Index(v2, "<xades:Cert>"):strings.Index(v2, "</xades:SigningCertificateV2>")], "THUMBPRINT", "AAAA", 1)+"<xades:Cert>", 1), nil, ""},
		"V2, unknown digest":    {strings.Replace(v2, "DIGEST", "urn:x", 1), cms.ErrSigningCertificate, ""},
		"V2 twice":              {v2 + v2, ErrFormat, ""},
		"policy":                {policy(named), nil, "urn:oid:1.2.643.1 http://a.test/policy"},
		"policy without digest": {policy(strings.Replace(named, partOf(named, "SigPolicyHash"), "", 1)), ErrFormat, ""},
		"policy implied":        {policy("<xades:SignaturePolicyImplied/>"), nil, " "},
		"time wrong":            {v2 + "<xades:SigningTime>yesterday</xades:SigningTime>", ErrFormat, ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(propertiesText, v2, one.properties, 1)
			typed := typedReference("#props", TypeSignedProperties, c14n.Exclusive)
			s := verify(t, h.fill(t, `<d><e Id="x"/>`+signatureText(c14n.Exclusive, referenceText("#x")+typed, text)+`</d>`), h.trust()).Signers[0]
			if one.want == nil && s.Problem != nil || !errors.Is(s.Problem, one.want) {
				t.Errorf("problem %v, want %v", s.Problem, one.want)
			}
			got := ""
			if s.Policy != nil {
				got = s.Policy.ID + " " + s.Policy.URI
			}
			if got != one.policy || (s.Format == cms.FormatXAdESEPES) != (one.policy != "") {
				t.Errorf("%s with policy %q, want %q", s.Format, got, one.policy)
			}
		})
	}
}

// TestVerifySignedKeyInfo: without SigningCertificate a XAdES signature may sign its KeyInfo.
func TestVerifySignedKeyInfo(t *testing.T) {
	h := holderOf(t, "p256")
	text := strings.Replace(propertiesText, partOf(signedText, "SigningCertificateV2"), "", 1)
	typed := typedReference("#props", TypeSignedProperties, c14n.Exclusive)
	doc := `<d><e Id="x"/>` + strings.Replace(signatureText(c14n.Exclusive, referenceText("#x")+referenceText("#key")+typed, text), "<ds:KeyInfo>", `<ds:KeyInfo Id="key">`, 1) + `</d>`
	checkHolds(t, verify(t, h.fill(t, doc), h.trust()))
	bad := h.fill(t, strings.Replace(doc, referenceText("#key"), "", 1))
	if s := verify(t, bad, h.trust()).Signers[0]; !errors.Is(s.Problem, cms.ErrSigningCertificate) {
		t.Errorf("certificate not named: %v", s.Problem)
	}
}

func TestParseTime(t *testing.T) {
	want := time.Date(2026, 5, 6, 4, 8, 9, 0, time.UTC)
	for _, s := range []string{"2026-05-06T07:08:09+03:00", "2026-05-06T04:08:09Z", "2026-05-06T04:08:09", "2026-05-06T04:08:09.000Z"} {
		if got, err := parseTime(s); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "2026-05-06", "2026-05-06 04:08:09Z", "06.05.2026"} {
		if got, err := parseTime(s); err == nil {
			t.Errorf("%s: %v", s, got)
		}
	}
}

// TestParseKeyValue reads every form of a bare key.
func TestParseKeyValue(t *testing.T) {
	value := func(in string) string {
		return `<ds:KeyValue xmlns:ds="` + NamespaceDSig + `" xmlns:k="` + NamespaceDSig11 + `" xmlns:g="` + NamespaceCPXMLSec + `">` + in + `</ds:KeyValue>`
	}
	type spki struct {
		Algorithm struct {
			OID        asn1.ObjectIdentifier
			Parameters asn1.RawValue
		}
		Key asn1.BitString
	}
	parts := func(key algo.PublicKey) (s spki) {
		if _, err := asn1.Unmarshal(key.SPKI(), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	gost := func(key algo.PublicKey) string {
		s := parts(key)
		var sets []asn1.ObjectIdentifier
		var raw []byte
		if _, err := asn1.Unmarshal(s.Algorithm.Parameters.FullBytes, &sets); err != nil {
			t.Fatal(err)
		}
		if _, err := asn1.Unmarshal(s.Key.Bytes, &raw); err != nil {
			t.Fatal(err)
		}
		in := "<g:publicKeyParamSet>urn:oid:" + sets[0].String() + "</g:publicKeyParamSet>"
		if len(sets) > 1 {
			in += "<g:digestParamSet>urn:oid:" + sets[1].String() + "</g:digestParamSet>"
		}
		return value("<g:GOSTKeyValue><g:PublicKeyParameters>" + in + "</g:PublicKeyParameters><g:PublicKey>" + inBase64(raw) + "</g:PublicKey></g:GOSTKeyValue>")
	}
	rsaKey, ec := holderOf(t, "rsa2048").cert, holderOf(t, "p256").cert.Key
	n := rsaKey.X509.PublicKey.(*rsa.PublicKey)
	g256, g512 := holderOf(t, "gost256").cert.Key, holderOf(t, "gost512").cert.Key
	for text, want := range map[string]algo.PublicKey{
		value("<ds:RSAKeyValue><ds:Modulus>" + inBase64(n.N.Bytes()) + "</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>"):                         rsaKey.Key,
		value(`<k:ECKeyValue><k:NamedCurve URI="urn:oid:1.2.840.10045.3.1.7"/><k:PublicKey>` + inBase64(parts(ec).Key.Bytes) + "</k:PublicKey></k:ECKeyValue>"): ec,
		gost(g256): g256, gost(g512): g512,
		value("<g:GOSTKeyValue>" + inBase64(g256.SPKI()) + "</g:GOSTKeyValue>"):                                      g256,
		`<k:DEREncodedKeyValue xmlns:k="` + NamespaceDSig11 + `">` + inBase64(ec.SPKI()) + `</k:DEREncodedKeyValue>`: ec,
		value("<ds:DSAKeyValue/>"): nil,
		value(""):                  nil,
		value(`<k:ECKeyValue><k:NamedCurve URI="urn:oid:1.2"/><k:PublicKey>AAAA</k:PublicKey></k:ECKeyValue>`):  nil,
		value("<ds:RSAKeyValue><ds:Modulus>AAAA</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>"):  nil,
		value("<g:GOSTKeyValue><g:PublicKey>" + inBase64(make([]byte, 64)) + "</g:PublicKey></g:GOSTKeyValue>"): nil,
		strings.Replace(gost(g256), "<g:PublicKey>", "<g:PublicKey>AAAA", 1):                                    nil,
	} {
		e, err := readElement(strings.NewReader(text), xml.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		key, err := parseKeyValue(e)
		if (err == nil) != (want != nil) || err == nil && !key.Equal(want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestNameValues(t *testing.T) {
	for name, want := range map[string]string{
		`CN=a`:                             "a",
		`CN=a, O="b"`:                      `a|"b"`,
		`CN=a\, b+O=c`:                     "a, b|c",
		`CN=\D0\98, 1.2.643.3.131.1.1=\#1`: "И|#1",
		`1.2.3=#0c0161`:                    "a",
		`1.2.3=#zz`:                        "#zz",
		``:                                 "",
		`=`:                                "",
		`\`:                                "",
		`a=\`:                              `\`,
	} {
		if got := strings.Join(nameValues(name), "|"); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
