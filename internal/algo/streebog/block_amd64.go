// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !purego

package streebog

import (
	"encoding/binary"

	"golang.org/x/sys/cpu"
)

// vector says that the assembly runs here: x/sys/cpu reports AVX-512 only where the system keeps its registers too.
// Tests switch it.
var vector = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VBMI && cpu.X86.HasAVX512GFNI

// vectorConstants is what the assembly reads: 8 permutations, 8 matrices, the 4 quarters of pi, the matrix that spreads
// bit 7 over its byte, and the transposed round constants with one of zeros after them.
var vectorConstants = makeVectorConstants()

// At most this much is hashed in one call: the scheduler cannot interrupt assembly.
const vectorChunk = 64 << 10

//go:noescape
func blocksAVX512(h, sum *[8]uint64, n uint64, p *byte, count int, c *[34][BlockSize]byte)

func blocks(h, sum *[8]uint64, n uint64, p []byte) {
	if !vector {
		blocksGeneric(h, sum, n, p)
		return
	}
	for len(p) > 0 {
		k := min(len(p), vectorChunk)
		blocksAVX512(h, sum, n, &p[0], k/BlockSize, vectorConstants)
		n += uint64(k) * 8
		p = p[k:]
	}
}

func makeVectorConstants() *[34][BlockSize]byte {
	if !vector {
		return nil
	}
	c := new([34][BlockSize]byte)
	for d := range 8 {
		for j := range 8 {
			for r := range 8 {
				c[d][8*j+r] = byte(8*r + (j+d)&7)
			}
			binary.LittleEndian.PutUint64(c[8+d][8*j:], columnMatrix(j, (j+d)&7))
		}
	}
	for i := range 4 {
		copy(c[16+i][:], pi[64*i:])
	}
	for i := range c[20] {
		c[20][i] = 0x80
	}
	for r := range rounds {
		for i, w := range rounds[r] {
			for j := range 8 {
				c[21+r][8*j+i] = byte(w >> (8 * j))
			}
		}
	}
	return c
}

// columnMatrix is the part of the linear map that takes byte i of a word to byte j, as GF2P8AFFINEQB wants it: the row of
// output bit t is byte 7-t.
func columnMatrix(j, i int) (m uint64) {
	for t := range 8 {
		for b := range 8 {
			m |= rows[63-(8*i+b)] >> (8*j + t) & 1 << (8*(7-t) + b)
		}
	}
	return m
}
