// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// network is a Source that counts what it is asked.
type network struct {
	issuers []*Certificate
	answers []Answer
	asked   []string
	err     error
}

func (n *network) Revocation(_ context.Context, c, _ *Certificate) ([]Answer, error) {
	n.asked = append(n.asked, "revocation of "+c.Subject().Name())
	return n.answers, n.err
}

func (n *network) Issuers(_ context.Context, c *Certificate) ([]*Certificate, error) {
	n.asked = append(n.asked, "issuer of "+c.Subject().Name())
	return n.issuers, n.err
}

// TestFetchIssuers: absent issuers are asked for when no path can be completed, and revocation only along a path to a root.
func TestFetchIssuers(t *testing.T) {
	h := newHouse(t, "p256")
	sub := build(t, Template{Subject: Person{CommonName: "Подчинённый"}, Key: h.respKey.Public(), CA: true}, h.ca, h.caKey)
	leaf := build(t, Template{Subject: Person{CommonName: "X"}, Key: h.respKey.Public()}, sub, h.respKey)
	stranger := build(t, Template{Subject: Person{CommonName: "Другой"}, Key: h.respKey.Public(), CA: true}, nil, h.respKey)
	lists := []Answer{h.rootList, {DER: crlTemplate{}.make(t, h.ca, h.caKey)}, {DER: crlTemplate{}.make(t, sub, h.respKey)}}
	for _, c := range []struct {
		name  string
		net   network
		trust Trust
		asked []string
		want  error
	}{
		{"both issuers absent", network{issuers: []*Certificate{stranger, h.ca, sub}, answers: lists}, Trust{Roots: []*Certificate{h.root}}, []string{
			"issuer of X", "issuer of Подчинённый", "revocation of УЦ", "revocation of Подчинённый", "revocation of X"}, nil},
		{"all there", network{answers: lists}, Trust{Roots: []*Certificate{h.root}, Intermediates: []*Certificate{h.ca, sub}}, []string{
			"revocation of УЦ", "revocation of Подчинённый", "revocation of X"}, nil},
		{"no root", network{issuers: []*Certificate{h.ca, sub}, answers: lists}, Trust{Roots: []*Certificate{stranger}}, []string{
			"issuer of X", "issuer of Подчинённый", "issuer of УЦ"}, ErrUntrusted},
		{"a network that fails", network{err: errors.New("no network")}, Trust{Roots: []*Certificate{h.root}}, []string{"issuer of X"}, ErrIssuerAbsent},
		{"no answers", network{err: errors.New("no network")}, Trust{Roots: []*Certificate{sub}}, []string{"revocation of X"}, ErrRevocationUnknown},
	} {
		net := c.net
		c.trust.Source = &net
		p := c.trust.Validate(context.Background(), leaf, UseDocument)
		if !errors.Is(p.Problem, c.want) || p.Holds() != (c.want == nil) {
			t.Errorf("%s: %v", c.name, p.Problem)
		}
		slices.Sort(net.asked)
		slices.Sort(c.asked)
		if !slices.Equal(slices.Compact(net.asked), c.asked) {
			t.Errorf("%s: asked %q", c.name, net.asked)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	net := &network{issuers: []*Certificate{h.ca, sub}}
	if p := (Trust{Roots: []*Certificate{h.root}, Source: net}).Validate(ctx, leaf, UseDocument); p.Holds() || len(net.asked) != 0 {
		t.Errorf("after a cancel: %v, asked %q", p.Problem, net.asked)
	}
}

// TestUsePaths: what the leaf must be for, and a CA that may not pass it on.
func TestUsePaths(t *testing.T) {
	k, other := key(t, "p256"), key(t, "p256'")
	stamp, ocsp := []asn1.ObjectIdentifier{oidTimeStamping}, []asn1.ObjectIdentifier{oidOCSPSigning}
	client := []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 2}}
	anyUse := []asn1.ObjectIdentifier{oidAnyUsage}
	for i, c := range []struct {
		ca, leaf []asn1.ObjectIdentifier
		usage    x509.KeyUsage
		use      Use
		ok       bool
	}{
		{nil, stamp, 0, UseTimeStamping, true},
		{nil, nil, 0, UseTimeStamping, false},
		{nil, anyUse, 0, UseTimeStamping, false},
		{nil, ocsp, 0, UseTimeStamping, false},
		{stamp, stamp, 0, UseTimeStamping, true},
		{anyUse, stamp, 0, UseTimeStamping, true},
		{client, stamp, 0, UseTimeStamping, false},
		{nil, stamp, x509.KeyUsageCertSign, UseTimeStamping, false},
		{nil, ocsp, 0, UseOCSP, true},
		{nil, stamp, 0, UseOCSP, false},
		{nil, nil, 0, UseDocument, true},
		{nil, client, x509.KeyUsageDigitalSignature, UseDocument, false},
		{nil, client, x509.KeyUsageDigitalSignature, UseAny, true},
		{nil, nil, x509.KeyUsageKeyEncipherment, UseDocument, false},
		{nil, nil, x509.KeyUsageCRLSign, UseCRL, true},
		{nil, nil, x509.KeyUsageDigitalSignature, UseCRL, false},
	} {
		r := root(t, "p256")
		ca := build(t, Template{Subject: Person{CommonName: "CA"}, Key: other.Public(), CA: true, ExtKeyUsage: c.ca}, r, k)
		leaf := build(t, Template{Subject: ivanova, Key: k.Public(), ExtKeyUsage: c.leaf, KeyUsage: c.usage}, ca, other)
		p := Trust{Roots: []*Certificate{r}, Intermediates: []*Certificate{ca}}.Validate(context.Background(), leaf, c.use)
		if p.Holds() != c.ok || !c.ok && (!errors.Is(p.Problem, ErrUse) || errors.Is(p.Problem, ErrUntrusted)) {
			t.Errorf("%d: %v", i, p.Problem)
		}
	}
}

