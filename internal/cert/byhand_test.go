// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
	"time"

	"persten/internal/algo"
)

// replace swaps the first occurrence of bytes of equal length.
func replace(t *testing.T, b []byte, old, new []byte) {
	t.Helper()
	i := bytes.Index(b, old)
	if i < 0 || len(old) != len(new) {
		t.Fatalf("%x is not there", old)
	}
	copy(b[i:], new)
}

// mangled are certificates that crypto/x509 refuses: what is wrong with each, and whether it may stand in a path for all that.
func mangled(t *testing.T) map[string]struct {
	der   []byte
	sound bool
} {
	tp := Template{
		Subject: Person{CommonName: "CA", Organization: "ООО «Пример»", Street: "Улица", Country: "RU", Email: "a@example.com"}, Key: key(t, "gost256").Public(), CA: true, MaxPath: 0,
		NotBefore: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), NotAfter: time.Date(2036, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	with := func(list ...pkix.Extension) Template {
		c := tp
		c.Extensions = list
		return c
	}
	serial := func(n int64) Template {
		c := tp
		c.Serial = big.NewInt(n)
		return c
	}
	swap := func(old, new string) func([]byte) {
		return func(b []byte) { replace(t, b, []byte(old), []byte(new)) }
	}
	both := func(old, new string) func([]byte) {
		return func(b []byte) { swap(old, new)(b); swap(old, new)(b) }
	}
	point := pkix.Extension{Id: oidDistributionPoints, Value: []byte("\x30\x11\x30\x0f\xa0\x0d\xa1\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02XY")}
	type one = struct {
		der   []byte
		sound bool
	}
	nothing := func([]byte) {}
	return map[string]one{
		"TRUE as 01":               {odd(t, tp, swap("\x30\x06\x01\x01\xff\x02\x01\x00", "\x30\x06\x01\x01\x01\x02\x01\x00")), true},
		"address as SEQUENCE":      {odd(t, tp, both("\x06\x03\x55\x04\x09\x0c", "\x06\x03\x55\x04\x10\x30")), true},
		"negative serial":          {odd(t, serial(-5), nothing), true},
		"large negative serial":    {odd(t, serial(-1<<40), nothing), true},
		"relative point":           {odd(t, with(point), nothing), true},
		"doubled extension":        {odd(t, with(ext(t, oidExtKeyUsage, []asn1.ObjectIdentifier{oidOCSPSigning}), ext(t, oidExtKeyUsage, []asn1.ObjectIdentifier{oidOCSPSigning})), nothing), false},
		"doubled key usage":        {odd(t, with(ext(t, oidKeyUsage, asn1.BitString{Bytes: []byte{0x80}, BitLength: 1})), nothing), false},
		"alternative name is text": {odd(t, with(ext(t, oidSubjectAltName, "abc")), nothing), false},
		"alternative address of 3": {odd(t, with(ext(t, oidSubjectAltName, []byte{0x30, 0x05, 0x87, 0x03, 1, 2, 3})), nothing), false},
		"bad address":              {odd(t, with(ext(t, oidSubjectAltName, []byte("\x30\x05\x86\x03%zz"))), nothing), false},
		"empty extended usage":     {odd(t, with(ext(t, oidExtKeyUsage, []byte{0x04, 0x00})), nothing), false},
		"constraints of garbage":   {odd(t, with(ext(t, oidNameConstraints, []byte{0x30, 0x02, 0xa5, 0x00})), nothing), false},
		"policies of garbage":      {odd(t, with(ext(t, oidPolicies, []byte{0x30, 0x02, 0x05, 0x00})), nothing), false},
		"printable with umlaut":    {odd(t, tp, both("\x13\x02RU", "\x13\x02R\xdc")), false},
		"UTF-8 that is none":       {odd(t, tp, both("\x0c\x02CA", "\x0c\x02C\xff")), false},
		"TRUE as 02":               {odd(t, tp, swap("\x30\x06\x01\x01\xff\x02\x01\x00", "\x30\x06\x01\x01\x02\x02\x01\x00")), false},
		"street as SEQUENCE":       {odd(t, tp, both("\x06\x03\x55\x04\x09\x0c", "\x06\x03\x55\x04\x09\x30")), false},
		"31 February":              {odd(t, tp, swap("260102030405Z", "260231030405Z")), false},
		"date of letters":          {odd(t, tp, swap("360102030405Z", "36010203040ZZ")), false},
		"version 9":                {odd(t, tp, swap("\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x08")), false},
		"e-mail not ASCII":         {odd(t, tp, both("a@example.com", "\xe0@example.com")), false},
	}
}

// TestMangled: everything with the outline of a certificate gets a card; only what spoils nothing is trusted.
func TestMangled(t *testing.T) {
	for name, m := range mangled(t) {
		if _, err := x509.ParseCertificate(m.der); err == nil {
			t.Errorf("%s: crypto/x509 took it", name)
		}
		c, err := Parse(m.der)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		d := c.Card()
		checkBounds(t, d)
		if !bytes.Equal(c.Raw, m.der) || d.Owner.Organization != "ООО «Пример»" || d.SHA256 != c.ID() || d.Algorithm.Key != "gost2012" || d.Malformed == m.sound {
			t.Errorf("%s: %+v", name, d)
		}
		trust := Trust{Roots: []*Certificate{c}}
		p := trust.Validate(context.Background(), c, UseAny)
		if p.Holds() != m.sound || !m.sound && (!errors.Is(p.Problem, ErrMalformed) || p.Links[0].Reason() != "malformed") {
			t.Errorf("%s: path %v", name, p.Problem)
		}
		if err := c.CheckSignatureFrom(c); (err == nil) != m.sound {
			t.Errorf("%s: signature %v", name, err)
		}
	}
	der := mangled(t)["negative serial"].der
	if c, err := Parse(der); err != nil || c.Serial() != "-05" || c.X509.SerialNumber.Int64() != -5 {
		t.Errorf("negative serial: %v", err)
	}
}

// TestMangledTail: the outline is not given up.
func TestMangledTail(t *testing.T) {
	der := mangled(t)["31 February"].der
	for name, b := range map[string][]byte{"tail": append(bytes.Clone(der), 0), "half": der[:len(der)/2], "no signature": der[:len(der)-1]} {
		if _, err := Parse(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse(odd(t, Template{Subject: Person{CommonName: "CA"}, Key: opaque(t), CA: true}, func([]byte) {})); err != nil {
		t.Errorf("unknown key: %v", err)
	}
}

func opaque(t *testing.T) algo.PublicKey {
	t.Helper()
	k, err := algo.Opaque(marshal(t, struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 3}}, asn1.BitString{Bytes: []byte{1}, BitLength: 8}}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}
