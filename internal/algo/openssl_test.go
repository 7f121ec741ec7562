// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"crypto/rand"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// openssl runs OpenSSL with the GOST engine in dir.
func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+filepath.Join(dir, "openssl.cnf"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func opensslDir(t *testing.T) string {
	t.Helper()
	engines, _ := filepath.Glob("/usr/lib/*/engines-3/gost.so")
	if _, err := exec.LookPath("openssl"); err != nil || len(engines) == 0 {
		t.Skip("openssl with libengine-gost-openssl is not installed; its comparison was not run")
	}
	dir := t.TempDir()
	put(t, dir, "openssl.cnf", []byte("openssl_conf=a\n[a]\nengines=b\n[b]\ngost=c\n[c]\nengine_id=gost\ndynamic_path="+
		engines[0]+"\ndefault_algorithms=ALL\n"))
	put(t, dir, "message", []byte("message"))
	return dir
}

func put(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// dgst is OpenSSL's name of the digest of id.
func dgst(id ID) string {
	a, _ := Lookup(id)
	return map[Digest]string{
		SHA256: "-sha256", SHA384: "-sha384", SHA512: "-sha512", Streebog256: "-md_gost12_256", Streebog512: "-md_gost12_512",
	}[a.Digest]
}

// TestOpenSSLKeys reads a key of every kind and parameter set OpenSSL makes, and a signature by it.
func TestOpenSSLKeys(t *testing.T) {
	dir := opensslDir(t)
	for _, args := range []string{
		"-algorithm RSA -pkeyopt rsa_keygen_bits:2048", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
		"-algorithm EC -pkeyopt ec_paramgen_curve:P-384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-521",
		"-algorithm gost2012_256 -pkeyopt paramset:A", "-algorithm gost2012_256 -pkeyopt paramset:B",
		"-algorithm gost2012_256 -pkeyopt paramset:C", "-algorithm gost2012_256 -pkeyopt paramset:XA",
		"-algorithm gost2012_256 -pkeyopt paramset:XB",
		"-algorithm gost2012_256 -pkeyopt paramset:TCA", "-algorithm gost2012_256 -pkeyopt paramset:TCB",
		"-algorithm gost2012_256 -pkeyopt paramset:TCC", "-algorithm gost2012_256 -pkeyopt paramset:TCD",
		"-algorithm gost2012_512 -pkeyopt paramset:A", "-algorithm gost2012_512 -pkeyopt paramset:B",
		"-algorithm gost2012_512 -pkeyopt paramset:C",
	} {
		openssl(t, dir, append([]string{"genpkey", "-out", "key.pem"}, strings.Fields(args)...)...)
		openssl(t, dir, "pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem")
		block, _ := pem.Decode(get(t, dir, "key.pem"))
		k, err := ParsePKCS8(block.Bytes)
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		block, _ = pem.Decode(get(t, dir, "pub.pem"))
		pub, err := ParsePublicKey(block.Bytes)
		if err != nil || !pub.Equal(k.Public()) {
			t.Errorf("%s: public key: %v", args, err)
			continue
		}
		id := pub.Algorithms()[0]
		openssl(t, dir, "dgst", dgst(id), "-sign", "key.pem", "-out", "sig", "message")
		if err := pub.Verify(id, Input{Message: []byte("message")}, get(t, dir, "sig")); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// TestOpenSSLReadsKeys gives OpenSSL our keys, public and private, and a signature.
func TestOpenSSLReadsKeys(t *testing.T) {
	dir := opensslDir(t)
	for name, k := range kinds(t) {
		der, err := MarshalPKCS8(k)
		if err != nil {
			t.Fatal(err)
		}
		id := k.Public().Algorithms()[0]
		sig, err := k.Sign(rand.Reader, id, Input{Message: []byte("message")})
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		put(t, dir, "pub.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.Public().SPKI()}))
		put(t, dir, "sig", sig)
		t.Log(name)
		openssl(t, dir, "dgst", dgst(id), "-verify", "pub.pem", "-signature", "sig", "message")
		openssl(t, dir, "dgst", dgst(id), "-sign", "key.pem", "-out", "sig", "message")
		if err := k.Public().Verify(id, Input{Message: []byte("message")}, get(t, dir, "sig")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
