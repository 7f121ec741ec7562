// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !amd64 || purego

package streebog

// vector is always false here: there is portable code only.
var vector bool

func blocks(h, sum *[8]uint64, n uint64, p []byte) { blocksGeneric(h, sum, n, p) }
