// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"bytes"
	"encoding/hex"
	"hash"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ddulesov/gogost/gost34112012256"
	"github.com/ddulesov/gogost/gost34112012512"
)

// The examples of RFC 6986 section 10. The RFC prints numbers, highest byte first; messages and digests are those bytes
// from the end.
var rfc6986 = []struct{ message, h512, h256 string }{
	{
		"323130393837363534333231303938373635343332313039383736353433323130393837363534333231303938373635343332313039383736353433323130",
		"486f64c1917879417fef082b3381a4e211c324f074654c38823a7b76f830ad00fa1fbae42b1285c0352f227524bc9ab16254288dd6863dccd5b9f54a1ad0541b",
		"00557be5e584fd52a449b16b0251d05d27f94ab76cbaa6da890b59d8ef1e159d",
	},
	{
		"fbe2e5f0eee3c820fbeafaebef20fffbf0e1e0f0f520e0ed20e8ece0ebe5f0f2f120fff0eeec20f120faf2fee5e2202ce8f6f3ede220e8e6eee1e8f0f2d1202ce8f0f2e5e220e5d1",
		"28fbc9bada033b1460642bdcddb90c3fb3e56c497ccd0f62b8a2ad4935e85f037613966de4ee00531ae60f3b5a47f8dae06915d5f2f194996fcabf2622e6881e",
		"508f7e553c06501d749a66fc28c6cac0b005746d97537fa85d9e40904efed29d",
	},
}

func TestStreebogRFC6986(t *testing.T) {
	for i, v := range rfc6986 {
		msg := backwards(t, v.message)
		for d, want := range map[Digest]string{Streebog512: v.h512, Streebog256: v.h256} {
			if got := d.Sum(msg); !bytes.Equal(got, backwards(t, want)) {
				t.Errorf("example %d %s: %x", i+1, d, got)
			}
		}
	}
}

func backwards(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(b)
	return b
}

// TestStreebogGogost compares with the other implementation at every length around the block boundaries, written in
// uneven pieces, with sums taken in between.
func TestStreebogGogost(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 4*streebogBlock+3)
	for i := range data {
		data[i] = 0xff - byte(rnd.IntN(4)) // large bytes make long carries in the checksum
	}
	for _, c := range []struct{ ours, theirs func() hash.Hash }{
		{NewStreebog256, gost34112012256.New}, {NewStreebog512, gost34112012512.New},
	} {
		for n := 0; n <= len(data); n++ {
			want := c.theirs()
			want.Write(data[:n])
			h := c.ours()
			for p := data[:n]; len(p) > 0; {
				k := min(len(p), 1+rnd.IntN(90))
				h.Write(p[:k])
				h.Sum(nil)
				p = p[k:]
			}
			if got := h.Sum([]byte("x")); !bytes.Equal(got[1:], want.Sum(nil)) {
				t.Fatalf("length %d, size %d: %x", n, h.Size(), got[1:])
			}
		}
	}
}

func TestStreebogReset(t *testing.T) {
	h := NewStreebog256()
	h.Write(make([]byte, 100))
	h.Reset()
	if !bytes.Equal(h.Sum(nil), Streebog256.Sum(nil)) {
		t.Error("a reset hash remembers")
	}
}

func BenchmarkStreebog256(b *testing.B) {
	data := make([]byte, 1<<20)
	h := NewStreebog256()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		h.Write(data)
	}
}
