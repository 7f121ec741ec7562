// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

// gostToken is a token with a key for each parameter set it knows.
type gostToken struct {
	inventory token.Inventory
	pin       string
	ca        *cert.Certificate
	ids       map[string]string // of the certificates, by the parameter set
}

func gostNames() []string {
	var names []string
	for _, p := range tokentest.ParamSets {
		names = append(names, p.Name)
	}
	return names
}

// gostResults signs with every key, and lets OpenSSL verify the message, and refuse it for other content.
func gostResults(t *testing.T, g gostToken) []tokentest.Result {
	keys, err := g.inventory.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]token.Key{}
	for _, k := range keys {
		byID[k.ID()] = k
	}
	var results []tokentest.Result
	for _, p := range tokentest.ParamSets {
		r := tokentest.Result{Check: p.Name, Outcome: tokentest.Failed}
		t.Run(p.Name, func(t *testing.T) {
			id, made := g.ids[p.Name]
			if !made {
				r.Outcome = tokentest.NotApplicable
				t.Skip("not applicable: the token makes no such key")
			}
			k := byID[id]
			if k == nil {
				t.Fatalf("certificate %s not listed among %d", id, len(keys))
			}
			opensslVerifies(t, k, p.ID, g.pin, g.ca)
			if !t.Failed() {
				r.Outcome = tokentest.Passed
			}
		})
		results = append(results, r)
	}
	return results
}

// cmsSigner makes a session what package cms signs with.
type cmsSigner struct {
	token.Session
	key token.Key
	id  algo.ID
}

func (s cmsSigner) Certificate() *cert.Certificate { return s.key.Certificate() }
func (s cmsSigner) Algorithm() algo.ID             { return s.id }
func (s cmsSigner) Sign(ctx context.Context, in algo.Input) ([]byte, error) {
	return s.Session.Sign(ctx, s.id, in)
}

// opensslVerifies signs a CMS message with k and has OpenSSL verify it.
func opensslVerifies(t *testing.T, k token.Key, id algo.ID, pin string, ca *cert.Certificate) {
	t.Helper()
	session, err := k.Open(t.Context(), tokentest.Answers(pin).PIN)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	content := []byte("Договор № 1: содержание документа\n")
	var message bytes.Buffer
	if err := cms.Sign(t.Context(), &message, bytes.NewReader(content), cmsSigner{session, k, id}, cms.Options{}); err != nil {
		t.Fatalf("Sign: %v", err)
	}
	dir := t.TempDir()
	for name, b := range map[string][]byte{
		"sig": message.Bytes(), "content": content, "other": append([]byte("!"), content...),
		"ca.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for file, good := range map[string]bool{"content": true, "other": false} {
		out, err := tokentest.OpenSSL(t, dir, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", "sig",
			"-CAfile", "ca.pem", "-content", file, "-out", "seen")
		if (err == nil) != good {
			t.Errorf("openssl cms -verify with %s: %v: %s", file, err, out)
		}
	}
}

// moduleSets is a token of the test module with all parameter sets.
func moduleSets(m mode) func(t *testing.T) gostToken {
	return func(t *testing.T) gostToken {
		s, so := tokentest.NewScenario(t)
		s.Add("slot 1\nlabel ГОСТ\npin 12345678\nmechanisms gost256 gost512")
		g := gostToken{pin: "12345678", ca: s.CA, ids: map[string]string{}}
		for _, p := range tokentest.ParamSets {
			g.ids[p.Name] = s.Pair(p.Name, "").ID()
		}
		s.Save()
		g.inventory = newInventory(t, m.start(pkcs11.Module{Name: "p11test", Path: so}))
		return g
	}
}
