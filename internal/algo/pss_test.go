// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"slices"
	"testing"
)

var pssIDs = []ID{RSAPSSSHA256, RSAPSSSHA384, RSAPSSSHA512}

// pssOptionsOpenSSL is OpenSSL's name of the padding, with a salt as long as the digest.
var pssOptionsOpenSSL = []string{"-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"}

// TestOpenSSLPSS has OpenSSL check our signatures and checks OpenSSL's.
func TestOpenSSLPSS(t *testing.T) {
	o := openssl(t)
	k, err := GenerateKey("rsa2048")
	if err != nil {
		t.Fatal(err)
	}
	der, err := MarshalPKCS8(k)
	if err != nil {
		t.Fatal(err)
	}
	o.Write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	o.Write("pub.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.Public().SPKI()}))
	in := Input{Message: []byte("message")}
	for _, id := range pssIDs {
		sig, err := k.Sign(rand.Reader, id, in)
		if err != nil {
			t.Fatal(err)
		}
		o.Write("sig", sig)
		args := append([]string{"dgst", dgst(id)}, pssOptionsOpenSSL...)
		o.Run(slices.Concat(args, []string{"-verify", "pub.pem", "-signature", "sig", "message"})...)
		o.Run(slices.Concat(args, []string{"-sign", "key.pem", "-out", "sig", "message"})...)
		if err := k.Public().Verify(id, in, o.Read("sig")); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestPSSSalt refuses a salt of another length, and signatures of the other padding.
func TestPSSSalt(t *testing.T) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	own, err := wrapPrivate(k)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Digest: SHA256.Sum([]byte("x"))}
	for salt, good := range map[int]bool{0: false, 20: false, 32: true, 222: false} {
		sig, err := rsa.SignPSS(rand.Reader, k, crypto.SHA256, in.Digest, &rsa.PSSOptions{SaltLength: salt})
		if salt == 0 {
			sig, err = rsa.SignPSS(rand.Reader, k, crypto.SHA256, in.Digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto})
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := own.Public().Verify(RSAPSSSHA256, in, sig); good != (err == nil) || !good && !errors.Is(err, ErrSignature) {
			t.Errorf("salt of %d bytes: %v", salt, err)
		}
		row, _ := Lookup(RSAPSSSHA256)
		for row.Salt = 19; row.Salt <= 223; row.Salt++ {
			if err := row.Verify(own.Public(), in, sig); (err == nil) != (row.Salt == max(salt, 222*(1-min(salt, 1)))) {
				t.Errorf("salt of %d bytes, said to be %d: %v", salt, row.Salt, err)
			}
		}
		if err := own.Public().Verify(RSASHA256, in, sig); !errors.Is(err, ErrSignature) {
			t.Errorf("PSS as PKCS#1 v1.5: %v", err)
		}
	}
	plain, err := own.Sign(rand.Reader, RSASHA256, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Public().Verify(RSAPSSSHA256, in, plain); !errors.Is(err, ErrSignature) {
		t.Errorf("PKCS#1 v1.5 as PSS: %v", err)
	}
}

// TestPSSFits: a short modulus has no room for the longest digest and its salt.
func TestPSSFits(t *testing.T) {
	k, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	own, err := wrapPrivate(k)
	if err != nil {
		t.Fatal(err)
	}
	want := []ID{RSASHA256, RSASHA384, RSASHA512, RSAPSSSHA256, RSAPSSSHA384}
	if got := Signing(own.Public()); !slices.Equal(got, want) {
		t.Errorf("RSA 1024 signs with %v", got)
	}
	for _, id := range want {
		signAndCheck(t, own, own.Public(), id)
	}
}

// TestPSSIdentifier compares the parameters with those of RFC 4055 section 3.1 and refuses all others.
func TestPSSIdentifier(t *testing.T) {
	a, _ := Lookup(RSAPSSSHA256)
	der, err := asn1.Marshal(a.SignerIdentifier())
	if err != nil {
		t.Fatal(err)
	}
	// As "openssl cms -sign -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:32" writes it.
	const want = "304106092a864886f70d01010a3034a00f300d06096086480165030402010500" +
		"a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
	if got := hex.EncodeToString(der); got != want {
		t.Errorf("%s", got)
	}
	null := asn1.NullRawValue
	hash := func(d Digest, params asn1.RawValue) pkix.AlgorithmIdentifier {
		return pkix.AlgorithmIdentifier{Algorithm: d.OID(), Parameters: params}
	}
	mgf := func(oid asn1.ObjectIdentifier, h pkix.AlgorithmIdentifier) pkix.AlgorithmIdentifier {
		der, err := asn1.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: der}}
	}
	sha, bare := hash(SHA256, null), hash(SHA256, asn1.RawValue{})
	for name, v := range map[string]struct {
		p  pssParams
		ok bool
	}{
		"own": {pssParams{sha, mgf(oidMGF1, sha), 32, 1}, true}, "without NULL": {pssParams{bare, mgf(oidMGF1, bare), 32, 1}, true},
		"salt 20": {pssParams{sha, mgf(oidMGF1, sha), 20, 1}, true}, "salt 0": {pssParams{sha, mgf(oidMGF1, sha), 0, 1}, false},
		"trailer 2": {pssParams{sha, mgf(oidMGF1, sha), 32, 2}, false}, "other MGF": {pssParams{sha, mgf(oidPSS, sha), 32, 1}, false},
		"MGF1 with SHA-1": {pssParams{sha, mgf(oidMGF1, hash(SHA1, null)), 32, 1}, false},
		"another digest":  {pssParams{hash(SHA384, null), mgf(oidMGF1, hash(SHA384, null)), 48, 1}, false},
		"mixed":           {pssParams{hash(SHA512, null), mgf(oidMGF1, sha), 32, 1}, false},
	} {
		der, err := asn1.Marshal(v.p)
		if err != nil {
			t.Fatal(err)
		}
		id := pkix.AlgorithmIdentifier{Algorithm: oidPSS, Parameters: asn1.RawValue{FullBytes: der}}
		got, ok := SignerAlgorithm(id, SHA256)
		if ok != v.ok || ok && (got.ID != RSAPSSSHA256 || got.Salt != v.p.Salt) {
			t.Errorf("%s: %s, %v", name, got.ID, ok)
		}
	}
	for name, params := range map[string][]byte{"absent": nil, "NULL": {5, 0}, "empty": {0x30, 0}, "tail": {0x30, 0, 0}} {
		id := pkix.AlgorithmIdentifier{Algorithm: oidPSS, Parameters: asn1.RawValue{FullBytes: params}}
		for _, d := range []Digest{SHA1, SHA256} {
			if got, ok := SignerAlgorithm(id, d); ok {
				t.Errorf("%s parameters: %s", name, got.ID)
			}
		}
	}
}

// FuzzSignerAlgorithm: whatever identifier is accepted goes with the digest it was given with, and RSASSA-PSS with the
// parameters that are written.
func FuzzSignerAlgorithm(f *testing.F) {
	for _, a := range All() {
		for _, id := range a.signerIdentifiers() {
			der, err := asn1.Marshal(id)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(der)
		}
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		var id pkix.AlgorithmIdentifier
		if _, err := asn1.Unmarshal(der, &id); err != nil {
			return
		}
		found := 0
		for _, r := range digests {
			a, ok := SignerAlgorithm(id, r.name)
			if !ok {
				continue
			}
			found++
			if a.Digest != r.name || a.ID == RSASHA1 || a.PSS != id.Algorithm.Equal(oidPSS) {
				t.Fatalf("%x with %s is %s", der, r.name, a.ID)
			}
		}
		if found > 1 && !id.Algorithm.Equal(oidRSA) && !id.Algorithm.Equal(oidEC) {
			t.Fatalf("%x goes with %d digests", der, found)
		}
	})
}
