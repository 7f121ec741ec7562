// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"hash"
	"os"
	"path/filepath"
	"testing"

	"persten/internal/secret"
	"persten/internal/token/tokentest"
)

func password(t testing.TB, s string) *secret.Buffer {
	t.Helper()
	pin, err := tokentest.PIN(s)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pin.Read()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Wipe)
	return b
}

// The RFC 6070 vectors, and one of RFC 7914 section 11.
func TestPBKDF2(t *testing.T) {
	for _, c := range []struct {
		h              func() hash.Hash
		password, salt string
		iterations     int
		want           string
	}{
		{sha1.New, "password", "salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"},
		{sha1.New, "password", "salt", 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"},
		{sha1.New, "password", "salt", 4096, "4b007901b765489abead49d926f721d065a429c1"},
		{sha1.New, "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096, "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038"},
		{sha256.New, "passwd", "salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc" +
			"49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"},
	} {
		want := c.want
		got := hex.EncodeToString(pbkdf2(c.h, []byte(c.password), []byte(c.salt), c.iterations, len(want)/2))
		if got != want {
			t.Errorf("%s x%d: %s, want %s", c.password, c.iterations, got, want)
		}
	}
}

// craft makes a file whose key bag has the given iterations and salt.
func craft(iterations, salt int) []byte {
	kdf := must(wirePBKDF2{Salt: asn1.RawValue{Tag: asn1.TagOctetString, Bytes: make([]byte, salt)}, Iterations: iterations})
	params := must(wirePBES2{
		KDF:    pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: asn1.RawValue{FullBytes: kdf}},
		Cipher: pkix.AlgorithmIdentifier{Algorithm: ciphers[0].oid, Parameters: asn1.RawValue{FullBytes: must(make([]byte, 16))}},
	})
	var e wireEncryptedData
	e.Content.Type = oidData
	e.Content.Algorithm = pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: asn1.RawValue{FullBytes: params}}
	e.Content.Ciphertext = make([]byte, 32)
	authSafe := must([]wireContent{{Type: oidEncryptedData, Content: explicit(must(e))}})
	file, err := asn1.Marshal(struct {
		Version int
		Safe    wireContent
	}{3, content(authSafe)})
	if err != nil {
		panic(err)
	}
	return file
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name string
		file []byte
	}{
		{"iterations", craft(maxIterations+1, 8)},
		{"no iterations", craft(0, 8)},
		{"negative iterations", craft(-1, 8)},
		{"salt", craft(1, maxSalt+1)},
		{"size", make([]byte, MaxFile+1)},
		{"empty", nil},
		{"text", []byte("-----BEGIN CERTIFICATE-----")},
	} {
		_, err := unlock(c.file, password(t, "x"), listed{})
		var bad *FormatError
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := unlock(craft(1, 8), password(t, "x"), listed{}); !errors.Is(err, errWrongPassword) {
		t.Errorf("the crafted file itself: %v", err)
	}
}

func TestAllIterationsAreCapped(t *testing.T) {
	o := &opener{}
	for range maxAllIterations / maxIterations {
		if err := o.spend(maxIterations); err != nil {
			t.Fatal(err)
		}
	}
	if o.spend(1) == nil {
		t.Error("no limit over the whole file")
	}
}

// TestFlippedBits changes each byte of the MACed part and of the MAC in turn, in steps.
func TestFlippedBits(t *testing.T) {
	d := newDemo(t)
	file, err := os.ReadFile(filepath.Join(d.dir, "p256.p12"))
	if err != nil {
		t.Fatal(err)
	}
	step := len(file)/40 + 1
	for i := 0; i < len(file); i += step {
		bad := append([]byte(nil), file...)
		bad[i] ^= 0x10
		if _, err := unlock(bad, password(t, DemoPIN), d.list[3]); err == nil {
			t.Errorf("byte %d changed and nobody noticed", i)
		}
	}
}

func FuzzPFX(f *testing.F) {
	d, err := OpenDemo(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	for _, k := range demoKeys {
		file, err := os.ReadFile(filepath.Join(d.dir, k.kind+".p12"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Add(craft(1, 8))
	pw := password(f, DemoPIN)
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := parse(file)
		if err == nil {
			if b, err := p.clear(); err == nil {
				b.list()
			}
		}
		o := &opener{password: pw, spent: maxAllIterations - 1000} // the work is not what is looked for
		if p == nil {
			return
		}
		b, err := o.open(p)
		if err != nil {
			return
		}
		for _, k := range b.keys {
			if key, err := o.parseKey(k); err == nil {
				key.Wipe()
			}
		}
	})
}
