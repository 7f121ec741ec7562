// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"persten/internal/algo"
	"persten/internal/token"
	"persten/internal/token/tokentest"
)

const wrongPIN = "00000000"

func newDemo(t *testing.T) *Demo {
	t.Helper()
	d, err := OpenDemo(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDemoSuite(t *testing.T) {
	dir := t.TempDir()
	tokentest.Run(t, func(t *testing.T) tokentest.Fixture {
		d, err := OpenDemo(dir)
		if err != nil {
			t.Fatal(err)
		}
		return tokentest.Fixture{
			Inventory: d, PIN: DemoPIN, Wrong: wrongPIN, Counted: true,
			Want: []algo.ID{algo.RSASHA256, algo.ECDSASHA256, algo.GOST256, algo.GOST512},
		}
	})
}

func TestFileSuite(t *testing.T) {
	d := newDemo(t)
	for _, k := range demoKeys {
		t.Run(k.kind, func(t *testing.T) {
			tokentest.Run(t, func(t *testing.T) tokentest.Fixture {
				f, err := OpenFile(filepath.Join(d.dir, k.kind+".p12"))
				if err != nil {
					t.Fatal(err)
				}
				return tokentest.Fixture{Inventory: f, PIN: DemoPIN, Wrong: wrongPIN}
			})
		})
	}
}

// TestDemoLocks spends all attempts over several openings of the folder, which must not win any back.
func TestDemoLocks(t *testing.T) {
	d := newDemo(t)
	tries := 0
	for range DemoAttempts {
		again, err := OpenDemo(d.dir)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := again.Keys(t.Context())
		if err != nil || len(keys) != len(demoKeys) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		a := tokentest.Answers(wrongPIN)
		_, err = keys[0].Open(t.Context(), a.PIN)
		for _, r := range a.Requests {
			if r.Attempts != DemoAttempts-tries || r.Final != (r.Attempts == 1) || r.Low != (tries > 0) {
				t.Errorf("after %d tries asked %+v", tries, r)
			}
			tries++
		}
		if errors.Is(err, token.ErrLocked) {
			break
		}
	}
	if tries != DemoAttempts {
		t.Errorf("locked after %d tries", tries)
	}
	keys, _ := d.Keys(t.Context())
	a := tokentest.Answers(DemoPIN)
	if _, err := keys[0].Open(t.Context(), a.PIN); !errors.Is(err, token.ErrLocked) || len(a.Requests) != 0 {
		t.Errorf("locked token: %v, asked %d times", err, len(a.Requests))
	}
	if !keys[0].Token().Locked {
		t.Error("token does not say that it is locked")
	}
}

func TestDemoCounterDamaged(t *testing.T) {
	d := newDemo(t)
	for _, content := range []string{"", "{", `{"attempts":11}`, `{"attempts":-1}`} {
		if err := os.WriteFile(filepath.Join(d.dir, demoAttempts), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if i, err := d.info(); err != nil || !i.Locked {
			t.Errorf("counter %q: %+v, %v", content, i, err)
		}
	}
}

func TestDemoPrivate(t *testing.T) {
	d := newDemo(t)
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
	keys, err := d.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if err := k.Certificate().CheckSignatureFrom(d.CA()); err != nil {
			t.Errorf("%s: %v", k.Certificate().Subject().CommonName, err)
		}
	}
}

func TestUnlock(t *testing.T) {
	d := newDemo(t)
	f, err := OpenFile(filepath.Join(d.dir, "p256.p12"))
	if err != nil {
		t.Fatal(err)
	}
	pin, _ := tokentest.PIN(wrongPIN)
	var bad *token.PINError
	if err := f.Unlock(pin); !errors.As(err, &bad) {
		t.Fatalf("Unlock with a wrong password: %v", err)
	}
	pin, _ = tokentest.PIN(DemoPIN)
	if err := f.Unlock(pin); err != nil {
		t.Fatal(err)
	}
	keys, err := f.Keys(t.Context())
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	s, err := keys[0].Open(t.Context(), nil) // nobody has to be asked
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(t.Context(), algo.ECDSASHA256, tokentest.Digest(algo.ECDSASHA256)); err != nil {
		t.Error(err)
	}
	s.Close()
	f.Close()
	a := tokentest.Answers(DemoPIN)
	if s, err = keys[0].Open(t.Context(), a.PIN); err != nil || len(a.Requests) != 1 {
		t.Fatalf("after Close: %v, asked %d times", err, len(a.Requests))
	}
	s.Close()
}
