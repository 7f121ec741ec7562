// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"persten/internal/algo/openssltest"
	"persten/internal/token"
	"persten/internal/token/tokentest"
)

var opensslKeys = []struct {
	name    string
	genpkey []string
	gost    bool
}{
	{"rsa", []string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, false},
	{"p256", []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}, false},
	{"gost256", []string{"-algorithm", "gost2012_256", "-pkeyopt", "paramset:A"}, true},
	{"gost256-tca", []string{"-algorithm", "gost2012_256", "-pkeyopt", "paramset:TCA"}, true},
	{"gost512", []string{"-algorithm", "gost2012_512", "-pkeyopt", "paramset:A"}, true},
	{"gost512-c", []string{"-algorithm", "gost2012_512", "-pkeyopt", "paramset:C"}, true},
}

// export variants that the reader promises to take.
var opensslVariants = []struct {
	name  string
	args  []string
	clear bool
}{
	{"default", nil, false},
	{"clear certificates", []string{"-certpbe", "NONE"}, true},
	{"aes128 sha1", []string{"-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC", "-macalg", "sha1"}, false},
	{"aes192 sha512", []string{"-keypbe", "AES-192-CBC", "-certpbe", "AES-192-CBC", "-macalg", "sha512"}, false},
	{"no mac", []string{"-nomac"}, true},
	{"one iteration", []string{"-iter", "1"}, false},
}

func TestOpensOpenSSL(t *testing.T) {
	o := openssltest.New(t, "its comparison was not run")
	engine := true
	if out, err := o.Try("engine", "gost"); err != nil {
		engine = false
		t.Logf("not run: the GOST cases; no gost engine: %s", out)
	}
	for _, k := range opensslKeys {
		if k.gost && !engine {
			continue
		}
		o.Run(append([]string{"genpkey", "-out", k.name + ".key"}, k.genpkey...)...)
		o.Run("req", "-x509", "-new", "-key", k.name+".key", "-subj", "/CN="+k.name, "-out", k.name+".pem", "-addext", "basicConstraints=CA:FALSE")
		for _, v := range opensslVariants {
			t.Run(k.name+"/"+v.name, func(t *testing.T) {
				for _, password := range []string{"secret-1", "пароль Ё", strings.Repeat("long ", 50)} {
					o.Run(append([]string{"pkcs12", "-export", "-inkey", k.name + ".key", "-in", k.name + ".pem",
						"-name", "ключ", "-out", "out.p12", "-passout", "pass:" + password}, v.args...)...)
					opens(t, o.Path("out.p12"), password, v.clear)
				}
			})
		}
	}
}

func opens(t *testing.T, path, password string, clear bool) {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Keys(t.Context()); clear != (err == nil) || !clear && !errors.Is(err, ErrSealed) {
		t.Errorf("listing without the password: %v", err)
	}
	pin, _ := tokentest.PIN(password + "x")
	var bad *token.PINError
	if err := f.Unlock(pin); !errors.As(err, &bad) {
		t.Errorf("wrong password: %v", err)
	}
	pin, _ = tokentest.PIN(password)
	if err := f.Unlock(pin); err != nil {
		t.Fatalf("Unlock: %v", err)
	}
	keys, err := f.Keys(t.Context())
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	s, err := keys[0].Open(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	id := keys[0].Algorithms()[0]
	in := tokentest.Digest(id)
	sig, err := s.Sign(t.Context(), id, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys[0].Certificate().Key.Verify(id, in, sig); err != nil {
		t.Error(err)
	}
}

// TestOpenSSLOpensOurs reads the demo token's files with OpenSSL, and has it verify the demo certificates.
func TestOpenSSLOpensOurs(t *testing.T) {
	o := openssltest.New(t, "its comparison was not run")
	d := newDemo(t)
	for _, k := range demoKeys {
		out, err := o.Try("pkcs12", "-in", filepath.Join(d.dir, k.kind+".p12"), "-nodes", "-passin", "pass:"+DemoPIN)
		if err != nil || !strings.Contains(out, "BEGIN PRIVATE KEY") || strings.Count(out, "BEGIN CERTIFICATE") != 2 {
			t.Errorf("%s: %v\n%s", k.kind, err, out)
			continue
		}
		if err := os.WriteFile(o.Path("all.pem"), []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
		o.Run("x509", "-in", "all.pem", "-out", "leaf.pem")
		if out := o.Run("verify", "-CAfile", d.CAFile(), "leaf.pem"); !strings.Contains(out, "leaf.pem: OK") {
			t.Errorf("%s: %s", k.kind, out)
		}
		o.Run("pkey", "-in", "all.pem", "-pubout", "-out", "key.pub")
		if a, b := o.Run("x509", "-in", "leaf.pem", "-noout", "-pubkey"), read(t, o.Path("key.pub")); a != b {
			t.Errorf("%s: key and certificate differ", k.kind)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
