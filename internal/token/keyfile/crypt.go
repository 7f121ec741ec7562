// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"hash"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"persten/internal/secret"
)

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

// hashes names the hash functions by their own OID, for the MAC, and by the one of their HMAC, for PBKDF2.
var hashes = []struct {
	digest, hmac asn1.ObjectIdentifier
	new          func() hash.Hash
}{
	{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}, sha1.New},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, sha256.New},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 10}, sha512.New384},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 11}, sha512.New},
}

// ciphers are AES-CBC by key length.
var ciphers = []struct {
	oid  asn1.ObjectIdentifier
	size int
}{
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}, 16},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 22}, 24},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, 32},
}

type wirePBES2 struct {
	KDF    pkix.AlgorithmIdentifier
	Cipher pkix.AlgorithmIdentifier
}

type wirePBKDF2 struct {
	Salt       asn1.RawValue
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// opener works on one file with one password and counts the work a file may ask for.
type opener struct {
	password *secret.Buffer
	spent    int
	verified bool // the MAC vouches for the password
}

func (o *opener) spend(iterations int) error {
	if iterations < 1 || iterations > maxIterations || o.spent+iterations > maxAllIterations {
		return malformed("%d iterations", iterations)
	}
	o.spent += iterations
	return nil
}

// decrypt undoes PBES2.
func (o *opener) decrypt(a pkix.AlgorithmIdentifier, data []byte) ([]byte, error) {
	if !a.Algorithm.Equal(oidPBES2) {
		return nil, malformed("encryption %v not supported", a.Algorithm)
	}
	var p wirePBES2
	if err := unmarshal(a.Parameters.FullBytes, &p, "PBES2"); err != nil {
		return nil, err
	}
	size := 0
	for _, c := range ciphers {
		if c.oid.Equal(p.Cipher.Algorithm) {
			size = c.size
		}
	}
	if size == 0 {
		return nil, malformed("cipher %v not supported", p.Cipher.Algorithm)
	}
	var iv []byte
	if err := unmarshal(p.Cipher.Parameters.FullBytes, &iv, "IV"); err != nil {
		return nil, err
	}
	if len(iv) != aes.BlockSize || len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, malformed("ciphertext of %d bytes, IV of %d", len(data), len(iv))
	}
	key, err := o.derive(p.KDF, size)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return unpad(cbc(key, iv, data, cipher.NewCBCDecrypter))
}

func cbc(key, iv, data []byte, mode func(cipher.Block, []byte) cipher.BlockMode) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the size comes from the table
	}
	out := make([]byte, len(data))
	mode(block, iv).CryptBlocks(out, data)
	return out
}

func unpad(b []byte) ([]byte, error) {
	n := int(b[len(b)-1])
	if n == 0 || n > aes.BlockSize {
		return nil, errWrongPassword
	}
	for _, c := range b[len(b)-n:] {
		if int(c) != n {
			return nil, errWrongPassword
		}
	}
	return b[:len(b)-n], nil
}

// derive runs the PBKDF2 that a describes.
func (o *opener) derive(a pkix.AlgorithmIdentifier, size int) ([]byte, error) {
	if !a.Algorithm.Equal(oidPBKDF2) {
		return nil, malformed("key derivation %v not supported", a.Algorithm)
	}
	var p wirePBKDF2
	if err := unmarshal(a.Parameters.FullBytes, &p, "PBKDF2"); err != nil {
		return nil, err
	}
	if p.Salt.Tag != asn1.TagOctetString || p.Salt.Class != asn1.ClassUniversal || len(p.Salt.Bytes) > maxSalt {
		return nil, malformed("salt of %d bytes", len(p.Salt.Bytes))
	}
	if p.KeyLength != 0 && p.KeyLength != size {
		return nil, malformed("key of %d bytes", p.KeyLength)
	}
	prf := p.PRF.Algorithm
	if prf == nil {
		prf = hashes[0].hmac
	}
	for _, h := range hashes {
		if h.hmac.Equal(prf) {
			if err := o.spend(p.Iterations); err != nil {
				return nil, err
			}
			return pbkdf2(h.new, o.password.Bytes(), p.Salt.Bytes, p.Iterations, size), nil
		}
	}
	return nil, malformed("PBKDF2 with %v not supported", prf)
}

