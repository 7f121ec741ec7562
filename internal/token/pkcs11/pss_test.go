// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

// TestPSS: OpenSSL verifies what the RSA key of a SoftHSM token signs with RSASSA-PSS, through the child, and PKCS#1 v1.5
// stays the default.
func TestPSS(t *testing.T) {
	hsm := tokentest.SoftHSM(t)
	keys, err := newInventory(t, inChild(pkcs11.Module{Name: "softhsm", Path: hsm.Module})).Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rsa token.Key
	for _, k := range keys {
		if c := k.Certificate(); c != nil && c.X509.PublicKeyAlgorithm == x509.RSA {
			rsa = k
		}
	}
	if rsa == nil || rsa.Algorithms()[0] != algo.RSASHA256 {
		t.Fatalf("the RSA key: %v", rsa)
	}
	ca := readPEM(t, hsm.CA)
	n := 0
	for _, id := range rsa.Algorithms() {
		if a, _ := algo.Lookup(id); a.PSS {
			opensslVerifies(t, rsa, id, hsm.PIN, ca)
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d PSS algorithms among %v", n, rsa.Algorithms())
	}
}

func readPEM(t *testing.T, path string) *cert.Certificate {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		t.Fatalf("%s is not PEM", path)
	}
	c, err := cert.Parse(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
