// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/proto"
)

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		info token.Info
		want proto.KeyPlace
	}{
		{token.Info{Module: "demo", Demo: true, Model: "software"}, proto.KeyPlaceSoftware},
		{token.Info{Module: "keyfile", Path: "/home/u/key.p12"}, proto.KeyPlaceSoftware},
		{token.Info{Module: "cryptopro"}, proto.KeyPlaceCSP},
		{token.Info{Module: "other", Path: "/opt/cprocsp/lib/amd64/libcppkcs11.so"}, proto.KeyPlaceCSP},
		{token.Info{Module: "other", Path: `C:\Windows\System32\CPPKCS11.DLL`}, proto.KeyPlaceCSP},
		{token.Info{Module: "rutoken", Model: "Rutoken ECP", Path: "/opt/cppkcs11/librtpkcs11ecp.so"}, proto.KeyPlaceToken},
		{token.Info{}, proto.KeyPlaceToken},
		{token.Info{Module: token.WindowsStore, Model: "Microsoft Enhanced RSA and AES Cryptographic Provider"}, proto.KeyPlaceSoftware},
		{token.Info{Module: token.WindowsStore, Model: "Microsoft Software Key Storage Provider"}, proto.KeyPlaceSoftware},
		{token.Info{Module: token.WindowsStore}, proto.KeyPlaceSoftware},
		{token.Info{Module: token.WindowsStore, Model: "Microsoft Smart Card Key Storage Provider"}, proto.KeyPlaceToken},
		{token.Info{Module: token.WindowsStore, Model: "Microsoft Base Smart Card Crypto Provider"}, proto.KeyPlaceToken},
		{token.Info{Module: token.WindowsStore, Model: "Microsoft Platform Crypto Provider"}, proto.KeyPlaceToken},
		{token.Info{Module: token.WindowsStore, Model: "Crypto-Pro GOST R 34.10-2012 Cryptographic Service Provider"}, proto.KeyPlaceCSP},
	} {
		if got := signing.Place(c.info); got != c.want {
			t.Errorf("%+v: %q, want %q", c.info, got, c.want)
		}
	}
}

// TestListedDemo: the demo token's certificates, with their chain, in the form the protocol promises.
func TestListedDemo(t *testing.T) {
	b := newBench(t, &person{decide: yes})
	keys, now := b.keys(t), time.Now()
	list := b.Listed(keys, false, now)
	if len(list) != len(keys) || len(list) == 0 {
		t.Fatalf("%d certificates of %d", len(list), len(keys))
	}
	sets := map[string]string{
		"gost2012-256": "TC26-256-A", "gost2012-512": "TC26-512-A", "rsa-sha256": "", "ecdsa-sha256": "P-256",
	}
	for i, c := range list {
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", c.Key, err)
		}
		if want, ok := sets[c.Algorithm]; !ok || !fits(c.ParameterSet, want) {
			t.Errorf("%s: parameter set %q", c.Algorithm, c.ParameterSet)
		}
		if c.Runs != proto.KeyPlaceSoftware || !c.Token.Demo || c.Token.Model != "software" {
			t.Errorf("%s runs %q, token %+v", c.Key, c.Runs, c.Token)
		}
		if c.SHA256 != string(c.ID) || !c.SignUntil.Equal(c.NotAfter) || !c.KeyTo.IsZero() || !c.Usable {
			t.Errorf("%+v", c)
		}
		if c.INN != "" || c.INNLE != "0000000000" || !slices.Contains(c.Usage, "contentCommitment") {
			t.Errorf("INN %q %q, usage %v", c.INN, c.INNLE, c.Usage)
		}
		want := []proto.ChainLink{{Name: c.Name, OK: true}, {Name: "Persten demo CA", OK: true}}
		if !slices.Equal(c.Chain, want) {
			t.Errorf("chain %+v", c.Chain)
		}
		if plain := signing.ListedAll(keys, false, now)[i]; plain.Chain != nil || plain.ID != c.ID {
			t.Errorf("ListedAll: %+v", plain)
		}
	}
}

// fits allows both names of the first 256-bit set: keys say either.
func fits(got, want string) bool {
	return got == want || want == "TC26-256-A" && (got == "CryptoPro-A" || got == "CryptoPro-XchA" || got == "TC26-256-B")
}

