// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// everything is XAdES with all that can be in it.
func everything() Options {
	return Options{
		Profile: XAdESEPES, MIMEType: "text/xml", SigningTime: time.Date(2026, 5, 6, 10, 8, 9, 0, time.FixedZone("", 3*3600)),
		Policy: &Policy{
			ID: "1.2.643.3", Description: "Политика <1>", Digest: algo.SHA256, Value: algo.SHA256.Sum(nil), URI: "https://example.org/p?a=1&b=2",
		},
		Production: &ProductionPlace{"Москва", "ул. Лесная", "Москва", "125047", "RU"},
		Roles:      []string{"директор", "бухгалтер"}, Commitments: []string{"1.2.840.113549.1.9.16.6.1", "urn:x:approval"},
		References: []Ref{{Description: "заказ"}, {ID: "a", MIMEType: "text/plain"}},
	}
}

// sequences is the order of children by the schema XAdES01903v132-201601.xsd, as far as they are written here.
var sequences = map[string][]string{
	"QualifyingProperties": {"SignedProperties", "UnsignedProperties"},
	"SignedProperties":     {"SignedSignatureProperties", "SignedDataObjectProperties"},
	"SignedSignatureProperties": {
		"SigningTime", "SigningCertificate", "SigningCertificateV2", "SignaturePolicyIdentifier", "SignatureProductionPlace",
		"SignatureProductionPlaceV2", "SignerRole", "SignerRoleV2",
	},
	"SigningCertificateV2": {"Cert"}, "Cert": {"CertDigest", "IssuerSerialV2"}, "CertDigest": {"DigestMethod", "DigestValue"},
	"SignaturePolicyIdentifier": {"SignaturePolicyId", "SignaturePolicyImplied"},
	"SignaturePolicyId":         {"SigPolicyId", "Transforms", "SigPolicyHash", "SigPolicyQualifiers"},
	"SigPolicyId":               {"Identifier", "Description", "DocumentationReferences"},
	"SigPolicyHash":             {"DigestMethod", "DigestValue"}, "SigPolicyQualifiers": {"SigPolicyQualifier"}, "SigPolicyQualifier": {"SPURI"},
	"SignatureProductionPlaceV2": {"City", "StreetAddress", "StateOrProvince", "PostalCode", "CountryName"},
	"SignerRoleV2":               {"ClaimedRoles", "CertifiedRolesV2", "SignedAssertions"}, "ClaimedRoles": {"ClaimedRole"},
	"SignedDataObjectProperties": {"DataObjectFormat", "CommitmentTypeIndication", "AllDataObjectsTimeStamp"},
	"DataObjectFormat":           {"Description", "ObjectIdentifier", "MimeType", "Encoding"},
	"CommitmentTypeIndication":   {"CommitmentTypeId", "ObjectReference", "AllSignedDataObjects", "CommitmentTypeQualifiers"},
	"CommitmentTypeId":           {"Identifier", "Description"},
}

