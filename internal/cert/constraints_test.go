// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// subtree writes nameConstraints with one name.
func subtree(t testing.TB, excluded bool, form int, value string) pkix.Extension {
	tag := casn1.Tag(0)
	if excluded {
		tag = 1
	}
	der := build0(t, func(b *cryptobyte.Builder) {
		b.AddASN1(tag.ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(casn1.Tag(form).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(value)) })
			})
		})
	})
	return pkix.Extension{Id: oidNameConstraints, Critical: true, Value: der}
}

func alternative(t testing.TB, form int, value string) pkix.Extension {
	tag := casn1.Tag(form).ContextSpecific()
	if form == formOther {
		tag = tag.Constructed()
	}
	return pkix.Extension{Id: oidSubjectAltName, Value: build0(t, func(b *cryptobyte.Builder) {
		b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(value)) })
	})}
}

// TestNameConstraints: one constraint and one name, permitted and excluded.
func TestNameConstraints(t *testing.T) {
	k := key(t, "p256")
	mailbox := string(marshal(t, oidSMTPMailbox)) + "\xa0\x10\x0c\x0e\xd0\xb8@example.com"
	const unknown = -1 // refused both ways
	for _, c := range []struct {
		form       int
		constraint string
		nameForm   int
		name       string
		inside     int
	}{
		{formDNS, "example.com", formDNS, "example.com", 1},
		{formDNS, "example.com", formDNS, "www.EXAMPLE.com.", 1},
		{formDNS, "example.com", formDNS, "badexample.com", 0},
		{formDNS, ".example.com", formDNS, "a.example.com", 1},
		{formDNS, "", formDNS, "anything.test", 1},
		{formDNS, "example.com", formDNS, "a example.com", unknown},
		{formDNS, "example.com", formDNS, "\xd0\xb8.example.com", unknown},
		{formEmail, "example.com", formEmail, "a@example.com", 1},
		{formEmail, "example.com", formEmail, "a@Example.COM", 1},
		{formEmail, "example.com", formEmail, "a@b.example.com", 0},
		{formEmail, ".example.com", formEmail, "a@b.example.com", 1},
		{formEmail, ".example.com", formEmail, "a@example.com", 0},
		{formEmail, "a@example.com", formEmail, "a@example.com", 1},
		{formEmail, "a@example.com", formEmail, "A@example.com", 0},
		{formEmail, "example.com", formEmail, "example.com", unknown},
		{formEmail, "example.com", formOther, mailbox, 1},
		{formEmail, "example.org", formOther, mailbox, 0},
		{formURI, "example.com", formURI, "https://example.com/x", 1},
		{formURI, "example.com", formURI, "https://a.example.com/x", 0},
		{formURI, ".example.com", formURI, "https://a.example.com:8443/x", 1},
		{formURI, ".example.com", formURI, "urn:a:b", unknown},
		{formURI, ".example.com", formURI, "https://a.example.com/" + strings.Repeat("x", maxNameLength), unknown},
		{formURI, ".example.com", formURI, "https://192.0.2.1/", unknown},
		{formIP, "\xc0\x00\x02\x00\xff\xff\xff\x00", formIP, "\xc0\x00\x02\x07", 1},
		{formIP, "\xc0\x00\x02\x00\xff\xff\xff\x00", formIP, "\xc0\x00\x03\x07", 0},
		{formIP, "\xc0\x00\x02\x00\xff\xff\xff\x00", formIP, "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", 0},
		{8, "\x2a\x03", 8, "\x2a\x03", unknown},
	} {
		for _, excluded := range []bool{false, true} {
			ca := build(t, Template{Subject: Person{CommonName: "CA"}, Key: k.Public(), CA: true, MaxPath: -1, Extensions: []pkix.Extension{subtree(t, excluded, c.form, c.constraint)}}, nil, k)
			leaf := build(t, Template{Subject: Person{CommonName: "X"}, Key: key(t, "p256'").Public(), Extensions: []pkix.Extension{alternative(t, c.nameForm, c.name)}}, ca, k)
			if ca.Fault() != nil || leaf.Fault() != nil { // crypto/x509 is stricter about some; the rules are the same
				ca.fault, leaf.fault = nil, nil
			}
			_, err := Trust{Roots: []*Certificate{ca}}.Chain(leaf)
			if want := c.inside != unknown && excluded != (c.inside == 1); (err == nil) != want || !want && !errors.Is(err, ErrNameConstraints) {
				t.Errorf("%q (%d) in %q, excluded %v: %v", c.name, c.nameForm, c.constraint, excluded, err)
			}
			plain := build(t, Template{Subject: Person{CommonName: "X"}, Key: key(t, "p256'").Public()}, ca, k)
			if _, err := (Trust{Roots: []*Certificate{ca}}).Chain(plain); ca.Fault() == nil && err != nil {
				t.Errorf("%q: a certificate without such names: %v", c.constraint, err)
			}
		}
	}
}

