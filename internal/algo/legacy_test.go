// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// vector reads a file of the folder VECTORS, or skips the test.
func vector(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(cmp.Or(os.Getenv("VECTORS"), "../../../shared/vectors"), name))
	if err != nil {
		t.Skipf("one signed document was not checked: no %s under VECTORS", name)
	}
	return string(b)
}

// between cuts out what stands between two markers, the last time the first one occurs.
func between(t *testing.T, s, from, to string) string {
	t.Helper()
	i := strings.LastIndex(s, from)
	if i < 0 || !strings.Contains(s[i+len(from):], to) {
		t.Fatalf("no %s ... %s", from, to)
	}
	s = s[i+len(from):]
	return s[:strings.Index(s, to)]
}

func base64Text(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// certificateKey is the key of a DER certificate, without the package that reads those.
func certificateKey(t *testing.T, der []byte) (tbs []byte, key PublicKey, signature []byte) {
	t.Helper()
	var c struct {
		TBS struct {
			Raw       asn1.RawContent
			Version   int `asn1:"optional,explicit,default:0,tag:0"`
			Serial    asn1.RawValue
			Algorithm pkix.AlgorithmIdentifier
			Issuer    asn1.RawValue
			Validity  asn1.RawValue
			Subject   asn1.RawValue
			SPKI      asn1.RawValue
			Rest      asn1.RawValue `asn1:"optional,explicit,tag:3"`
		}
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	unmarshal(t, der, &c)
	key, err := ParsePublicKey(c.TBS.SPKI.FullBytes)
	if err != nil {
		t.Fatal(err)
	}
	return c.TBS.Raw, key, c.Signature.Bytes
}

var emptyElement = regexp.MustCompile(`<([\w:]+)([^<>]*)/>`)

// canonical is enough of Canonical XML for the SignedInfo elements of the two documents below.
func canonical(signedInfo, declaration string) string {
	s := emptyElement.ReplaceAllString(signedInfo, "<$1$2></$1>")
	return strings.Replace(s, "SignedInfo>", "SignedInfo "+declaration+">", 1)
}

// TestGOST2001XML checks SignatureValue, and a DigestValue, of a signed SMEV message and of xmlsec's example.
func TestGOST2001XML(t *testing.T) {
	for _, c := range []struct{ file, prefix, content string }{
		{"smev/ack-cryptopro-gost2001.xml", "ds:", "ns1:AckTargetMessage"},
		{"xmlsec/aleksey-xmldsig-01/enveloped-gost2001.xml", "", ""},
	} {
		t.Run(c.file, func(t *testing.T) {
			doc := vector(t, c.file)
			info := "<" + c.prefix + "SignedInfo>" + between(t, doc, "<"+c.prefix+"SignedInfo>", "</"+c.prefix+"SignedInfo>") +
				"</" + c.prefix + "SignedInfo>"
			declaration := strings.TrimSuffix("xmlns:"+c.prefix, ":") + `="http://www.w3.org/2000/09/xmldsig#"`
			uri := between(t, info, `SignatureMethod Algorithm="`, `"`)
			a, ok := ByXMLSignature(uri)
			if !ok || a.ID != GOST2001 {
				t.Fatalf("%s is %q", uri, a.ID)
			}
			tag := c.prefix + "X509Certificate>"
			_, key, _ := certificateKey(t, base64Text(t, between(t, doc, "<"+tag, "</"+tag)))
			tag = c.prefix + "SignatureValue>"
			sig, err := FromXML(key, a.ID, base64Text(t, between(t, doc, "<"+tag, "</"+tag)))
			if err != nil {
				t.Fatal(err)
			}
			in := Input{Message: []byte(canonical(info, declaration))}
			if err := key.Verify(a.ID, in, sig); err != nil {
				t.Error(err)
			}
			in.Message[len(in.Message)/2] ^= 1
			if err := key.Verify(a.ID, in, sig); !errors.Is(err, ErrSignature) {
				t.Errorf("changed: %v", err)
			}
			if c.content == "" {
				return
			}
			content := "<" + c.content + between(t, doc, "<"+c.content, "</"+c.content+">") + "</" + c.content + ">"
			d, ok := DigestByXML(between(t, info, `DigestMethod Algorithm="`, `"`))
			if want := base64Text(t, between(t, info, "<ds:DigestValue>", "</")); !ok || !bytes.Equal(d.Sum([]byte(content)), want) {
				t.Errorf("digest %s %x, want %x", d, d.Sum([]byte(content)), want)
			}
		})
	}
}

// TestGOST2001Certificate checks the signature of a self-signed certificate of CryptoPro's.
func TestGOST2001Certificate(t *testing.T) {
	doc := vector(t, "smev/ack-cryptopro-gost2001.xml")
	tbs, key, sig := certificateKey(t, base64Text(t, between(t, doc, "<ds:X509Certificate>", "</ds:X509Certificate>")))
	a, ok := CertificateAlgorithm(cryptoPro(3))
	if !ok || a.ID != GOST2001 {
		t.Fatalf("found %q", a.ID)
	}
	if err := key.Verify(a.ID, Input{Message: tbs}, sig); err != nil {
		t.Error(err)
	}
}

// TestLegacyNeverSigns: what is only read is listed for reading alone.
func TestLegacyNeverSigns(t *testing.T) {
	for kind, k := range kinds(t) {
		for _, id := range Signing(k.Public()) {
			if a, ok := Lookup(id); !ok || a.Legacy {
				t.Errorf("%s signs with %s", kind, id)
			}
		}
		for _, a := range All() {
			if !a.Legacy {
				continue
			}
			if _, err := k.Sign(rand.Reader, a.ID, Input{Digest: make([]byte, a.Digest.Size())}); !errors.Is(err, ErrUnsupported) {
				t.Errorf("%s signs with %s: %v", kind, a.ID, err)
			}
		}
	}
	opaque, err := Opaque(oldKey(t, cryptoPro(30, 1)))
	if err != nil || len(Signing(opaque)) != 0 {
		t.Errorf("opaque key: %v, %v", Signing(opaque), err)
	}
	old, err := ParsePublicKey(oldKey(t, cryptoPro(30, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if len(Signing(old)) != 0 || len(old.Algorithms()) != 1 || old.Describe() != "GOST R 34.10-2001" {
		t.Errorf("%s: %v, signs with %v", old.Describe(), old.Algorithms(), Signing(old))
	}
	again, err := ParsePublicKey(old.SPKI())
	if err != nil || !again.Equal(old) || old.Equal(opaque) || old.Equal(old.(*gost2001Key).key) || old.(*gost2001Key).key.Equal(old) {
		t.Errorf("comparison: %v", err)
	}
	for _, id := range []ID{GOST256, RSASHA256, "x"} {
		if err := old.Verify(id, Input{Message: []byte("x")}, make([]byte, 64)); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, oid := range []asn1.ObjectIdentifier{nil, cryptoPro(30, 0), {1, 2, 643, 7, 1, 1, 2, 2}} {
		if _, err := ParsePublicKey(oldKey(t, oid)); !errors.Is(err, ErrUnsupported) {
			t.Errorf("with the digest %v: %v", oid, err)
		}
	}
}

// oldKey is the base point of CryptoPro-A as a key of GOST R 34.10-2001 with a parameter set of the digest.
func oldKey(t *testing.T, digest asn1.ObjectIdentifier) []byte {
	t.Helper()
	c, _ := curveByOID(cryptoPro(35, 1))
	g := gogostCurve(c)
	params, err := asn1.Marshal(gostParams{Set: c.oid, Digest: digest})
	if err != nil {
		t.Fatal(err)
	}
	point, err := asn1.Marshal(append(toLittleEndian(g.X, 32), toLittleEndian(g.Y, 32)...))
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(spki{
		Algorithm: pkix.AlgorithmIdentifier{Algorithm: oidGOST2001, Parameters: asn1.RawValue{FullBytes: params}},
		Key:       asn1.BitString{Bytes: point, BitLength: 8 * len(point)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestRSASHA1 checks a signature the standard library makes.
func TestRSASHA1(t *testing.T) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := publicOf(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Message: []byte("old")}
	sig, err := rsa.SignPKCS1v15(nil, k, crypto.SHA1, SHA1.Sum(in.Message))
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.Verify(RSASHA1, in, sig); err != nil {
		t.Error(err)
	}
	if err := pub.Verify(RSASHA256, in, sig); !errors.Is(err, ErrSignature) {
		t.Errorf("as SHA-256: %v", err)
	}
}

// TestOpenSSLGOST94 compares with OpenSSL's GOST engine around the block boundaries, written in pieces.
func TestOpenSSLGOST94(t *testing.T) {
	o := openssl(t)
	for _, n := range []int{1, 31, 32, 33, 63, 64, 65, 1000} {
		for _, fill := range []byte{0, 'a', 0xff} {
			message := bytes.Repeat([]byte{fill}, n)
			o.Write("long", message)
			o.Run("dgst", "-md_gost94", "-binary", "-out", "sum", "long")
			h := GOST94.New()
			for p := message; len(p) > 0; p = p[min(7, len(p)):] {
				h.Write(p[:min(7, len(p))])
				h.Sum(nil)
			}
			if got, want := h.Sum(nil), o.Read("sum"); !bytes.Equal(got, want) {
				t.Errorf("%d times %#x: %x, OpenSSL has %x", n, fill, got, want)
			}
		}
	}
}

// TestGOST94Vectors has the values other programs agree on, John the Ripper and CyberChef among them. RFC 5831 has examples
// for the test parameters only, and OpenSSL's engine hashes the empty message wrongly.
func TestGOST94Vectors(t *testing.T) {
	for message, want := range map[string]string{
		"":               "981e5f3ca30c841487830f84fb433e13ac1101569b9c13584ac483234cd656c0",
		"a":              "e74c52dd282183bf37af0079c9f78055715a103f17e3133ceff1aacf2f403011",
		"abc":            "b285056dbf18d7392d7677369524dd14747459ed8143997e163b2986f92fd42c",
		"message digest": "bc6041dd2aa401ebfa6e9886734174febdb4729aa972d60f549ac39b29721ba0",
	} {
		if got := hex.EncodeToString(GOST94.Sum([]byte(message))); got != want {
			t.Errorf("%q: %s", message, got)
		}
	}
}

// TestOpenSSLGOST2001 reads keys and signatures of every parameter set OpenSSL knows.
func TestOpenSSLGOST2001(t *testing.T) {
	o := openssl(t)
	for _, set := range []string{"A", "B", "C", "XA", "XB"} {
		o.Run("genpkey", "-algorithm", "gost2001", "-pkeyopt", "paramset:"+set, "-out", "key.pem")
		o.Run("pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem")
		o.Run("dgst", "-md_gost94", "-sign", "key.pem", "-out", "sig", "message")
		block, _ := pem.Decode(o.Read("pub.pem"))
		pub, err := ParsePublicKey(block.Bytes)
		if err != nil {
			t.Errorf("%s: %v", set, err)
			continue
		}
		sig := o.Read("sig")
		if err := pub.Verify(GOST2001, Input{Message: []byte("message")}, sig); err != nil {
			t.Errorf("%s: %v", set, err)
		}
		if err := pub.Verify(GOST2001, Input{Message: []byte("massage")}, sig); !errors.Is(err, ErrSignature) {
			t.Errorf("%s, other message: %v", set, err)
		}
		block, _ = pem.Decode(o.Read("key.pem"))
		if _, err := ParsePKCS8(block.Bytes); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: the private key: %v", set, err)
		}
	}
}

func BenchmarkGOST94(b *testing.B) {
	data := make([]byte, 1<<16)
	h := GOST94.New()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		h.Write(data)
	}
}