// TestRekeyed: a CA that changed its key and kept its name. Key identifiers order the search; a wrong one decides nothing.
func TestRekeyed(t *testing.T) {
	h := newHouse(t, "gost256")
	next := key(t, "gost512")
	renewed := build(t, Template{Subject: Person{CommonName: "УЦ"}, Key: next.Public(), CA: true, MaxPath: -1}, h.root, h.rootKey)
	leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, renewed, next)
	lists := Answers{h.rootList, {DER: crlTemplate{}.make(t, renewed, next)}}
	both := Trust{Roots: []*Certificate{h.root}, Intermediates: []*Certificate{h.ca, renewed}, Source: lists}
	if p := both.Validate(context.Background(), leaf, UseDocument); !p.Holds() || p.Links[1].Certificate != renewed {
		t.Errorf("%v", p.Problem)
	}
	old := Trust{Roots: []*Certificate{h.root}, Intermediates: []*Certificate{h.ca}}
	if links := old.Explain(leaf); len(links) != 1 || links[0].Reason() != "absent" {
		t.Errorf("%d links, %q", len(links), links[0].Reason())
	}
	wrong := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, renewed, next)
	wrong.X509.AuthorityKeyId = h.ca.X509.SubjectKeyId
	if path, err := both.Chain(wrong); err != nil || path[1] != renewed {
		t.Errorf("wrong key identifier: %v", err)
	}
	// The new key signs the list about a certificate made with the old one, and the other way round.
	before := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
	if p := both.Validate(context.Background(), before, UseDocument); !p.Holds() {
		t.Errorf("list by the new key: %v", p.Problem)
	}
	// Not so with a CA of the same name below a root of another name.
	foreign := build(t, Template{Subject: Person{CommonName: "Чужой"}, Key: h.respKey.Public(), CA: true, MaxPath: -1}, nil, h.respKey)
	twin := build(t, Template{Subject: Person{CommonName: "УЦ"}, Key: h.respKey.Public(), CA: true}, foreign, h.respKey)
	mixed := Trust{Roots: []*Certificate{h.root, foreign}, Intermediates: []*Certificate{h.ca, twin}, Source: Answers{
		h.rootList, {DER: crlTemplate{}.make(t, twin, h.respKey)}, {DER: crlTemplate{}.make(t, foreign, h.respKey)}}}
	if p := mixed.Validate(context.Background(), before, UseDocument); !errors.Is(p.Problem, ErrRevocationUnknown) || p.Links[0].Revocation.Status != Unknown {
		t.Errorf("list by a namesake: %v", p.Problem)
	}
}

