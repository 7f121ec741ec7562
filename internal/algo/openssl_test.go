// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"crypto/rand"
	"encoding/pem"
	"strings"
	"testing"

	"persten/internal/algo/openssltest"
)

// openssl is the independent program, with a message to sign.
func openssl(t *testing.T) *openssltest.Folder {
	t.Helper()
	o := openssltest.New(t, "its comparison was not run")
	o.Write("message", []byte("message"))
	return o
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
	o := openssl(t)
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
		o.Run(append([]string{"genpkey", "-out", "key.pem"}, strings.Fields(args)...)...)
		o.Run("pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem")
		block, _ := pem.Decode(o.Read("key.pem"))
		k, err := ParsePKCS8(block.Bytes)
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		block, _ = pem.Decode(o.Read("pub.pem"))
		pub, err := ParsePublicKey(block.Bytes)
		if err != nil || !pub.Equal(k.Public()) {
			t.Errorf("%s: public key: %v", args, err)
			continue
		}
		id := pub.Algorithms()[0]
		o.Run("dgst", dgst(id), "-sign", "key.pem", "-out", "sig", "message")
		if err := pub.Verify(id, Input{Message: []byte("message")}, o.Read("sig")); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// TestOpenSSLReadsKeys gives OpenSSL our keys, public and private, and a signature.
func TestOpenSSLReadsKeys(t *testing.T) {
	o := openssl(t)
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
		o.Write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		o.Write("pub.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.Public().SPKI()}))
		o.Write("sig", sig)
		t.Log(name)
		o.Run("dgst", dgst(id), "-verify", "pub.pem", "-signature", "sig", "message")
		o.Run("dgst", dgst(id), "-sign", "key.pem", "-out", "sig", "message")
		if err := k.Public().Verify(id, Input{Message: []byte("message")}, o.Read("sig")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
