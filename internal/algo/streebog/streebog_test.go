// SPDX-License-Identifier: GPL-3.0-or-later

package streebog

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"encoding"
	"encoding/hex"
	"hash"
	"math/rand/v2"
	"os"
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

func TestRFC6986(t *testing.T) {
	onBothPaths(t, func(t *testing.T) {
		for i, v := range rfc6986 {
			msg := backwards(t, v.message)
			if got := sum(New512, msg); !bytes.Equal(got, backwards(t, v.h512)) {
				t.Errorf("example %d, 512 bits: %x", i+1, got)
			}
			if got := sum(New256, msg); !bytes.Equal(got, backwards(t, v.h256)) {
				t.Errorf("example %d, 256 bits: %x", i+1, got)
			}
		}
	})
}

func sum(start func() hash.Hash, data []byte) []byte {
	h := start()
	h.Write(data)
	return h.Sum(nil)
}

func backwards(t *testing.T, s string) []byte {
	b := unhex(t, s)
	slices.Reverse(b)
	return b
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pairs are our functions and those of the named library.
var pairs = []struct{ ours, theirs func() hash.Hash }{{New256, gost34112012256.New}, {New512, gost34112012512.New}}

// TestLengths compares with gogost at every length around the block boundaries, written in uneven pieces, with sums taken
// in between.
func TestLengths(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 4*BlockSize+3)
	for i := range data {
		data[i] = 0xff - byte(rnd.IntN(4)) // large bytes make long carries in the checksum
	}
	onBothPaths(t, func(t *testing.T) {
		for _, c := range pairs {
			for n := range len(data) + 1 {
				h := c.ours()
				for p := data[:n]; len(p) > 0; {
					k := min(len(p), 1+rnd.IntN(90))
					h.Write(p[:k])
					h.Sum(nil)
					p = p[k:]
				}
				if got := h.Sum([]byte("x")); !bytes.Equal(got[1:], sum(c.theirs, data[:n])) {
					t.Fatalf("length %d, size %d: %x", n, h.Size(), got[1:])
				}
			}
		}
	})
}

// TestPathsAgree compares the two paths, where both are, over a content of several chunks.
func TestPathsAgree(t *testing.T) {
	if !vector {
		t.Skip("no AVX-512 with GFNI here: the comparison of two paths over 300 KiB was not run")
	}
	defer func() { vector = true }()
	data := randomBytes(rand.New(rand.NewPCG(3, 4)), 300<<10+17)
	for _, start := range []func() hash.Hash{New256, New512} {
		vector = true
		fast := sum(start, data)
		vector = false
		if slow := sum(start, data); !bytes.Equal(fast, slow) {
			t.Errorf("%x, portable %x", fast, slow)
		}
	}
}

func randomBytes(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// cases is the number of random comparisons: few usually, the full count with PERSTEN_LONG=1.
func cases(short, long int) int {
	if os.Getenv("PERSTEN_LONG") != "" {
		return long
	}
	return short
}

// TestRandomGogost: half of the cases with 256 bits, half with 512.
func TestRandomGogost(t *testing.T) {
	onBothPaths(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(rand.Uint64(), 0))
		n := cases(400, 100_000)
		for i := range n {
			c, data := pairs[i%2], randomBytes(rnd, rnd.IntN(300))
			if got, want := sum(c.ours, data), sum(c.theirs, data); !bytes.Equal(got, want) {
				t.Fatalf("%x: %x, gogost %x", data, got, want)
			}
		}
		t.Logf("%d random messages agree with gogost", n)
	})
}

func TestReset(t *testing.T) {
	h := New256()
	h.Write(make([]byte, 100))
	h.Reset()
	if !bytes.Equal(h.Sum(nil), sum(New256, nil)) {
		t.Error("a reset hash remembers")
	}
}

// TestState: a hash goes on after Clone and after its state was written and read; a damaged state is refused.
func TestState(t *testing.T) {
	data := randomBytes(rand.New(rand.NewPCG(5, 6)), 200)
	for cut := range len(data) {
		h := New512().(*digest)
		h.Write(data[:cut])
		clone, err := h.Clone()
		if err != nil {
			t.Fatal(err)
		}
		state, err := h.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		read := New512()
		if err := read.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
			t.Fatal(err)
		}
		for _, h := range []hash.Hash{clone, read} {
			h.Write(data[cut:])
			if !bytes.Equal(h.Sum(nil), sum(New512, data)) {
				t.Errorf("after %d bytes the state is another one", cut)
			}
		}
	}
	state, _ := New512().(*digest).MarshalBinary()
	full := slices.Clone(state)
	full[len(full)-BlockSize-1] = BlockSize
	for _, bad := range [][]byte{nil, state[1:], append([]byte{0}, state[1:]...), full} {
		if newDigest(Size512).UnmarshalBinary(bad) == nil {
			t.Errorf("state %x accepted", bad)
		}
	}
	if newDigest(Size256).UnmarshalBinary(state) == nil {
		t.Error("a 256-bit hash takes the state of a 512-bit one")
	}
}

// TestHMAC is the example of RFC 7836 appendix B.1.
func TestHMAC(t *testing.T) {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	msg := unhex(t, "0126bdb87800af214341456563780100")
	for _, c := range []struct {
		start func() hash.Hash
		want  string
	}{
		{New256, "a1aa5f7de402d7b3d323f2991c8d4534013137010a83754fd0af6d7cd4922ed9"},
		{New512, "a59bab22ecae19c65fbde6e5f4e9f5d8549d31f037f9df9b905500e171923a773d5f1530f2ed7e964cb2eedc29e9ad2f3afe93b2814f79f5000ffc0366c251e6"},
	} {
		h := hmac.New(c.start, key)
		for range 2 { // the second time with the kept state
			h.Write(msg)
			if got := hex.EncodeToString(h.Sum(nil)); got != c.want {
				t.Errorf("%s", got)
			}
			h.Reset()
		}
	}
}

// TestPBKDF2 takes its cases from RFC 9337 appendix A.
func TestPBKDF2(t *testing.T) {
	for _, c := range []struct {
		password, salt string
		iterations     int
		want           string
	}{
		{"password", "salt", 1, "64770af7f748c3b1c9ac831dbcfd85c26111b30a8a657ddc3056b80ca73e040d2854fd36811f6d825cc4ab66ec0a68a490a9e5cf5156b3a2b7eecddbf9a16b47"},
		{"password", "salt", 2, "5a585bafdfbb6e8830d6d68aa3b43ac00d2e4aebce01c9b31c2caed56f0236d4d34b2b8fbd2c4e89d54d46f50e47d45bbac301571743119e8d3c42ba66d348de"},
		{"passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096, "b2d8f1245fc4d29274802057e4b54e0a0753aa22fc53760b301cf008679e58fe4bee9addcae99ba2b0b20f431a9c5e50f395c89387d0945aedeca6eb4015dfc2bd2421ee9bb71183ba882ceebfef259f33f9e27dc6178cb89dc37428cf9cc52a2baa2d3a"},
		{"pass\x00word", "sa\x00lt", 4096, "50df062885b69801a3c10248eb0a27ab6e522ffeb20c991c660f001475d73a4e167f782c18e97e92976d9c1d970831ea78ccb879f67068cdac1910740844e830"},
	} {
		got, err := pbkdf2.Key(New512, c.password, []byte(c.salt), c.iterations, len(c.want)/2)
		if err != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("%q, %d iterations: %x, %v", c.password, c.iterations, got, err)
		}
	}
}
