// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

// TestSignLast signs once a login, as one request does: from the second time on the key is found by its id and the child logs
// out with the signature. Every signature is good, and nothing of a login is left behind.
func TestSignLast(t *testing.T) {
	for _, kind := range []string{"rsa2048", "p256"} {
		t.Run(kind, func(t *testing.T) {
			s := tokentest.SoftHSM(t)
			inv := newInventory(t, inChild(moduleOf(s)))
			_, keys := listed(t, inv)
			k := keys[0]
			for _, other := range keys {
				if strings.HasPrefix(kind, "p") == strings.HasPrefix(string(other.Algorithms()[0]), "ecdsa") {
					k = other
				}
			}
			in := algo.Input{Message: []byte("order")}
			ctx := token.Remembering(context.Background())
			for range 4 {
				session, err := k.Open(ctx, tokentest.Answers(s.PIN).PIN)
				if err != nil {
					t.Fatal(err)
				}
				sig, err := session.(token.Finisher).SignLast(ctx, k.Algorithms()[0], in)
				if err != nil {
					t.Fatal(err)
				}
				if err := k.Certificate().Key.Verify(k.Algorithms()[0], in, sig); err != nil {
					t.Error(err)
				}
				if err := session.Close(); err != nil {
					t.Error(err)
				}
				if _, err := session.Sign(ctx, k.Algorithms()[0], in); !errors.Is(err, token.ErrClosed) {
					t.Errorf("after Close: %v", err)
				}
			}
		})
	}
}

// TestFind: a key listed before is found without another listing, unless its token is gone; one never listed is not.
func TestFind(t *testing.T) {
	s, so := tokentest.NewScenario(t)
	s.Add("slot 1\nlabel One\nserial 0001\npin 12345678\nmechanisms gost256 ec rsa")
	c := s.Pair("p256", "")
	s.Save()
	inv := newInventory(t, inChild(pkcs11.Module{Name: "test", Path: so}))
	ctx := context.Background()
	wanted := func(k token.Key) bool { return k.ID() == c.ID() }
	if k := inv.Find(ctx, wanted); k != nil {
		t.Error("found before anything was listed")
	}
	listed(t, inv)
	k := inv.Find(ctx, wanted)
	if k == nil || k.ID() != c.ID() {
		t.Fatalf("not found: %v", k)
	}
	if inv.Find(ctx, func(token.Key) bool { return false }) != nil {
		t.Error("something nobody wanted")
	}
	inv.Refresh()
	if inv.Find(ctx, wanted) != nil {
		t.Error("found in a listing that was given up")
	}
}

// TestLoginLooksAgain: what was remembered of a token does not hold when it is another at the time of the login: the PIN is not
// tried.
func TestLoginLooksAgain(t *testing.T) {
	s := newShim(t)
	tries := filepath.Join(s.dir, "tries")
	write := func(left string) {
		if err := os.WriteFile(tries, []byte(left), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("3")
	logins := filepath.Join(s.dir, "log")
	t.Setenv("FAULT_TRIES", tries)
	t.Setenv("FAULT_LOG", logins)
	inv := newInventory(t, inChild(s.module()))
	_, keys := listed(t, inv)
	ctx := token.Remembering(context.Background())
	session, err := keys[0].Open(ctx, tokentest.Answers(s.hsm.PIN).PIN) // and now it has been seen
	if err != nil {
		t.Fatal(err)
	}
	session.Close()
	write("0")
	if _, err := keys[0].Open(ctx, tokentest.Answers(s.hsm.PIN).PIN); !errors.Is(err, token.ErrLocked) {
		t.Errorf("a token that was locked meanwhile: %v", err)
	}
	if log, err := os.ReadFile(logins); err != nil || strings.Count(string(log), "\n") != 1 {
		t.Errorf("logins, of which one was right: %q, %v", log, err)
	}
}
