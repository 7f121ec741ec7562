// SPDX-License-Identifier: GPL-3.0-or-later

// Package algo is the one table of signature algorithms: identifiers, digests, PKCS#11 mechanisms, byte orders, and the
// software that checks and makes signatures. No other package asks whether a key is a GOST key.
//
// # Bytes
//
// A signature is always the octets a CMS SignerInfo or an X.509 certificate carries: the PKCS#1 v1.5 or RSASSA-PSS block
// for RSA (RFC 8017 sections 8.2 and 8.1), DER SEQUENCE{r, s} for ECDSA (RFC 3279 section 2.2.3), big-endian s followed by
// big-endian r for GOST R 34.10 (RFC 9215 section 2, RFC 4490 section 3.2). A digest is always the bytes the hash function
// returns. GOST reads them as a little-endian number (RFC 7091 with RFC 9215); that reversal happens here and nowhere else.
// FromPKCS11 turns what C_Sign returns into this form; ToXML and FromXML turn it into the octets of an XML signature and
// back.
//
// # Legacy
//
// Old documents are read: RSA with SHA-1 in XML alone, GOST R 34.10-2001 with 34.11-94 everywhere. These rows are marked
// Legacy, Signing leaves them out and private keys refuse them. The 34.11-94 code underneath hashes about 10 MB/s.
//
// # Keys
//
// ParsePublicKey refuses points that are not on their curve or not in the group the signature works in. Parameter sets
// with two names (CryptoPro-A and TC26 256-B, and so on) are one curve and their keys are Equal. Private keys here serve
// the demo token, key files and tests. They sign in constant time; reading a masked GOST key does not.
//
// # Whose code
//
// What documents wait for is our own: the hash (package streebog) and GOST R 34.10 (package gost3410), because the named
// library gogost is tens to hundreds of times slower at both, shares scratch numbers inside its curves, and neither
// checks points nor works in constant time. What old data needs once in a while comes from gogost: GOST R 34.11-94 and
// the ciphers below it. In the tests gogost and OpenSSL are what our code is compared with.
//
// # Concurrency
//
// Everything but PrivateKey.Wipe may be called from many goroutines.
//
// # Standards
//
// RFC 6986 (Streebog), RFC 7091 and RFC 7836 (GOST R 34.10-2012), RFC 9215 (GOST in X.509), RFC 4357 (parameter sets),
// RFC 5208 and RFC 5915 (private keys), RFC 8032, RFC 8410 and RFC 8419 (Ed25519), RFC 5754 and RFC 5758 (SHA-2 identifiers), RFC 4055 and RFC 4056 (RSASSA-PSS),
// RFC 4490, RFC 4491 and RFC 5831 (GOST R 34.10-2001 and 34.11-94, for reading), RFC 9231 and draft-smirnov-xmldsig (XML).
package algo

import (
	"encoding/asn1"
	"errors"
	"slices"
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

	RSAPSSSHA256 ID = "rsa-pss-sha256"
	RSAPSSSHA384 ID = "rsa-pss-sha384"
	RSAPSSSHA512 ID = "rsa-pss-sha512"

	Ed25519 ID = "ed25519"

	RSASHA1  ID = "rsa-sha1" // Legacy
	GOST2001 ID = "gost2001" // Legacy: GOST R 34.10-2001 with GOST R 34.11-94
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
// when the key hashes by itself; when both are set Digest wins. A Pure algorithm needs Message and does not look at Digest.
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

	XMLSignature string // SignatureMethod in XML, as written

	Mechanism  uint // CKM_ value that signs a ready digest
	DigestInfo bool // the mechanism wants the digest wrapped in a DigestInfo

	PSS    bool // RSASSA-PSS: MGF1 over the same digest, a salt of Salt bytes, trailer 1
	Salt   int  // as long as the digest in the table; SignerAlgorithm returns what a signature says
	Pure   bool // signs the message itself (RFC 8032); Digest is for the content of a CMS message alone
	Legacy bool // checked in old documents, never used to sign; see Signing

	family family
}

// family groups algorithms whose keys are interchangeable.
type family int

