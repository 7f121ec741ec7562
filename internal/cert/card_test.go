// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"persten/internal/algo"
)

func ext(t testing.TB, oid asn1.ObjectIdentifier, v any) pkix.Extension {
	t.Helper()
	if der, ok := v.([]byte); ok {
		return pkix.Extension{Id: oid, Value: der}
	}
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: oid, Value: der}
}

func generalized(tag int, s string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(s)}
}

type tool struct {
	SignTool, CATool, SignToolDocument, CAToolDocument string `asn1:"utf8"`
}

// qualified is a template with everything a card shows.
func qualified(t testing.TB, kind string) Template {
	return Template{
		Subject: ivanova, Key: key(t, kind).Public(),
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC),
		ExtKeyUsage: []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 4}, {1, 2, 643, 2, 2, 34, 6}, {1, 2, 643, 100, 114, 3}, {1, 2, 643, 3, 999}},
		Policies:    []asn1.ObjectIdentifier{{1, 2, 643, 100, 113, 1}, {1, 2, 643, 100, 113, 2}, {1, 2, 643, 100, 114, 4}, {1, 2, 643, 100, 113, 7}, {1, 2, 643, 100, 113, 3, 1}, {1, 2, 643, 100, 114}},
		Extensions: []pkix.Extension{
			ext(t, oidPrivateKeyUsage, struct{ From, To asn1.RawValue }{generalized(0, "20260101000000.5Z"), generalized(1, "20270401120000.870Z")}),
			ext(t, oidSubjectSignTool, "Учебное средство 1.0"),
			ext(t, oidIssuerSignTool, tool{"Средство", "Средства УЦ", "Заключение 1", "Заключение 2"}),
			ext(t, oidIdentification, 1),
		},
	}
}

func TestCard(t *testing.T) {
	r := root(t, "gost512")
	c := build(t, qualified(t, "gost256"), r, key(t, "gost512"))
	d := c.Card()
	want := Card{
		Owner: ivanova, Issuer: r.Subject(), Serial: c.Serial(), SHA1: c.Thumbprint(), SHA256: c.ID(), KeyID: d.KeyID,
		NotBefore: c.NotBefore(), NotAfter: c.NotAfter(),
		KeyFrom:   time.Date(2026, 1, 1, 0, 0, 0, 500_000_000, time.UTC),
		KeyTo:     time.Date(2027, 4, 1, 12, 0, 0, 870_000_000, time.UTC),
		SignUntil: time.Date(2027, 4, 1, 12, 0, 0, 870_000_000, time.UTC),
		Algorithm: d.Algorithm, Usage: []string{"digitalSignature", "contentCommitment"},
		Purposes: []Purpose{{"1.3.6.1.5.5.7.3.4", "emailProtection"}, {"1.2.643.2.2.34.6", "registrationUser"}, {"1.2.643.100.114.3", ""}, {"1.2.643.3.999", ""}},
		Class:    KC2, IssuerClass: KB1, Policies: []string{"1.2.643.100.113.7", "1.2.643.100.113.3.1", "1.2.643.100.114"},
		Identification: "certificate", SignTool: "Учебное средство 1.0",
		IssuerTool: IssuerTool{"Средство", "Средства УЦ", "Заключение 1", "Заключение 2"},
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("got  %+v\nwant %+v", d, want)
	}
	if len(d.KeyID) != 40 || d.Class.String() != "KC2" || Class(9).String() != "" {
		t.Errorf("key %q, class %v", d.KeyID, d.Class)
	}
}

