// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"persten/internal/algo"
)

// TestCrowdedOut: a signer who was revoked puts an answer of yesterday into the signature, and a crowd behind it, so that the
// answer of today, which comes from the network and so last, is not reached. Good is then not known.
func TestCrowdedOut(t *testing.T) {
	h := newHouse(t, "p256")
	h.leaf = build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
	old := Answer{DER: crlTemplate{}.make(t, h.ca, h.caKey)}
	news := Answer{DER: crlTemplate{this: now.Add(-time.Minute), entries: []crlRow{h.leaf.row(now.Add(-2*time.Minute), 1)}}.make(t, h.ca, h.caKey)}
	if p := h.validate(time.Time{}, old, news); !errors.Is(p.Problem, ErrRevoked) {
		t.Fatal(p.Problem)
	}
	crowd := func(n int, make func(i int) Answer) (all []Answer) {
		for i := range n {
			all = append(all, make(i))
		}
		return all
	}
	for name, between := range map[string][]Answer{
		"junk":              crowd(2*maxAnswers, func(int) Answer { return Answer{DER: []byte{0x30, 0}} }),
		"lists of the root": crowd(2*maxAnswers, func(int) Answer { return h.rootList }),
		"forged lists": crowd(3*maxSigned, func(i int) Answer {
			return Answer{DER: crlTemplate{this: now.Add(time.Duration(i-30000) * time.Second), issuer: h.ca.X509.RawSubject}.make(t, h.root, h.rootKey)}
		}),
		"forged lists, newer": crowd(maxSigned+1, func(i int) Answer {
			return Answer{DER: crlTemplate{this: now.Add(time.Duration(i) * time.Second), issuer: h.ca.X509.RawSubject}.make(t, h.root, h.rootKey)}
		}),
		"forged responses": crowd(maxSigned+1, func(i int) Answer {
			return Answer{OCSP: true, DER: ocspTemplate{c: h.leaf, issuer: h.ca, status: Good, this: now.Add(time.Duration(i) * time.Second)}.make(t, h.ca, h.rootKey)}
		}),
		"responses for another": crowd(2*maxAnswers, func(int) Answer {
			return Answer{OCSP: true, DER: ocspTemplate{c: h.ca, issuer: h.root, status: Good}.make(t, h.root, h.rootKey)}
		}),
	} {
		p := h.validate(time.Time{}, append(append([]Answer{old}, between...), news)...)
		if p.Holds() || p.Links[0].Revocation.Status == Good {
			t.Errorf("%s: %v", name, p.Links[0].Revocation.Status)
		}
	}
}

// TestManyTwins: certificates of one CA and key in many copies multiply the ways up; the search gives up in time.
func TestManyTwins(t *testing.T) {
	r := root(t, "p256")
	const layers, twins = 7, 9
	var pool []*Certificate
	var above *Certificate
	aboveKey := key(t, "p256")
	above = build(t, Template{Subject: Person{CommonName: "Неизвестный"}, Key: aboveKey.Public(), CA: true, MaxPath: -1}, nil, aboveKey)
	for i := range layers {
		k := key(t, "p256"+strings.Repeat("'", i+1))
		var one *Certificate
		for range twins {
			one = build(t, Template{Subject: Person{CommonName: fmt.Sprint("Слой ", i)}, Key: k.Public(), CA: true, MaxPath: -1}, above, aboveKey)
			pool = append(pool, one)
		}
		above, aboveKey = one, k
	}
	leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, above, aboveKey)
	size := 0
	for _, c := range pool {
		size += len(c.Raw)
	}
	begin := time.Now()
	trust := Trust{Roots: []*Certificate{r}, Intermediates: pool}.Bounded(512)
	p := trust.Validate(context.Background(), leaf, UseDocument)
	if took := time.Since(begin); p.Holds() || trust.budget.steps >= 0 || took > 3*time.Second {
		t.Errorf("%d bytes of certificates took %v: %v", size, took, p.Problem)
	}
}

// selfTold answers about every certificate with a response made just now, and counts.
type selfTold struct {
	t     testing.TB
	h     *house
	by    *Certificate
	asked int
}

func (s *selfTold) Revocation(_ context.Context, c, issuer *Certificate) ([]Answer, error) {
	s.asked++
	if issuer.Equal(s.h.root) {
		return []Answer{s.h.rootList}, nil
	}
	tp := ocspTemplate{c: c, issuer: issuer, status: Good, certificates: []*Certificate{s.by}}
	return []Answer{{OCSP: true, DER: tp.make(s.t, s.by, s.h.respKey)}}, nil
}

