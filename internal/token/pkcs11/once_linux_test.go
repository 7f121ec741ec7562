// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/signing"
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

// TestFindOnTwoTokens: a key that two tokens of a module have is the one that Keys lists, not now one and now the other.
func TestFindOnTwoTokens(t *testing.T) {
	s, so := tokentest.NewScenario(t)
	public, private := s.NewKey("p256")
	c, certificate := s.NewCertificate(public, "p256")
	for _, slot := range []string{"1", "2"} {
		s.Add("slot %s\nlabel Twin %[1]s\nserial 000%[1]s\npin 12345678\nmechanisms ec", slot)
		s.Add("key %s id=01 label=p256", private)
		s.Add("cert %s id=01 label=p256", certificate)
	}
	s.Save()
	inv := newInventory(t, inChild(pkcs11.Module{Name: "test", Path: so}))
	_, keys := listed(t, inv)
	if len(keys) == 0 || keys[0].ID() != c.ID() {
		t.Fatalf("%d keys", len(keys))
	}
	for range 20 {
		k := inv.Find(t.Context(), func(k token.Key) bool { return k.ID() == c.ID() })
		if k != nil && k.Token().Serial != keys[0].Token().Serial {
			t.Fatalf("found on %s, listed on %s", k.Token().Serial, keys[0].Token().Serial)
		}
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

// A stop while the token makes the first signature of a login waits for that one, for a moment, and asks for no other. Where
// one is all that was wanted, its request is gone and nobody waits.
func TestStopDuringFirstSignature(t *testing.T) {
	s := newShim(t)
	once := filepath.Join(s.dir, "once")
	t.Setenv("FAULT", "C_Sign:1:slow=700")
	t.Setenv("FAULT_ONCE", once)
	o := s.options()
	o.SignTimeout = 10 * time.Second
	start := func(several bool) (token.Key, token.Session, context.Context) {
		t.Helper()
		os.Remove(once)
		_, keys := listed(t, newInventory(t, o))
		session, err := keys[0].Open(t.Context(), tokentest.Answers(s.hsm.PIN).PIN)
		if err != nil {
			t.Fatal(err)
		}
		if several {
			session.(token.Parallel).Parallel()
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for ctx.Err() == nil {
				if _, err := os.Stat(once); err == nil { // C_Sign has been called
					cancel()
				}
				time.Sleep(time.Millisecond)
			}
		}()
		return keys[0], session, ctx
	}
	k, session, ctx := start(true)
	id := k.Algorithms()[0]
	sig, err := session.Sign(ctx, id, tokentest.Digest(id))
	if err != nil || ctx.Err() == nil {
		t.Fatalf("what the token made is lost: %v", err)
	}
	if err := k.Certificate().Key.Verify(id, tokentest.Digest(id), sig); err != nil {
		t.Error(err)
	}
	if _, err := session.Sign(ctx, id, tokentest.Digest(id)); !errors.Is(err, context.Canceled) {
		t.Errorf("after the stop: %v", err)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	_, session, ctx = start(false)
	if _, err := session.(token.Finisher).SignLast(ctx, id, tokentest.Digest(id)); !errors.Is(err, context.Canceled) {
		t.Errorf("the only one: %v", err)
	}
	session.Close()
}

// The account of a batch that is stopped during its first signature has that one, and so has the journal.
func TestBatchStoppedDuringFirst(t *testing.T) {
	s := newShim(t)
	once := filepath.Join(s.dir, "once")
	t.Setenv("FAULT", "C_Sign:1:slow=700")
	t.Setenv("FAULT_ONCE", once)
	o := s.options()
	o.SignTimeout = 10 * time.Second
	inv := newInventory(t, o)
	_, keys := listed(t, inv)
	e, j := batchEngine(t, inv, s.hsm.PIN)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(once); err == nil {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	given := 0
	made, err := e.SignBatch(ctx, signing.Caller{Channel: "c", Via: signing.ViaSocket, Lang: "en"},
		digestBatch(t, inv, keys[0].ID(), 60), func(signing.BatchSigned) { given++ })
	if err != nil || made.Count(signing.ItemSigned) != 1 || given != 1 || !errors.Is(made.Stopped, context.Canceled) {
		t.Fatalf("%+v, %d given, %v", made, given, err)
	}
	lines, err := os.ReadFile(j.Path())
	if err != nil || strings.Count(string(lines), `"signed":"`) != 1 || strings.Contains(string(lines), `"signed":""`) {
		t.Errorf("the journal has no signature, %v", err)
	}
}
