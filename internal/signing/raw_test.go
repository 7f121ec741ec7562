// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/journal"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

var pins = slices.Repeat([]string{keyfile.DemoPIN}, 8)

// The bare value over a document is over the digest of all of it, and the person has the document.
func TestSignRawContent(t *testing.T) {
	b := newBench(t, &person{decide: func(_ context.Context, q signing.Question) (signing.Decision, error) {
		d := q.Documents[0]
		if d.Content == nil || d.Hidden || d.Opaque || d.Login || !q.Raw || d.Name != "letter.txt" || d.Size != 5 {
			t.Errorf("%+v", q)
		}
		return signing.Decision{Approved: true, Viewed: []bool{true}}, nil
	}, pins: pins})
	for _, k := range b.keys(t) {
		made, err := b.SignRaw(t.Context(), page, signing.RawRequest{Certificate: k.ID(), Content: b.content(t, "order")})
		if err != nil {
			t.Fatal(err)
		}
		a, _ := algo.Lookup(made.Algorithm)
		if err := k.Certificate().Key.Verify(a.ID, algo.Input{Digest: a.Digest.Sum([]byte("order"))}, made.Signature); err != nil {
			t.Errorf("%s: %v", a.ID, err)
		}
	}
	both := signing.RawRequest{Certificate: b.keys(t)[0].ID(), Content: b.content(t, "x"), Digest: make([]byte, 32)}
	for _, r := range []signing.RawRequest{both, {Certificate: both.Certificate}} {
		if _, err := b.SignRaw(t.Context(), page, r); !errors.Is(err, proto.CodeRequestInvalid) {
			t.Errorf("%v", err)
		}
	}
}

// A document that changed while the person looked at it is not signed.
func TestSignRawContentChanged(t *testing.T) {
	b := newBench(t, &person{decide: func(_ context.Context, q signing.Question) (signing.Decision, error) {
		f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", q.Documents[0].Content.Fd()), os.O_RDWR, 0)
		if err != nil {
			return signing.Decision{}, err
		}
		defer f.Close()
		_, err = f.WriteAt([]byte("9"), 4)
		return signing.Decision{Approved: true}, err
	}, pins: pins})
	_, err := b.SignRaw(t.Context(), page, signing.RawRequest{Certificate: b.keys(t)[0].ID(), Content: b.content(t, "pay 100 to A")})
	if !errors.Is(err, proto.CodeContentChanged) {
		t.Fatal(err)
	}
}

// What is only for logging in signs no documents, bare values neither, be it over a document or a digest.
func TestAuthenticationKeySignsNoRaw(t *testing.T) {
	key, err := algo.GenerateKey("p256")
	if err != nil {
		t.Fatal(err)
	}
	made, err := cert.Build(cert.Template{
		Subject: cert.Person{CommonName: "Вход"}, Key: key.Public(), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 2}},
	}, nil, key)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, &person{decide: yes}).over(t, certified{t, made})
	for _, r := range []signing.RawRequest{{Content: b.content(t, "x")}, {Digest: make([]byte, 32)}} {
		r.Certificate = made.ID()
		if _, err := b.SignRaw(t.Context(), page, r); !errors.Is(err, proto.CodeCertificateNotForSigning) || len(b.person.asked) > 0 {
			t.Errorf("%v, %d questions", err, len(b.person.asked))
		}
	}
}

