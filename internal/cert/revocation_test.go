// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"runtime"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"persten/internal/algo"
)

// house is a root, a CA and a leaf with their keys, and a responder of the CA.
type house struct {
	root, ca, leaf, responder *Certificate
	rootKey, caKey, respKey   algo.PrivateKey
	rootList                  Answer // nothing revoked
}

var now = time.Now().Truncate(time.Second)

func newHouse(t testing.TB, kind string) *house {
	h := &house{rootKey: key(t, kind), caKey: key(t, kind+"'"), respKey: key(t, kind+"''")}
	h.root = build(t, Template{Subject: Person{CommonName: "Корень"}, Key: h.rootKey.Public(), CA: true, MaxPath: -1, NotBefore: now.AddDate(-5, 0, 0), NotAfter: now.AddDate(5, 0, 0)}, nil, h.rootKey)
	h.ca = build(t, Template{Subject: Person{CommonName: "УЦ"}, Key: h.caKey.Public(), CA: true, MaxPath: -1, NotBefore: now.AddDate(-4, 0, 0), NotAfter: now.AddDate(4, 0, 0)}, h.root, h.rootKey)
	h.leaf = build(t, Template{Subject: ivanova, Key: key(t, "p256").Public(), NotBefore: now.AddDate(-2, 0, 0), NotAfter: now.AddDate(-1, 0, 0)}, h.ca, h.caKey)
	h.responder = h.appoint(t, nil)
	h.rootList = Answer{DER: crlTemplate{next: now.AddDate(1, 0, 0)}.make(t, h.root, h.rootKey), From: "root.crl"}
	return h
}

// appoint issues a certificate for a responder.
func (h *house) appoint(t testing.TB, change func(*Template)) *Certificate {
	tp := Template{
		Subject: Person{CommonName: "OCSP"}, Key: h.respKey.Public(), KeyUsage: x509.KeyUsageDigitalSignature, NotBefore: now.AddDate(-3, 0, 0), NotAfter: now.AddDate(3, 0, 0),
		ExtKeyUsage: []asn1.ObjectIdentifier{oidOCSPSigning}, Extensions: []pkix.Extension{{Id: oidNoCheck, Value: asn1.NullBytes}},
	}
	if change != nil {
		change(&tp)
	}
	return build(t, tp, h.ca, h.caKey)
}

func (h *house) validate(at time.Time, answers ...Answer) *Path {
	t := Trust{Roots: []*Certificate{h.root}, Intermediates: []*Certificate{h.ca}, At: at, Source: append(Answers{h.rootList}, answers...)}
	return t.Validate(context.Background(), h.leaf, UseDocument)
}

