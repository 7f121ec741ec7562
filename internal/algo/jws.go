// SPDX-License-Identifier: GPL-3.0-or-later

package algo

// jwsNames are the names of algorithms in JSON Web Signatures and in login tokens: RFC 7518 section 3.1. Nothing registers names
// for GOST; these are the ones Russian state systems write into their tokens.
var jwsNames = map[ID]string{
	RSASHA256: "RS256", RSASHA384: "RS384", RSASHA512: "RS512",
	RSAPSSSHA256: "PS256", RSAPSSSHA384: "PS384", RSAPSSSHA512: "PS512",
	ECDSASHA256: "ES256", ECDSASHA384: "ES384", ECDSASHA512: "ES512",
	GOST256: "GOST3410_2012_256", GOST512: "GOST3410_2012_512",
}

// JWS is the name of id for this key; "" when it has none. An ECDSA name means one curve with one digest (RFC 7518 section 3.4).
//
// The octets of such a signature are those of ToXML: r and s of equal length for ECDSA, s and r for GOST.
func JWS(key PublicKey, id ID) string {
	if k, ok := key.(*ecdsaKey); ok && k.Algorithms()[0] != id {
		return ""
	}
	return jwsNames[id]
}

// ByJWS finds the algorithm of key that name stands for.
func ByJWS(key PublicKey, name string) (Algorithm, bool) {
	for _, id := range key.Algorithms() {
		if n := JWS(key, id); n != "" && n == name {
			return Lookup(id)
		}
	}
	return Algorithm{}, false
}

// webEidHashes are Web eID's names of hash functions; those of GOST are ours.
var webEidHashes = map[Digest]string{SHA256: "SHA-256", SHA384: "SHA-384", SHA512: "SHA-512", Streebog256: "STREEBOG-256", Streebog512: "STREEBOG-512"}

// WebEid describes a in the three words of Web eID's signature algorithms. They are empty for one that signs no ready digest.
func (a Algorithm) WebEid() (crypto, hash, padding string) {
	if a.Pure || a.Legacy {
		return "", "", ""
	}
	hash = webEidHashes[a.Digest]
	switch a.family {
	case familyRSA:
		if a.PSS {
			return "RSA", hash, "PSS"
		}
		return "RSA", hash, "PKCS1.5"
	case familyECDSA:
		return "ECC", hash, "NONE"
	}
	return "GOST", hash, "NONE"
}
