// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// rendered is the stack of namespace declarations in force in the output. Lookups stay short also when a document
// declares thousands: above a few entries they go through hash chains, with a seed that a document cannot know.
type rendered struct {
	entries []binding
	names   []byte // the prefixes, one after the other
	heads   []int32
	order   []binding // scratch for sorting
}

// binding is one declaration; before is the one below it in its hash chain.
type binding struct {
	prefix       []byte
	uri          string
	depth        int
	before, hash int32
}

const (
	chains = 256
	few    = 8
)

var seed = maphash.MakeSeed()

// find returns the namespace that a prefix has in the output, "" when none.
func (r *rendered) find(prefix []byte) string {
	if len(r.entries) <= few {
		for i := len(r.entries) - 1; i >= 0; i-- {
			if bytes.Equal(r.entries[i].prefix, prefix) {
				return r.entries[i].uri
			}
		}
		return ""
	}
	for i := r.heads[hash(prefix)] - 1; i >= 0; i = r.entries[i].before - 1 {
		if bytes.Equal(r.entries[i].prefix, prefix) {
			return r.entries[i].uri
		}
	}
	return ""
}

func hash(prefix []byte) int32 { return int32(maphash.Bytes(seed, prefix) % chains) }

func (r *rendered) push(prefix []byte, uri string, depth int) {
	if r.heads == nil {
		r.heads = make([]int32, chains)
	}
	from := len(r.names)
	r.names = append(r.names, prefix...)
	h := hash(prefix)
	r.entries = append(r.entries, binding{r.names[from:len(r.names):len(r.names)], uri, depth, r.heads[h], h})
	r.heads[h] = int32(len(r.entries))
}

// pop forgets the declarations of the element at this depth.
func (r *rendered) pop(depth int) {
	n := len(r.entries)
	for n > 0 && r.entries[n-1].depth >= depth {
		n--
		r.heads[r.entries[n].hash] = r.entries[n].before
		r.names = r.names[:len(r.names)-len(r.entries[n].prefix)]
	}
	r.entries = r.entries[:n]
}

// appendSince writes the declarations pushed since there were mark, by prefix.
func (r *rendered) appendSince(b []byte, mark int) []byte {
	added := r.entries[mark:]
	if len(added) > 1 {
		r.order = append(r.order[:0], added...)
		added = r.order
		slices.SortFunc(added, func(x, y binding) int { return bytes.Compare(x.prefix, y.prefix) })
	}
	for i := range added {
		b = appendDeclaration(b, added[i].prefix, added[i].uri)
	}
	return b
}