// TestNameConstraintsElsewhere: addresses in the subject, wildcards, constraints that make no sense, and too much work.
func TestNameConstraintsElsewhere(t *testing.T) {
	k := key(t, "p256")
	ca := func(e pkix.Extension) *Certificate {
		c := build(t, Template{Subject: Person{CommonName: "CA"}, Key: k.Public(), CA: true, MaxPath: -1, Extensions: []pkix.Extension{e}}, nil, k)
		c.fault = nil
		return c
	}
	chain := func(ca *Certificate, p Person, list ...pkix.Extension) error {
		leaf := build(t, Template{Subject: p, Key: key(t, "p256'").Public(), Extensions: list}, ca, k)
		leaf.fault = nil
		_, err := Trust{Roots: []*Certificate{ca}}.Chain(leaf)
		return err
	}
	mail := ca(subtree(t, false, formEmail, "example.com"))
	if err := chain(mail, Person{CommonName: "X", Email: "a@example.org"}); !errors.Is(err, ErrNameConstraints) {
		t.Errorf("address in the subject: %v", err)
	}
	if err := chain(mail, Person{CommonName: "X", Email: "a@example.org"}, alternative(t, formEmail, "a@example.com")); err != nil {
		t.Errorf("alternative address: %v", err)
	}
	for constraint, ok := range map[string]bool{"a.example.com": false, "example.com": false, "a.example.org": true} {
		if err := chain(ca(subtree(t, true, formDNS, constraint)), Person{CommonName: "X"}, alternative(t, formDNS, "*.example.com")); (err == nil) != ok {
			t.Errorf("wildcard, %s excluded: %v", constraint, err)
		}
	}
	for name, value := range map[string][]byte{
		"nothing": {0x30, 0x00}, "garbage": {0x04, 0x00}, "minimum": []byte("\x30\x0f\xa0\x0d\x30\x0b\x82\x06a.test\x80\x01\x01"),
		"mask with a hole": []byte("\x30\x0e\xa0\x0c\x30\x0a\x87\x08\x0a\x00\x00\x00\xff\x00\xff\x00"),
	} {
		if err := chain(ca(pkix.Extension{Id: oidNameConstraints, Critical: true, Value: value}), Person{CommonName: "X"}); !errors.Is(err, ErrNameConstraints) {
			t.Errorf("%s: %v", name, err)
		}
	}
	names := build0(t, func(b *cryptobyte.Builder) {
		for i := range 400 {
			b.AddASN1(casn1.Tag(formDNS).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(fmt.Appendf(nil, "a%d.test", i)) })
		}
	})
	trees := build0(t, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			for i := range 400 {
				b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(casn1.Tag(formDNS).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(fmt.Appendf(nil, "b%d.test", i)) })
				})
			}
		})
	})
	if err := chain(ca(pkix.Extension{Id: oidNameConstraints, Value: trees}), Person{CommonName: "X"}, pkix.Extension{Id: oidSubjectAltName, Value: names}); !errors.Is(err, ErrBudget) {
		t.Errorf("too much work: %v", err)
	}
}

// TestPolicyGrowth: policies that would make a tree of exponential size cost little (RFC 9618 section 3).
func TestPolicyGrowth(t *testing.T) {
	k := key(t, "p256")
	const width = 40
	oid := func(i int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 3, i} }
	var all []asn1.ObjectIdentifier
	var mappings []struct{ From, To asn1.ObjectIdentifier }
	for i := range width {
		all = append(all, oid(i))
		for j := range width {
			mappings = append(mappings, struct{ From, To asn1.ObjectIdentifier }{oid(i), oid(j)})
		}
	}
	list := []pkix.Extension{
		{Id: oidPolicyMappings, Critical: true, Value: marshal(t, mappings)},
		{Id: oidPolicyConstraints, Critical: true, Value: []byte{0x30, 0x03, 0x80, 0x01, 0x00}},
	}
	issuer := build(t, Template{Subject: Person{CommonName: "CA 0"}, Key: k.Public(), CA: true, MaxPath: -1}, nil, k)
	trust := Trust{Roots: []*Certificate{issuer}}
	for i := range maxDepth - 2 {
		issuer = build(t, Template{Subject: Person{CommonName: fmt.Sprint("CA ", i+1)}, Key: k.Public(), CA: true, MaxPath: -1, Policies: all, Extensions: list}, issuer, k)
		trust.Intermediates = append(trust.Intermediates, issuer)
	}
	for last, ok := range map[int]bool{3: true, width: false} {
		leaf := build(t, Template{Subject: Person{CommonName: "X"}, Key: k.Public(), Policies: []asn1.ObjectIdentifier{oid(last)}}, issuer, k)
		if _, err := trust.Chain(leaf); (err == nil) != ok || !ok && !errors.Is(err, ErrPolicy) {
			t.Errorf("policy %d: %v", last, err)
		}
		trust.Policies.Acceptable = []asn1.ObjectIdentifier{oid(width)}
		if _, err := trust.Chain(leaf); !errors.Is(err, ErrPolicy) {
			t.Errorf("policy %d, another one wanted: %v", last, err)
		}
		trust.Policies.Acceptable = nil
	}
}

// TestExplicitInLeaf: a leaf may itself demand a policy (RFC 5280 section 6.1.5 b).
func TestExplicitInLeaf(t *testing.T) {
	k, r := key(t, "p256"), root(t, "p256")
	demand := []pkix.Extension{{Id: oidPolicyConstraints, Critical: true, Value: []byte{0x30, 0x03, 0x80, 0x01, 0x00}}}
	for _, list := range [][]asn1.ObjectIdentifier{nil, {{1, 2, 3}}} {
		leaf := build(t, Template{Subject: ivanova, Key: k.Public(), Policies: list, Extensions: demand}, r, k)
		if _, err := (Trust{Roots: []*Certificate{r}}).Chain(leaf); (err == nil) != (list != nil) || list == nil && !errors.Is(err, ErrPolicy) {
			t.Errorf("%v: %v", list, err)
		}
	}
}