// TestKeyPeriod: the key stops signing before its certificate ends.
func TestKeyPeriod(t *testing.T) {
	c := build(t, qualified(t, "p256"), nil, key(t, "p256"))
	_, to, _ := c.PrivateKeyUsage()
	for at, want := range map[time.Time]error{
		c.NotBefore().Add(-time.Second):           ErrNotYetValid,
		c.NotBefore():                             ErrKeyNotYetValid,
		c.NotBefore().Add(500 * time.Millisecond): nil,
		to:                            nil,
		to.Add(time.Millisecond):      ErrKeyExpired,
		c.NotAfter().Add(time.Second): ErrExpired,
	} {
		if err := c.KeyValidAt(at); !errors.Is(err, want) {
			t.Errorf("%v: %v, want %v", at, err, want)
		}
	}
	bare := root(t, "p256")
	if d := bare.Card(); bare.KeyValidAt(time.Now()) != nil || !d.SignUntil.Equal(d.NotAfter) {
		t.Errorf("without a period: %v", d.SignUntil)
	}
	late := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public(), PrivateKeyUsageTo: time.Now().AddDate(9, 0, 0)}, nil, key(t, "p256"))
	if d := late.Card(); !d.SignUntil.Equal(d.NotAfter) || !d.KeyTo.After(d.NotAfter) {
		t.Errorf("a period longer than the certificate: %v", d.SignUntil)
	}
}