func (s *selfTold) Issuers(context.Context, *Certificate) ([]*Certificate, error) { return nil, nil }

// TestResponderOfItself: a responder without ocsp-nocheck whose own state it tells itself, in a new response each time.
func TestResponderOfItself(t *testing.T) {
	h := newHouse(t, "p256")
	h.leaf = build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
	s := &selfTold{t: t, h: h, by: h.appoint(t, func(tp *Template) { tp.Extensions = nil })}
	p := Trust{Roots: []*Certificate{h.root}, Intermediates: []*Certificate{h.ca}, Source: s}.Validate(context.Background(), h.leaf, UseDocument)
	if !p.Holds() || s.asked > 3 {
		t.Errorf("asked %d times, %v", s.asked, p.Problem)
	}
}

// TestOldResponder: the stolen key of a responder whose certificate has run out still makes responses of its own time that
// are to be good for a hundred years.
func TestOldResponder(t *testing.T) {
	h := newHouse(t, "p256")
	h.leaf = build(t, Template{Subject: ivanova, Key: key(t, "p256").Public(), NotBefore: now.AddDate(-3, 0, 0), NotAfter: now.AddDate(3, 0, 0)}, h.ca, h.caKey)
	old := h.appoint(t, func(tp *Template) { tp.NotAfter = now.AddDate(-1, 0, 0) })
	then := now.AddDate(-2, 0, 0)
	for name, tp := range map[string]ocspTemplate{
		"good for a hundred years": {this: then, next: now.AddDate(100, 0, 0)},
		"of today, made then":      {this: now.Add(-time.Hour)},
	} {
		tp.c, tp.issuer, tp.status, tp.produced, tp.certificates = h.leaf, h.ca, Good, then, []*Certificate{old}
		a := Answer{OCSP: true, DER: tp.make(t, old, h.respKey)}
		if p := h.validate(time.Time{}, a); p.Holds() {
			t.Errorf("%s: believed", name)
		}
	}
	// In its own time it counts.
	tp := ocspTemplate{c: h.leaf, issuer: h.ca, status: Good, produced: then, this: then, next: then.AddDate(0, 0, 1), certificates: []*Certificate{old}}
	if p := h.validate(then.Add(time.Hour), Answer{OCSP: true, DER: tp.make(t, old, h.respKey)}); !p.Holds() {
		t.Error(p.Problem)
	}
}

// TestFutureAnswer: an answer from the future is none, wherever it came from.
func TestFutureAnswer(t *testing.T) {
	h := newHouse(t, "p256")
	h.leaf = build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
	a := Answer{DER: crlTemplate{this: now.AddDate(0, 1, 0), next: now.AddDate(1, 0, 0)}.make(t, h.ca, h.caKey)}
	if p := h.validate(time.Time{}, a); p.Holds() {
		t.Error("believed")
	}
}

// TestNoUsage: a key usage that is there and allows nothing (RFC 5280 sections 6.1.4 n, 6.3.3 f).
func TestNoUsage(t *testing.T) {
	h := newHouse(t, "p256")
	nothing := []pkix.Extension{{Id: oidKeyUsage, Critical: true, Value: []byte{0x03, 0x02, 0x07, 0x00}}}
	ca := odder(t, h.ca, h.rootKey, nothing)
	if ca.X509.KeyUsage != 0 {
		t.Fatal("the test certificate may do something")
	}
	leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
	trust := Trust{Roots: []*Certificate{h.root}, Intermediates: []*Certificate{ca}}
	if p := trust.Validate(context.Background(), leaf, UseDocument); p.Holds() {
		t.Error("a CA that may not sign certificates was accepted")
	}
	if ca.mayList() {
		t.Error("it may sign lists")
	}
	if ca.Usage().Documents() || UseDocument.fits(ca, true) == nil {
		t.Error("it may sign documents")
	}
}

