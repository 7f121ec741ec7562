// SPDX-License-Identifier: GPL-3.0-or-later

package wincert_test

import (
	"context"
	"errors"
	"os"
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
	for _, err := range []error{
		key.SetStringValue("Image Path", library), key.SetDWordValue("Type", windows.PROV_RSA_FULL), key.SetBinaryValue("Signature", []byte{1}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return importedTo(t, func(c *windows.CertContext) place { return place{container(t, c), name, windows.PROV_RSA_FULL} })
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
