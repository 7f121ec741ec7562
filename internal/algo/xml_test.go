// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"bytes"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
)

// xmlURIs are the identifiers as the standards print them, the one that is written first.
var xmlURIs = map[ID][]string{
	RSASHA256:    {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"},
	RSASHA384:    {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"},
	RSASHA512:    {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"},
	RSAPSSSHA256: {"http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"},
	RSAPSSSHA384: {"http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1"},
	RSAPSSSHA512: {"http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1"},
	ECDSASHA256:  {"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"},
	ECDSASHA384:  {"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"},
	ECDSASHA512:  {"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"},
	GOST256:      {"urn:ietf:params:xml:ns:cpxmlsec:algorithms:gostr34102012-gostr34112012-256"},
	GOST512:      {"urn:ietf:params:xml:ns:cpxmlsec:algorithms:gostr34102012-gostr34112012-512"},
	RSASHA1:      {"http://www.w3.org/2000/09/xmldsig#rsa-sha1"},
	GOST2001: {
		"http://www.w3.org/2001/04/xmldsig-more#gostr34102001-gostr3411",
		"urn:ietf:params:xml:ns:cpxmlsec:algorithms:gostr34102001-gostr3411",
	},
}

var xmlDigestURIs = map[Digest][]string{
	SHA1:        {"http://www.w3.org/2000/09/xmldsig#sha1"},
	SHA256:      {"http://www.w3.org/2001/04/xmlenc#sha256"},
	SHA384:      {"http://www.w3.org/2001/04/xmldsig-more#sha384"},
	SHA512:      {"http://www.w3.org/2001/04/xmlenc#sha512"},
	Streebog256: {"urn:ietf:params:xml:ns:cpxmlsec:algorithms:gostr34112012-256"},
	Streebog512: {"urn:ietf:params:xml:ns:cpxmlsec:algorithms:gostr34112012-512"},
	GOST94: {
		"http://www.w3.org/2001/04/xmldsig-more#gostr3411",
		"urn:ietf:params:xml:ns:cpxmlsec:algorithms:gostr3411",
	},
}

func TestXMLIdentifiers(t *testing.T) {
	if a, ok := ByXMLSignature(""); ok {
		t.Errorf("no identifier is %s", a.ID)
	}
	for _, a := range All() {
		if a.Pure {
			continue
		}
		uris := xmlURIs[a.ID]
		if len(uris) == 0 || a.XMLSignature != uris[0] {
			t.Errorf("%s is written %q", a.ID, a.XMLSignature)
		}
		for _, uri := range uris {
			if got, ok := ByXMLSignature(uri); !ok || got.ID != a.ID {
				t.Errorf("%s is read as %q", uri, got.ID)
			}
		}
	}
	for _, r := range digests {
		uris := xmlDigestURIs[r.name]
		if len(uris) == 0 || r.name.XML() != uris[0] {
			t.Errorf("%s is written %q", r.name, r.name.XML())
		}
		for _, uri := range uris {
			if got, ok := DigestByXML(uri); !ok || got != r.name {
				t.Errorf("%s is read as %q", uri, got)
			}
		}
	}
	for _, uri := range []string{
		"", "http://www.w3.org/2000/09/xmldsig#hmac-sha1", "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
		"http://www.w3.org/2001/04/xmldsig-more#rsa-md5", "http://www.w3.org/2001/04/xmldsig-more#RSA-SHA256",
	} {
		if a, ok := ByXMLSignature(uri); ok {
			t.Errorf("signature %q is %s", uri, a.ID)
		}
		if d, ok := DigestByXML(uri); ok {
			t.Errorf("digest %q is %s", uri, d)
		}
	}
	if Digest("x").XML() != "" {
		t.Error("an unknown digest has a name")
	}
}

// TestXMLSignatures takes a signature by every kind of key there and back, many for ECDSA: short numbers come by chance.
func TestXMLSignatures(t *testing.T) {
	width := map[string]int{"p256": 64, "P-384": 96, "P-521": 132}
	for kind, k := range kinds(t) {
		for _, id := range Signing(k.Public()) {
			for n := range 60 {
				in := Input{Message: []byte{byte(n)}}
				sig, err := k.Sign(rand.Reader, id, in)
				if err != nil {
					t.Fatal(err)
				}
				raw, err := ToXML(k.Public(), id, sig)
				if err != nil {
					t.Fatal(err)
				}
				back, err := FromXML(k.Public(), id, raw)
				if err != nil || !bytes.Equal(back, sig) {
					t.Fatalf("%s %s: %x became %x, then %x, %v", kind, id, sig, raw, back, err)
				}
				w, ec := width[kind]
				if ec && len(raw) != w || !ec && !bytes.Equal(raw, sig) {
					t.Fatalf("%s %s: %d octets", kind, id, len(raw))
				}
				if !ec {
					break
				}
			}
		}
	}
}

func TestXMLSignatureErrors(t *testing.T) {
	keys := kinds(t)
	ec, rsa := keys["p256"].Public(), keys["rsa2048"].Public()
	for _, n := range []int{0, 1, 63, 65, 72, 96, 132} {
		if _, err := FromXML(ec, ECDSASHA256, make([]byte, n)); !errors.Is(err, ErrSignature) {
			t.Errorf("%d octets on P-256: %v", n, err)
		}
	}
	zero, err := FromXML(ec, ECDSASHA256, make([]byte, 64))
	if err != nil {
		t.Fatal(err)
	}
	if err := ec.Verify(ECDSASHA256, Input{Message: []byte{}}, zero); !errors.Is(err, ErrSignature) {
		t.Errorf("zeros: %v", err)
	}
	for _, id := range []ID{"rsa-md5", ECDSASHA256} {
		if _, err := FromXML(rsa, id, make([]byte, 64)); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s with an RSA key: %v", id, err)
		}
		if _, err := ToXML(rsa, id, make([]byte, 64)); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s with an RSA key: %v", id, err)
		}
	}
	large := new(big.Int).Lsh(big.NewInt(1), 256)
	for _, v := range []ecdsaValue{{large, big.NewInt(1)}, {big.NewInt(1), large}, {big.NewInt(-1), big.NewInt(1)}, {big.NewInt(1), big.NewInt(-1)}} {
		der, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ToXML(ec, ECDSASHA256, der); err == nil {
			t.Errorf("%v accepted", v)
		}
	}
	for _, der := range [][]byte{nil, {0x30}, {0x30, 6, 2, 1, 1, 2, 1, 1, 0}, make([]byte, 64)} {
		if _, err := ToXML(ec, ECDSASHA256, der); err == nil {
			t.Errorf("%x accepted", der)
		}
	}
}

// FuzzFromXML: octets that are accepted come back the same, and are a signature of nothing.
func FuzzFromXML(f *testing.F) {
	keys := kinds(f)
	f.Add(uint(0), make([]byte, 64))
	f.Add(uint(4), make([]byte, 96))
	f.Add(uint(8), bytes.Repeat([]byte{0xff}, 132))
	var pairs []struct {
		key PublicKey
		id  ID
	}
	for _, kind := range []string{"p256", "P-384", "P-521", "rsa2048", "gost256", "gost512"} {
		for _, id := range keys[kind].Public().Algorithms() {
			pairs = append(pairs, struct {
				key PublicKey
				id  ID
			}{keys[kind].Public(), id})
		}
	}
	f.Fuzz(func(t *testing.T, n uint, raw []byte) {
		p := pairs[n%uint(len(pairs))]
		sig, err := FromXML(p.key, p.id, raw)
		if err != nil {
			return
		}
		again, err := ToXML(p.key, p.id, sig)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%s: %x became %x, %v", p.id, raw, again, err)
		}
		if p.key.Verify(p.id, Input{Message: raw}, sig) == nil {
			t.Fatal("a signature out of nothing")
		}
	})
}
