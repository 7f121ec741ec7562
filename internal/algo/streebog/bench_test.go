// SPDX-License-Identifier: GPL-3.0-or-later

package streebog

import (
	"hash"
	"testing"
)

// onBothPaths runs f with the assembly, where this machine has it, and with the portable code.
func onBothPaths[T interface {
	Run(string, func(T)) bool
	Cleanup(func())
}](t T, f func(T)) {
	had := vector
	t.Cleanup(func() { vector = had })
	if had {
		t.Run("avx512", f)
		vector = false
	}
	t.Run("generic", f)
}

func BenchmarkStreebog256(b *testing.B) { benchmark(b, New256) }
func BenchmarkStreebog512(b *testing.B) { benchmark(b, New512) }

// benchmark measures what programs get; the portable code is measured too where it is not that.
func benchmark(b *testing.B, start func() hash.Hash) {
	b.Run("1MiB", func(b *testing.B) { benchmarkWrite(b, start) })
	if had := vector; had {
		vector = false
		b.Run("1MiB-generic", func(b *testing.B) { benchmarkWrite(b, start) })
		vector = had
	}
}

func benchmarkWrite(b *testing.B, start func() hash.Hash) {
	data, h := make([]byte, 1<<20), start()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		h.Write(data)
	}
}