// TestRevocationTime: the state at a time, told by lists made at other times. The leaf was valid from two years to one year ago.
func TestRevocationTime(t *testing.T) {
	h := newHouse(t, "gost256")
	day := 24 * time.Hour
	ago := func(days int) time.Time { return now.Add(-time.Duration(days) * day) }
	list := func(this, next time.Time, extensions []pkix.Extension, rows ...crlRow) Answer {
		return Answer{DER: crlTemplate{this: this, next: next, entries: rows, extensions: extensions}.make(t, h.ca, h.caKey), From: "ca.crl"}
	}
	kept := []pkix.Extension{{Id: oidExpiredCerts, Value: marshal(t, asn1.RawValue{Tag: asn1.TagGeneralizedTime, Bytes: []byte(ago(1000).UTC().Format("20060102150405Z"))})}}
	for _, c := range []struct {
		name    string
		at      time.Time
		answers []Answer
		status  RevocationStatus
		revoked time.Time
		why     error
	}{
		{"current list", ago(500), []Answer{list(ago(501), ago(499), nil)}, Good, time.Time{}, nil},
		{"later list", ago(500), []Answer{list(ago(400), ago(399), nil)}, Good, time.Time{}, nil},
		{"older list", ago(500), []Answer{list(ago(510), ago(505), nil)}, Unknown, time.Time{}, ErrOutdated},
		{"list made after the end", ago(500), []Answer{list(ago(300), ago(299), nil)}, Unknown, time.Time{}, ErrForgotten},
		{"such a list that keeps expired ones", ago(500), []Answer{list(ago(300), ago(299), kept)}, Good, time.Time{}, nil},
		{"such a list with the entry", ago(500), []Answer{list(ago(300), ago(299), nil, h.leaf.row(ago(450), 1))}, Good, ago(450), nil},
		{"revoked before", ago(500), []Answer{list(ago(400), ago(399), nil, h.leaf.row(ago(600), 1))}, Revoked, ago(600), nil},
		{"revoked, told by an old list", ago(500), []Answer{list(ago(510), ago(505), nil, h.leaf.row(ago(600), 4))}, Revoked, ago(600), nil},
		{"revoked by an old list, good by a new one", ago(500), []Answer{list(ago(400), ago(399), nil), list(ago(510), ago(505), nil, h.leaf.row(ago(600), 4))}, Revoked, ago(600), nil},
		{"on hold, then released", ago(500), []Answer{list(ago(400), ago(399), nil), list(ago(501), ago(499), nil, h.leaf.row(ago(502), 6))}, Good, time.Time{}, nil},
		{"on hold", ago(500), []Answer{list(ago(501), ago(499), nil, h.leaf.row(ago(502), 6))}, Revoked, ago(502), nil},
		{"nothing", ago(500), nil, Unknown, time.Time{}, ErrNoAnswer},
		{"no list", ago(500), []Answer{{DER: []byte{1, 2, 3}}}, Unknown, time.Time{}, ErrCRL},
		{"made after it was fetched", ago(500), []Answer{{DER: list(ago(400), ago(399), nil).DER, Got: ago(450)}}, Unknown, time.Time{}, errFuture},
	} {
		p := h.validate(c.at, c.answers...)
		r := p.Links[0].Revocation
		if r == nil {
			t.Errorf("%s: %v", c.name, p.Problem)
			continue
		}
		if r.Status != c.status || !r.At.Equal(c.revoked) || p.Holds() != (c.status == Good) || !errors.Is(r.Problem, c.why) {
			t.Errorf("%s: %v at %v, %v, path %v", c.name, r.Status, r.At, r.Problem, p.Problem)
		}
		var bad *RevokedError
		if (c.status == Revoked) != (errors.As(p.Problem, &bad) && bad.Certificate == h.leaf && bad.At.Equal(c.revoked)) || (c.status == Unknown) != errors.Is(p.Problem, ErrRevocationUnknown) {
			t.Errorf("%s: path %v", c.name, p.Problem)
		}
	}
}