// xadesOf reads the QualifyingProperties of the only signature.
func xadesOf(t *testing.T, doc string) *element {
	t.Helper()
	begin, end := strings.Index(doc, "<xades:QualifyingProperties"), strings.Index(doc, "</xades:QualifyingProperties>")
	if begin < 0 || end < 0 {
		t.Fatal("no properties")
	}
	text := doc[begin:end] + "</xades:QualifyingProperties>"
	text = strings.Replace(text, " ", ` xmlns:ds="`+NamespaceDSig+`" `, 1)
	e, err := readElement(strings.NewReader(text), xml.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// inOrder checks the children of an element against the schema and notes which elements it has seen.
func inOrder(t *testing.T, e *element, seen map[string]bool) {
	t.Helper()
	seen[e.local] = true
	at := 0
	for _, c := range e.children {
		i := slices.Index(sequences[e.local], c.local)
		if i < at {
			t.Errorf("%s in %s", c.local, e.local)
		}
		at = max(at, i)
		inOrder(t, c, seen)
	}
}

func TestXAdES(t *testing.T) {
	x := newXMLSec(t)
	for _, id := range []algo.ID{algo.RSASHA256, algo.GOST256, algo.GOST512, algo.ECDSASHA384} {
		a, _ := algo.Lookup(id)
		s, o := signerOf(t, id), everything()
		out := signDocument(t, s, order, o)
		rep := verify(t, out, s.trust())
		if !rep.Valid() {
			t.Fatalf("%s: %v", id, rep.Signers[0].Problem)
		}
		one := rep.Signers[0]
		if one.Format != cms.FormatXAdESEPES || !one.SigningTime.Equal(o.SigningTime) || one.Policy == nil ||
			!bytes.Equal(one.Policy.Value, o.Policy.Value) || one.Policy.URI != o.Policy.URI {
			t.Errorf("%s: %+v, policy %+v", id, one, one.Policy)
		}
		seen := map[string]bool{}
		inOrder(t, xadesOf(t, out), seen)
		for name := range sequences {
			if !seen[name] {
				t.Errorf("%s: no %s", id, name)
			}
		}
		if said, ok := x.verify(out, s.cert, "urn:d:строка"); !ok {
			t.Errorf("%s: xmlsec1: %s", id, said)
		}
		for _, want := range []string{
			"<xades:SigningTime>2026-05-06T07:08:09Z</xades:SigningTime>",
			`<xades:Identifier Qualifier="OIDAsURN">urn:oid:1.2.643.3</xades:Identifier>`, "<xades:Identifier>urn:x:approval</xades:Identifier>",
			"<xades:Description>Политика &lt;1&gt;</xades:Description>",
			`<xades:CertDigest><ds:DigestMethod Algorithm="` + a.Digest.XML() + `"/><ds:DigestValue>` + inBase64(a.Digest.Sum(s.cert.Raw)) + "</ds:DigestValue>",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %s", id, want)
			}
		}
		checkIssuerSerial(t, out, s.cert)
		checkFormats(t, out)
	}
}

// checkFormats: each DataObjectFormat names a Reference that is there.
func checkFormats(t *testing.T, doc string) {
	t.Helper()
	list := regexp.MustCompile(`ObjectReference="#([^"]+)"`).FindAllStringSubmatch(doc, -1)
	if len(list) != 2 {
		t.Errorf("%d formats", len(list))
	}
	for _, one := range list {
		if strings.Count(doc, `<ds:Reference Id="`+one[1]+`" URI=`) != 1 {
			t.Errorf("no reference %s", one[1])
		}
	}
}

func checkIssuerSerial(t *testing.T, doc string, c *cert.Certificate) {
	t.Helper()
	text := regexp.MustCompile(`<xades:IssuerSerialV2>([^<]+)<`).FindStringSubmatch(doc)[1]
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Issuer []asn1.RawValue
		Serial *big.Int
	}
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) != 0 || v.Serial.Cmp(c.X509.SerialNumber) != 0 ||
		len(v.Issuer) != 1 || v.Issuer[0].Class != 2 || v.Issuer[0].Tag != 4 || !bytes.Equal(v.Issuer[0].Bytes, c.X509.RawIssuer) {
		t.Errorf("issuer and serial: %v, %+v", err, v)
	}
}

// TestUnsigned: the seam for time stamps gets the canonical SignatureValue and its properties end up in their place.
func TestUnsigned(t *testing.T) {
	x := newXMLSec(t)
	s := signerOf(t, algo.GOST256)
	for _, method := range []string{c14n.Exclusive, c14n.C14N10} {
		var seen []byte
		o := Options{Profile: XAdESBES, C14N: method, Columns: 64, Unsigned: func(_ context.Context, value []byte) ([]byte, error) {
			seen = bytes.Clone(value)
			return []byte(`<t:Stamp xmlns:t="urn:t">штамп</t:Stamp>`), nil
		}}
		out := signDocument(t, s, order, o)
		rep := verify(t, out, s.trust())
		if !rep.Valid() {
			t.Fatalf("%s: %v", method, rep.Signers[0].Problem)
		}
		if said, ok := x.verify(out, s.cert); !ok {
			t.Errorf("%s: xmlsec1: %s", method, said)
		}
		if !strings.Contains(out, "<xades:UnsignedSignatureProperties><t:Stamp xmlns:t=\"urn:t\">штамп</t:Stamp></xades:UnsignedSignatureProperties>") {
			t.Errorf("%s: %s", method, out)
		}
		var want bytes.Buffer
		job := &c14n.Job{Nodes: c14n.Element(scanned(t, out).found[0].valueAt.begin), Method: c14n.Method{URI: method}, Out: &want}
		if err := c14n.Run(context.Background(), xml.NewReader(strings.NewReader(out), xml.Limits{}), 0, job); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(seen, want.Bytes()) {
			t.Errorf("%s: stamped %q, should be %q", method, seen, want.Bytes())
		}
	}
	boom := errors.New("no answer")
	var w bytes.Buffer
	err := Sign(context.Background(), &w, strings.NewReader(order), s, Options{Profile: XAdESBES, Unsigned: func(context.Context, []byte) ([]byte, error) {
		return nil, boom
	}})
	if !errors.Is(err, boom) || w.Len() != 0 {
		t.Errorf("%v, %d bytes", err, w.Len())
	}
}
