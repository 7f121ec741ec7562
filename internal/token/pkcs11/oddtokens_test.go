// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"persten/internal/secret"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

// odd starts a token of the test module with all mechanisms and a PIN.
func odd(t *testing.T) (*tokentest.Scenario, func() *pkcs11.Inventory) {
	t.Helper()
	s, so := tokentest.NewScenario(t)
	s.Add("log %s\nslot 1\npin 12345678\nmechanisms rsa ec gost256 gost512", s.Path("log"))
	return s, func() *pkcs11.Inventory {
		t.Helper()
		s.Save()
		return newInventory(t, inChild(pkcs11.Module{Name: "p11test", Path: so}))
	}
}

// TestMatching finds the key of a certificate however little ties them.
func TestMatching(t *testing.T) {
	for _, kind := range []string{"rsa2048", "p256", "CryptoPro-A", "TC26-512-A"} {
		for _, c := range []struct{ name, line, keyOptions, certOptions string }{
			{"id", "", "id=01", "id=01"},
			{"id, no public key", "", "id=01 nopublic", "id=01"},
			{"value", "", "id=01", ""},
			{"value, other id", "", "id=01", "id=02"},
			{"value, big-endian", "public be", "id=01", ""},
			{"value, octets", "public octets", "id=01", ""},
			{"sign and verify", "", "id=07 nopublic", "id=01"},
			{"sign and verify, no ids", "", "nopublic", ""},
			{"public key hidden", "", "id=01 hidden", "id=01"},
			{"private key visible", "", "id=01 visible", "id=01"},
		} {
			t.Run(kind+" "+c.name, func(t *testing.T) {
				s, inventory := odd(t)
				if c.line != "" {
					s.Add("%s", c.line)
				}
				public, key := s.NewKey(kind)
				_, other := s.NewKey(kind)
				certificate, path := s.NewCertificate(public, kind)
				s.Add("key %s id=33 nopublic", other) // another one that fits the mechanism
				s.Add("key %s %s", key, c.keyOptions)
				s.Add("cert %s %s", path, c.certOptions)
				signs(t, keyOf(t, inventory(), certificate.ID()), "12345678")
			})
		}
	}
}

// keyOf finds a certificate's key among those listed.
func keyOf(t *testing.T, inv token.Inventory, id string) token.Key {
	t.Helper()
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.ID() == id {
			return k
		}
	}
	t.Fatalf("certificate %s not among %d keys", id, len(keys))
	return nil
}

// TestDuplicateID has two pairs under one CKA_ID: each certificate signs with its own key.
func TestDuplicateID(t *testing.T) {
	for _, options := range []string{"id=05", "id=05 nopublic"} {
		s, inventory := odd(t)
		var ids []string
		for range 2 {
			public, key := s.NewKey("CryptoPro-A")
			c, path := s.NewCertificate(public, "CryptoPro-A")
			s.Add("key %s %s\ncert %s id=05", key, options, path)
			ids = append(ids, c.ID())
		}
		inv := inventory()
		for _, id := range ids {
			signs(t, keyOf(t, inv, id), "12345678")
		}
	}
}

// TestHalves has a certificate without a key and a key without a certificate.
func TestHalves(t *testing.T) {
	s, inventory := odd(t)
	public, _ := s.NewKey("CryptoPro-A")
	lonely, path := s.NewCertificate(public, "CryptoPro-A")
	s.Add("cert %s id=01", path)
	_, key := s.NewKey("TC26-512-A")
	s.Add("key %s id=02", key)
	inv := inventory()
	k := keyOf(t, inv, lonely.ID())
	if s, err := k.Open(t.Context(), tokentest.Answers("12345678").PIN); err == nil {
		id := k.Algorithms()[0]
		if _, err := s.Sign(t.Context(), id, inputFor(id)); err == nil {
			t.Error("signed with a certificate whose key is elsewhere")
		}
		s.Close()
	}
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bare := 0
	for _, k := range keys {
		if k.Certificate() == nil && len(k.ID()) == 64 {
			bare++
		}
	}
	if bare != 1 {
		t.Errorf("%d keys without a certificate listed among %d, want 1", bare, len(keys))
	}
}

// TestAlwaysAuthenticateGOST signs twice in one session with a key that asks for the PIN each time; the person is asked once.
func TestAlwaysAuthenticateGOST(t *testing.T) {
	s, inventory := odd(t)
	s.Pair("TC26-512-A", "always")
	k := oneKey(t, inventory())
	asked := tokentest.Answers("12345678")
	session, err := k.Open(t.Context(), asked.PIN)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for range 2 {
		id := k.Algorithms()[0]
		if _, err := session.Sign(t.Context(), id, inputFor(id)); err != nil {
			t.Error(err)
		}
	}
	if len(asked.Requests) != 1 {
		t.Errorf("asked %d times", len(asked.Requests))
	}
}

