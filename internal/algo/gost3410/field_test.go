// SPDX-License-Identifier: GPL-3.0-or-later

package gost3410

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// curvesAll lists every parameter set.
var curvesAll = []func() *Curve{
	Test256, CryptoProA, CryptoProB, CryptoProC, TC26A256, Test512, TC26A512, TC26B512, TC26C512,
}

// edges are numbers of n bits at which carries go wrong: near 0, near the modulus, near 2^n, with runs of equal bits.
func edges(rnd *rand.Rand, n uint, m *big.Int) []*big.Int {
	top := new(big.Int).Lsh(big.NewInt(1), n)
	list := []*big.Int{}
	for i := int64(0); i < 4; i++ {
		for _, near := range []*big.Int{new(big.Int), m, top, new(big.Int).Sub(top, m)} {
			for _, d := range []int64{i, -i} {
				if v := new(big.Int).Add(near, big.NewInt(d)); v.Sign() >= 0 && v.Cmp(top) < 0 {
					list = append(list, v)
				}
			}
		}
	}
	for range 40 {
		v := new(big.Int)
		for i := uint(0); i < n; i += 64 {
			w := rnd.Uint64()
			if k := rnd.IntN(4); k < 2 {
				w = -uint64(k) // 0 or all ones
			}
			v.Lsh(v, 64).Or(v, new(big.Int).SetUint64(w))
		}
		list = append(list, v)
	}
	return list
}

// TestField compares every operation of every field with math/big.
func TestField(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for _, c := range curvesAll {
		switch g := c().group.(type) {
		case *group256:
			testField256(t, g.p, edges(rnd, 256, g.p.big))
			testField256(t, g.q, edges(rnd, 256, g.q.big))
		case *group512:
			testField512(t, g.p, edges(rnd, 512, g.p.big))
			testField512(t, g.q, edges(rnd, 512, g.q.big))
		}
	}
}

// TestGenerated: the files for 512 bits and the unrolled loops are what gen.go writes now.
func TestGenerated(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "run", "gen.go", dir).CombinedOutput(); err != nil {
		t.Fatalf("go run gen.go: %v\n%s", err, out)
	}
	fresh, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(fresh) != 6 {
		t.Fatalf("%d files, %v", len(fresh), err)
	}
	for _, name := range fresh {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if have, err := os.ReadFile(filepath.Base(name)); err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s is not what gen.go writes: go generate (%v)", filepath.Base(name), err)
		}
	}
}
