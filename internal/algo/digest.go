// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"fmt"
	"hash"
)

// Digest names a hash function. The zero value names none.
type Digest string

// The hash functions. SHA1 is for reading old certificate references and XML, GOST94 (GOST R 34.11-94 with CryptoPro's
// parameters) for old GOST signatures; nothing is signed with them.
const (
	SHA1        Digest = "sha1"
	GOST94      Digest = "gost94"
	SHA256      Digest = "sha256"
	SHA384      Digest = "sha384"
	SHA512      Digest = "sha512"
	Streebog256 Digest = "streebog256"
	Streebog512 Digest = "streebog512"
)

type digestRow struct {
	name Digest
	make func() hash.Hash
	size int
	oid  asn1.ObjectIdentifier
	xml  string // DigestMethod in XML, as written
}

var digests = []digestRow{
	{SHA1, sha1.New, 20, asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, "http://www.w3.org/2000/09/xmldsig#sha1"},
	{SHA256, sha256.New, 32, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, xmlEnc + "sha256"},
	{SHA384, sha512.New384, 48, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, xmlMore + "sha384"},
	{SHA512, sha512.New, 64, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, xmlEnc + "sha512"},
	{Streebog256, NewStreebog256, 32, asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 2, 2}, xmlGOST + "gostr34112012-256"},
	{Streebog512, NewStreebog512, 64, asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 2, 3}, xmlGOST + "gostr34112012-512"},
	{GOST94, newGOST94, 32, cryptoPro(9), xmlMore + "gostr3411"},
}

func (d Digest) row() (digestRow, bool) {
	for _, r := range digests {
		if r.name == d {
			return r, true
		}
	}
	return digestRow{}, false
}

// Known reports whether d is one of the named hash functions.
func (d Digest) Known() bool {
	_, ok := d.row()
	return ok
}

// New starts a hash. It panics when d is not Known, which is a mistake of the program: names read from outside come from
// DigestByOID or are checked with Known.
func (d Digest) New() hash.Hash {
	r, ok := d.row()
	if !ok {
		panic(fmt.Sprintf("algo: unknown digest %q", string(d)))
	}
	return r.make()
}

// Size is the length of the digest in bytes, 0 when d is not Known.
func (d Digest) Size() int {
	r, _ := d.row()
	return r.size
}

// OID identifies d, nil when d is not Known.
func (d Digest) OID() asn1.ObjectIdentifier {
	r, _ := d.row()
	return r.oid
}

// DigestByOID finds the hash function an OID names.
func DigestByOID(oid asn1.ObjectIdentifier) (Digest, bool) {
	for _, r := range digests {
		if r.oid.Equal(oid) {
			return r.name, true
		}
	}
	return "", false
}

// Sum hashes data at once.
func (d Digest) Sum(data []byte) []byte {
	h := d.New()
	h.Write(data)
	return h.Sum(nil)
}
