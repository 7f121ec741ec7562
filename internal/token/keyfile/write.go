// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/secret"
)

// writeIterations is for the key, which is what a stolen file is attacked for, and for the MAC, which is attacked as well.
const writeIterations = 100_000

// Encode writes a PKCS#12 file: the key under the password (PBES2, AES-256-CBC, HMAC-SHA-256), the certificates, the
// key's own first, in the clear so that they can be listed without it, and a MAC over all.
func Encode(key algo.PrivateKey, chain []*cert.Certificate, name string, password *secret.Buffer) ([]byte, error) {
	if len(chain) == 0 || !chain[0].Key.Equal(key.Public()) {
		return nil, fmt.Errorf("PKCS#12: the first certificate is not the key's")
	}
	id := sha1.Sum(chain[0].Raw)
	keySafe, err := encodeKey(key, name, id[:], password)
	if err != nil {
		return nil, err
	}
	certSafe, err := encodeCerts(chain, name, id[:])
	if err != nil {
		return nil, err
	}
	authSafe, err := asn1.Marshal([]wireContent{content(certSafe), content(keySafe)})
	if err != nil {
		return nil, err
	}
	return seal(authSafe, password)
}

func encodeKey(key algo.PrivateKey, name string, id []byte, password *secret.Buffer) ([]byte, error) {
	der, err := algo.MarshalPKCS8(key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	salt, iv := random(16), random(aes.BlockSize)
	derived := pbkdf2(sha256.New, password.Bytes(), salt, writeIterations, 32)
	defer clear(derived)
	padding := aes.BlockSize - len(der)%aes.BlockSize
	padded := make([]byte, len(der)+padding)
	defer clear(padded)
	copy(padded, der)
	for i := len(der); i < len(padded); i++ {
		padded[i] = byte(padding)
	}
	bag, err := asn1.Marshal(wireEncryptedKey{Algorithm: pbes2(salt, iv), Ciphertext: cbc(derived, iv, padded, cipher.NewCBCEncrypter)})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal([]wireBag{{Type: oidShroudedBag, Value: explicit(bag), Attributes: attributes(name, id)}})
}

func pbes2(salt, iv []byte) pkix.AlgorithmIdentifier {
	kdf := must(wirePBKDF2{
		Salt:       asn1.RawValue{Tag: asn1.TagOctetString, Bytes: salt},
		Iterations: writeIterations,
		PRF:        pkix.AlgorithmIdentifier{Algorithm: hashes[1].hmac, Parameters: asn1.NullRawValue},
	})
	params := must(wirePBES2{
		KDF:    pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: asn1.RawValue{FullBytes: kdf}},
		Cipher: pkix.AlgorithmIdentifier{Algorithm: ciphers[2].oid, Parameters: asn1.RawValue{FullBytes: must(iv)}},
	})
	return pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: asn1.RawValue{FullBytes: params}}
}

func encodeCerts(chain []*cert.Certificate, name string, id []byte) ([]byte, error) {
	var all []wireBag
	for i, c := range chain {
		bag := wireBag{Type: oidCertBag, Value: explicit(must(wireCertBag{Type: oidX509, Value: c.Raw}))}
		if i == 0 {
			bag.Attributes = attributes(name, id)
		}
		all = append(all, bag)
	}
	return asn1.Marshal(all)
}

// seal adds the MAC.
func seal(authSafe []byte, password *secret.Buffer) ([]byte, error) {
	salt := random(16)
	sum, err := mac(sha256.New, password, salt, writeIterations, authSafe)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(wirePFX{Version: 3, AuthSafe: content(authSafe), MAC: wireMAC{
		Digest: wireDigestInfo{
			Algorithm: pkix.AlgorithmIdentifier{Algorithm: hashes[1].digest, Parameters: asn1.NullRawValue}, Digest: sum,
		},
		Salt: salt, Iterations: writeIterations,
	}})
}

func content(data []byte) wireContent {
	return wireContent{Type: oidData, Content: explicit(must(data))}
}

// explicit puts a value under [0], as the fields of a raw value do not.
func explicit(der []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: der}
}

func attributes(name string, id []byte) []wireAttribute {
	bmp := must(asn1.RawValue{Tag: asn1.TagBMPString, Bytes: toBMP(name)})
	return []wireAttribute{
		{Type: oidFriendlyName, Values: set(bmp)},
		{Type: oidLocalKeyID, Values: set(must(id))},
	}
}

func set(der []byte) asn1.RawValue {
	return asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: der}
}

// must encodes values whose shape is fixed here and cannot fail.
func must(v any) []byte {
	der, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return der
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