// A word for logging in is told from a document in the question and in the journal, whatever form the signature has.
func TestLoginIsRecorded(t *testing.T) {
	const word = "5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55"
	b := newBench(t, &person{decide: yes, pins: pins})
	id := b.keys(t)[0].ID()
	for _, text := range []string{word, "Прошу предоставить отпуск."} {
		if _, err := b.SignRaw(t.Context(), page, signing.RawRequest{Certificate: id, Content: b.content(t, text)}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.SignCMS(t.Context(), page, signing.CMSRequest{Certificate: id, Content: b.content(t, text)}, io.Discard); err != nil {
			t.Fatal(err)
		}
		items := []signing.BatchItem{{Content: b.content(t, text)}}
		if _, err := b.SignBatch(t.Context(), page, signing.BatchRequest{Certificate: id, Items: items}, func(signing.BatchSigned) {}); err != nil {
			t.Fatal(err)
		}
	}
	for i, q := range b.person.asked {
		if got := q.Documents[0].Login; got != (i < 3) {
			t.Errorf("question %d: %v", i, got)
		}
	}
	lines, err := journal.List(b.journal, 100)
	if err != nil {
		t.Fatal(err)
	}
	var logins []bool
	for _, l := range lines {
		if l.Type == journal.TypeBegin {
			logins = append(logins, l.Documents[0].Login)
		}
	}
	if !slices.Equal(logins, []bool{true, true, true, false, false, false}) {
		t.Errorf("%v", logins)
	}
}

// A CMS signature over a digest, new and beside another, is the one over the document.
func TestSignCMSByDigest(t *testing.T) {
	b := newBench(t, &person{decide: yes, pins: pins})
	doc := []byte("order")
	keys := b.keys(t)
	signed := func(r signing.CMSRequest) ([]byte, error) {
		var out bytes.Buffer
		_, err := b.SignCMS(t.Context(), page, r, &out)
		return out.Bytes(), err
	}
	sum := func(i int) []byte {
		a, _ := algo.Lookup(keys[i].Algorithms()[0])
		return a.Digest.Sum(doc)
	}
	first, err := signed(signing.CMSRequest{Certificate: keys[0].ID(), Digest: sum(0), Form: signing.CMSForm{DocumentName: "Приказ.txt"}})
	if err != nil {
		t.Fatal(err)
	}
	both, joined := first, []int{0}
	for i := range keys {
		if both, err = signed(signing.CMSRequest{Certificate: keys[i].ID(), Digest: sum(i), AddTo: b.content(t, string(both))}); err != nil {
			t.Fatal(err)
		}
		q := b.person.asked[len(b.person.asked)-1]
		if d := q.Documents[0]; !d.Hidden || d.Content != nil || len(q.CMS.Signers) != i+1 {
			t.Errorf("%+v", q)
		}
		// Signers the digest does not reach are not vouched for.
		doubts, want := 0, 0
		for n, k := range joined {
			if q.CMS.Signers[n].Doubt {
				doubts++
			}
			if !bytes.Equal(sum(i), sum(k)) {
				want++
			}
		}
		if doubts != want {
			t.Errorf("%s: %d in doubt of %d, want %d", keys[i].Algorithms()[0], doubts, len(joined), want)
		}
		joined = append(joined, i)
	}
	r, err := b.VerifyCMS(t.Context(), bytes.NewReader(both), bytes.NewReader(doc))
	if err != nil || !r.Valid() || len(r.Signers) != len(keys)+1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if !slices.ContainsFunc(r.Signers, func(s cms.SignerReport) bool { return s.DocumentName == "Приказ.txt" }) {
		t.Error("the attributes of the first are lost")
	}
	attached, err := signed(signing.CMSRequest{Certificate: keys[0].ID(), Content: b.content(t, "order"), Attached: true})
	if err != nil {
		t.Fatal(err)
	}
	asked := len(b.person.asked)
	other := algo.Streebog512.Sum(doc)[:len(sum(0))]
	for name, c := range map[string]struct {
		r    signing.CMSRequest
		want proto.Code
	}{
		"content too":      {signing.CMSRequest{Digest: sum(0), Content: b.content(t, "order")}, proto.CodeRequestInvalid},
		"attached":         {signing.CMSRequest{Digest: sum(0), Attached: true}, proto.CodeRequestInvalid},
		"short":            {signing.CMSRequest{Digest: sum(0)[1:]}, proto.CodeRequestInvalid},
		"document inside":  {signing.CMSRequest{Digest: sum(0), AddTo: b.content(t, string(attached))}, proto.CodeRequestInvalid},
		"another document": {signing.CMSRequest{Digest: other, AddTo: b.content(t, string(first))}, proto.CodeContentMismatch},
	} {
		c.r.Certificate = keys[0].ID()
		if _, err := signed(c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(b.person.asked) != asked {
		t.Error("somebody was asked")
	}
}

// By the digest of one algorithm a signature of another is neither verified nor countersigned.
func TestOtherDigest(t *testing.T) {
	b := newBench(t, &person{decide: yes, pins: pins})
	keys := b.keys(t)
	i := slices.IndexFunc(keys, func(k token.Key) bool { return k.Algorithms()[0] != keys[0].Algorithms()[0] })
	var sig bytes.Buffer
	if _, err := b.SignCMS(t.Context(), page, signing.CMSRequest{Certificate: keys[0].ID(), Content: b.content(t, "x")}, &sig); err != nil {
		t.Fatal(err)
	}
	a, _ := algo.Lookup(keys[0].Algorithms()[0])
	other, _ := algo.Lookup(keys[i].Algorithms()[0])
	r, err := b.VerifyDigest(t.Context(), bytes.NewReader(sig.Bytes()), other.Digest.Sum([]byte("x")), string(other.Digest))
	if err != nil {
		t.Fatal(err)
	}
	got := signing.Reported(r, "en")
	if got.Valid || got.Signers[0].Code != proto.CodeDigestOther || got.Indication != proto.IndicationINDETERMINATE {
		t.Errorf("%+v", got.Signers[0])
	}
	if r, err := b.VerifyDigest(t.Context(), bytes.NewReader(sig.Bytes()), a.Digest.Sum([]byte("x")), string(a.Digest)); err != nil || !r.Valid() {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = b.SignCMS(t.Context(), page, signing.CMSRequest{
		Certificate: keys[i].ID(), Digest: other.Digest.Sum([]byte("x")), AddTo: b.content(t, sig.String()), Form: signing.CMSForm{Countersign: 1},
	}, io.Discard)
	if !errors.Is(err, proto.CodeDigestOther) {
		t.Errorf("countersigned: %v", err)
	}
	for name, want := range map[string]proto.Code{"": proto.CodeAlgorithmUnsupported, "crc32": proto.CodeAlgorithmUnsupported, "streebog512": proto.CodeRequestInvalid} {
		if _, err := b.VerifyDigest(t.Context(), bytes.NewReader(sig.Bytes()), make([]byte, 32), name); !errors.Is(err, want) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