// TestOCSPResponders: who may answer, and how.
func TestOCSPResponders(t *testing.T) {
	for _, kind := range kinds {
		h := newHouse(t, kind)
		h.leaf = build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
		plain := func(tp *Template) { tp.ExtKeyUsage = nil }
		check := func(tp *Template) { tp.Extensions = nil }
		old := func(tp *Template) { tp.NotAfter = now.AddDate(-1, 0, 0) }
		byRoot := build(t, Template{Subject: Person{CommonName: "OCSP"}, Key: h.respKey.Public(), ExtKeyUsage: []asn1.ObjectIdentifier{oidOCSPSigning}}, h.root, h.rootKey)
		with := func(c *Certificate) ocspTemplate {
			return ocspTemplate{c: h.leaf, issuer: h.ca, status: Good, certificates: []*Certificate{c}}
		}
		named := with(h.responder)
		named.byName, named.digest, named.bare = true, algo.SHA256, true
		gost := with(h.responder)
		gost.digest = algo.Streebog256
		revoked := with(h.responder)
		revoked.status, revoked.at, revoked.reason = Revoked, now.Add(-72*time.Hour), 1
		unknown := with(h.responder)
		unknown.status = Unknown
		endless := with(h.responder)
		endless.noNext = true
		stale := endless
		stale.this = now.AddDate(0, 0, -3)
		strange := with(h.responder)
		strange.single = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: asn1.NullBytes}}
		other := with(h.responder)
		other.c = h.responder
		forged := build(t, Template{Subject: Person{CommonName: "OCSP"}, Key: h.respKey.Public(), ExtKeyUsage: []asn1.ObjectIdentifier{oidOCSPSigning}}, h.ca, h.rootKey)
		elsewhere, twin := with(h.responder), *h.ca // another CA's certificate of the same serial number
		elsewhere.issuer = h.root
		twin.X509 = &x509.Certificate{RawSubject: h.root.X509.RawSubject, RawSubjectPublicKeyInfo: h.ca.X509.RawSubjectPublicKeyInfo}
		named2 := with(h.responder)
		named2.issuer = &twin
		toCheck := h.appoint(t, check)
		revokedResponder := Answer{DER: crlTemplate{entries: []crlRow{toCheck.row(now.Add(-time.Hour), 1)}}.make(t, h.ca, h.caKey), From: "ca.crl"}
		_ = revokedResponder
		for _, c := range []struct {
			name   string
			tp     ocspTemplate
			signer *Certificate
			key    algo.PrivateKey
			status RevocationStatus
			why    error
		}{
			{"the CA itself", ocspTemplate{c: h.leaf, issuer: h.ca, status: Good}, h.ca, h.caKey, Good, nil},
			{"a responder", with(h.responder), h.responder, h.respKey, Good, nil},
			{"named, SHA-256, bare", named, h.responder, h.respKey, Good, nil},
			{"Streebog", gost, h.responder, h.respKey, Good, nil},
			{"revoked", revoked, h.responder, h.respKey, Revoked, nil},
			{"unknown", unknown, h.responder, h.respKey, Unknown, errNotKnown},
			{"no next update", endless, h.responder, h.respKey, Good, nil},
			{"no next update, three days old", stale, h.responder, h.respKey, Unknown, ErrOutdated},
			{"unknown critical extension", strange, h.responder, h.respKey, Unknown, ErrExtension},
			{"another certificate", other, h.responder, h.respKey, Unknown, errNotCovered},
			{"another CA, by its key", elsewhere, h.responder, h.respKey, Unknown, errNotCovered},
			{"another CA, by its name", named2, h.responder, h.respKey, Unknown, errNotCovered},
			{"a forged responder", with(forged), forged, h.respKey, Unknown, ErrSignature},
			{"its state cannot be had", with(toCheck), toCheck, h.respKey, Good, nil},
			{"without the usage", with(h.appoint(t, plain)), h.appoint(t, plain), h.respKey, Unknown, ErrUnauthorized},
			{"expired", with(h.appoint(t, old)), h.appoint(t, old), h.respKey, Unknown, ErrExpired},
			{"appointed by the root", with(byRoot), byRoot, h.respKey, Unknown, ErrUnauthorized},
			{"signed by another", with(h.responder), h.responder, h.rootKey, Unknown, ErrSignature},
			{"the root itself", ocspTemplate{c: h.leaf, issuer: h.ca, status: Good}, h.root, h.rootKey, Unknown, ErrUnauthorized},
			{"the leaf itself", with(h.leaf), h.leaf, key(t, "p256"), Unknown, ErrUnauthorized},
		} {
			p := h.validate(time.Time{}, Answer{OCSP: true, DER: c.tp.make(t, c.signer, c.key), From: "ocsp"})
			if r := p.Links[0].Revocation; r.Status != c.status || !errors.Is(r.Problem, c.why) || p.Holds() != (c.status == Good) {
				t.Errorf("%s, %s: %v, %v, path %v", kind, c.name, r.Status, r.Problem, p.Problem)
			}
		}
		// A responder that may be asked about and was revoked.
		a := Answer{OCSP: true, DER: with(toCheck).make(t, toCheck, h.respKey), From: "ocsp"}
		if r := h.validate(time.Time{}, a, revokedResponder).Links[0].Revocation; r.Status != Good || r.Answer.OCSP {
			t.Errorf("%s: a revoked responder was believed: %v by %s", kind, r.Status, r.Answer.From)
		}
	}
}

// TestCRLRules covers what the PKITS suite does not: who signed, critical extensions, and version 1.
func TestCRLRules(t *testing.T) {
	h := newHouse(t, "p256")
	h.leaf = build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
	critical := []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: asn1.NullBytes}}
	mute := build(t, Template{Subject: Person{CommonName: "УЦ"}, Key: h.respKey.Public(), CA: true, KeyUsage: x509.KeyUsageCertSign}, h.root, h.rootKey)
	for name, c := range map[string]struct {
		tp     crlTemplate
		key    algo.PrivateKey
		status RevocationStatus
	}{
		"version 2":                   {crlTemplate{}, h.caKey, Good},
		"version 1":                   {crlTemplate{v1: true}, h.caKey, Good},
		"version 1, revoked":          {crlTemplate{v1: true, entries: []crlRow{h.ca.row(now, 0), h.leaf.row(now.Add(-time.Hour), 0)}}, h.caKey, Revoked},
		"redundant zero":              {crlTemplate{entries: []crlRow{{serial: append([]byte{0}, h.leaf.serial...)}}}, h.caKey, Revoked},
		"another key":                 {crlTemplate{}, h.rootKey, Unknown},
		"key not for lists":           {crlTemplate{}, h.respKey, Unknown},
		"critical extension":          {crlTemplate{extensions: critical}, h.caKey, Unknown},
		"critical extension of entry": {crlTemplate{entries: []crlRow{{serial: []byte{1}, extensions: critical}}}, h.caKey, Unknown},
		"delta alone":                 {crlTemplate{extensions: []pkix.Extension{point64(5), {Id: oidDeltaCRL, Critical: true, Value: integer(4)}}}, h.caKey, Unknown},
	} {
		trust := Trust{Roots: []*Certificate{h.root}, Intermediates: []*Certificate{h.ca, mute}, Source: Answers{h.rootList, {DER: c.tp.make(t, h.ca, c.key)}}}
		p := trust.Validate(context.Background(), h.leaf, UseDocument)
		if r := p.Links[0].Revocation; r == nil || r.Status != c.status {
			t.Errorf("%s: %+v, path %v", name, r, p.Problem)
		}
	}
}