// pbkdf2 is RFC 8018 section 5.2. The standard library's takes the password as a string and copies it.
func pbkdf2(h func() hash.Hash, password, salt []byte, iterations, size int) []byte {
	prf := hmac.New(h, password)
	var out []byte
	for n := uint32(1); len(out) < size; n++ {
		prf.Reset()
		prf.Write(salt)
		prf.Write(binary.BigEndian.AppendUint32(nil, n))
		u := prf.Sum(nil)
		t := slices.Clone(u)
		for i := 1; i < iterations; i++ {
			prf.Reset()
			prf.Write(u)
			u = prf.Sum(u[:0])
			for j := range t {
				t[j] ^= u[j]
			}
		}
		out = append(out, t...)
	}
	return out[:size]
}

// verify checks the integrity of the file, and so the password. A file without a MAC is checked by decryption alone.
func (o *opener) verify(p *pfx) error {
	if p.mac == nil {
		return nil
	}
	if len(p.mac.Salt) > maxSalt {
		return malformed("salt of %d bytes", len(p.mac.Salt))
	}
	for _, h := range hashes {
		if !h.digest.Equal(p.mac.Digest.Algorithm.Algorithm) {
			continue
		}
		if err := o.spend(p.mac.Iterations); err != nil {
			return err
		}
		sum, err := mac(h.new, o.password, p.mac.Salt, p.mac.Iterations, p.authSafe)
		if err != nil {
			return err
		}
		if !hmac.Equal(sum, p.mac.Digest.Digest) {
			return errWrongPassword
		}
		o.verified = true
		return nil
	}
	return malformed("MAC with %v not supported", p.mac.Digest.Algorithm.Algorithm)
}

// mac is the integrity value of RFC 7292 appendix B: HMAC with a key derived by that appendix, of one hash length, so
// that only the first round of the derivation is needed.
func mac(h func() hash.Hash, password *secret.Buffer, salt []byte, iterations int, data []byte) ([]byte, error) {
	const purpose = 3 // integrity
	d := h()
	v := d.BlockSize()
	d.Write(slices.Repeat([]byte{purpose}, v))
	d.Write(repeat(salt, v))
	if err := writePassword(d, password, v); err != nil {
		return nil, err
	}
	key := d.Sum(nil)
	for i := 1; i < iterations; i++ {
		d.Reset()
		d.Write(key)
		key = d.Sum(key[:0])
	}
	defer clear(key)
	m := hmac.New(h, key)
	m.Write(data)
	return m.Sum(nil), nil
}

// repeat fills whole blocks of v bytes with copies of b.
func repeat(b []byte, v int) []byte {
	if len(b) == 0 {
		return nil
	}
	size := (len(b) + v - 1) / v * v
	return slices.Repeat(b, size/len(b)+1)[:size]
}

// writePassword hashes the password as a BMPString with its two zero bytes, repeated to whole blocks. It is staged block
// by block in locked memory; whole blocks are not copied by the hash.
func writePassword(d hash.Hash, password *secret.Buffer, v int) error {
	block, err := secret.NewBuffer(v)
	if err != nil {
		return err
	}
	defer block.Wipe()
	size := 0
	eachUnit(password.Bytes(), func(uint16) bool { size += 2; return true })
	left := (size + v - 1) / v * v
	for left > 0 {
		eachUnit(password.Bytes(), func(u uint16) bool {
			for _, b := range [2]byte{byte(u >> 8), byte(u)} {
				block.Append(b)
			}
			if left -= 2; block.Len() == v {
				d.Write(block.Bytes())
				for block.Len() > 0 {
					block.Backspace()
				}
			}
			return left > 0
		})
	}
	return nil
}

// eachUnit yields the UTF-16 units of a password and the closing zero. Bytes that are not UTF-8 count as Latin-1.
func eachUnit(p []byte, yield func(uint16) bool) {
	valid := utf8.Valid(p)
	for len(p) > 0 {
		r, n := rune(p[0]), 1
		if valid {
			r, n = utf8.DecodeRune(p)
		}
		p = p[n:]
		if r < 0x10000 {
			if !yield(uint16(r)) {
				return
			}
			continue
		}
		high, low := utf16.EncodeRune(r)
		if !yield(uint16(high)) || !yield(uint16(low)) {
			return
		}
	}
	yield(0)
}
