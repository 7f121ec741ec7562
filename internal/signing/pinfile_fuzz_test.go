// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package signing

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"persten/internal/secret"
)

// FuzzPINFile compares what is read with a plain rule: one line, with or without its end, of printable bytes.
func FuzzPINFile(f *testing.F) {
	for _, s := range []string{"", "1234", "1234\n", "1234\r\n", "1234\r", "\n", "1\n2\n", "\x00", "\u043f\u0438\u043d\n", "1\xff\n", strings.Repeat("1", 256)} {
		f.Add([]byte(s))
	}
	path := filepath.Join(f.TempDir(), "pin")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		want := string(data)
		if line, ok := strings.CutSuffix(want, "\n"); ok {
			want = strings.TrimSuffix(line, "\r")
		}
		good := want != "" && len(data) <= secret.MaxLen && !strings.ContainsFunc(want, func(r rune) bool { return r < ' ' })
		pin, _, err := pinFromFile(path)
		if good != (err == nil) {
			t.Fatalf("%q: %v", data, err)
		}
		if err != nil {
			return
		}
		b, err := pin.Read()
		if err != nil || string(b.Bytes()) != want {
			t.Errorf("%q: another PIN, %v", data, err)
		}
		b.Wipe()
	})
}
