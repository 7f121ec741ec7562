// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"persten/internal/algo"
)

// vectors lists the files of a folder of test vectors, or skips the test.
func vectors(t *testing.T, pattern string) []string {
	t.Helper()
	dir := os.Getenv("VECTORS")
	if dir == "" {
		dir = "../../../shared/vectors"
	}
	files, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	if len(files) == 0 {
		t.Skipf("no %s under VECTORS: its cases were not run", pattern)
	}
	return files
}

func readFileOf(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRFC9215 checks the certificates and lists of RFC 9215 appendix D with their own keys. Those of D.1 and D.3 have the
// test parameter sets, which nobody's key may have, and are read and not believed.
func TestRFC9215(t *testing.T) {
	for _, file := range vectors(t, "rfc9215/D*_certificate.der") {
		c, err := Parse(readFileOf(t, file))
		if err != nil {
			t.Fatal(err)
		}
		l, err := ParseCRL(readFileOf(t, strings.Replace(file, "certificate", "x509_crl", 1)))
		if err != nil {
			t.Fatal(err)
		}
		want := map[bool]string{true: "good", false: "unsupported"}[strings.Contains(file, "D2")]
		if err := c.verify(c.outside); verdict(err) != want {
			t.Errorf("%s: %v", file, err)
		}
		if err := l.CheckSignatureFrom(c); verdict(err) != want || !l.IssuedBy(c) || l.Len != 0 || l.NextUpdate.IsZero() {
			t.Errorf("%s: the list: %v, %d entries until %s", file, err, l.Len, l.NextUpdate)
		}
	}
}

// TestKazakhstan: what is signed with algorithms of Kazakhstan is read and not believed; what is signed with SHA-256 is checked.
func TestKazakhstan(t *testing.T) {
	const dir = "kz-ncanode/src/test/resources/"
	var all []*Certificate
	for _, file := range append(vectors(t, dir+"ca/*"), vectors(t, dir+"certs/*")...) {
		found, err := ParseAll(readFileOf(t, file))
		if err != nil || len(found) != 1 || found[0].Fault() != nil || found[0].Card().Serial == "" {
			t.Errorf("%s: %v", file, err)
			continue
		}
		all = append(all, found...)
	}
	if len(all) != 6 {
		t.Errorf("%d certificates", len(all))
	}
	n := map[string]int{}
	for _, file := range vectors(t, dir+"crl/*") {
		l, err := ParseCRL(readFileOf(t, file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		n["entries"] += l.Len
		for _, c := range all {
			if l.IssuedBy(c) {
				n[verdict(l.CheckSignatureFrom(c))]++
			}
		}
	}
	for _, file := range vectors(t, dir+"ocsp/*") {
		o, err := ParseOCSP(readFileOf(t, file))
		if err != nil || len(o.singles) != 1 || o.ProducedAt.IsZero() {
			t.Errorf("%s: %v", file, err)
			continue
		}
		n["responses "+o.singles[0].Status.String()]++
		for _, c := range o.Certificates {
			n["responder "+verdict(c.verify(o.outside))]++
		}
	}
	want := map[string]int{"entries": 163, "good": 1, "unsupported": 2, "responder good": 1, "responder unsupported": 3, "responses good": 1, "responses revoked": 3}
	if !maps.Equal(n, want) {
		t.Errorf("got  %v\nwant %v", n, want)
	}
}

func verdict(err error) string {
	switch {
	case err == nil:
		return "good"
	case errors.Is(err, algo.ErrUnsupported):
		return "unsupported"
	}
	return "bad"
}
