// SPDX-License-Identifier: GPL-3.0-or-later

package proto

import (
	"maps"
	"slices"
)

// Methods returns the names of all methods, sorted.
func Methods() []string { return slices.Sorted(maps.Keys(handlers)) }
