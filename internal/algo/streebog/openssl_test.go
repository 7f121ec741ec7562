// SPDX-License-Identifier: GPL-3.0-or-later

package streebog

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestRandomOpenSSL compares with OpenSSL's gost engine, many files for each start of the program.
func TestRandomOpenSSL(t *testing.T) {
	engines, _ := filepath.Glob("/usr/lib/*/engines-3/gost.so")
	if _, err := exec.LookPath("openssl"); err != nil || len(engines) == 0 {
		t.Skip("openssl with libengine-gost-openssl is not installed; its comparison was not run")
	}
	dir := t.TempDir()
	config := "openssl_conf=a\n[a]\nengines=b\n[b]\ngost=c\n[c]\nengine_id=gost\ndynamic_path=" + engines[0] +
		"\ndefault_algorithms=ALL\n"
	put(t, dir, "openssl.cnf", []byte(config))
	onBothPaths(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(rand.Uint64(), 0))
		n := cases(200, 100_000)
		for done := 0; done < n; done += 100 {
			compareOpenSSL(t, dir, rnd, done/100%2, 100)
		}
		t.Logf("%d random messages agree with OpenSSL", n)
	})
}

func put(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func compareOpenSSL(t *testing.T, dir string, rnd *rand.Rand, kind, n int) {
	args := []string{"dgst", "-r", []string{"-md_gost12_256", "-md_gost12_512"}[kind]}
	var want []string
	for i := range n {
		name, data := fmt.Sprint("m", i), randomBytes(rnd, rnd.IntN(1200))
		put(t, dir, name, data)
		args = append(args, name)
		want = append(want, hex.EncodeToString(sum(pairs[kind].ours, data))+" *"+name)
	}
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+filepath.Join(dir, "openssl.cnf"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl dgst: %v", err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) != n {
		t.Fatalf("%d lines from openssl for %d files", len(lines), n)
	}
	for i, line := range lines {
		if string(line) != want[i] {
			t.Fatalf("openssl: %s, ours %s", line, want[i])
		}
	}
}