// TestUnreadableNames: a name that cannot be taken apart may be an excluded one.
func TestUnreadableNames(t *testing.T) {
	k, other := key(t, "p256"), key(t, "p256'")
	r := root(t, "p256")
	banned := Person{Organization: "ООО «Пример»"}
	excluded := subtree(t, true, formDirectory, string(build(t, Template{Subject: banned, Key: k.Public()}, nil, k).X509.RawSubject))
	ca := build(t, Template{Subject: Person{CommonName: "CA"}, Key: other.Public(), CA: true, Extensions: []pkix.Extension{excluded}}, r, k)
	leaf := build(t, Template{Subject: banned, Key: k.Public()}, ca, other)
	trust := Trust{Roots: []*Certificate{r}, Intermediates: []*Certificate{ca}}
	if _, err := trust.Chain(leaf); !errors.Is(err, ErrNameConstraints) {
		t.Fatal(err)
	}
	twisted := *leaf
	twisted.subjectName = parseName([]byte{0x30, 0x02, 0x31, 0x00}) // an RDN of nothing
	if _, err := trust.Chain(&twisted); !errors.Is(err, ErrNameConstraints) {
		t.Errorf("%v", err)
	}
	for form, value := range map[int]string{formEmail: "a@example.com", formURI: "http://example.com/"} {
		ca := build(t, Template{Subject: Person{CommonName: "CA"}, Key: other.Public(), CA: true, Extensions: []pkix.Extension{subtree(t, true, form, "")}}, r, k)
		leaf := build(t, Template{Subject: Person{CommonName: "X"}, Key: k.Public(), Extensions: []pkix.Extension{alternative(t, form, value)}}, ca, other)
		if _, err := (Trust{Roots: []*Certificate{r}, Intermediates: []*Certificate{ca}}).Chain(leaf); !errors.Is(err, ErrNameConstraints) {
			t.Errorf("%s although all are excluded: %v", value, err)
		}
	}
}

// TestNameWork: what comparing names may cost, with the dearest names there are.
func TestNameWork(t *testing.T) {
	uri := "http://example.com/" + strings.Repeat("%41", 600)
	var names []generalName
	for range 12 {
		names = append(names, generalName{form: formURI, value: []byte(uri)})
	}
	n := &constraints{}
	for range 8000 {
		n.excluded = append(n.excluded, generalName{form: formURI, value: []byte(".b")})
	}
	begin := time.Now()
	for _, g := range names {
		if err := n.checkOne(g); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begin); took > 300*time.Millisecond {
		t.Errorf("%v", took)
	}
}

// odder issues c again, with the key usage replaced by extensions.
func odder(t testing.TB, c *Certificate, issuerKey algo.PrivateKey, extensions []pkix.Extension) *Certificate {
	t.Helper()
	in := cryptobyte.String(c.X509.RawTBSCertificate)
	var body, before cryptobyte.String
	in.ReadASN1(&body, casn1.SEQUENCE)
	whole := body
	for !body.PeekASN1Tag(casn1.Tag(3).ContextSpecific().Constructed()) {
		var e cryptobyte.String
		var tag casn1.Tag
		if !body.ReadAnyASN1Element(&e, &tag) {
			t.Fatal("no extensions")
		}
	}
	before = whole[:len(whole)-len(body)]
	all := extensions
	for _, e := range c.X509.Extensions {
		if !e.Id.Equal(oidKeyUsage) {
			all = append(all, e)
		}
	}
	tbs := build0(t, func(b *cryptobyte.Builder) {
		b.AddBytes(before)
		b.AddASN1(casn1.Tag(3).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(marshal(t, all)) })
	})
	a, _ := certificateAlgorithm(c.outside.algorithm)
	made, err := Parse(seal(t, tbs, a, issuerKey, nil))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestHugeParts: one part of a list as large as the list may be: no list, and no memory many times its size.