const (
	familyRSA family = iota
	familyECDSA
	familyGOST
	familyGOST2001
	familyEdDSA
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

// table holds every algorithm. SignerInfo names RSA and GOST by their key OID, as OpenSSL and the TC26 examples do. The
// legacy rows stand last.
var table = []Algorithm{
	rowRSA(RSASHA256, SHA256, "RSA, SHA-256", oidRSASHA256, xmlMore+"rsa-sha256"),
	rowRSA(RSASHA384, SHA384, "RSA, SHA-384", oidRSASHA384, xmlMore+"rsa-sha384"),
	rowRSA(RSASHA512, SHA512, "RSA, SHA-512", oidRSASHA512, xmlMore+"rsa-sha512"),
	rowECDSA(ECDSASHA256, SHA256, "ECDSA, SHA-256", oidECDSASHA256, xmlMore+"ecdsa-sha256"),
	rowECDSA(ECDSASHA384, SHA384, "ECDSA, SHA-384", oidECDSASHA384, xmlMore+"ecdsa-sha384"),
	rowECDSA(ECDSASHA512, SHA512, "ECDSA, SHA-512", oidECDSASHA512, xmlMore+"ecdsa-sha512"),
	{
		ID: GOST256, Digest: Streebog256, Name: "ГОСТ Р 34.10-2012 (256)",
		KeyOID: oidGOST256, SignatureOID: oidGOST256, CertificateOID: oidGOST256Sign,
		XMLSignature: xmlGOST + "gostr34102012-gostr34112012-256", Mechanism: ckmGOSTR3410, family: familyGOST,
	},
	{
		ID: GOST512, Digest: Streebog512, Name: "ГОСТ Р 34.10-2012 (512)",
		KeyOID: oidGOST512, SignatureOID: oidGOST512, CertificateOID: oidGOST512Sign,
		XMLSignature: xmlGOST + "gostr34102012-gostr34112012-512", Mechanism: ckmGOSTR3410x12, family: familyGOST,
	},
	rowPSS(RSAPSSSHA256, SHA256, "RSA-PSS, SHA-256", "sha256-rsa-MGF1"),
	rowPSS(RSAPSSSHA384, SHA384, "RSA-PSS, SHA-384", "sha384-rsa-MGF1"),
	rowPSS(RSAPSSSHA512, SHA512, "RSA-PSS, SHA-512", "sha512-rsa-MGF1"),
	{
		// RFC 8419 section 3: in CMS the content is hashed with SHA-512. In XML it is not used here.
		ID: Ed25519, Digest: SHA512, Name: "Ed25519", KeyOID: oidEd25519, SignatureOID: oidEd25519, CertificateOID: oidEd25519,
		Pure: true, family: familyEdDSA,
	},
	{
		// Without OIDs of its own: SHA-1 counts in old XML signatures, not in CMS and not in certificates.
		ID: RSASHA1, Digest: SHA1, Name: "RSA, SHA-1", KeyOID: oidRSA,
		XMLSignature: "http://www.w3.org/2000/09/xmldsig#rsa-sha1", Legacy: true, family: familyRSA,
	},
	{
		ID: GOST2001, Digest: GOST94, Name: "ГОСТ Р 34.10-2001",
		KeyOID: oidGOST2001, SignatureOID: oidGOST2001, CertificateOID: oidGOST2001Sign,
		XMLSignature: xmlMore + "gostr34102001-gostr3411", Legacy: true, family: familyGOST2001,
	},
}

func rowRSA(id ID, d Digest, name string, oid asn1.ObjectIdentifier, uri string) Algorithm {
	return Algorithm{
		ID: id, Digest: d, Name: name, KeyOID: oidRSA, SignatureOID: oidRSA, CertificateOID: oid,
		XMLSignature: uri, Mechanism: ckmRSAPKCS, DigestInfo: true, family: familyRSA,
	}
}

func rowECDSA(id ID, d Digest, name string, oid asn1.ObjectIdentifier, uri string) Algorithm {
	return Algorithm{
		ID: id, Digest: d, Name: name, KeyOID: oidEC, SignatureOID: oid, CertificateOID: oid,
		XMLSignature: uri, Mechanism: ckmECDSA, family: familyECDSA,
	}
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
func All() []Algorithm { return slices.Clone(table) }

// Signing lists what the private key of key may sign with, the default first: Algorithms without the legacy ones. It is
// empty for a key that is only read.
func Signing(key PublicKey) []ID {
	return slices.DeleteFunc(slices.Clone(key.Algorithms()), func(id ID) bool {
		a, ok := Lookup(id)
		return !ok || a.Legacy
	})
}