// TestCrossCertificates: among several sound paths one that holds is taken.
func TestCrossCertificates(t *testing.T) {
	h := newHouse(t, "p256")
	second := build(t, Template{Subject: Person{CommonName: "Второй корень"}, Key: h.respKey.Public(), CA: true, MaxPath: -1}, nil, h.respKey)
	cross := build(t, Template{Subject: Person{CommonName: "УЦ"}, Key: h.caKey.Public(), CA: true, MaxPath: -1}, second, h.respKey)
	leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
	leafList := Answer{DER: crlTemplate{}.make(t, h.ca, h.caKey)}
	secondList := Answer{DER: crlTemplate{}.make(t, second, h.respKey)}
	revoked := Answer{DER: crlTemplate{entries: []crlRow{h.ca.row(now.Add(-time.Hour), 2)}}.make(t, h.root, h.rootKey)}
	trust := Trust{Roots: []*Certificate{h.root, second}, Intermediates: []*Certificate{h.ca, cross}, Source: Answers{leafList, secondList, revoked}}
	p := trust.Validate(context.Background(), leaf, UseDocument)
	if !p.Holds() || p.Links[1].Certificate != cross {
		t.Errorf("%v", p.Problem)
	}
	trust.Roots = []*Certificate{h.root}
	var bad *RevokedError
	if p := trust.Validate(context.Background(), leaf, UseDocument); !errors.As(p.Problem, &bad) || bad.Certificate != h.ca || p.Links[1].Reason() != "revoked" {
		t.Errorf("%v", p.Problem)
	}
}

// TestExpired: a certificate whose time is over still has its state told, and both are in the problem.
func TestExpired(t *testing.T) {
	h := newHouse(t, "p256")
	list := Answer{DER: crlTemplate{entries: []crlRow{h.leaf.row(now.AddDate(-1, -1, 0), 1)}}.make(t, h.ca, h.caKey)}
	p := h.validate(time.Time{}, list)
	if !errors.Is(p.Problem, ErrExpired) || !errors.Is(p.Problem, ErrRevoked) || !errors.Is(p.Problem, ErrUntrusted) || p.Links[0].Revocation.Status != Revoked {
		t.Errorf("%v", p.Problem)
	}
}

// TestIndirectCircle: issuers of lists who vouch for each other are not believed, and looking at them ends.
func TestIndirectCircle(t *testing.T) {
	h := newHouse(t, "p256")
	leafPoint := func(n int) pkix.Extension {
		return pkix.Extension{Id: oidDistributionPoints, Value: pointTo(t, fmt.Sprintf("Списки %d", n))}
	}
	indirect := []pkix.Extension{{Id: oidIssuingPoint, Critical: true, Value: []byte{0x30, 0x03, 0x84, 0x01, 0xff}}}
	trust := Trust{Roots: []*Certificate{h.root}, Intermediates: []*Certificate{h.ca}}
	source := Answers{h.rootList}
	const ring = 6
	for i := range ring {
		c := build(t, Template{Subject: Person{CommonName: fmt.Sprintf("Списки %d", i)}, Key: h.respKey.Public(), KeyUsage: x509.KeyUsageCRLSign,
			Extensions: []pkix.Extension{leafPoint((i + 1) % ring)}}, h.ca, h.caKey)
		trust.Intermediates = append(trust.Intermediates, c)
		source = append(source, Answer{DER: crlTemplate{extensions: indirect}.make(t, c, h.respKey)})
	}
	leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public(), Extensions: []pkix.Extension{leafPoint(0)}}, h.ca, h.caKey)
	trust.Source = source
	if p := trust.Validate(context.Background(), leaf, UseDocument); p.Holds() || p.Links[0].Revocation.Status != Unknown {
		t.Errorf("%v", p.Problem)
	}
	// With one that the CA itself vouches for the chain of lists ends, unless it is too long.
	trust.Source = append(source, Answer{DER: crlTemplate{}.make(t, h.ca, h.caKey)})
	if p := trust.Validate(context.Background(), leaf, UseDocument); !p.Holds() {
		t.Errorf("%v", p.Problem)
	}
}

// pointTo is cRLDistributionPoints with an indirect issuer.
func pointTo(t *testing.T, issuer string) []byte {
	t.Helper()
	n, err := Person{CommonName: issuer}.encode()
	if err != nil {
		t.Fatal(err)
	}
	wrap := func(tag int, der []byte) []byte {
		return marshal(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: der})
	}
	return marshal(t, []asn1.RawValue{{Tag: asn1.TagSequence, IsCompound: true, Bytes: wrap(2, wrap(4, n))}})
}
