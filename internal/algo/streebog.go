// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"hash"

	"persten/internal/algo/streebog"
)

// NewStreebog256 starts a GOST R 34.11-2012 hash of 256 bits.
func NewStreebog256() hash.Hash { return streebog.New256() }

// NewStreebog512 starts a GOST R 34.11-2012 hash of 512 bits.
func NewStreebog512() hash.Hash { return streebog.New512() }
