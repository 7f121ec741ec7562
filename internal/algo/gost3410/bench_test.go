// SPDX-License-Identifier: GPL-3.0-or-later

package gost3410

import (
	"crypto/rand"
	"testing"
)

func BenchmarkSign256(b *testing.B) {
	b.Run("TC26A", func(b *testing.B) { benchmarkSign(b, TC26A256()) })
	b.Run("CryptoProA", func(b *testing.B) { benchmarkSign(b, CryptoProA()) })
	b.Run("CryptoProB", func(b *testing.B) { benchmarkSign(b, CryptoProB()) })
}

func BenchmarkSign512(b *testing.B) {
	b.Run("TC26A", func(b *testing.B) { benchmarkSign(b, TC26A512()) })
	b.Run("TC26B", func(b *testing.B) { benchmarkSign(b, TC26B512()) })
	b.Run("TC26C", func(b *testing.B) { benchmarkSign(b, TC26C512()) })
}

func BenchmarkVerify256(b *testing.B) {
	b.Run("TC26A", func(b *testing.B) { benchmarkVerify(b, TC26A256()) })
	b.Run("CryptoProA", func(b *testing.B) { benchmarkVerify(b, CryptoProA()) })
	b.Run("CryptoProB", func(b *testing.B) { benchmarkVerify(b, CryptoProB()) })
}

func BenchmarkVerify512(b *testing.B) {
	b.Run("TC26A", func(b *testing.B) { benchmarkVerify(b, TC26A512()) })
	b.Run("TC26B", func(b *testing.B) { benchmarkVerify(b, TC26B512()) })
	b.Run("TC26C", func(b *testing.B) { benchmarkVerify(b, TC26C512()) })
}

// BenchmarkFirstVerify is checking and first use of a key, which makes its table.
func BenchmarkFirstVerify(b *testing.B) {
	for _, c := range []*Curve{TC26A256(), CryptoProA(), TC26A512(), TC26C512()} {
		k, digest := generate(b, c), random(c.size)
		sig := sign(b, k, digest)
		b.Run(c.Name(), func(b *testing.B) {
			for b.Loop() {
				if again, err := NewPublicKey(c, k.pub.x, k.pub.y); err != nil || !again.Verify(digest, sig) {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchmarkSign(b *testing.B, c *Curve) {
	k, digest := generate(b, c), random(c.size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Sign(rand.Reader, digest); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkVerify(b *testing.B, c *Curve) {
	k, digest := generate(b, c), random(c.size)
	sig := sign(b, k, digest)
	b.ReportAllocs()
	for b.Loop() {
		if !k.Public().Verify(digest, sig) {
			b.Fatal("refused")
		}
	}
}
