// SPDX-License-Identifier: GPL-3.0-or-later

package gost3410

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"math"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/ddulesov/gogost/gost3410"
)

// TestConstantTime measures as dudect does (Reparaz, Balasch, Verbauwhede, 2016): two classes of secrets in random order,
// one fixed and one random, Welch's t between the times of the classes. |t| above 5 means that time depends on the secret.
// The fixed nonce has few ones and a short length, which is what gives plain double-and-add away: gogost, measured the
// same way, has to fail.
func TestConstantTime(t *testing.T) {
	if os.Getenv("PERSTEN_LONG") == "" {
		t.Skip("PERSTEN_LONG is not set: the timing of 10^6 signatures was not measured")
	}
	for _, c := range []*Curve{CryptoProA(), TC26A256(), CryptoProB(), TC26A512()} {
		runs := 1_000_000
		fixed := append(make([]byte, c.size-5), 1, 0, 0, 1, 0)
		k, digest := generate(t, c), random(c.size)
		sign(t, k, digest) // makes the table
		d := k.Bytes()
		check(t, c.Name()+", fixed and random key", measure(c, runs, fixed, func(secret []byte) {
			k.d = secret
			k.Sign(rand.Reader, digest)
		}), false)
		wide := make([]byte, 2*c.size)
		check(t, c.Name()+", fixed and random nonce", measure(c, runs, fixed, func(secret []byte) {
			copy(wide[c.size:], secret)
			c.sign(d, digest, wide)
		}), false)
	}
	c := CryptoProA()
	theirs := gost3410.PrivateKey{C: gogostCurve(t, c), Mode: 32, Key: new(big.Int).SetBytes(generate(t, c).Bytes())}
	digest := random(32)
	check(t, "gogost, fixed and random nonce", measure(c, 4000, append(make([]byte, 27), 1, 0, 0, 1, 0), func(secret []byte) {
		theirs.SignDigest(digest, bytes.NewReader(secret))
	}), true)
}

func check(t *testing.T, what string, w float64, leaks bool) {
	t.Logf("%s: |t| = %.2f", what, w)
	if (w > 5) != leaks {
		t.Errorf("%s: |t| = %.2f", what, w)
	}
}

// sample is one time in nanoseconds with its class.
type sample struct {
	time   float64
	random bool
}

// measure returns the largest |t| over all times and over those below some percentiles, as interrupted runs drown the
// rest. Both classes are prepared in the same buffer by the same steps.
func measure(c *Curve, runs int, fixed []byte, f func(secret []byte)) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	rnd := mathrand.New(mathrand.NewPCG(mathrand.Uint64(), 0))
	pool := make([][]byte, 4096)
	for i := range pool {
		for pool[i] = random(c.size); !c.validScalar(pool[i]); {
			pool[i] = random(c.size)
		}
	}
	secret := make([]byte, c.size)
	samples := make([]sample, 0, runs)
	for i := range runs + 100 {
		class := rnd.Uint32()&1 == 1
		chosen := [2][]byte{fixed, pool[rnd.IntN(len(pool))]}
		copy(secret, chosen[1])
		if !class {
			copy(secret, chosen[0])
		}
		start := time.Now()
		f(secret)
		if took := time.Since(start); i >= 100 { // the first ones warm up
			samples = append(samples, sample{float64(took), class})
		}
	}
	slices.SortFunc(samples, func(a, b sample) int { return cmp.Compare(a.time, b.time) })
	worst := 0.0
	for _, part := range []float64{1, 0.99, 0.95, 0.9, 0.75, 0.5, 0.25} {
		if w := math.Abs(welch(samples[:int(part*float64(len(samples)))])); w > worst { // not when only one class is left
			worst = w
		}
	}
	return worst
}

// welch is the t statistic of two samples of different variance.
func welch(samples []sample) float64 {
	var n, mean, square [2]float64
	for _, s := range samples {
		i := 0
		if s.random {
			i = 1
		}
		n[i]++
		delta := s.time - mean[i]
		mean[i] += delta / n[i]
		square[i] += delta * (s.time - mean[i])
	}
	v := square[0]/(n[0]-1)/n[0] + square[1]/(n[1]-1)/n[1]
	return (mean[0] - mean[1]) / math.Sqrt(v)
}
