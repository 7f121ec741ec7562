// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"persten/internal/token"
	"persten/internal/token/tokentest"
)

const opensslConf = `openssl_conf = conf
[conf]
engines = engines
[engines]
gost = gost
[gost]
engine_id = gost
default_algorithms = ALL
[req]
distinguished_name = dn
[dn]
`

// openssl runs the tool with the GOST engine.
type openssl struct{ dir string }

func newOpenSSL(t *testing.T) openssl {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("not run: openssl is not installed")
	}
	o := openssl{t.TempDir()}
	if err := os.WriteFile(o.path("openssl.cnf"), []byte(opensslConf), 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o openssl) path(name string) string { return filepath.Join(o.dir, name) }

func (o openssl) run(args ...string) (string, error) {
	cmd := exec.Command("openssl", args...)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+o.path("openssl.cnf"))
	cmd.Dir = o.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (o openssl) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := o.run(args...)
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

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
	o := newOpenSSL(t)
	engine := true
	if out, err := o.run("engine", "gost"); err != nil {
		engine = false
		t.Logf("not run: the GOST cases; no gost engine: %s", out)
	}
	for _, k := range opensslKeys {
		if k.gost && !engine {
			continue
		}
		o.must(t, append([]string{"genpkey", "-out", k.name + ".key"}, k.genpkey...)...)
		o.must(t, "req", "-x509", "-new", "-key", k.name+".key", "-subj", "/CN="+k.name, "-out", k.name+".pem", "-addext", "basicConstraints=CA:FALSE")
		for _, v := range opensslVariants {
			t.Run(k.name+"/"+v.name, func(t *testing.T) {
				for _, password := range []string{"secret-1", "пароль Ё", strings.Repeat("long ", 50)} {
					o.must(t, append([]string{"pkcs12", "-export", "-inkey", k.name + ".key", "-in", k.name + ".pem",
						"-name", "ключ", "-out", "out.p12", "-passout", "pass:" + password}, v.args...)...)
					opens(t, o.path("out.p12"), password, v.clear)
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
	o := newOpenSSL(t)
	d := newDemo(t)
	for _, k := range demoKeys {
		out, err := o.run("pkcs12", "-in", filepath.Join(d.dir, k.kind+".p12"), "-nodes", "-passin", "pass:"+DemoPIN)
		if err != nil || !strings.Contains(out, "BEGIN PRIVATE KEY") || strings.Count(out, "BEGIN CERTIFICATE") != 2 {
			t.Errorf("%s: %v\n%s", k.kind, err, out)
			continue
		}
		if err := os.WriteFile(o.path("all.pem"), []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
		o.must(t, "x509", "-in", "all.pem", "-out", "leaf.pem")
		if out := o.must(t, "verify", "-CAfile", d.CAFile(), "leaf.pem"); !strings.Contains(out, "leaf.pem: OK") {
			t.Errorf("%s: %s", k.kind, out)
		}
		o.must(t, "pkey", "-in", "all.pem", "-pubout", "-out", "key.pub")
		if a, b := o.must(t, "x509", "-in", "leaf.pem", "-noout", "-pubkey"), read(t, o.path("key.pub")); a != b {
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
