// SPDX-License-Identifier: GPL-3.0-or-later

// Package streebog is the hash function GOST R 34.11-2012 (RFC 6986, ISO/IEC 10118-3) with 256 and 512 bits.
//
// Digests are the bytes in the order CMS, HMAC and OpenSSL use: the RFC prints numbers, whose lowest byte comes first here.
//
// On amd64 with AVX-512 VBMI and GFNI an assembly path is chosen when the program starts; it has no secret-dependent
// loads. Everywhere else, and with the build tag purego, the code is portable and looks secrets up in tables of 16 KiB.
package streebog

import (
	"encoding"
	"encoding/binary"
	"errors"
	"hash"
)

// Sizes in bytes.
const (
	BlockSize = 64
	Size256   = 32
	Size512   = 64
)

// digest is the state between blocks. 2^64 bits are beyond any content.
type digest struct {
	h, sum [8]uint64 // little-endian words, the lowest first
	n      uint64    // bits compressed so far
	buf    [BlockSize]byte
	filled int
	size   int
}

var (
	_ hash.Cloner                = (*digest)(nil)
	_ encoding.BinaryAppender    = (*digest)(nil)
	_ encoding.BinaryUnmarshaler = (*digest)(nil)
)

// New256 starts a hash of 256 bits. It implements hash.Cloner and, so that HMAC keeps its padded keys,
// encoding.BinaryMarshaler and encoding.BinaryUnmarshaler.
func New256() hash.Hash { return newDigest(Size256) }

// New512 starts a hash of 512 bits, with the same properties.
func New512() hash.Hash { return newDigest(Size512) }

func newDigest(size int) *digest {
	d := &digest{size: size}
	d.Reset()
	return d
}

func (d *digest) Size() int      { return d.size }
func (d *digest) BlockSize() int { return BlockSize }

func (d *digest) Reset() {
	*d = digest{size: d.size}
	if d.size == Size256 {
		for i := range d.h {
			d.h[i] = 0x0101010101010101
		}
	}
}

func (d *digest) Write(p []byte) (int, error) {
	n := len(p)
	if d.filled > 0 {
		k := copy(d.buf[d.filled:], p)
		d.filled += k
		p = p[k:]
		if d.filled < BlockSize {
			return n, nil
		}
		d.blocks(d.buf[:])
		d.filled = 0
	}
	if whole := len(p) &^ (BlockSize - 1); whole > 0 {
		d.blocks(p[:whole])
		p = p[whole:]
	}
	d.filled = copy(d.buf[:], p)
	return n, nil
}

func (d *digest) blocks(p []byte) {
	blocks(&d.h, &d.sum, d.n, p)
	d.n += 8 * uint64(len(p))
}

// Sum finishes a copy, so writing may go on.
func (d *digest) Sum(in []byte) []byte {
	var (
		h, sum = d.h, d.sum
		last   [BlockSize]byte
		unused [8]uint64
	)
	copy(last[:], d.buf[:d.filled])
	last[d.filled] = 1
	blocks(&h, &sum, d.n, last[:])
	last = [BlockSize]byte{}
	binary.LittleEndian.PutUint64(last[:], d.n+8*uint64(d.filled))
	blocks(&h, &unused, 0, last[:])
	putWords(last[:], &sum)
	blocks(&h, &unused, 0, last[:])
	putWords(last[:], &h)
	return append(in, last[BlockSize-d.size:]...)
}

func (d *digest) Clone() (hash.Cloner, error) {
	c := *d
	return &c, nil
}

// magic begins a marshaled state; the digest size follows.
const magic = "persten streebog 1"

const marshaledSize = len(magic) + 1 + 2*BlockSize + 8 + 1 + BlockSize

func (d *digest) MarshalBinary() ([]byte, error) {
	return d.AppendBinary(make([]byte, 0, marshaledSize))
}

func (d *digest) AppendBinary(b []byte) ([]byte, error) {
	b = append(append(b, magic...), byte(d.size))
	for _, words := range [...]*[8]uint64{&d.h, &d.sum} {
		for _, w := range words {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
	}
	b = binary.LittleEndian.AppendUint64(b, d.n)
	b = append(b, byte(d.filled))
	return append(b, d.buf[:]...), nil
}

func (d *digest) UnmarshalBinary(b []byte) error {
	if len(b) != marshaledSize || string(b[:len(magic)]) != magic || int(b[len(magic)]) != d.size || b[len(b)-BlockSize-1] >= BlockSize {
		return errors.New("streebog: not a state of this hash") // which it leaves as it was
	}
	b = b[len(magic)+1:]
	for _, words := range [...]*[8]uint64{&d.h, &d.sum} {
		for i := range words {
			words[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		b = b[BlockSize:]
	}
	d.n, d.filled = binary.LittleEndian.Uint64(b), int(b[8])
	copy(d.buf[:], b[9:])
	return nil
}

func putWords(b []byte, words *[8]uint64) {
	for i, w := range words {
		binary.LittleEndian.PutUint64(b[8*i:], w)
	}
}
