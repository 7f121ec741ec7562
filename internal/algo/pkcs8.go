// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// maxPKCS8 bounds a private key. Checking RSA primes takes time that grows quickly with their size.
const maxPKCS8 = 8 << 10

// privateKeyInfo is PKCS#8 (RFC 5208 section 5, RFC 5958 section 2).
type privateKeyInfo struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	Key        []byte
	Attributes asn1.RawValue `asn1:"optional,tag:0"`
	Public     asn1.RawValue `asn1:"optional,tag:1"`
}

// ParsePKCS8 reads an unencrypted PKCS#8 private key: RSA, ECDSA, Ed25519 and GOST R 34.10-2012. The error wraps ErrUnsupported for a
// kind of key this package does not know. The caller wipes der.
func ParsePKCS8(der []byte) (PrivateKey, error) {
	if len(der) > maxPKCS8 {
		return nil, errors.New("private key: too large")
	}
	var info privateKeyInfo
	rest, err := asn1.Unmarshal(der, &info)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	if len(rest) != 0 {
		return nil, errors.New("private key: trailing data")
	}
	switch oid := info.Algorithm.Algorithm; {
	case oid.Equal(oidRSA), oid.Equal(oidEC), oid.Equal(oidEd25519):
		return parseStandardPKCS8(der)
	case oid.Equal(oidGOST256), oid.Equal(oidGOST512):
		return parseGOSTPKCS8(info)
	default:
		return nil, fmt.Errorf("private key %v: %w", oid, ErrUnsupported)
	}
}

func parseStandardPKCS8(der []byte) (PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	return wrapPrivate(key)
}

func wrapPrivate(key any) (PrivateKey, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		pub, err := publicOf(&k.PublicKey)
		return &rsaPrivate{key: k, pub: pub}, err
	case *ecdsa.PrivateKey:
		pub, err := publicOf(&k.PublicKey)
		return &ecdsaPrivate{key: k, pub: pub}, err
	case ed25519.PrivateKey:
		pub, err := publicOf(k.Public())
		return &ed25519Private{key: k, pub: pub}, err
	default:
		return nil, fmt.Errorf("private key %T: %w", key, ErrUnsupported)
	}
}

func publicOf(key any) (PublicKey, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return wrapStandardKey(key, der)
}

// parseGOSTPKCS8 reads the forms in circulation: bare little-endian bytes, as OpenSSL writes; the same in an OCTET STRING;
// an INTEGER; a SEQUENCE of the bytes and the public key. Bytes longer than the key are a masked key followed by its
// masks, all to be multiplied modulo q (R 50.1.112).
func parseGOSTPKCS8(info privateKeyInfo) (PrivateKey, error) {
	c, err := gostCurve(info.Algorithm)
	if err != nil {
		return nil, err
	}
	raw, public := info.Key, []byte(nil)
	if len(raw)%c.size != 0 {
		if raw, public, err = unwrapGOST(raw, c.size); err != nil {
			return nil, err
		}
	}
	d, err := unmask(c, raw)
	if err != nil {
		return nil, err
	}
	defer clear(d)
	k, err := newGOSTPrivate(c, d)
	if err != nil {
		return nil, err
	}
	if want := k.pub.(*gostKey); public != nil && string(public) != string(want.raw()) {
		return nil, errors.New("private key: the public key beside it is another one")
	}
	return k, nil
}

// unwrapGOST takes the key out of its ASN.1 wrapping and returns it as little-endian bytes.
func unwrapGOST(der []byte, size int) (raw, public []byte, err error) {
	var n *big.Int
	var pair struct{ Key, Public []byte }
	for _, v := range []any{&raw, &n, &pair} {
		if rest, err := asn1.Unmarshal(der, v); err == nil && len(rest) == 0 {
			switch {
			case n != nil && n.Sign() > 0 && n.BitLen() <= 8*size:
				return toLittleEndian(n, size), nil, nil
			case pair.Key != nil:
				return pair.Key, pair.Public, nil
			case raw != nil:
				return raw, nil, nil
			}
		}
	}
	return nil, nil, errors.New("private key: GOST key in an unknown form")
}

// maxMasks bounds the masks of one key; real ones have one.
const maxMasks = 8

// unmask returns the key as big-endian bytes. A masked key is multiplied with math/big, not in constant time, once.
func unmask(c curve, raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw)%c.size != 0 || len(raw) > (1+maxMasks)*c.size {
		return nil, fmt.Errorf("private key: %d bytes for %s", len(raw), c.name)
	}
	if len(raw) == c.size {
		return reversed(raw), nil
	}
	q := new(big.Int).SetBytes(c.set().Order())
	d := littleEndian(raw[:c.size])
	defer wipeInt(d)
	for raw = raw[c.size:]; len(raw) > 0; raw = raw[c.size:] {
		d.Mul(d, littleEndian(raw[:c.size])).Mod(d, q)
	}
	return d.FillBytes(make([]byte, c.size)), nil
}

// raw is the point as it stands in certificates and tokens: little-endian x, little-endian y.
func (k *gostKey) raw() []byte { return append(reversed(k.key.X()), reversed(k.key.Y())...) }

// MarshalPKCS8 encodes a key of this package, unencrypted; GOST keys as OpenSSL writes them. The caller wipes the result.
func MarshalPKCS8(key PrivateKey) ([]byte, error) {
	switch k := key.(type) {
	case *rsaPrivate:
		if k.key != nil {
			return x509.MarshalPKCS8PrivateKey(k.key)
		}
	case *ecdsaPrivate:
		if k.key != nil {
			return x509.MarshalPKCS8PrivateKey(k.key)
		}
	case *ed25519Private:
		if k.key != nil {
			return x509.MarshalPKCS8PrivateKey(k.key)
		}
	case *gostPrivate:
		if d := k.key.Bytes(); d != nil {
			defer clear(d)
			return marshalGOSTPKCS8(k.curve, d)
		}
	default:
		return nil, fmt.Errorf("private key %T: %w", key, ErrUnsupported)
	}
	return nil, errWiped
}

func marshalGOSTPKCS8(c curve, d []byte) ([]byte, error) {
	id, err := c.identifier()
	if err != nil {
		return nil, err
	}
	raw := reversed(d)
	defer clear(raw)
	return asn1.Marshal(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, id, raw})
}

// GenerateKey makes a key: "rsa2048", "p256", "ed25519", "gost256" (CryptoPro-A) or "gost512" (TC26 512-A).
func GenerateKey(kind string) (PrivateKey, error) {
	switch kind {
	case "rsa2048":
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, fmt.Errorf("generate key: %w", err)
		}
		return wrapPrivate(k)
	case "p256":
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("generate key: %w", err)
		}
		return wrapPrivate(k)
	case "ed25519":
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("generate key: %w", err)
		}
		return wrapPrivate(k)
	case "gost256":
		return generateNamed(cryptoPro(35, 1))
	case "gost512":
		return generateNamed(tc26(2, 1))
	default:
		return nil, fmt.Errorf("key kind %q: %w", kind, ErrUnsupported)
	}
}

func generateNamed(oid asn1.ObjectIdentifier) (PrivateKey, error) {
	c, ok := curveByOID(oid)
	if !ok {
		return nil, fmt.Errorf("GOST parameter set %v: %w", oid, ErrUnsupported)
	}
	k, err := generateGOST(rand.Reader, c)
	if err != nil {
		return nil, err
	}
	return k, nil
}
