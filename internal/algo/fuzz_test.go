// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"crypto/rand"
	"testing"
)

// FuzzParsePublicKey: whatever is accepted can be encoded, compared and asked to verify without harm.
func FuzzParsePublicKey(f *testing.F) {
	for _, k := range kinds(f) {
		f.Add(k.Public().SPKI())
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		k, err := ParsePublicKey(der)
		if err != nil {
			return
		}
		again, err := ParsePublicKey(k.SPKI())
		if err != nil || !again.Equal(k) {
			t.Fatalf("not read back: %v", err)
		}
		for _, id := range k.Algorithms() {
			if k.Verify(id, Input{Message: der}, make([]byte, 64)) == nil {
				t.Fatal("zeros are a signature")
			}
		}
	})
}

// FuzzParsePKCS8: a key that is accepted signs, and its signature verifies.
func FuzzParsePKCS8(f *testing.F) {
	for _, k := range kinds(f) {
		der, err := MarshalPKCS8(k)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Add(read(f, "tc26/pkcs8-masked-256.der"))
	f.Fuzz(func(t *testing.T, der []byte) {
		k, err := ParsePKCS8(der)
		if err != nil {
			return
		}
		id, in := k.Public().Algorithms()[0], Input{Message: []byte("x")}
		sig, err := k.Sign(rand.Reader, id, in)
		if err != nil {
			return // the standard library refuses to use a key it read, such as RSA below 1024 bits
		}
		if err := k.Public().Verify(id, in, sig); err != nil {
			t.Fatal(err)
		}
	})
}