func TestHugeParts(t *testing.T) {
	const size = 24 << 20
	filler := bytes.Repeat([]byte{1}, size)
	tiny := bytes.Repeat([]byte{0x31, 0x06, 0x30, 0x04, 0x06, 0x00, 0x05, 0x00}, size/8)
	h := newHouse(t, "p256")
	oid := func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(filler) })
	}
	extension := build0(t, func(b *cryptobyte.Builder) { oid(b); b.AddASN1OctetString(nil) })
	for name, der := range map[string][]byte{
		"name": crlTemplate{issuer: build0(t, func(b *cryptobyte.Builder) { b.AddBytes(tiny) })}.make(t, h.ca, h.caKey),
		"OID of an entry's extension": crlTemplate{rows: build0(t, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			addTime(b, now, 0)
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(extension) })
		})}.make(t, h.ca, h.caKey),
		"name of an entry's issuer": crlTemplate{rows: build0(t, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			addTime(b, now, 0)
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidCertificateIssuer)
					b.AddASN1(casn1.OCTET_STRING, func(b *cryptobyte.Builder) {
						b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1(casn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
								b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(tiny) })
							})
						})
					})
				})
			})
		}), extensions: []pkix.Extension{{Id: oidIssuingPoint, Critical: true, Value: []byte{0x30, 0x03, 0x84, 0x01, 0xff}}}}.make(t, h.ca, h.caKey),
		"algorithm": build0(t, func(b *cryptobyte.Builder) {
			b.AddBytes(crlBody(t, crlTemplate{}.make(t, h.ca, h.caKey)))
			b.AddASN1(casn1.SEQUENCE, oid)
			b.AddASN1BitString(nil)
		}),
	} {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := time.Now()
		l, err := ParseCRL(der)
		if err == nil {
			_, _, err = l.Lookup(h.leaf)
		}
		took := time.Since(begin)
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 2*size || took > 2*time.Second {
			t.Errorf("%s: %d MiB, %v, %v", name, grown>>20, took, len(fmt.Sprint(err)))
		}
		if err != nil && len(err.Error()) > 4096 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

func crlBody(t testing.TB, der []byte) []byte {
	s, err := parseSigned(der)
	if err != nil {
		t.Fatal(err)
	}
	return s.body
}

// TestDeepList: elements that are never closed.
func TestDeepList(t *testing.T) {
	text := "<" + listRoot + ">" + strings.Repeat("<a>", 1<<21)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ParseAccreditedList(strings.NewReader(text))
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrAccreditedList) || grown > uint64(len(text)) {
		t.Errorf("%d KiB for %d KiB: %v", grown>>10, len(text)>>10, err)
	}
}

// patient looks how long it may take.
type patient struct{ longest time.Duration }

func (p *patient) Revocation(ctx context.Context, _, _ *Certificate) ([]Answer, error) {
	return nil, p.look(ctx)
}

func (p *patient) Issuers(ctx context.Context, _ *Certificate) ([]*Certificate, error) {
	return nil, p.look(ctx)
}

func (p *patient) look(ctx context.Context) error {
	end, ok := ctx.Deadline()
	if left := time.Until(end); !ok || left > p.longest {
		p.longest = max(left, 0)
	}
	if !ok {
		p.longest = 1 << 62
	}
	return nil
}

// TestWait: whatever the source does, it is not waited for without end.
func TestWait(t *testing.T) {
	h := newHouse(t, "p256")
	leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, h.ca, h.caKey)
	for _, pool := range [][]*Certificate{nil, {h.ca}} {
		p := &patient{}
		Trust{Roots: []*Certificate{h.root}, Intermediates: pool, Source: p}.Validate(context.Background(), leaf, UseDocument)
		if p.longest == 0 || p.longest > maxWait {
			t.Errorf("it may take %v", p.longest)
		}
	}
}

// TestResponderRevokedLater: what counts about a responder is the time at which it signed, not the time that is asked about.
func TestResponderRevokedLater(t *testing.T) {
	h := newHouse(t, "p256")
	h.leaf = build(t, Template{Subject: ivanova, Key: key(t, "p256").Public(), NotBefore: now.AddDate(-3, 0, 0), NotAfter: now.AddDate(3, 0, 0)}, h.ca, h.caKey)
	r := h.appoint(t, func(tp *Template) { tp.Extensions = nil })
	tp := ocspTemplate{c: h.leaf, issuer: h.ca, status: Good, certificates: []*Certificate{r}}
	list := crlTemplate{this: now.AddDate(0, -3, 0), next: now.AddDate(0, -2, 0), entries: []crlRow{r.row(now.AddDate(0, -6, 0), 4)}}
	answers := []Answer{{OCSP: true, DER: tp.make(t, r, h.respKey)}, {DER: list.make(t, h.ca, h.caKey)}}
	for at, decides := range map[time.Time]bool{now.AddDate(-1, 0, 0): false, now.Add(-time.Minute): false} {
		p := h.validate(at, answers...)
		if rev := p.Links[0].Revocation; rev.Answer.OCSP != decides {
			t.Errorf("at %v: %v by %v, %v", at, rev.Status, rev.Answer.OCSP, rev.Problem)
		}
	}
}