// TestCRLAlgorithms: the algorithm inside a list is that of its signature (RFC 5280 section 5.1.1.2), whatever its parameters.
func TestCRLAlgorithms(t *testing.T) {
	h := newHouse(t, "p256")
	h.leaf = build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
	a, _ := algo.Lookup(algo.Signing(h.caKey.Public())[0])
	own := a.CertificateIdentifier().Algorithm
	for name, c := range map[string]struct {
		inside any
		want   error
	}{
		"the same":              {pkix.AlgorithmIdentifier{Algorithm: own}, nil},
		"with NULL":             {pkix.AlgorithmIdentifier{Algorithm: own, Parameters: asn1.NullRawValue}, nil},
		"another digest":        {pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}}, errCRLKind},
		"none":                  {struct{}{}, errCRLShape},
		"a number in its stead": {struct{ N int }{5}, errCRLShape},
	} {
		der := crlTemplate{inside: marshal(t, c.inside)}.make(t, h.ca, h.caKey)
		if _, err := ParseCRL(der); !errors.Is(err, c.want) || (err != nil) != errors.Is(err, ErrCRL) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if p := h.validate(time.Time{}, Answer{DER: der}); p.Holds() != (c.want == nil) {
			t.Errorf("%s: %v", name, p.Problem)
		}
	}
}

// TestCRLSize: a list of a million entries is parsed, checked and searched in little more memory than its bytes, and one
// over the limit is refused unread.
func TestCRLSize(t *testing.T) {
	h := newHouse(t, "gost256")
	h.leaf = build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
	const entries = 1_000_000
	one := build0(t, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes([]byte{0x11, 0, 0, 0}) })
		addTime(b, now, 0)
	})
	rows := make([]byte, 0, (entries+1)*len(one)+100)
	for i := range entries {
		rows = append(rows, one...)
		at := len(rows) - len(one)
		rows[at+5], rows[at+6], rows[at+7] = byte(i>>16), byte(i>>8), byte(i)
	}
	rows = append(rows, build0(t, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(h.leaf.serial) })
		addTime(b, now, -time.Hour)
	})...)
	der := crlTemplate{rows: rows}.make(t, h.ca, h.caKey)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	p := h.validate(time.Time{}, Answer{DER: der})
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if r := p.Links[0].Revocation; r == nil || r.Status != Revoked {
		t.Fatal(p.Problem)
	}
	grown := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d entries in %d MiB: %v, %d KiB allocated", entries+1, len(der)>>20, took.Round(time.Millisecond), grown>>10)
	if grown > 4<<20 {
		t.Errorf("%d bytes allocated", grown)
	}
	if _, err := ParseCRL(make([]byte, maxCRL+1)); !errors.Is(err, ErrAnswerTooLarge) {
		t.Errorf("%v", err)
	}
	if _, err := ParseOCSP(make([]byte, maxOCSP+1)); !errors.Is(err, ErrAnswerTooLarge) {
		t.Errorf("%v", err)
	}
}

