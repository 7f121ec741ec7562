// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package server

import "golang.org/x/sys/unix"

// newRing takes a stream's memory from the system, not from the heap: the collector would let as much garbage gather again,
// and keep the memory when the stream is over.
func newRing(size int) (ring []byte, free func()) {
	ring, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, size), func() {}
	}
	return ring, func() { _ = unix.Munmap(ring) }
}
