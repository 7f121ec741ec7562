// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// A test signs our own text with every key, is verified, and is a kind of its own in the question and in the journal.
func TestTrial(t *testing.T) {
	p := &person{decide: yes}
	b := newBench(t, p)
	for _, k := range b.keys(t) {
		p.pins = []string{keyfile.DemoPIN}
		r, err := b.Test(t.Context(), page, k.ID())
		if err != nil {
			t.Fatalf("%s: %v", k.Certificate().Key.Describe(), err)
		}
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
		if !r.Report.Valid || !r.Report.Attached || r.Report.Size != int64(len(signing.TestText)) || r.Certificate.ID != k.ID() || r.Algorithm == "" {
			t.Errorf("%+v", r)
		}
		sum := sha256.Sum256([]byte(signing.TestText))
		if r.DigestAlg == "sha256" && r.Digest != hex.EncodeToString(sum[:]) {
			t.Errorf("digest %s", r.Digest)
		}
		q := p.asked[len(p.asked)-1]
		if q.Kind != signing.KindTest || !q.Attached || q.Documents[0].Digest != r.Digest || q.Note != "" {
			t.Errorf("%+v", q)
		}
	}
	if r := b.records(t); len(r) != 8 || r[0] != "begin test " || r[1] != "end test ok" {
		t.Errorf("journal: %q", r)
	}
	if !strings.Contains(signing.TestText, "No legal force") {
		t.Error("the text does not say what it is")
	}
	b.idle(t)
}

// Policy signs documents of sites; it never tries certificates.
func TestTrialRefused(t *testing.T) {
	p := &person{decide: no}
	b := newBench(t, p)
	if _, err := b.Test(t.Context(), page, b.keys(t)[0].ID()); !errors.Is(err, proto.CodeUserRejected) {
		t.Error(err)
	}
	if _, err := b.Test(t.Context(), page, strings.Repeat("0", 64)); !errors.Is(err, proto.CodeCertificateAbsent) {
		t.Error(err)
	}
	if r := b.records(t); !slices.Equal(r, []string{"note refused user_rejected"}) {
		t.Errorf("journal: %q", r)
	}
}

// A password is asked for again after a wrong one, three times at most, and never kept.
func TestPassword(t *testing.T) {
	file := token.Info{Module: token.KeyFile, Label: "k.p12", LoginRequired: true, Attempts: -1}
	for name, c := range map[string]struct {
		decide bool
		pins   []string
		want   error
		tries  int
	}{
		"right":      {true, []string{"good"}, nil, 1},
		"second":     {true, []string{"bad", "good"}, nil, 2},
		"wrong":      {true, []string{"bad", "bad", "bad", "good"}, proto.CodePasswordIncorrect, 3},
		"gives up":   {true, []string{"bad"}, proto.CodeUserRejected, 1},
		"rejected":   {false, nil, proto.CodeUserRejected, 0},
		"other kind": {true, []string{"broken"}, proto.CodeTokenAbsent, 1},
	} {
		p := &person{decide: yes, pins: c.pins}
		if !c.decide {
			p.decide = no
		}
		b := newBench(t, p)
		tries := 0
		err := b.Password(t.Context(), page, file, func(pin secret.PIN) error {
			tries++
			typed, err := io.ReadAll(pin.File())
			pin.Close()
			switch {
			case err != nil:
				return err
			case string(typed) == "bad":
				return &token.PINError{Attempts: -1}
			case string(typed) == "broken":
				return token.ErrAbsent
			}
			return nil
		})
		if !errors.Is(err, c.want) || tries != c.tries {
			t.Errorf("%s: %v after %d tries", name, err, tries)
		}
		if q := p.asked[0]; q.Kind != signing.KindPIN || q.Token.Label != "k.p12" || len(p.outcomes) != 1 {
			t.Errorf("%s: %+v", name, q)
		}
		b.idle(t)
	}
}