// TestKeypad never asks for a PIN that is typed on the reader.
func TestKeypad(t *testing.T) {
	for answer, want := range map[string]func(error) bool{
		"ok":     func(err error) bool { return err == nil },
		"wrong":  func(err error) bool { return isPINError(err) },
		"cancel": func(err error) bool { return gaveUpAtKeypad(err) },
	} {
		t.Run(answer, func(t *testing.T) {
			s, inventory := odd(t)
			s.Add("keypad 100 %s\ntries %s", answer, s.Path("tries"))
			s.Pair("CryptoPro-A", "")
			k := oneKey(t, inventory())
			if !k.Token().PINPad {
				t.Error("not known as a token with a keypad")
			}
			session, err := k.Open(t.Context(), func(context.Context, token.PINRequest) (secret.PIN, error) {
				t.Error("asked for the PIN")
				return tokentest.PIN("12345678")
			})
			if !want(err) {
				t.Errorf("Open: %v", err)
			}
			if err != nil {
				return
			}
			defer session.Close()
			id := k.Algorithms()[0]
			if _, err := session.Sign(t.Context(), id, inputFor(id)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOneLabelTwice has two tokens that a person cannot tell apart by the label: both are listed and both sign.
func TestOneLabelTwice(t *testing.T) {
	s, inventory := odd(t)
	s.Add("label Подпись\nserial 1")
	first := s.Pair("CryptoPro-A", "")
	s.Add("slot 2\nlabel Подпись\nserial 2\npin 12345678\nmechanisms gost256")
	second := s.Pair("CryptoPro-A", "")
	inv := inventory()
	tokens, err := inv.Tokens(t.Context())
	if err != nil || len(tokens) != 2 || tokens[0].Label != "Подпись" || tokens[1].Label != "Подпись" {
		t.Errorf("tokens %+v, %v", tokens, err)
	}
	signs(t, keyOf(t, inv, first.ID()), "12345678")
	signs(t, keyOf(t, inv, second.ID()), "12345678")
}

// TestLabels shows text of a token only as text.
func TestLabels(t *testing.T) {
	s, inventory := odd(t)
	s.Add(`label \xcf\xee\xe4\xef\xe8\xf1\xfc` + "\nserial \\x01\\x07\\x1b[31m")
	s.Pair("p256", "")
	tokens, err := inventory().Tokens(t.Context())
	if err != nil || len(tokens) != 1 {
		t.Fatalf("%d tokens, %v", len(tokens), err)
	}
	for _, text := range []string{tokens[0].Label, tokens[0].Serial} {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) || text == "" {
			t.Errorf("text %q", text)
		}
	}
}

// TestSlotEvents hears of a token within a second, whether or not the library can wait for it, and can still sign meanwhile.
func TestSlotEvents(t *testing.T) {
	for how, rounds := range map[string]int{"wait": 3, "none": 1, "hold": 1} {
		t.Run(how, func(t *testing.T) {
			s, so := tokentest.NewScenario(t)
			s.Add("events %s\nslot 1\nserial A\npin 12345678\nmechanisms gost256", how)
			certificate := s.Pair("CryptoPro-A", "")
			s.Add("slot 2\nserial B\npresent %s\nmechanisms gost256", s.Path("present"))
			s.Save()
			o := inChild(pkcs11.Module{Name: "p11test", Path: so})
			o.ListTimeout = shortTimeout
			inv := newInventory(t, o)
			events := inv.Events(t.Context())
			time.Sleep(4 * shortTimeout) // a library that holds everybody up is found out by deadlines
			for range rounds {
				start := time.Now()
				touch(t, s.Path("present"))
				hears(t, events, token.Inserted, start)
				signs(t, keyOf(t, inv, certificate.ID()), "12345678")
				start = time.Now()
				remove(t, s.Path("present"))
				hears(t, events, token.Removed, start)
			}
		})
	}
}

// TestNobodyWatching lets a library that cannot tell of tokens sleep, and looks at it again at once when somebody comes.
func TestNobodyWatching(t *testing.T) {
	s, so := tokentest.NewScenario(t)
	s.Add("events none\nslot 2\nserial B\npresent %s\nmechanisms gost256", s.Path("present"))
	s.Save()
	o := inChild(pkcs11.Module{Name: "p11test", Path: so})
	o.Poll = 20 * time.Millisecond
	inv := newInventory(t, o)
	inv.Watched(false)
	events := inv.Events(t.Context())
	time.Sleep(shortTimeout) // the first look
	touch(t, s.Path("present"))
	select {
	case e := <-events:
		t.Fatalf("event %q with nobody watching", e.Kind)
	case <-time.After(20 * o.Poll):
	}
	inv.Watched(true)
	hears(t, events, token.Inserted, time.Now())
	start := time.Now()
	remove(t, s.Path("present"))
	hears(t, events, token.Removed, start)
}

func hears(t *testing.T, events <-chan token.Event, kind string, start time.Time) {
	t.Helper()
	for {
		select {
		case e := <-events:
			if e.Kind == kind && e.Token.Serial == "B" {
				if took := time.Since(start); took > 1500*time.Millisecond {
					t.Errorf("%s after %v", kind, took)
				}
				return
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("no event %q in 5 s", kind)
		}
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func isPINError(err error) bool {
	var bad *token.PINError
	return errors.As(err, &bad)
}

func gaveUpAtKeypad(err error) bool { return errors.Is(err, token.ErrUserCancelled) }
