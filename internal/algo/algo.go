// SPDX-License-Identifier: GPL-3.0-or-later

// Package algo is the one table of signature algorithms: identifiers, digests, PKCS#11 mechanisms, byte orders, and the
// software that checks and makes signatures. No other package asks whether a key is a GOST key.
//
// # Bytes
//
// A signature is always the octets a CMS SignerInfo or an X.509 certificate carries: the PKCS#1 v1.5 block for RSA
// (RFC 8017 section 8.2), DER SEQUENCE{r, s} for ECDSA (RFC 3279 section 2.2.3), big-endian s followed by big-endian r for
// GOST R 34.10-2012 (RFC 9215 section 2). A digest is always the bytes the hash function returns. GOST reads them as a
// little-endian number (RFC 7091 with RFC 9215); that reversal happens here and nowhere else. FromPKCS11 turns what
// C_Sign returns into this form.
//
// # Keys
//
// ParsePublicKey refuses points that are not on their curve or not in the group the signature works in. Parameter sets
// with two names (CryptoPro-A and TC26 256-B, and so on) are one curve and their keys are Equal. Private keys here serve
// the demo token, key files and tests; their GOST and big-number arithmetic does not run in constant time.
//
// # Concurrency
//
// Everything but PrivateKey.Wipe may be called from many goroutines. The GOST curve code underneath keeps scratch
// numbers inside its curve values, so a fresh curve is made for each operation.
//
// # Standards
//
// RFC 6986 (Streebog), RFC 7091 and RFC 7836 (GOST R 34.10-2012), RFC 9215 (GOST in X.509), RFC 4357 (parameter sets),
// RFC 5208 and RFC 5915 (private keys), RFC 5754 and RFC 5758 (SHA-2 identifiers).
package algo

import (
	"encoding/asn1"
	"errors"
)

// ID names a signature algorithm together with its digest. IDs are part of the protocol and never change meaning.
type ID string

// The algorithms.
const (
	RSASHA256   ID = "rsa-sha256"
	RSASHA384   ID = "rsa-sha384"
	RSASHA512   ID = "rsa-sha512"
	ECDSASHA256 ID = "ecdsa-sha256"
	ECDSASHA384 ID = "ecdsa-sha384"
	ECDSASHA512 ID = "ecdsa-sha512"
	GOST256     ID = "gost2012-256"
	GOST512     ID = "gost2012-512"
)

// Errors a caller may branch on. Malformed input is any other error.
var (
	// ErrUnsupported marks a key, a curve or an algorithm this package does not know.
	ErrUnsupported = errors.New("algorithm not supported")
	// ErrSignature means the signature was checked and does not match.
	ErrSignature = errors.New("signature does not match")
	// ErrInput means a digest of the wrong length or an empty Input.
	ErrInput = errors.New("input does not fit the algorithm")
)

// Input is what is to be signed or was signed. Digest has the length of the algorithm's digest. Message is set instead
// when the key hashes by itself; when both are set Digest wins.
type Input struct {
	Digest  []byte
	Message []byte
}

// Algorithm is one row of the table. Rows are values; changing a copy changes nothing.
type Algorithm struct {
	ID     ID
	Digest Digest
	Name   string // for people, the same in every language

	KeyOID         asn1.ObjectIdentifier // SubjectPublicKeyInfo.algorithm
	SignatureOID   asn1.ObjectIdentifier // SignerInfo.signatureAlgorithm, as written
	CertificateOID asn1.ObjectIdentifier // Certificate.signatureAlgorithm, as written

	Mechanism  uint // CKM_ value that signs a ready digest
	DigestInfo bool // the mechanism wants the digest wrapped in a DigestInfo

	family family
}

// family groups algorithms whose keys are interchangeable.
type family int

const (
	familyRSA family = iota
	familyECDSA
	familyGOST
)

// PKCS#11 mechanisms that take a ready digest. The last one is in TC26's vendor range.
const (
	ckmRSAPKCS      = 0x00000001
	ckmECDSA        = 0x00001041
	ckmGOSTR3410    = 0x00001201
	ckmGOSTR3410x12 = 0xD4321006
)

var (
	oidRSA       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidRSASHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidRSASHA384 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}
	oidRSASHA512 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}

	oidEC          = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidECDSASHA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECDSASHA384 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidECDSASHA512 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}

	oidGOST256     = asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 1}
	oidGOST512     = asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 2}
	oidGOST256Sign = asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 3, 2}
	oidGOST512Sign = asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 3, 3}
)

// table holds every algorithm. SignerInfo names RSA and GOST by their key OID, as OpenSSL and the TC26 examples do.
var table = []Algorithm{
	{RSASHA256, SHA256, "RSA, SHA-256", oidRSA, oidRSA, oidRSASHA256, ckmRSAPKCS, true, familyRSA},
	{RSASHA384, SHA384, "RSA, SHA-384", oidRSA, oidRSA, oidRSASHA384, ckmRSAPKCS, true, familyRSA},
	{RSASHA512, SHA512, "RSA, SHA-512", oidRSA, oidRSA, oidRSASHA512, ckmRSAPKCS, true, familyRSA},
	{ECDSASHA256, SHA256, "ECDSA, SHA-256", oidEC, oidECDSASHA256, oidECDSASHA256, ckmECDSA, false, familyECDSA},
	{ECDSASHA384, SHA384, "ECDSA, SHA-384", oidEC, oidECDSASHA384, oidECDSASHA384, ckmECDSA, false, familyECDSA},
	{ECDSASHA512, SHA512, "ECDSA, SHA-512", oidEC, oidECDSASHA512, oidECDSASHA512, ckmECDSA, false, familyECDSA},
	{GOST256, Streebog256, "ГОСТ Р 34.10-2012 (256)", oidGOST256, oidGOST256, oidGOST256Sign, ckmGOSTR3410, false, familyGOST},
	{GOST512, Streebog512, "ГОСТ Р 34.10-2012 (512)", oidGOST512, oidGOST512, oidGOST512Sign, ckmGOSTR3410x12, false, familyGOST},
}

// Lookup returns the row of id.
func Lookup(id ID) (Algorithm, bool) {
	for _, a := range table {
		if a.ID == id {
			return a, true
		}
	}
	return Algorithm{}, false
}

// All returns the whole table, in a fixed order.
func All() []Algorithm { return append([]Algorithm(nil), table...) }
