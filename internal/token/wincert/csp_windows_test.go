// SPDX-License-Identifier: GPL-3.0-or-later

package wincert_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"persten/internal/algo"
	"persten/internal/secret"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/internal/token/tokentest"
)

// Names under which the test provider (testdata/csp) stands in the registry: one of those that Persten asks for the PIN of, and one
// that asks by itself.
const (
	cardProvider = "Microsoft Base Smart Card Crypto Provider"
	ownProvider  = "Persten Test Provider"
)

// atProvider imports a key and puts it behind the test provider under a name.
func atProvider(t *testing.T, name string) (id string) {
	t.Helper()
	register(t, name, windows.PROV_RSA_FULL)
	return importedTo(t, func(c *windows.CertContext) place { return place{container(t, c), name, windows.PROV_RSA_FULL} })
}

// register names the test provider to Windows until the test ends.
func register(t *testing.T, name string, kind uint32) {
	t.Helper()
	library := os.Getenv("PERSTEN_TEST_CSP")
	if library == "" {
		t.Skip("PERSTEN_TEST_CSP does not name the test provider; testdata/scripts/wine.sh builds it")
	}
	path := `SOFTWARE\Microsoft\Cryptography\Defaults\Provider\` + name
	key, _, err := registry.CreateKey(registry.LOCAL_MACHINE, path, registry.SET_VALUE)
	if err != nil {
		t.Fatal(err)
	}
	defer key.Close()
	t.Cleanup(func() { registry.DeleteKey(registry.LOCAL_MACHINE, path) })
	if err := errors.Join(key.SetStringValue("Image Path", library), key.SetDWordValue("Type", kind), key.SetBinaryValue("Signature", []byte{1})); err != nil {
		t.Fatal(err)
	}
}

// TestCardSuite: a key whose PIN Persten asks for.
func TestCardSuite(t *testing.T) {
	id := atProvider(t, cardProvider)
	tokentest.Run(t, func(*testing.T) tokentest.Fixture {
		return tokentest.Fixture{Inventory: open(), PIN: keyfile.DemoPIN, Wrong: "00000000", Want: []algo.ID{algo.RSASHA256}}
	})
	if k := find(t, open(), id); !k.Token().LoginRequired || k.Token().Model != cardProvider {
		t.Errorf("%+v", k.Token())
	}
}

func signOnce(ctx context.Context, k token.Key, pin token.PINFunc) error {
	s, err := k.Open(ctx, pin)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.Sign(ctx, algo.RSASHA256, tokentest.Digest(algo.RSASHA256))
	return err
}

// TestFaults: what a provider can answer, as callers of a token hear it.
func TestFaults(t *testing.T) {
	id := atProvider(t, cardProvider)
	var (
		bad    *token.PINError
		module *token.ModuleError
	)
	for _, c := range []struct {
		fault, pin string
		want       func(error) bool
		asked      int
	}{
		{"", keyfile.DemoPIN, func(err error) bool { return err == nil }, 1},
		{"licence", keyfile.DemoPIN, func(err error) bool { return errors.As(err, &module) && module.Kind() == token.ReasonLicence }, 1},
		{"blocked", keyfile.DemoPIN, func(err error) bool { return errors.Is(err, token.ErrLocked) }, 1},
		{"late", keyfile.DemoPIN, func(err error) bool { return err == nil }, 1},
		{"late", "00000000", func(err error) bool { return errors.As(err, &bad) && bad.Attempts == -1 }, 1},
		{"crash", keyfile.DemoPIN, func(err error) bool { return errors.As(err, &module) && module.Reason == token.ReasonCrashed }, 1},
		{"", "00000000", func(err error) bool { return errors.As(err, &bad) }, 2},
		{"", "пароль", func(err error) bool { return errors.As(err, &module) && module.Reason == "pin_unreadable" }, 1},
	} {
		t.Setenv("PERSTEN_CSP_FAULT", c.fault)
		a := tokentest.Answers(c.pin)
		if err := signOnce(t.Context(), find(t, open(), id), a.PIN); !c.want(err) || len(a.Requests) != c.asked {
			t.Errorf("fault %q, PIN %q: %v, asked %d times", c.fault, c.pin, err, len(a.Requests))
		}
	}
}

// TestOwnWindow: a provider that asks by itself may do so when a person is there, and must not when nobody is. A request that is
// cancelled takes the window along.
func TestOwnWindow(t *testing.T) {
	k := find(t, open(), atProvider(t, ownProvider))
	never := func(context.Context, token.PINRequest) (secret.PIN, error) {
		t.Error("Persten asks")
		return secret.PIN{}, errors.New("asked")
	}
	if err := signOnce(t.Context(), k, never); err != nil {
		t.Error(err)
	}
	var module *token.ModuleError
	if err := signOnce(token.Remembering(t.Context()), k, never); !errors.As(err, &module) || module.Reason != "NTE_SILENT_CONTEXT" {
		t.Errorf("with nobody there: %v", err)
	}
	t.Setenv("PERSTEN_CSP_FAULT", "window")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	began := time.Now()
	err := signOnce(ctx, k, never)
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took < time.Second || took > 10*time.Second {
		t.Errorf("an unanswered window: %v after %v", err, took)
	}
	t.Setenv("PERSTEN_CSP_FAULT", "")
	if err := signOnce(t.Context(), k, never); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// TestGOST: the provider is asked for the right hash over the right bytes, and what it returns becomes the signature of CMS. The
// signature itself was made before, by a key of ours.
func TestGOST(t *testing.T) {
	const name, kind = "Persten Test GOST Provider", 80
	register(t, name, kind)
	made := filepath.Join(folder(t), "made")
	t.Setenv("PERSTEN_CSP_GOST", made)
	for id, own := range gostKeys(t) {
		in := tokentest.Digest(id)
		want := signature(t, own, tokentest.Answers(keyfile.DemoPIN).PIN, id, in)
		turned := slices.Clone(want)
		slices.Reverse(turned)
		if err := os.WriteFile(made, slices.Concat(in.Digest, turned), 0o600); err != nil {
			t.Fatal(err)
		}
		raw := own.Certificate().Raw
		c, err := windows.CertCreateCertificateContext(windows.X509_ASN_ENCODING, &raw[0], uint32(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		put(t, c, place{"persten test", name, kind})
		k := find(t, open(), own.ID())
		if k == nil || !slices.Equal(k.Algorithms(), []algo.ID{id}) {
			t.Fatalf("%s: %+v", id, k)
		}
		if got := signature(t, k, nil, id, in); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", id, got, want)
		}
	}
}

// gostKeys are those of a demo token, one of each length.
func gostKeys(t *testing.T) map[algo.ID]token.Key {
	t.Helper()
	demo, err := keyfile.OpenDemo(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := demo.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[algo.ID]token.Key{}
	for _, k := range keys {
		if id := k.Algorithms()[0]; id == algo.GOST256 || id == algo.GOST512 {
			found[id] = k
		}
	}
	if len(found) != 2 {
		t.Fatalf("%d GOST keys", len(found))
	}
	return found
}

func signature(t *testing.T, k token.Key, pin token.PINFunc, id algo.ID, in algo.Input) []byte {
	t.Helper()
	s, err := k.Open(t.Context(), pin)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sig, err := s.Sign(t.Context(), id, in)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}
