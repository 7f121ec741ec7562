// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os"
	"path/filepath"
	"testing"

	"persten/internal/algo/gost3410"
)

// The parameter sets of the standard's examples are known to the tests alone (RFC 9215 section 4.2 forbids other use).
func init() {
	curves = append(curves,
		curve{cryptoPro(35, 0), "test-256", 32, true, gost3410.Test256},
		curve{tc26(2, 0), "test-512", 64, false, gost3410.Test512})
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signedObject is the outside of a certificate or a certification request.
type signedObject struct {
	TBS       asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

// request is CertificationRequestInfo (RFC 2986 section 4.1).
type request struct {
	Version       int
	Subject, SPKI asn1.RawValue
	Attributes    asn1.RawValue `asn1:"tag:0"`
}

// TestRFC9215 checks the self-signed requests of appendix D with the keys inside them, and the certificates with the same keys.
func TestRFC9215(t *testing.T) {
	for _, name := range []string{"D1", "D2", "D3"} {
		var req, crt signedObject
		var info request
		unmarshal(t, read(t, "rfc9215/"+name+"_certificate_request.der"), &req)
		unmarshal(t, read(t, "rfc9215/"+name+"_certificate.der"), &crt)
		unmarshal(t, req.TBS.FullBytes, &info)
		key, err := ParsePublicKey(info.SPKI.FullBytes)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, o := range []signedObject{req, crt} {
			a, ok := CertificateAlgorithm(o.Algorithm.Algorithm)
			if !ok {
				t.Fatalf("%s: unknown algorithm %v", name, o.Algorithm.Algorithm)
			}
			if err := key.Verify(a.ID, Input{Message: o.TBS.FullBytes}, o.Signature.Bytes); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		c := key.(*gostKey).curve
		if again, err := marshalGOSTKey(c, key.(*gostKey).key.X(), key.(*gostKey).key.Y()); err != nil || !bytes.Equal(again, info.SPKI.FullBytes) {
			t.Errorf("%s: the key is written as\n%x, %v, the RFC has\n%x", name, again, err, info.SPKI.FullBytes)
		}
	}
}

func unmarshal(t testing.TB, der []byte, v any) {
	t.Helper()
	if rest, err := asn1.Unmarshal(der, v); err != nil || len(rest) > 0 {
		t.Fatalf("unmarshal: %v, %d bytes left", err, len(rest))
	}
}

// TestMaskedPKCS8 reads the masked key of R 50.1.112-2016 and finds the public key of the certificate that goes with it.
func TestMaskedPKCS8(t *testing.T) {
	k, err := ParsePKCS8(read(t, "tc26/pkcs8-masked-256.der"))
	if err != nil {
		t.Fatal(err)
	}
	point := k.Public().(*gostKey).raw()
	if !bytes.Contains(read(t, "tc26/certbag-256.der"), point) {
		t.Errorf("the certificate does not hold %x", point)
	}
}
