// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"persten/internal/algo"
)

// FuzzTimeStamp: no input makes ParseTimeStamp panic, errors have a type, and what is sound is signed by the one key.
func FuzzTimeStamp(f *testing.F) {
	tsa := newAuthority(f, "p256")
	for _, d := range []algo.Digest{algo.SHA256, algo.Streebog512} {
		token, err := tsa.Stamp(context.Background(), d, d.Sum(document))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
	}
	f.Add(sign(f, tsa.owner, document, Options{Attached: true}))
	f.Fuzz(func(t *testing.T, in []byte) {
		ts, err := ParseTimeStamp(in)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrLimit) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if bad := ts.CheckImprint(document); bad != nil && !errors.Is(bad, ErrImprint) && !errors.Is(bad, ErrAlgorithm) {
			t.Fatalf("untyped problem %v", bad)
		}
		if ts.Problem == nil && ts.Signer.Certificate == nil {
			t.Fatal("sound without a signer")
		}
	})
}

// FuzzEdit: a file that can be read can be added to, countersigned and extended, and what comes out can be read again with all
// that was in it; nothing makes them panic.
func FuzzEdit(f *testing.F) {
	a, b := ownerOf(f, "p256"), ownerOf(f, "ed25519")
	tsa := newAuthority(f, "p256")
	f.Add(sign(f, a, document, Options{Attached: true}))
	f.Add(sign(f, a, document, Options{Profile: ProfileT, Stamper: tsa}))
	f.Add(countersign(f, sign(f, a, document, Options{Attached: true}), 0, b, Options{}))
	f.Fuzz(func(t *testing.T, in []byte) {
		before, err := Verify(t.Context(), bytes.NewReader(in), bytes.NewReader(document), a.trust())
		if err != nil {
			return
		}
		for name, work := range map[string]func(w *bytes.Buffer) error{
			"add": func(w *bytes.Buffer) error {
				var content *bytes.Reader
				if !before.Attached {
					content = bytes.NewReader(document)
					return Add(t.Context(), w, bytes.NewReader(in), content, b, Options{})
				}
				return Add(t.Context(), w, bytes.NewReader(in), nil, b, Options{})
			},
			"countersign": func(w *bytes.Buffer) error { return Countersign(t.Context(), w, bytes.NewReader(in), 0, b, Options{}) },
			"extend": func(w *bytes.Buffer) error {
				return Extend(t.Context(), w, bytes.NewReader(in), newAuthority(t, "p256"))
			},
		} {
			var w bytes.Buffer
			if err := work(&w); err != nil {
				continue
			}
			after, err := Verify(t.Context(), bytes.NewReader(w.Bytes()), bytes.NewReader(document), a.trust())
			if errors.Is(err, ErrLimit) {
				continue
			}
			if err != nil || len(after.Signers) < len(before.Signers) || len(after.Certificates) < len(before.Certificates) {
				t.Fatalf("%s: %v, %+v", name, err, after)
			}
			if before.Valid() && !after.Valid() {
				t.Fatalf("%s: a good signature is not good any more: %+v", name, after.Signers)
			}
		}
	})
}
