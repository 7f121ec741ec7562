// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ddulesov/gogost/gost3410"
)

// The parameter sets of the standard's examples are known to the tests alone (RFC 9215 section 4.2 forbids other use).
func init() {
	curves = append(curves,
		curve{cryptoPro(35, 0), "test-256", 32, 1, true, gost3410.CurveIdGostR34102001TestParamSet},
		curve{tc26(2, 0), "test-512", 64, 1, false, testCurve512})
}

func number(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 16)
	if !ok {
		panic("bad number in a test: " + s)
	}
	return n
}

func testCurve512() *gost3410.Curve {
	c, err := gost3410.NewCurve("test-512",
		number("4531ACD1FE0023C7550D267B6B2FEE80922B14B2FFB90F04D4EB7C09B5D2D15DF1D852741AF4704A0458047E80E4546D35B8336FAC224DD81664BBF528BE6373"),
		number("4531ACD1FE0023C7550D267B6B2FEE80922B14B2FFB90F04D4EB7C09B5D2D15DA82F2D7ECB1DBAC719905C5EECC423F1D86E25EDBE23C595D644AAF187E6E6DF"),
		number("7"),
		number("1CFF0806A31116DA29D8CFA54E57EB748BC5F377E49400FDD788B649ECA1AC4361834013B2AD7322480A89CA58E0CF74BC9E540C2ADD6897FAD0A3084F302ADC"),
		number("24D19CC64572EE30F396BF6EBBFD7A6C5213B3B3D7057CC825F91093A68CD762FD60611262CD838DC6B60AA7EEE804E28BC849977FAC33B4B530F1B120248A9A"),
		number("2BB312A43BD2CE6E0D020613C857ACDDCFBF061E91E5F2C3F32447C259F39B2C83AB156D77F1496BF7EB3351E1EE4E43DC1A18B91B24640B6DBB92CB1ADD371E"),
		nil, nil)
	if err != nil {
		panic(err)
	}
	return c
}

// TestRFC7091 replays the example of RFC 7091 section 7 with its nonce: key, signature, verification.
func TestRFC7091(t *testing.T) {
	c, _ := curveByOID(cryptoPro(35, 0))
	k, err := newGOSTPrivate(c, number("7A929ADE789BB9BE10ED359DD39A72C11B60961F49397EEE1D19CE9891EC3B28"))
	if err != nil {
		t.Fatal(err)
	}
	pub := k.pub.(*gostKey)
	if pub.x.Cmp(number("7F2B49E270DB6D90D8595BEC458B50C58585BA1D4E9B788F6689DBD8E56FD80B")) != 0 ||
		pub.y.Cmp(number("26F1B489D6701DD185C8413A977B3CBBAF64D1C593D26627DFFB101A87FF77DA")) != 0 {
		t.Errorf("public key %x, %x", pub.x, pub.y)
	}
	digest := number("2DFBC1B372D89A1188C09C52E0EEC61FCE52032AB1022E8E67ECE6672B043EE5").FillBytes(make([]byte, 32))
	slices.Reverse(digest) // the example's e is the digest as a number
	nonce := number("77105C9B20BCD3122823C8CF6FCC7B956DE33814E95B7FE64FED924594DCEAB3").Bytes()
	sig, err := k.Sign(bytes.NewReader(nonce), GOST256, Input{Digest: digest})
	if err != nil {
		t.Fatal(err)
	}
	const want = "01456c64ba4642a1653c235a98a60249bcd6d3f746b631df928014f6c5bf9c40" + "41aa28d2f1ab148280cd9ed56feda41974053554a42767b83ad043fd39dc0493"
	if hex.EncodeToString(sig) != want {
		t.Errorf("signature %x", sig)
	}
	if err := k.Public().Verify(GOST256, Input{Digest: digest}, sig); err != nil {
		t.Error(err)
	}
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
		if again, err := marshalGOSTKey(c, key.(*gostKey).x, key.(*gostKey).y); err != nil || !bytes.Equal(again, info.SPKI.FullBytes) {
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
