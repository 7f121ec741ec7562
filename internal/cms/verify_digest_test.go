// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"persten/internal/algo"
)

func byDigest(t testing.TB, sig []byte, d algo.Digest, sum []byte, o *owner) *Report {
	t.Helper()
	rep, err := VerifyDigest(context.Background(), bytes.NewReader(sig), d, sum, o.trust())
	if err != nil {
		t.Fatal(err)
	}
	rep.Conclude(context.Background(), o.trust())
	return rep
}

// The digest of the document is as good as the document, for a signer who used its algorithm.
func TestVerifyDigest(t *testing.T) {
	for _, kind := range kinds {
		o := ownerOf(t, kind)
		a, _ := algo.Lookup(o.id)
		sum := a.Digest.Sum(document)
		for _, attached := range []bool{false, true} {
			sig := sign(t, o, document, Options{Attached: attached})
			if rep := byDigest(t, sig, a.Digest, sum, o); !rep.Valid() || rep.Attached != attached {
				t.Errorf("%s attached %v: %v", kind, attached, rep.Signers[0].Problem)
			}
			rep := byDigest(t, sig, a.Digest, a.Digest.Sum(document[1:]), o)
			if s := rep.Signers[0]; rep.Valid() || !errors.Is(s.Problem, ErrDigest) || s.Conclusion.Indication != TotalFailed {
				t.Errorf("%s attached %v: another digest: %v", kind, attached, s.Problem)
			}
		}
	}
}

// A signer whom the digest does not reach is never valid, and what else is wrong with the signature comes first.
func TestVerifyOtherDigest(t *testing.T) {
	gost, rsa := ownerOf(t, "gost256"), ownerOf(t, "rsa2048")
	sig := add(t, sign(t, gost, document, Options{}), document, rsa, Options{})
	rep := byDigest(t, sig, algo.Streebog256, algo.Streebog256.Sum(document), gost)
	valid := 0
	for _, s := range rep.Signers {
		if s.Valid {
			valid++
			continue
		}
		var other *OtherDigestError
		if s.Intact || !errors.As(s.Problem, &other) || other.Digest != algo.SHA256 || s.Conclusion.Indication != Indeterminate || s.Conclusion.Sub != SignedDataNotFound {
			t.Errorf("%+v", s)
		}
	}
	if valid != 1 || rep.Valid() || rep.Indication() != Indeterminate {
		t.Errorf("%d of %d valid", valid, len(rep.Signers))
	}
	// Of the same length and another algorithm: what is known of one says nothing of the other.
	rep = byDigest(t, sign(t, gost, document, Options{}), algo.SHA256, algo.Streebog256.Sum(document), gost)
	if s := rep.Signers[0]; s.Valid || !errors.Is(s.Problem, ErrOtherDigest) {
		t.Errorf("%v", s.Problem)
	}
	// An attached document has its own digests, but nobody knows whether the given one is of it.
	rep = byDigest(t, sign(t, gost, document, Options{Attached: true}), algo.SHA256, algo.SHA256.Sum(document), gost)
	if s := rep.Signers[0]; s.Valid || !errors.Is(s.Problem, ErrOtherDigest) {
		t.Errorf("attached: %v", s.Problem)
	}
	bad := sign(t, rsa, document, Options{})
	bad[len(bad)-1] ^= 1
	rep = byDigest(t, bad, algo.Streebog256, algo.Streebog256.Sum(document), rsa)
	if s := rep.Signers[0]; !errors.Is(s.Problem, ErrSignature) || s.Conclusion.Indication != TotalFailed {
		t.Errorf("a wrong value: %v", s.Problem)
	}
}

// What stands beside the signature is checked as ever: it is over the signature value.
func TestVerifyDigestCountersigned(t *testing.T) {
	o, other := ownerOf(t, "p256"), ownerOf(t, "gost512")
	sig := countersign(t, sign(t, o, document, Options{}), 0, other, Options{})
	rep := byDigest(t, sig, algo.SHA256, algo.SHA256.Sum(document), o)
	if !rep.Valid() || len(rep.Signers[0].Countersignatures) != 1 || !rep.Signers[0].Countersignatures[0].Valid {
		t.Errorf("%+v", rep.Signers[0])
	}
}

// FuzzVerifyDigest: no file makes VerifyDigest panic, errors have a type, and nothing is valid by a digest that is not valid
// with the document.
func FuzzVerifyDigest(f *testing.F) {
	a, b := ownerOf(f, "p256"), ownerOf(f, "gost256")
	f.Add(sign(f, a, document, Options{}))
	f.Add(sign(f, a, document, Options{Attached: true}))
	f.Add(add(f, sign(f, a, document, Options{}), document, b, Options{}))
	f.Fuzz(func(t *testing.T, in []byte) {
		rep, err := VerifyDigest(t.Context(), bytes.NewReader(in), algo.SHA256, algo.SHA256.Sum(document), a.trust())
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrLimit) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		whole, err := Verify(t.Context(), bytes.NewReader(in), bytes.NewReader(document), a.trust())
		if err != nil {
			t.Fatalf("with the document: %v", err)
		}
		for i, s := range rep.Signers {
			if s.Valid && !whole.Signers[i].Valid {
				t.Fatalf("valid by the digest, not by the document: %v", whole.Signers[i].Problem)
			}
		}
	})
}
