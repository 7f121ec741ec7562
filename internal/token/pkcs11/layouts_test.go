// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"os"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

// calls counts the lines of the scenario's log that begin with name.
func calls(t *testing.T, s *tokentest.Scenario, name string) int {
	t.Helper()
	b, err := os.ReadFile(s.Path("log"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count("\n"+string(b), "\n"+name+" ")
}

// oneKey lists the only key of an inventory.
func oneKey(t *testing.T, inv token.Inventory) token.Key {
	t.Helper()
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 1 {
		t.Fatalf("%d keys, want 1", len(keys))
	}
	return keys[0]
}

// signs opens k, signs with its first algorithm and verifies with its certificate.
func signs(t *testing.T, k token.Key, pin string) {
	t.Helper()
	if len(k.Algorithms()) == 0 {
		t.Fatal("key without algorithms")
	}
	s, err := k.Open(t.Context(), tokentest.Answers(pin).PIN)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer s.Close()
	id := k.Algorithms()[0]
	in := inputFor(id)
	sig, err := s.Sign(t.Context(), id, in)
	if err == nil {
		err = k.Certificate().Key.Verify(id, in, sig)
	}
	if err != nil {
		t.Fatalf("Sign %s: %v", id, err)
	}
}

// inputFor has the message as well, for mechanisms that hash themselves.
func inputFor(id algo.ID) algo.Input {
	a, _ := algo.Lookup(id)
	message := []byte("content to be signed")
	return algo.Input{Digest: a.Digest.Sum(message), Message: message}
}

// TestLayouts is the probe of standards: every order in which libraries have been seen to return a signature is told by the
// certificate's key, and after the first signature of a library it is known.
func TestLayouts(t *testing.T) {
	for _, layout := range []string{"normal", "halves", "reversed", "both", "hash"} {
		for _, set := range []string{"CryptoPro-A", "CryptoPro-B", "CryptoPro-C", "TC26-256-A", "TC26-512-A", "TC26-512-C"} {
			t.Run(layout+" "+set, func(t *testing.T) {
				s, so := tokentest.NewScenario(t)
				s.Add("log %s\nslot 1\npin 12345678\nmechanisms gost256 gost512\nlayout %s", s.Path("log"), layout)
				s.Pair(set, "")
				s.Save()
				inv := newInventory(t, inChild(pkcs11.Module{Name: "p11test", Path: so}))
				for n := range 3 {
					before := calls(t, s, "C_Sign")
					signs(t, oneKey(t, inv), "12345678")
					if made := calls(t, s, "C_Sign") - before; n > 0 && made != 1 {
						t.Errorf("signature %d took %d calls of C_Sign: the layout was not remembered", n+1, made)
					}
				}
			})
		}
	}
}

// TestMechanisms signs where the raw mechanism is missing or has an older number.
func TestMechanisms(t *testing.T) {
	for _, c := range []struct{ name, mechanisms, set string }{
		{"TC26 256", "gost256", "TC26-256-A"},
		{"2001 numbers", "gost2001", "CryptoPro-A"},
		{"older 2001 numbers", "old2001", "CryptoPro-A"},
		{"with Streebog 256", "hash256", "CryptoPro-A"},
		{"with Streebog 512", "hash512", "TC26-512-A"},
		{"all 512", "gost512 hash512", "TC26-512-B"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, so := tokentest.NewScenario(t)
			s.Add("slot 1\npin 12345678\nmechanisms %s", c.mechanisms)
			s.Pair(c.set, "")
			s.Save()
			signs(t, oneKey(t, newInventory(t, inChild(pkcs11.Module{Name: "p11test", Path: so}))), "12345678")
		})
	}
	t.Run("neither", func(t *testing.T) {
		s, so := tokentest.NewScenario(t)
		s.Add("slot 1\npin 12345678\nmechanisms rsa gost512 digest")
		s.Pair("CryptoPro-A", "")
		s.Save()
		k := oneKey(t, newInventory(t, inChild(pkcs11.Module{Name: "p11test", Path: so})))
		if len(k.Algorithms()) != 0 {
			t.Errorf("algorithms %v of a token with no mechanism for the key", k.Algorithms())
		}
	})
}
