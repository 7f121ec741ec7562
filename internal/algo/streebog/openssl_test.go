// SPDX-License-Identifier: GPL-3.0-or-later

package streebog

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"

	"persten/internal/algo/openssltest"
)

// TestRandomOpenSSL compares with OpenSSL's gost engine, many files for each start of the program.
func TestRandomOpenSSL(t *testing.T) {
	o := openssltest.New(t, "its comparison was not run")
	onBothPaths(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(rand.Uint64(), 0))
		n := cases(200, 100_000)
		for done := 0; done < n; done += 100 {
			compareOpenSSL(t, o, rnd, done/100%2, 100)
		}
		t.Logf("%d random messages agree with OpenSSL", n)
	})
}

func compareOpenSSL(t *testing.T, o *openssltest.Folder, rnd *rand.Rand, kind, n int) {
	args := []string{"dgst", "-r", []string{"-md_gost12_256", "-md_gost12_512"}[kind]}
	var want []string
	for i := range n {
		name, data := fmt.Sprint("m", i), randomBytes(rnd, rnd.IntN(1200))
		o.Write(name, data)
		args = append(args, name)
		want = append(want, hex.EncodeToString(sum(pairs[kind].ours, data))+" *"+name)
	}
	lines := bytes.Split(bytes.TrimSpace([]byte(o.Run(args...))), []byte("\n"))
	if len(lines) != n {
		t.Fatalf("%d lines from openssl for %d files", len(lines), n)
	}
	for i, line := range lines {
		if string(line) != want[i] {
			t.Fatalf("openssl: %s, ours %s", line, want[i])
		}
	}
}
