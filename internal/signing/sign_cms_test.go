// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/journal"
	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// authority answers no request; it looks at what goes on meanwhile.
type authority func(ctx context.Context) error

func (a authority) Stamp(ctx context.Context, _ algo.Digest, _ []byte) ([]byte, error) {
	return nil, a(ctx)
}

// withAuthority is newBench with a time-stamping authority.
func withAuthority(t *testing.T, p *person, a authority) *bench {
	t.Helper()
	b := newBench(t, p)
	b.Engine = signing.New(b.demo, p, reopened(t, b), signing.Options{
		Store: b.Store(), Version: "test", Stamper: func(string) cms.Stamper { return a },
		Trust: func() cert.Trust { return cert.Trust{Roots: []*cert.Certificate{b.demo.CA()}} },
	})
	return b
}

func typed(pin string) token.PINFunc {
	return func(context.Context, token.PINRequest) (secret.PIN, error) {
		p, w, err := secret.Pipe()
		if err != nil {
			return p, err
		}
		defer w.Close()
		_, err = io.WriteString(w, pin)
		return p, err
	}
}

// TestTokenIsFreeWhileStamped: an authority may take seconds to answer; others use the token meanwhile.
func TestTokenIsFreeWhileStamped(t *testing.T) {
	var keys []token.Key
	asked := 0
	b := withAuthority(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}}, func(ctx context.Context) error {
		asked++
		ctx, stop := context.WithTimeout(ctx, 5*time.Second)
		defer stop()
		s, err := keys[0].Open(ctx, typed(keyfile.DemoPIN))
		if err != nil {
			t.Errorf("the token is not free: %v", err)
			return err
		}
		s.Close()
		return proto.E(proto.CodeTimestampAbsent, nil)
	})
	keys = b.keys(t)
	var out bytes.Buffer
	r := signing.CMSRequest{Certificate: keys[0].ID(), Content: b.content(t, "x"), Form: signing.CMSForm{Profile: cms.ProfileT}}
	_, err := b.SignCMS(t.Context(), page, r, &out)
	if !errors.Is(err, proto.CodeTimestampAbsent) || asked != 1 || out.Len() != 0 {
		t.Errorf("%v, authority asked %d times, %d bytes", err, asked, out.Len())
	}
	if got := strings.Join(b.records(t), ", "); got != "begin sign , end sign timestamp_absent" {
		t.Errorf("journal: %s", got)
	}
}

// TestNobodyIsAskedForTheImpossible: what no signature can hold is refused before there is a question.
func TestNobodyIsAskedForTheImpossible(t *testing.T) {
	b := newBench(t, &person{decide: yes})
	content := b.content(t, "x")
	for name, f := range map[string]signing.CMSForm{
		"policy":     {Policy: &signing.XMLPolicy{ID: "https://policy.example", Digest: make([]byte, 32), DigestAlg: "sha256"}},
		"digest":     {Policy: &signing.XMLPolicy{ID: "1.2.3", Digest: make([]byte, 31), DigestAlg: "sha256"}},
		"commitment": {Commitment: "proof-of-nothing"},
		"location":   {Location: &cms.Location{}},
	} {
		var out bytes.Buffer
		_, err := b.SignCMS(t.Context(), page, signing.CMSRequest{Certificate: b.keys(t)[0].ID(), Content: content, Form: f}, &out)
		if !errors.Is(err, proto.CodeProfileUnsupported) || len(b.person.asked) != 0 || len(b.records(t)) != 0 {
			t.Errorf("%s: %v, %d questions", name, err, len(b.person.asked))
		}
	}
}

// TestJoinedName: the document in a signature file is shown under its own name.
func TestJoinedName(t *testing.T) {
	b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN, keyfile.DemoPIN, keyfile.DemoPIN, keyfile.DemoPIN}})
	id := b.keys(t)[0].ID()
	var first bytes.Buffer
	if _, err := b.SignCMS(t.Context(), page, signing.CMSRequest{Certificate: id, Content: b.content(t, "x"), Attached: true}, &first); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"contract.pdf.p7m": "contract.pdf", "contract.SIG": "contract", ".p7s": ".p7s"} {
		_, made, err := b.Store().Create(page.Channel, file, "", func(w io.Writer) error {
			_, err := w.Write(first.Bytes())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.SignCMS(t.Context(), page, signing.CMSRequest{Certificate: id, AddTo: made}, io.Discard); err != nil {
			t.Fatal(err)
		}
		if got := b.person.asked[len(b.person.asked)-1].Documents[0].Name; got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

// TestJoinedIsRecorded: the journal tells a countersignature from a signature of the document, and the window whose name nobody vouches for.
func TestJoinedIsRecorded(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN, keyfile.DemoPIN}})
		content, id := b.content(t, "x"), b.keys(t)[0].ID()
		var first, second bytes.Buffer
		if _, err := b.SignCMS(t.Context(), page, signing.CMSRequest{Certificate: id, Content: content}, &first); err != nil {
			t.Fatal(err)
		}
		file := b.content(t, first.String())
		if !trusted {
			b.Engine = signing.New(b.demo, b.person, reopened(t, b), signing.Options{Store: b.Store(), Version: "test"})
		}
		r := signing.CMSRequest{Certificate: id, Content: content, AddTo: file, Form: signing.CMSForm{Countersign: 1}}
		if _, err := b.SignCMS(t.Context(), page, r, &second); err != nil {
			t.Fatal(err)
		}
		q := b.person.asked[1].CMS
		if len(q.Signers) != 1 || q.Signers[0].Name == "" || q.Signers[0].Doubt == trusted {
			t.Errorf("trusted %v: %+v", trusted, q.Signers)
		}
		lines, err := journal.List(b.journal, 10)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range lines {
			joined := i == 2
			if (l.Countersign == 1) != joined || (l.AddTo == hex.EncodeToString(algo.SHA256.Sum(first.Bytes()))) != joined {
				t.Errorf("line %d: %+v", i, l.Record)
			}
		}
	}
}