func TestReadTime(t *testing.T) {
	full := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	for s, want := range map[string]time.Time{
		"20270102030405Z":          full,
		"20270102030405.1Z":        full.Add(100 * time.Millisecond),
		"20270102030405.876000Z":   full.Add(876 * time.Millisecond),
		"20270102060405+0300":      full,
		"20270102030405":           {},
		"20271302030405Z":          {},
		"00000101000000Z":          {},
		"270102030405Z":            {},
		"20270102030405Z\x00":      {},
		strings.Repeat("2027", 99): {},
	} {
		v := generalized(0, s)
		v.FullBytes = append([]byte{0x80, byte(len(s))}, s...)
		got, err := readTime(v)
		if !got.Equal(want) || (err == nil) == want.IsZero() {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}

// TestHostileCard: long and strange values come out bounded, malformed extensions are named, and nothing fails.
func TestHostileCard(t *testing.T) {
	long := strings.Repeat("Щ", 40_000)
	tp := Template{Subject: Person{CommonName: long, Title: "a\x1b[2J\u202e\nb"}, Key: key(t, "p256").Public()}
	for i := range 3000 {
		tp.ExtKeyUsage = append(tp.ExtKeyUsage, asn1.ObjectIdentifier{1, 2, 643, i})
		tp.Policies = append(tp.Policies, asn1.ObjectIdentifier{1, 2, 643, 100, 113, 100 + i})
	}
	tp.Extensions = []pkix.Extension{ext(t, oidSubjectSignTool, strings.Repeat("\u0600", 9000)), ext(t, oidIdentification, 77)}
	d := build(t, tp, nil, key(t, "p256")).Card()
	for _, s := range []string{d.Owner.CommonName, d.Issuer.CommonName, d.SignTool} {
		if utf8.RuneCountInString(s) != maxText || !strings.HasSuffix(s, "…") {
			t.Errorf("%d characters", utf8.RuneCountInString(s))
		}
	}
	if d.Owner.Title != tp.Subject.Title || d.Identification != "other" {
		t.Errorf("%+v", d)
	}
	if len(d.Purposes) != maxList || len(d.Policies) != maxList || d.Class != 0 {
		t.Errorf("%d purposes, %d policies, class %v", len(d.Purposes), len(d.Policies), d.Class)
	}
}

func TestUnreadable(t *testing.T) {
	var want []string
	tp := Template{Subject: ivanova, Key: key(t, "p256").Public()}
	for _, oid := range []asn1.ObjectIdentifier{oidPrivateKeyUsage, oidSubjectSignTool, oidIssuerSignTool, oidIdentification} {
		tp.Extensions = append(tp.Extensions, ext(t, oid, []byte{0x30, 0x03, 0x02, 0x01, 0x05, 0x00}))
		want = append(want, oid.String())
	}
	d := build(t, tp, nil, key(t, "p256")).Card()
	if !reflect.DeepEqual(d.Unreadable, want) || d.SignTool != "" || d.Identification != "" || !d.KeyTo.IsZero() {
		t.Errorf("%+v", d)
	}
}

func TestCut(t *testing.T) {
	for _, s := range []string{"", "а", strings.Repeat("𝄞", maxText), strings.Repeat("a", maxText)} {
		if cut(s) != s {
			t.Errorf("%d bytes changed", len(s))
		}
	}
	for _, s := range []string{strings.Repeat("𝄞", maxText+1), strings.Repeat("a", maxText+1), strings.Repeat("aaa𝄞", 9999), strings.Repeat("\xff", 1<<18)} {
		if got := cut(s); !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxText || !strings.HasSuffix(got, "…") {
			t.Errorf("%d bytes: %d characters", len(s), utf8.RuneCountInString(got))
		}
	}
	if got := cut("a\xffb"); got != "a\uFFFDb" {
		t.Errorf("%q", got)
	}
}

func TestINN(t *testing.T) {
	for _, c := range [][4]string{ // INN, INNLE as written; as read
		{"007707083893", "", "", "7707083893"},
		{"007707083893", "7707083893", "", "7707083893"},
		{"007707083893", "7704007157", "007707083893", "7704007157"},
		{"7707083893", "", "", "7707083893"},
		{"500100732259", "", "500100732259", ""},
		{"500100732259", "7707083893", "500100732259", "7707083893"},
		{"00770708389", "", "00770708389", ""},
		{"00770708389X", "", "00770708389X", ""},
		{"", "007707083893", "", "7707083893"},
		{"500100732259", "007707083893", "500100732259", "7707083893"},
		{"007707083893", "007707083893", "", "7707083893"},
		{"7707083893", "007707083893", "", "7707083893"},
		{"", "00770708389X", "", "00770708389X"},
	} {
		p := Person{INN: c[0], INNLE: c[1]}
		if p.sortINN(); p.INN != c[2] || p.INNLE != c[3] {
			t.Errorf("%q: %q and %q", c[:2], p.INN, p.INNLE)
		}
	}
}

func TestAlgorithm(t *testing.T) {
	for kind, want := range map[string]Algorithm{
		"rsa2048": {"rsa", 2048, "", "1.2.840.113549.1.1.1"},
		"p256":    {"ecdsa", 256, "P-256", "1.2.840.10045.2.1"},
	} {
		if got := root(t, kind).Algorithm(); got != want {
			t.Errorf("%+v", got)
		}
	}
	for name, want := range map[string]string{
		"tc26/certificate-256.der": "gost2012 256 CryptoPro-XchA", "tc26/certificate-512.der": "gost2012 512 TC26-512-B",
	} {
		der, err := os.ReadFile("../../testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		if a := c.Algorithm(); fmt.Sprint(a.Key, " ", a.Bits, " ", a.ParameterSet) != want {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// TestTexts: every stable name has a text in both languages.
func TestTexts(t *testing.T) {
	var keys []string
	add := func(group, name string) { keys = append(keys, "cert."+group+"."+name) }
	for _, u := range usageNames {
		add("usage", u.key)
	}
	for _, name := range purposeNames {
		add("eku", name)
	}
	for c := KC1; c <= KA1; c++ {
		add("class", c.String())
	}
	for _, i := range append(identifications, "other") {
		add("identification", string(i))
	}
	for _, k := range keyKinds {
		add("algorithm", k.key)
	}
	for _, h := range []Holder{HolderRepresentative, HolderEntrepreneur, HolderPerson, HolderOrganization, HolderUnknown} {
		add("holder", string(h))
	}
	for _, r := range reasons {
		add("link", r.key)
	}
	add("link", "other")
	for _, lang := range []string{"ru", "en"} {
		data, err := os.ReadFile("../text/" + lang + "/cert.json")
		if err != nil {
			t.Fatal(err)
		}
		var texts map[string]string
		if err := json.Unmarshal(data, &texts); err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if texts[k] == "" {
				t.Errorf("%s: no text for %s", lang, k)
			}
		}
	}
}

// TestRussianCards counts what the certificates of accredited CAs carry, and holds one of them to all its fields.
func TestRussianCards(t *testing.T) {
	n := map[string]int{}
	count := func(what string, ok bool) {
		if ok {
			n[what]++
		}
	}
	cards := map[string]Card{}
	for _, der := range russian(t) {
		c, err := Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		d := c.Card()
		cards[d.SHA1] = d
		n[d.Class.String()]++
		count("issuer class", d.IssuerClass != 0)
		count("INN", d.Owner.INN != "")
		count("INNLE", d.Owner.INNLE != "")
		count("OGRN", d.Owner.OGRN != "")
		count("SNILS", d.Owner.SNILS != "")
		count("title", d.Owner.Title != "")
		n[string(d.Owner.Holder())]++
		count("sign tool", d.SignTool != "")
		count("issuer tool", d.IssuerTool.SignTool != "" && d.IssuerTool.CATool != "" && d.IssuerTool.SignToolDocument != "" && d.IssuerTool.CAToolDocument != "")
		count("key period", !d.KeyTo.IsZero())
		count("earlier", d.SignUntil.Before(d.NotAfter))
		if d.KeyFrom.Nanosecond() != 0 {
			n["fraction "+d.KeyFrom.Format(time.RFC3339Nano)+" "+d.KeyTo.Format(time.RFC3339Nano)]++
		}
		count("identification", d.Identification != "")
		count("parameter set", d.Algorithm.Key != "" && strings.ContainsRune(d.Algorithm.ParameterSet, '-'))
		count("purposes", len(d.Purposes) > 0)
		count("unreadable", len(d.Unreadable) > 0)
	}
	want := map[string]int{
		"KC1": 3, "KC2": 2165, "KC3": 227, "KB2": 8, "issuer class": 9, "INN": 5, "INNLE": 2403, "OGRN": 2403, "SNILS": 27,
		"title": 68, "sign tool": 2403, "issuer tool": 2403, "key period": 783, "earlier": 322, "fraction 2025-12-17T10:06:00.876Z 2033-12-17T10:06:00Z": 1,
		"identification": 214, "parameter set": 2403, "purposes": 12, "organization": 2372, "representative": 31,
	}
	if !reflect.DeepEqual(n, want) {
		t.Errorf("got  %v\nwant %v", n, want)
	}
	golden(t, cards["4bc6dc14d97010c41a26e058ad851f81c842415a"])
}

// golden is the card of the state root of 2018.
func golden(t *testing.T, got Card) {
	ministry := Person{
		CommonName: "Минкомсвязь России", Organization: "Минкомсвязь России", Country: "RU", Region: "77 Москва",
		Locality: "г. Москва", Street: "улица Тверская, дом 7", Email: "dit@minsvyaz.ru", INNLE: "7710474375", OGRN: "1047702026701",
	}
	want := Card{
		Owner: ministry, Issuer: ministry, Serial: "4e6d478b26f27d657f768e025ce3d393",
		SHA1:      "4bc6dc14d97010c41a26e058ad851f81c842415a",
		SHA256:    "bae62b5b7bede326b06856fb67a2a471268f9f404e5b18fdf40261c3e63010b1",
		KeyID:     "c254f1b46bd44cb7e06d36b42390f1fec33c9b06",
		NotBefore: time.Date(2018, 7, 6, 12, 18, 6, 0, time.UTC), NotAfter: time.Date(2036, 7, 1, 12, 18, 6, 0, time.UTC),
		SignUntil: time.Date(2036, 7, 1, 12, 18, 6, 0, time.UTC),
		Algorithm: Algorithm{"gost2012", 256, "CryptoPro-A", "1.2.643.7.1.1.1.1"},
		Usage:     []string{"certSign", "crlSign"}, CA: true, SelfIssued: true, Class: KB2, Policies: []string{"2.5.29.32.0"},
		SignTool: "ПАКМ «КриптоПро HSM» версии 2.0",
		IssuerTool: IssuerTool{
			"ПАКМ «КриптоПро HSM» версии 2.0", "ПАК «Головной удостоверяющий центр»",
			"Заключение № 149/3/2/2/23 от 02.03.2018", "Заключение № 149/7/6/105 от 27.06.2018",
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestLenient: the 33 certificates crypto/x509 refuses keep their bytes, which is what their issuers signed.
func TestLenient(t *testing.T) {
	n := 0
	for _, der := range russian(t) {
		if _, err := x509.ParseCertificate(der); err == nil {
			continue
		}
		n++
		c, err := Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		var v struct{ TBS, Algorithm, Signature asn1.RawValue }
		if _, err := asn1.Unmarshal(der, &v); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.Raw, der) || !bytes.Equal(c.X509.RawTBSCertificate, v.TBS.FullBytes) || !c.Usage().CA {
			t.Errorf("%s: changed", c.Thumbprint())
		}
	}
	if n != 33 {
		t.Errorf("%d certificates", n)
	}
}

// odd signs a self-signed CA certificate after change has been at the part to sign.
func odd(t *testing.T, tp Template, change func(body []byte)) []byte {
	t.Helper()
	k := key(t, "gost256")
	a, _ := algo.Lookup(k.Public().Algorithms()[0])
	body, err := tp.body(a, nil, k.Public())
	if err != nil {
		t.Fatal(err)
	}
	change(body)
	sig, err := k.Sign(rand.Reader, a.ID, algo.Input{Message: body})
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: body}, a.CertificateIdentifier(), asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestLoosen: the habits are put right where they belong and nowhere else, and the signature is over the bytes as they came.
func TestLoosen(t *testing.T) {
	tp := Template{Subject: Person{CommonName: "CA", Street: "Улица"}, Key: key(t, "gost256").Public(), CA: true, MaxPath: 0}
	boolean := func(v byte) func([]byte) {
		return func(b []byte) { b[bytes.Index(b, []byte{0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00})+4] = v }
	}
	address := func(oid byte) func([]byte) { // the street becomes a SEQUENCE, in both names
		return func(b []byte) {
			for at := 0; ; at++ {
				i := bytes.Index(b[at:], []byte{0x06, 0x03, 0x55, 0x04, 0x09, 0x0c})
				if i < 0 {
					return
				}
				at += i
				b[at+4], b[at+5] = oid, 0x30
			}
		}
	}
	for name, change := range map[string]func([]byte){"boolean": boolean(0x01), "address": address(0x10)} {
		der := odd(t, tp, change)
		if _, err := x509.ParseCertificate(der); err == nil {
			t.Errorf("%s: crypto/x509 took it", name)
		}
		c, err := Parse(der)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := c.CheckSignatureFrom(c); err != nil || !bytes.Equal(c.Raw, der) || !c.SelfIssued() || c.Subject().Street != "" && name == "address" {
			t.Errorf("%s: %v, %+v", name, err, c.Subject())
		}
	}
	for name, change := range map[string]func([]byte){"TRUE as 02": boolean(0x02), "a street of a sequence": address(0x09)} {
		if c, err := Parse(odd(t, tp, change)); err != nil || c.Fault() == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if loosen(odd(t, tp, func([]byte) {}), maxNesting) {
		t.Error("a good certificate was changed")
	}
	other := ext(t, oidBasicConstraints, []byte{0x30, 0x09, 0x01, 0x01, 0xff, 0x02, 0x04, 0x7f, 0x01, 0x01, 0x01})
	der, err := asn1.Marshal(other)
	if err != nil || loosen(der, maxNesting) {
		t.Errorf("a path length was changed: %v", err)
	}
}

// FuzzExtensions reads every value as every extension of the card, as curve parameters, and as a certificate to loosen.
func FuzzExtensions(f *testing.F) {
	tp := qualified(f, "gost256")
	c := build(f, tp, nil, key(f, "gost256"))
	for _, e := range c.X509.Extensions {
		f.Add(e.Value)
	}
	f.Add(c.Raw)
	f.Add(c.X509.RawSubjectPublicKeyInfo)
	oids := []asn1.ObjectIdentifier{oidPrivateKeyUsage, oidExtKeyUsage, oidSubjectSignTool, oidIssuerSignTool, oidIdentification}
	f.Fuzz(func(t *testing.T, value []byte) {
		var x x509.Certificate
		for _, oid := range oids {
			x.Extensions = append(x.Extensions, pkix.Extension{Id: oid, Value: value})
		}
		var d Card
		d.extensions(&x)
		d.Algorithm.parameters(value)
		checkBounds(t, d)
		if len(d.Unreadable) < 3 { // at most two of the kinds can share an encoding
			t.Fatalf("read as everything: %+v", d)
		}
		loosened := bytes.Clone(value)
		if !loosen(loosened, maxNesting) && !bytes.Equal(loosened, value) {
			t.Fatal("changed in silence")
		}
	})
}
