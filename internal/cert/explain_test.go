// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"encoding/asn1"
	"strings"
	"testing"
	"time"
)

// describe writes a chain as "leaf:problem > CA > root*".
func describe(links []Link, names map[*Certificate]string) string {
	var parts []string
	for _, l := range links {
		s := names[l.Certificate]
		if r := l.Reason(); r != "" {
			s += ":" + r
		}
		if l.Root {
			s += "*"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " > ")
}

func TestExplain(t *testing.T) {
	p256, gost := key(t, "p256"), key(t, "gost256")
	r, other := root(t, "p256"), root(t, "gost256")
	authority := Person{CommonName: "CA"}
	ca := build(t, Template{Subject: authority, Key: gost.Public(), CA: true, MaxPath: 0}, r, p256)
	short := build(t, Template{Subject: authority, Key: gost.Public(), CA: true, NotAfter: time.Now().Add(-time.Minute), NotBefore: time.Now().AddDate(-1, 0, 0)}, r, p256)
	plain := build(t, Template{Subject: authority, Key: gost.Public()}, r, p256)
	sub := build(t, Template{Subject: Person{CommonName: "Sub"}, Key: p256.Public(), CA: true, MaxPath: 0}, ca, gost)
	leaf := build(t, Template{Subject: ivanova, Key: p256.Public()}, ca, gost)
	deep := build(t, Template{Subject: ivanova, Key: gost.Public()}, sub, p256)
	forged := build(t, Template{Subject: ivanova, Key: p256.Public()}, ca, key(t, "gost256'"))
	strange := build(t, Template{Subject: ivanova, Key: p256.Public()}, ca, gost)
	strange.X509.UnhandledCriticalExtensions = []asn1.ObjectIdentifier{{1, 2, 3}}
	fake := build(t, Template{Subject: authority, Key: p256.Public(), CA: true}, r, p256)
	fake.X509.SubjectKeyId = nil
	names := map[*Certificate]string{fake: "fake", r: "root", other: "other", ca: "ca", short: "ca", plain: "ca", sub: "sub", leaf: "leaf", deep: "leaf", forged: "leaf", strange: "leaf"}
	list := func(c ...*Certificate) []*Certificate { return c }
	for _, c := range []struct {
		leaf         *Certificate
		roots, inter []*Certificate
		years        int
		want         string
	}{
		{leaf, list(r), list(ca), 0, "leaf > ca > root*"},
		{r, list(r), nil, 0, "root*"},
		{leaf, list(r), list(short, plain, ca), 0, "leaf > ca > root*"},
		{leaf, list(r), nil, 0, "leaf:absent"},
		{leaf, list(other), list(ca), 0, "leaf > ca:absent"},
		{leaf, list(other), list(ca, r), 0, "leaf > ca > root:root"},
		{other, list(r), nil, 0, "other:root"},
		{leaf, list(r), list(short), 0, "leaf > ca:expired > root*"},
		{leaf, list(r), list(fake, short), 0, "leaf > ca:expired > root*"},
		{leaf, list(r), list(fake), 0, "leaf:signature > fake > root*"},
		{leaf, list(r), list(plain), 0, "leaf > ca:issuer > root*"},
		{forged, list(r), list(ca), 0, "leaf:signature > ca > root*"},
		{forged, list(r), list(plain, short, ca), 0, "leaf:signature > ca > root*"},
		{deep, list(r), list(ca, sub), 0, "leaf > sub > ca:length > root*"},
		{strange, list(r), list(ca), 0, "leaf:extension > ca > root*"},
		{leaf, list(r), list(ca), 3, "leaf:expired > ca:expired > root:expired*"},
		{leaf, list(r), list(ca), -3, "leaf:early > ca:early > root:early*"},
		{forged, list(r), list(ca), 3, "leaf:signature > ca:expired > root:expired*"},
	} {
		trust := Trust{Roots: c.roots, Intermediates: c.inter, At: time.Now().AddDate(c.years, 0, 0)}
		got := describe(trust.Explain(c.leaf), names)
		if got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
		if _, err := trust.Chain(c.leaf); (err == nil) == strings.Contains(c.want, ":") {
			t.Errorf("%s, but Chain says %v", got, err)
		}
	}
}

// TestExplainBudget: a crowd of look-alike issuers costs a bounded number of checks and is never called sound.
func TestExplainBudget(t *testing.T) {
	var crowd []*Certificate
	for range 3 * maxChecks {
		ca := build(t, Template{Subject: Person{CommonName: "CA"}, Key: key(t, "p256").Public(), CA: true, MaxPath: -1}, nil, key(t, "p256"))
		ca.X509.SubjectKeyId = nil
		crowd = append(crowd, ca)
	}
	leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, crowd[0], key(t, "gost512"))
	trust := Trust{Roots: []*Certificate{root(t, "p256")}, Intermediates: crowd}
	checks := 0
	trust = trust.Bounded(40)
	verify := trust.budget.verify
	trust.budget.verify = func(parent *Certificate, s signed) error { checks++; return verify(parent, s) }
	if links := trust.Explain(leaf); !broken(links) || checks > 40 {
		t.Errorf("%d links, %d checks", len(links), checks)
	}

	// Chain gives up before it comes to the real issuer, the last of all. Explain finds it, and still does not call it sound.
	issuer := build(t, Template{Subject: Person{CommonName: "CA"}, Key: key(t, "gost512").Public(), CA: true, MaxPath: -1}, nil, key(t, "gost512"))
	issuer.X509.SubjectKeyId = nil // which would bring it to the front
	trust = Trust{Roots: append(crowd[:maxChecks:maxChecks], issuer)}
	links := trust.Explain(leaf)
	if len(links) != 2 || links[1].Certificate != issuer || !links[1].Root || links[1].Reason() != "other" {
		t.Errorf("%+v", links)
	}
}

func broken(links []Link) bool {
	for _, l := range links {
		if l.Problem != nil {
			return true
		}
	}
	return false
}

// TestExplainRussian follows the certificates of accredited CAs to the state roots among them.
func TestExplainRussian(t *testing.T) {
	all := russian(t)
	trust := Trust{At: time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC)}
	var leaves []*Certificate
	for _, der := range all {
		c, err := Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case c.SelfIssued():
			trust.Roots = append(trust.Roots, c)
		default:
			trust.Intermediates = append(trust.Intermediates, c)
			if len(trust.Intermediates)%10 == 0 {
				leaves = append(leaves, c)
			}
		}
	}
	n := map[string]int{}
	for _, c := range leaves {
		links := trust.Explain(c)
		_, err := trust.Chain(c)
		if (err == nil) == broken(links) {
			t.Errorf("%s: %d links, %v", c.Thumbprint(), len(links), err)
		}
		for _, l := range links {
			n[l.Reason()]++
		}
	}
	t.Logf("%d certificates, links: %v", len(leaves), n)
	if n[""] == 0 || n["unsupported"] != 0 || n["early"] == 0 || n["other"] != 0 {
		t.Errorf("%v", n)
	}
}
