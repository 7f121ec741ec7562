// SPDX-License-Identifier: GPL-3.0-or-later

package wincert

import (
	"slices"
	"strings"
	"unicode"

	"persten/internal/algo"
	"persten/internal/token"
)

// provider is what Windows keeps of where a certificate's private key is (CRYPT_KEY_PROV_INFO).
type provider struct {
	name string
	kind uint32 // of a CryptoAPI provider, PROV_ and so on; 0: CNG
}

func (p provider) cng() bool { return p.kind == 0 }

// asks reports whether Persten asks for the PIN: for cards behind Windows' own drivers, which take a PIN that was asked for by
// somebody else. Other providers ask by themselves.
func (p provider) asks() bool { return token.WindowsCard(p.name) }

// algorithms are those that the certificate's key and the kind of provider both know.
func (p provider) algorithms(key algo.PublicKey) []algo.ID {
	return slices.DeleteFunc(algo.Signing(key), func(id algo.ID) bool {
		a, ok := algo.Lookup(id)
		return !ok || a.Pure || !p.cng() && legacyHash(a) == 0 || p.cng() && cngHash(a) == ""
	})
}

// legacyHash is the ALG_ID under which a CryptoAPI provider hashes for a, 0 when there is none. Those of GOST R 34.11-2012 are
// the same numbers at CryptoPro and ViPNet. A signature's own algorithm is that of the key.
func legacyHash(a algo.Algorithm) uint32 {
	if a.PSS {
		return 0
	}
	switch a.ID {
	case algo.RSASHA256:
		return 0x800C
	case algo.RSASHA384:
		return 0x800D
	case algo.RSASHA512:
		return 0x800E
	case algo.GOST256:
		return 0x8021
	case algo.GOST512:
		return 0x8022
	}
	return 0
}

// cngHash is CNG's name of the digest of a, "" when CNG has no such signatures.
func cngHash(a algo.Algorithm) string {
	switch a.Digest {
	case algo.SHA256:
		return "SHA256"
	case algo.SHA384:
		return "SHA384"
	case algo.SHA512:
		return "SHA512"
	}
	return ""
}

// settle turns what a provider returned into the form of package algo and checks it with the certificate's key.
func settle(key algo.PublicKey, id algo.ID, in algo.Input, r signReply) ([]byte, error) {
	raw := slices.Clone(r.Signature)
	if r.Turned {
		slices.Reverse(raw)
	}
	sig, err := algo.FromPKCS11(id, raw)
	if err != nil {
		return nil, err
	}
	return sig, key.Verify(id, in, sig)
}

// printable makes a provider's text fit to be shown: no control or direction characters, of bounded length.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if all := []rune(s); len(all) > maxName {
		s = string(all[:maxName])
	}
	return strings.TrimSpace(s)
}
