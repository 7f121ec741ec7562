// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"testing"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

type attr struct {
	oid   string // content
	tag   casn1.Tag
	value string
}

// dn encodes a name, one RDN for each argument.
func dn(t testing.TB, rdns ...[]attr) []byte {
	return build0(t, func(b *cryptobyte.Builder) {
		for _, rdn := range rdns {
			b.AddASN1(casn1.SET, func(b *cryptobyte.Builder) {
				for _, a := range rdn {
					b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(casn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.oid)) })
						b.AddASN1(a.tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.value)) })
					})
				}
			})
		}
	})
}

const (
	atCN = "\x55\x04\x03"
	atO  = "\x55\x04\x0a"
)

// TestNameMatching is RFC 5280 section 7.1 by examples.
func TestNameMatching(t *testing.T) {
	one := func(tag casn1.Tag, v string) []byte { return dn(t, []attr{{atCN, tag, v}}) }
	for _, c := range []struct {
		what string
		a, b []byte
		same bool
	}{
		{"capitals", one(casn1.PrintableString, "Test CA"), one(casn1.PrintableString, "tEST cA"), true},
		{"white space", one(casn1.PrintableString, "  Test   CA "), one(casn1.PrintableString, "Test CA"), true},
		{"no white space", one(casn1.PrintableString, "TestCA"), one(casn1.PrintableString, "Test CA"), false},
		{"string types", one(casn1.PrintableString, "Test"), one(casn1.UTF8String, "Test"), true},
		{"BMPString", one(tagBMP, "\x04\x23\x04\x26"), one(casn1.UTF8String, "УЦ"), true},
		{"UniversalString", one(tagUniversal, "\x00\x00\x04\x23\x00\x00\x04\x26"), one(casn1.UTF8String, "уц"), true},
		{"T61String", one(casn1.T61String, "M\xfcller"), one(casn1.UTF8String, "müller"), true},
		{"composed", one(casn1.UTF8String, "и\u0306"), one(casn1.UTF8String, "й"), true},
		{"soft hyphen", one(casn1.UTF8String, "Te\u00adst"), one(casn1.UTF8String, "Test"), true},
		{"letters alike", one(casn1.UTF8String, "CA"), one(casn1.UTF8String, "СА"), false},
		{"broken UTF-8", one(casn1.UTF8String, "\xff"), one(casn1.UTF8String, "\xfe"), false},
		{"text and octets", one(casn1.OCTET_STRING, "a"), one(casn1.UTF8String, "a"), false},
		{"octets", one(casn1.OCTET_STRING, "a"), one(casn1.OCTET_STRING, "A"), false},
		{"attribute", one(casn1.UTF8String, "a"), dn(t, []attr{{atO, casn1.UTF8String, "a"}}), false},
		{"order in an RDN", dn(t, []attr{{atCN, casn1.UTF8String, "a"}, {atO, casn1.UTF8String, "b"}}), dn(t, []attr{{atO, casn1.UTF8String, "B"}, {atCN, casn1.UTF8String, "A"}}), true},
		{"order of RDNs", dn(t, []attr{{atCN, casn1.UTF8String, "a"}}, []attr{{atO, casn1.UTF8String, "b"}}), dn(t, []attr{{atO, casn1.UTF8String, "b"}}, []attr{{atCN, casn1.UTF8String, "a"}}), false},
		{"one RDN or two", dn(t, []attr{{atCN, casn1.UTF8String, "a"}, {atO, casn1.UTF8String, "b"}}), dn(t, []attr{{atCN, casn1.UTF8String, "a"}}, []attr{{atO, casn1.UTF8String, "b"}}), false},
		{"empty", dn(t), dn(t), true},
		{"malformed", []byte{0x30, 0x01, 0x00}, []byte{0x30, 0x01, 0x01}, false},
	} {
		if parseName(c.a).equal(parseName(c.b)) != c.same {
			t.Errorf("%s: %q and %q", c.what, parseName(c.a), parseName(c.b))
		}
	}
	long := parseName(dn(t, []attr{{atCN, casn1.UTF8String, "a"}}, []attr{{atO, casn1.UTF8String, "b"}}))
	if short := parseName(one(casn1.UTF8String, "A")); !long.within(short) || short.within(long) || !long.within(parseName(dn(t))) {
		t.Error("subtrees")
	}
}
