// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"encoding/binary"
	"hash"
	"math/bits"
)

// streebogBlock is the block size of GOST R 34.11-2012 in bytes.
const streebogBlock = 64

// streebogState is a 512-bit number as little-endian words, the lowest first.
type streebogState [8]uint64

// streebogT joins substitution and linear map: streebogT[j][b] is what byte value b at position j adds to an output word.
// The byte permutation between them is a transposition, which the order of look-ups in xlps does for free.
var streebogT = streebogTables()

func streebogTables() (t [8][256]uint64) {
	for j := range t {
		for b := range t[j] {
			v := uint64(streebogPi[b]) << (8 * j)
			for ; v != 0; v &= v - 1 {
				t[j][b] ^= streebogA[bits.LeadingZeros64(v&-v)]
			}
		}
	}
	return t
}

// xlps sets d to LPS(a xor b). d may be a or b.
func xlps(d, a, b *streebogState) {
	x0, x1, x2, x3 := a[0]^b[0], a[1]^b[1], a[2]^b[2], a[3]^b[3]
	x4, x5, x6, x7 := a[4]^b[4], a[5]^b[5], a[6]^b[6], a[7]^b[7]
	t := &streebogT
	for i := range d {
		d[i] = t[0][byte(x0)] ^ t[1][byte(x1)] ^ t[2][byte(x2)] ^ t[3][byte(x3)] ^
			t[4][byte(x4)] ^ t[5][byte(x5)] ^ t[6][byte(x6)] ^ t[7][byte(x7)]
		x0, x1, x2, x3 = x0>>8, x1>>8, x2>>8, x3>>8
		x4, x5, x6, x7 = x4>>8, x5>>8, x6>>8, x7>>8
	}
}

// streebog is the hash of RFC 6986 as a hash.Hash.
type streebog struct {
	h, sum streebogState
	n      uint64 // bits compressed so far; 2^64 of them is beyond any content
	buf    [streebogBlock]byte
	filled int
	size   int
}

// NewStreebog256 starts a GOST R 34.11-2012 hash of 256 bits.
func NewStreebog256() hash.Hash { return newStreebog(32) }

// NewStreebog512 starts a GOST R 34.11-2012 hash of 512 bits.
func NewStreebog512() hash.Hash { return newStreebog(64) }

func newStreebog(size int) *streebog {
	s := &streebog{size: size}
	s.Reset()
	return s
}

func (s *streebog) Size() int      { return s.size }
func (s *streebog) BlockSize() int { return streebogBlock }

func (s *streebog) Reset() {
	*s = streebog{size: s.size}
	if s.size == 32 {
		for i := range s.h {
			s.h[i] = 0x0101010101010101
		}
	}
}

func (s *streebog) Write(p []byte) (int, error) {
	n := len(p)
	if s.filled > 0 {
		k := copy(s.buf[s.filled:], p)
		s.filled += k
		p = p[k:]
		if s.filled < streebogBlock {
			return n, nil
		}
		s.block(s.buf[:])
		s.filled = 0
	}
	for len(p) >= streebogBlock {
		s.block(p[:streebogBlock])
		p = p[streebogBlock:]
	}
	s.filled = copy(s.buf[:], p)
	return n, nil
}

// Sum finishes a copy, so writing may go on.
func (s *streebog) Sum(in []byte) []byte {
	c := *s
	clear(c.buf[c.filled:])
	c.buf[c.filled] = 1
	tail := uint64(c.filled) * 8
	m := load(c.buf[:])
	compress(&c.h, c.n, &m)
	c.sum.add(&m)
	total := streebogState{c.n + tail}
	compress(&c.h, 0, &total)
	compress(&c.h, 0, &c.sum)
	var out [streebogBlock]byte
	for i, w := range c.h {
		binary.LittleEndian.PutUint64(out[8*i:], w)
	}
	return append(in, out[streebogBlock-c.size:]...)
}

func (s *streebog) block(p []byte) {
	m := load(p)
	compress(&s.h, s.n, &m)
	s.n += 8 * streebogBlock
	s.sum.add(&m)
}

// compress is g_N of RFC 6986 section 8. N is below 2^64, so it touches the lowest word only.
func compress(h *streebogState, n uint64, m *streebogState) {
	k, s := streebogState{n}, *m
	xlps(&k, &k, h)
	for i := range streebogC {
		xlps(&s, &s, &k)
		xlps(&k, &k, (*streebogState)(&streebogC[i]))
	}
	for i := range h {
		h[i] ^= s[i] ^ k[i] ^ m[i]
	}
}

// add is addition modulo 2^512.
func (s *streebogState) add(m *streebogState) {
	var carry uint64
	for i := range s {
		s[i], carry = bits.Add64(s[i], m[i], carry)
	}
}

func load(p []byte) (m streebogState) {
	for i := range m {
		m[i] = binary.LittleEndian.Uint64(p[8*i:])
	}
	return m
}
