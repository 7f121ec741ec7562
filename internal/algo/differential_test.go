// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"crypto/rand"
	"encoding/pem"
	"os"
	"testing"

	"persten/internal/algo/openssltest"
)

// TestOpenSSLSignatures: OpenSSL verifies what is signed here and the other way round, with a new key every tenth time, on
// all curves in turn. The full count is run with PERSTEN_LONG=1.
func TestOpenSSLSignatures(t *testing.T) {
	o := openssl(t)
	counts := map[int]int{32: 20, 64: 10}
	if os.Getenv("PERSTEN_LONG") != "" {
		counts = map[int]int{32: 10_000, 64: 2_000}
	}
	for size, n := range counts {
		var same []curve
		for _, c := range curves {
			if c.size == size && c.name != "test-256" && c.name != "test-512" { // OpenSSL has another name for these
				same = append(same, c)
			}
		}
		for done := 0; done < n && !t.Failed(); done += 10 {
			exchange(t, o, same[done/10%len(same)], 10)
		}
		t.Logf("%d signatures of %d bits each way agree with OpenSSL", n, 8*size)
	}
}

func exchange(t *testing.T, o *openssltest.Folder, c curve, n int) {
	k, err := generateGOST(rand.Reader, c)
	if err != nil {
		t.Fatal(err)
	}
	der, err := MarshalPKCS8(k)
	if err != nil {
		t.Fatal(err)
	}
	o.Write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	o.Write("pub.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.Public().SPKI()}))
	for range n {
		message := make([]byte, 40)
		rand.Read(message)
		o.Write("message", message)
		sig, err := k.Sign(rand.Reader, c.id(), Input{Message: message})
		if err != nil {
			t.Fatal(err)
		}
		o.Write("sig", sig)
		o.Run("dgst", dgst(c.id()), "-verify", "pub.pem", "-signature", "sig", "message")
		o.Run("dgst", dgst(c.id()), "-sign", "key.pem", "-out", "theirs", "message")
		if err := k.Public().Verify(c.id(), Input{Message: message}, o.Read("theirs")); err != nil {
			t.Errorf("%s: OpenSSL's signature: %v", c.name, err)
		}
	}
}
