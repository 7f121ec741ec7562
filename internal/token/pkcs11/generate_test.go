// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"testing"

	"persten/internal/algo"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

// TestGenerate makes a key of each kind on the token; it is listed, without a certificate, and signs.
func TestGenerate(t *testing.T) {
	s, so := tokentest.NewScenario(t)
	s.Add("slot 1\nlabel Новый\nserial 0001\npin 12345678\nstore %s\nmechanisms rsa ec gost256 gost512 keygen", t.TempDir())
	s.Save()
	inv := newInventory(t, inChild(pkcs11.Module{Name: "test", Path: so}))
	infos, err := inv.Tokens(t.Context())
	if err != nil || len(infos) != 1 {
		t.Fatalf("%d tokens, %v", len(infos), err)
	}
	var made token.Generator = inv
	for _, o := range []token.KeyOptions{
		{Kind: "rsa2048"}, {Kind: "p256"}, {Kind: "gost256"}, {Kind: "gost512"},
		{Kind: "gost256", Set: []int{1, 2, 643, 7, 1, 2, 1, 1, 1}},
		{Kind: "gost512", Set: []int{1, 2, 643, 7, 1, 2, 1, 2, 3}},
	} {
		o.Label = "key " + o.Kind
		public, err := made.Generate(t.Context(), infos[0], o, tokentest.Answers("00000000", "12345678").PIN)
		if err != nil {
			t.Errorf("%+v: %v", o, err)
			continue
		}
		keys, err := inv.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, k := range keys {
			if own, ok := k.(interface{ PublicKey() algo.PublicKey }); ok && own.PublicKey().Equal(public) {
				found = true
				signsBare(t, k, public)
			}
		}
		if !found {
			t.Errorf("%+v: not listed", o)
		}
	}
	for kind, want := range map[string]error{"rsa512": token.ErrUnsupported, "": token.ErrUnsupported} {
		if _, err := made.Generate(t.Context(), infos[0], token.KeyOptions{Kind: kind}, nil); !errors.Is(err, want) {
			t.Errorf("%q: %v", kind, err)
		}
	}
	infos[0].Serial = "another"
	if _, err := made.Generate(t.Context(), infos[0], token.KeyOptions{Kind: "p256"}, nil); !errors.Is(err, token.ErrAbsent) {
		t.Errorf("on a token that is not there: %v", err)
	}
}

func signsBare(t *testing.T, k token.Key, public algo.PublicKey) {
	t.Helper()
	if k.Certificate() != nil || len(k.ID()) != 64 {
		t.Errorf("key without a certificate: id %q", k.ID())
	}
	session, err := k.Open(t.Context(), tokentest.Answers("12345678").PIN)
	if err != nil {
		t.Errorf("%s: %v", public.Describe(), err)
		return
	}
	defer session.Close()
	for _, id := range k.Algorithms() {
		sig, err := session.Sign(t.Context(), id, tokentest.Digest(id))
		if err == nil {
			err = public.Verify(id, tokentest.Digest(id), sig)
		}
		if err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestDerive agrees on a key between the token and OpenSSL, which has the other private key.
func TestDerive(t *testing.T) {
	for _, set := range []string{"CryptoPro-A", "TC26-512-A"} {
		t.Run(set, func(t *testing.T) {
			s, so := tokentest.NewScenario(t)
			s.Add("slot 1\nlabel Обмен\nserial 0001\npin 12345678\nmechanisms gost256 gost512 vko")
			own := s.Pair(set, "")
			peer, peerFile := s.NewKey(set)
			s.Save()
			k := keyOf(t, newInventory(t, inChild(pkcs11.Module{Name: "test", Path: so})), own.ID())
			session, err := k.Open(t.Context(), tokentest.Answers("12345678").PIN)
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			ukm := []byte{1, 2, 3, 4, 5, 6, 7, 8}
			got, err := session.(token.Deriver).Derive(t.Context(), token.Agreement{Peer: peer, UKM: ukm})
			if err != nil {
				t.Fatal(err)
			}
			want := opensslDerives(t, s.Dir, peerFile, own.Key, ukm)
			if !bytes.Equal(got, want) {
				t.Errorf("token %x, OpenSSL %x", got, want)
			}
			if _, err := session.(token.Deriver).Derive(t.Context(), token.Agreement{Peer: peer, UKM: ukm[:3]}); !errors.Is(err, algo.ErrInput) {
				t.Errorf("short UKM: %v", err)
			}
		})
	}
}

func opensslDerives(t *testing.T, dir, keyFile string, peer algo.PublicKey, ukm []byte) []byte {
	t.Helper()
	pub, out := dir+"/peer.pem", dir+"/kek"
	if err := os.WriteFile(pub, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: peer.SPKI()}), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := tokentest.OpenSSL(t, dir, "pkeyutl", "-derive", "-inkey", keyFile, "-keyform", "DER", "-peerkey", pub,
		"-pkeyopt", "ukmhex:"+hex.EncodeToString(ukm), "-pkeyopt", "vko:256", "-out", out); err != nil {
		t.Fatalf("openssl: %v: %s", err, text)
	}
	kek, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return kek
}
