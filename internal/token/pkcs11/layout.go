// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"crypto/ecdsa"
	"crypto/x509"
	"math"
	"slices"

	"persten/internal/algo"
)

// orderSize is how many bytes of a digest count: ECDSA takes the leftmost ones, and some tokens refuse the rest. Curves
// whose order is not whole bytes are left to the token, and of other keys' digests every byte counts.
func orderSize(key algo.PublicKey) int {
	parsed, err := x509.ParsePKIXPublicKey(key.SPKI())
	if err != nil {
		return math.MaxInt
	}
	ec, ok := parsed.(*ecdsa.PublicKey)
	if !ok || ec.Params().N.BitLen()%8 != 0 {
		return math.MaxInt
	}
	return ec.Params().N.BitLen() / 8
}

// layout is how a module orders the bytes of what it takes and gives. The zero value is the standard's.
type layout struct {
	order    int  // index of layouts
	reversed bool // it reads the digest from the other end
}

// layouts lists the ways the bytes of a signature have been seen in, the standard's first.
func layouts(raw []byte) [][]byte {
	half := len(raw) / 2
	swapped := slices.Concat(raw[half:], raw[:half])
	return [][]byte{raw, swapped, reverse(raw), reverse(swapped)}
}

func reverse(b []byte) []byte {
	r := slices.Clone(b)
	slices.Reverse(r)
	return r
}

// check converts what C_Sign returned and verifies it, whatever order the library returns the bytes in; the one that was
// right last time is tried first. The layout it returns says in which it was.
func check(key algo.PublicKey, id algo.ID, in algo.Input, raw []byte, last layout) ([]byte, layout, error) {
	all := layouts(raw)
	order := []int{last.order}
	for n := range all {
		if n != last.order {
			order = append(order, n)
		}
	}
	var first error
	for _, n := range order {
		sig, err := algo.FromPKCS11(id, all[n])
		if err == nil {
			err = key.Verify(id, in, sig)
		}
		if err == nil {
			return sig, layout{order: n, reversed: last.reversed}, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, layout{}, first
}

// turnable reports whether some tokens read what the algorithm signs from the other end.
func turnable(id algo.ID, w way) bool {
	return w.form == formDigest && (id == algo.GOST256 || id == algo.GOST512)
}