// TestListedCosts: what a listing found stands for a minute, and a token full of certificates has no more than 64 chains.
func TestListedCosts(t *testing.T) {
	key, err := algo.GenerateKey("p256")
	if err != nil {
		t.Fatal(err)
	}
	var keys []token.Key
	for range 70 {
		c, err := cert.Build(cert.Template{Subject: cert.Person{CommonName: "one"}, Key: key.Public()}, nil, key)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, certified{t, c})
	}
	asked := 0
	trust := func() cert.Trust {
		asked++
		return cert.Trust{Roots: []*cert.Certificate{keys[0].Certificate()}}
	}
	e := signing.New(nil, nil, nil, signing.Options{Trust: trust})
	now := time.Now()
	chains := func(at time.Time) (n int, first, second []proto.ChainLink) {
		list := e.Listed(keys, true, at)
		for _, c := range list {
			if len(c.Chain) > 0 {
				n++
			}
		}
		return n, list[0].Chain, list[1].Chain
	}
	for i, at := range []time.Time{now, now.Add(59 * time.Second), now.Add(2 * time.Minute), now} {
		n, first, second := chains(at)
		if n != 64 || !slices.Equal(first, []proto.ChainLink{{Name: "one", OK: true}}) ||
			!slices.Equal(second, []proto.ChainLink{{Name: "one", Code: "root"}}) {
			t.Errorf("listing %d: %d chains, %+v, %+v", i, n, first, second)
		}
	}
	if asked != 3 { // at first, after two minutes, and with the clock set back
		t.Errorf("trusted roots read %d times", asked)
	}
	nobody := signing.New(nil, nil, nil, signing.Options{})
	if c := nobody.Listed(keys[:1], true, now)[0]; c.Chain != nil {
		t.Errorf("a chain without roots: %+v", c.Chain)
	}
}

// TestListedRussianCAs lists certificates of accredited CAs as they are, and finds each thing the card has somewhere.
func TestListedRussianCAs(t *testing.T) {
	keys := russian(t)
	now := time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC)
	seen := map[string]int{}
	codes := map[proto.Code]int{}
	for _, c := range signing.ListedAll(keys, true, now) {
		if err := c.Validate(); err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
		for what, has := range map[string]bool{
			"inn": c.INN != "", "innle": c.INNLE != "", "ogrn": c.OGRN != "", "class": c.Class != "", "signTool": c.SignTool != "",
			"keyTo": !c.KeyTo.IsZero(), "ends earlier": c.SignUntil.Before(c.NotAfter), "parameterSet": c.ParameterSet != "",
			"identification": c.Identification != "", "usage": len(c.Usage) > 0,
		} {
			if has {
				seen[what]++
			}
		}
		codes[c.Reason]++
		if c.Reason == proto.CodeCertificateKeyExpired && !(now.After(c.KeyTo) && now.Before(c.NotAfter)) {
			t.Errorf("%s: key expired, %v %v", c.ID, c.KeyTo, c.NotAfter)
		}
	}
	t.Log(len(keys), seen, codes)
	for _, what := range []string{"inn", "innle", "ogrn", "class", "signTool", "keyTo", "ends earlier", "parameterSet", "usage"} {
		if seen[what] == 0 {
			t.Errorf("no certificate shows its %s", what)
		}
	}
	if codes[proto.CodeCertificateKeyExpired] == 0 {
		t.Error("no certificate outlives its key")
	}
}

// russian reads the certificates of accredited CAs, as keys.
func russian(t *testing.T) []token.Key {
	t.Helper()
	path := filepath.Join(cmp.Or(os.Getenv("VECTORS"), "../../../shared/vectors"), "ru-ca", "ru-accredited-ca-2403.pem.gz")
	packed, err := os.ReadFile(path)
	if err != nil {
		t.Skip("2403 certificates of Russian CAs were not listed: no ru-ca folder under VECTORS")
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var keys []token.Key
	for b, rest := pem.Decode(text); b != nil; b, rest = pem.Decode(rest) {
		c, err := cert.Parse(b.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, certified{t, c})
	}
	return keys
}
