// SPDX-License-Identifier: GPL-3.0-or-later

package streebog

import (
	"encoding/binary"
	"math/bits"
)

// table joins substitution and linear map: table[j][b] is what byte value b at position j adds to an output word. The
// byte permutation between them is a transposition, which the order of look-ups does for free.
var table = makeTable()

func makeTable() (t [8][256]uint64) {
	for j := range t {
		for b := range t[j] {
			v := uint64(pi[b]) << (8 * j)
			for ; v != 0; v &= v - 1 {
				t[j][b] ^= rows[bits.LeadingZeros64(v&-v)]
			}
		}
	}
	return t
}

// lps sets d to LPS(a xor b). d may be a or b. t is &table: through a parameter its eight parts cost no registers.
func lps(t *[8][256]uint64, d, a, b *[8]uint64) {
	x0, x1, x2, x3 := a[0]^b[0], a[1]^b[1], a[2]^b[2], a[3]^b[3]
	x4, x5, x6, x7 := a[4]^b[4], a[5]^b[5], a[6]^b[6], a[7]^b[7]
	d[0] = t[0][byte(x0)] ^ t[1][byte(x1)] ^ t[2][byte(x2)] ^ t[3][byte(x3)] ^
		t[4][byte(x4)] ^ t[5][byte(x5)] ^ t[6][byte(x6)] ^ t[7][byte(x7)]
	d[1] = t[0][byte(x0>>8)] ^ t[1][byte(x1>>8)] ^ t[2][byte(x2>>8)] ^ t[3][byte(x3>>8)] ^
		t[4][byte(x4>>8)] ^ t[5][byte(x5>>8)] ^ t[6][byte(x6>>8)] ^ t[7][byte(x7>>8)]
	d[2] = t[0][byte(x0>>16)] ^ t[1][byte(x1>>16)] ^ t[2][byte(x2>>16)] ^ t[3][byte(x3>>16)] ^
		t[4][byte(x4>>16)] ^ t[5][byte(x5>>16)] ^ t[6][byte(x6>>16)] ^ t[7][byte(x7>>16)]
	d[3] = t[0][byte(x0>>24)] ^ t[1][byte(x1>>24)] ^ t[2][byte(x2>>24)] ^ t[3][byte(x3>>24)] ^
		t[4][byte(x4>>24)] ^ t[5][byte(x5>>24)] ^ t[6][byte(x6>>24)] ^ t[7][byte(x7>>24)]
	d[4] = t[0][byte(x0>>32)] ^ t[1][byte(x1>>32)] ^ t[2][byte(x2>>32)] ^ t[3][byte(x3>>32)] ^
		t[4][byte(x4>>32)] ^ t[5][byte(x5>>32)] ^ t[6][byte(x6>>32)] ^ t[7][byte(x7>>32)]
	d[5] = t[0][byte(x0>>40)] ^ t[1][byte(x1>>40)] ^ t[2][byte(x2>>40)] ^ t[3][byte(x3>>40)] ^
		t[4][byte(x4>>40)] ^ t[5][byte(x5>>40)] ^ t[6][byte(x6>>40)] ^ t[7][byte(x7>>40)]
	d[6] = t[0][byte(x0>>48)] ^ t[1][byte(x1>>48)] ^ t[2][byte(x2>>48)] ^ t[3][byte(x3>>48)] ^
		t[4][byte(x4>>48)] ^ t[5][byte(x5>>48)] ^ t[6][byte(x6>>48)] ^ t[7][byte(x7>>48)]
	d[7] = t[0][byte(x0>>56)] ^ t[1][byte(x1>>56)] ^ t[2][byte(x2>>56)] ^ t[3][byte(x3>>56)] ^
		t[4][byte(x4>>56)] ^ t[5][byte(x5>>56)] ^ t[6][byte(x6>>56)] ^ t[7][byte(x7>>56)]
}

// blocksGeneric is g_N of RFC 6986 section 8 over whole blocks, with the checksum. n counts bits and stays below 2^64, so
// it touches the lowest word only.
func blocksGeneric(h, sum *[8]uint64, n uint64, p []byte) {
	for ; len(p) >= BlockSize; p = p[BlockSize:] {
		var m [8]uint64
		for i := range m {
			m[i] = binary.LittleEndian.Uint64(p[8*i:])
		}
		k, s := [8]uint64{n}, m
		lps(&table, &k, &k, h)
		for i := range rounds {
			lps(&table, &s, &s, &k)
			lps(&table, &k, &k, &rounds[i])
		}
		var carry uint64
		for i := range h {
			h[i] ^= s[i] ^ k[i] ^ m[i]
			sum[i], carry = bits.Add64(sum[i], m[i], carry)
		}
		n += 8 * BlockSize
	}
}