// TestSeveralAnswers: responses and lists about one certificate, weighed together.
func TestSeveralAnswers(t *testing.T) {
	h := newHouse(t, "p256")
	h.leaf = build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
	hour := func(n int) time.Time { return now.Add(time.Duration(n) * time.Hour) }
	ocsp := func(status RevocationStatus, this time.Time, reason int) Answer {
		tp := ocspTemplate{c: h.leaf, issuer: h.ca, status: status, at: hour(-5), this: this, reason: reason}
		return Answer{OCSP: true, DER: tp.make(t, h.ca, h.caKey)}
	}
	list := func(this time.Time, rows ...crlRow) Answer {
		return Answer{DER: crlTemplate{this: this, entries: rows}.make(t, h.ca, h.caKey)}
	}
	for name, c := range map[string]struct {
		answers Sources
		status  RevocationStatus
		ocsp    bool
	}{
		"both good, the list newer":       {Sources{Answers{ocsp(Good, hour(-3), 0)}, Answers{list(hour(-2))}}, Good, false},
		"both good, the response newer":   {Sources{Answers{ocsp(Good, hour(-1), 0)}, Answers{list(hour(-2))}}, Good, true},
		"revoked by the older list":       {Sources{Answers{ocsp(Good, hour(-1), 0)}, Answers{list(hour(-2), h.leaf.row(hour(-4), 4))}}, Revoked, false},
		"revoked by the older response":   {Sources{Answers{ocsp(Revoked, hour(-3), 4)}, Answers{list(hour(-2))}}, Revoked, true},
		"on hold by the older response":   {Sources{Answers{ocsp(Revoked, hour(-3), 6)}, Answers{list(hour(-2))}}, Good, false},
		"on hold by the newer response":   {Sources{Answers{ocsp(Revoked, hour(-1), 6)}, Answers{list(hour(-2))}}, Revoked, true},
		"an unknown beside a good":        {Sources{Answers{ocsp(Unknown, hour(-1), 0)}, Answers{list(hour(-2))}}, Good, false},
		"nothing anybody can read":        {Sources{Answers{{OCSP: true, DER: []byte{0x30, 0x03, 0x0a, 0x01, 0x03}}}, Answers{{}}}, Unknown, false},
		"a revocation in the next minute": {Sources{Answers{list(hour(-2), h.leaf.row(now.Add(time.Minute), 4))}}, Good, false},
	} {
		trust := Trust{Roots: []*Certificate{h.root}, Intermediates: []*Certificate{h.ca}, At: now, Source: append(c.answers, Answers{h.rootList})}
		r := trust.Validate(context.Background(), h.leaf, UseDocument).Links[0].Revocation
		if r.Status != c.status || r.Answer.OCSP != c.ocsp {
			t.Errorf("%s: %v, %v", name, r.Status, r.Problem)
		}
	}
	var refused *OCSPStatusError
	if _, err := ParseOCSP([]byte{0x30, 0x03, 0x0a, 0x01, 0x03}); !errors.As(err, &refused) || refused.Status != 3 || !errors.Is(err, ErrOCSP) {
		t.Errorf("tryLater: %v", err)
	}
}

// TestArchiveCutoff: what a response says about a certificate that has expired.
func TestArchiveCutoff(t *testing.T) {
	h := newHouse(t, "p256")
	cutoff := func(at time.Time) []pkix.Extension {
		return []pkix.Extension{{Id: oidArchiveCutoff, Value: marshal(t, asn1.RawValue{Tag: asn1.TagGeneralizedTime, Bytes: []byte(at.UTC().Format("20060102150405Z"))})}}
	}
	for name, c := range map[string]struct {
		single []pkix.Extension
		status RevocationStatus
	}{
		"none":     {nil, Unknown},
		"long ago": {cutoff(h.leaf.NotAfter().AddDate(-1, 0, 0)), Good},
		"too late": {cutoff(h.leaf.NotAfter().AddDate(0, 1, 0)), Unknown},
	} {
		tp := ocspTemplate{c: h.leaf, issuer: h.ca, status: Good, single: c.single}
		r := h.validate(now.AddDate(0, -18, 0), Answer{OCSP: true, DER: tp.make(t, h.ca, h.caKey)}).Links[0].Revocation
		if r.Status != c.status || c.status == Unknown && !errors.Is(r.Problem, ErrForgotten) {
			t.Errorf("%s: %v, %v", name, r.Status, r.Problem)
		}
	}
}

// TestShortLived: certificates whose issuer never tells about revocation are not asked about, unless they are CAs.
func TestShortLived(t *testing.T) {
	h := newHouse(t, "p256")
	for _, oid := range []asn1.ObjectIdentifier{oidNoRevocation, oidShortTerm} {
		never := []pkix.Extension{{Id: oid, Value: asn1.NullBytes}}
		leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public(), Extensions: never}, h.ca, h.caKey)
		ca := build(t, Template{Subject: Person{CommonName: "X"}, Key: key(t, "p256").Public(), CA: true, Extensions: never}, h.ca, h.caKey)
		trust := Trust{Roots: []*Certificate{h.root}, Intermediates: []*Certificate{h.ca}, Source: Answers{h.rootList}}
		if p := trust.Validate(context.Background(), leaf, UseDocument); !p.Holds() || p.Links[0].Revocation != nil {
			t.Errorf("%v: %v", oid, p.Problem)
		}
		if p := trust.Validate(context.Background(), ca, UseAny); !errors.Is(p.Problem, ErrRevocationUnknown) {
			t.Errorf("%v of a CA: %v", oid, p.Problem)
		}
	}
}

// TestManyAnswers: a crowd of worthless answers costs a bounded number of checks.
func TestManyAnswers(t *testing.T) {
	h := newHouse(t, "p256")
	h.leaf = build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
	var crowd []Answer
	for i := range 3 * maxAnswers {
		tp := crlTemplate{issuer: h.ca.X509.RawSubject, extensions: []pkix.Extension{point64(int64(i))}}
		crowd = append(crowd, Answer{DER: tp.make(t, h.root, h.rootKey)})
	}
	trust := Trust{Roots: []*Certificate{h.root}, Intermediates: []*Certificate{h.ca}, Source: append(Answers{h.rootList}, crowd...)}.Bounded(64)
	checks := 0
	verify := trust.budget.verify
	trust.budget.verify = func(c *Certificate, s signed) error { checks++; return verify(c, s) }
	p := trust.Validate(context.Background(), h.leaf, UseDocument)
	if !errors.Is(p.Problem, ErrRevocationUnknown) || checks > 64+maxSigned {
		t.Errorf("%d checks, %v", checks, p.Problem)
	}
}

// TestManyPaths: the checks of answers are counted for all paths of one bounded trust together, and what is not checked is not
// known.
func TestManyPaths(t *testing.T) {
	h := newHouse(t, "p256")
	var crowd []Answer
	for i := range maxAnswers {
		tp := crlTemplate{issuer: h.ca.X509.RawSubject, extensions: []pkix.Extension{point64(int64(i))}}
		crowd = append(crowd, Answer{DER: tp.make(t, h.root, h.rootKey)})
	}
	const bound = 128
	trust := Trust{Roots: []*Certificate{h.root}, Intermediates: []*Certificate{h.ca}, Source: append(Answers{h.rootList}, crowd...)}.Bounded(bound)
	checks := 0
	verify := trust.budget.verify
	trust.budget.verify = func(c *Certificate, s signed) error { checks++; return verify(c, s) }
	for range 8 {
		leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
		if p := trust.Validate(context.Background(), leaf, UseDocument); !errors.Is(p.Problem, ErrRevocationUnknown) {
			t.Error(p.Problem)
		}
	}
	if checks > 2*bound {
		t.Errorf("%d checks", checks)
	}
}

// TestDelta: a delta list counts with a list of its own scope, not older than its base and not newer than itself.
func TestDelta(t *testing.T) {
	h := newHouse(t, "p256")
	h.leaf = build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
	users := pkix.Extension{Id: oidIssuingPoint, Critical: true, Value: []byte{0x30, 0x03, 0x81, 0x01, 0xff}}
	for name, c := range map[string]struct {
		base, number, since int64
		scope               []pkix.Extension
		status              RevocationStatus
	}{
		"fits":                 {4, 6, 4, nil, Revoked},
		"older base":           {5, 6, 4, nil, Revoked},
		"the list is too old":  {3, 6, 4, nil, Good},
		"the list is newer":    {7, 6, 4, nil, Good},
		"of another scope":     {4, 6, 4, []pkix.Extension{users}, Good},
		"with the same number": {6, 6, 4, nil, Revoked},
	} {
		list := crlTemplate{extensions: []pkix.Extension{point64(c.base)}}
		delta := crlTemplate{this: now.Add(-time.Minute), entries: []crlRow{h.leaf.row(now.Add(-2*time.Minute), 1)},
			extensions: append([]pkix.Extension{point64(c.number), {Id: oidDeltaCRL, Critical: true, Value: integer(c.since)}}, c.scope...)}
		p := h.validate(time.Time{}, Answer{DER: list.make(t, h.ca, h.caKey)}, Answer{DER: delta.make(t, h.ca, h.caKey)})
		if r := p.Links[0].Revocation; r.Status != c.status {
			t.Errorf("%s: %v, %v", name, r.Status, r.Problem)
		}
	}
}
