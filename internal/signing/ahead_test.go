// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/algo"
	"persten/proto"
)

// noise is n bytes that differ from piece to piece.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// hashed is how much of a content has been hashed with d.
func hashed(c *Content, d algo.Digest) int64 {
	c.hashing <- struct{}{}
	defer func() { <-c.hashing }()
	if r := c.running[d]; r != nil {
		return r.n
	}
	return 0
}

// A content told what with is hashed while it grows, and Digest reads nothing again; another digest is unaffected.
func TestHashAhead(t *testing.T) {
	for _, d := range []algo.Digest{algo.SHA256, algo.Streebog256} {
		s := newStore(t, DefaultLimits)
		data := noise(9<<20 + 77)
		h, err := s.Open("ch", "n", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		c := s.channels["ch"].contents[h]
		for n := 0; n < len(data); n += 1 << 20 {
			if _, err := s.Append("ch", h, data[n:min(len(data), n+1<<20)]); err != nil {
				t.Fatal(err)
			}
			if n == 3<<20 { // a hint may come late
				if err := s.HashAhead("ch", h, d); err != nil {
					t.Fatal(err)
				}
			}
		}
		ends := time.Now().Add(20 * time.Second)
		for hashed(c, d) != int64(len(data)) {
			if time.Now().After(ends) {
				t.Fatalf("%s: %d of %d bytes hashed before the content is sealed", d, hashed(c, d), len(data))
			}
			time.Sleep(time.Millisecond)
		}
		if _, err := s.Seal("ch", h); err != nil {
			t.Fatal(err)
		}
		file := c.r
		if c.r, err = os.Open(os.DevNull); err != nil { // whoever reads the content now gets other bytes
			t.Fatal(err)
		}
		sum, err := c.Digest(context.Background(), d)
		c.r.Close()
		c.r = file
		if want := d.Sum(data); err != nil || !bytes.Equal(sum, want) {
			t.Errorf("%s: %x %v, want %x", d, sum, err, want)
		}
		other := sha256.Sum256(data)
		if sum, err := c.Digest(context.Background(), algo.SHA256); err != nil || !bytes.Equal(sum, other[:]) {
			t.Errorf("sha256 after %s: %x %v", d, sum, err)
		}
	}
}

// What a failed write leaves behind is not hashed.
func TestHashAheadOfAFailedWrite(t *testing.T) {
	s := newStore(t, DefaultLimits)
	h, err := s.Open("ch", "n", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.HashAhead("ch", h, algo.SHA256); err != nil {
		t.Fatal(err)
	}
	c := s.channels["ch"].contents[h]
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here: a full disk was not tried")
	}
	defer full.Close()
	swap := func(to *os.File) (was *os.File) { // the content is being hashed meanwhile
		c.mu.Lock()
		defer c.mu.Unlock()
		was, c.w = c.w, to
		return was
	}
	disk := swap(full)
	disk.WriteAt([]byte("half a piece"), 0)
	if _, err := s.Append("ch", h, []byte("half a piece and the rest")); !errors.Is(err, proto.CodeContentDiskFull) {
		t.Fatal(err)
	}
	swap(disk)
	if _, err := s.Append("ch", h, []byte("text")); err != nil {
		t.Fatal(err)
	}
	s.Seal("ch", h)
	want := sha256.Sum256([]byte("text"))
	if sum, err := c.Digest(context.Background(), algo.SHA256); err != nil || !bytes.Equal(sum, want[:]) {
		t.Errorf("%x %v", sum, err)
	}
}

// Digest that is given up goes on where it stood.
func TestDigestResumes(t *testing.T) {
	s := newStore(t, DefaultLimits)
	data := noise(3 << 20)
	_, c, err := s.Create("ch", "n", "", func(w io.Writer) error { _, err := w.Write(data); return err })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.hashing <- struct{}{}
	c.hash(ctx, algo.SHA256, 1<<20)
	cancel()
	if _, err := c.hash(ctx, algo.SHA256, 3<<20); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-c.hashing
	want := sha256.Sum256(data)
	if sum, err := c.Digest(context.Background(), algo.SHA256); err != nil || !bytes.Equal(sum, want[:]) {
		t.Errorf("%x %v", sum, err)
	}
}

// Dropping ends the follower at any moment; nothing is left running.
func TestHashAheadEndsWithTheContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails when a goroutine stays
		s := newStore(t, DefaultLimits)
		for size := range 4 {
			h, err := s.Open("ch", "n", "", 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.HashAhead("ch", h, algo.SHA256); err != nil {
				t.Fatal(err)
			}
			s.Append("ch", h, make([]byte, size<<20))
			if size > 1 {
				synctest.Wait()
			}
			s.Drop("ch", h)
		}
		if err := s.HashAhead("ch", "none", algo.SHA256); !errors.Is(err, proto.CodeContentAbsent) {
			t.Error(err)
		}
	})
}

// A piece out of place, more than was announced and less than was announced end a content, and free what it held.
func TestWrongPiecesEndAContent(t *testing.T) {
	for name, c := range map[string]struct {
		announced, offset int64
		data              string
		want              error
	}{
		"gap":         {0, 5, "more", proto.CodeContentOrder},
		"again":       {0, 0, "more", proto.CodeContentOrder},
		"negative":    {0, -1, "more", proto.CodeContentOrder},
		"too much":    {7, 4, "more", proto.CodeContentSize},
		"too little":  {9, 4, "more", proto.CodeContentSize},
		"as it was":   {8, 4, "more", nil},
		"not counted": {8, anywhere, "more", nil},
	} {
		s := newStore(t, Limits{Content: 10, Channel: 10, Handles: 1, Lifetime: time.Hour})
		h, err := s.Open("ch", "n", "", c.announced)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.AppendAt("ch", h, 0, []byte("some")); err != nil {
			t.Fatal(err)
		}
		_, err = s.AppendAt("ch", h, c.offset, []byte(c.data))
		if err == nil {
			_, err = s.Seal("ch", h)
		}
		if !errors.Is(err, c.want) && (c.want != nil || err != nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		left := s.channels["ch"]
		if gone := len(left.contents) == 0 && left.used == 0; gone != (c.want != nil) {
			t.Errorf("%s: %d contents, %d bytes left", name, len(left.contents), left.used)
		}
	}
}

// A sender that stops is forgotten without another one coming.
func TestAbandonedContentIsFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{Content: 10, Channel: 100, Handles: 9, Lifetime: time.Hour})
		h, err := s.Open("ch", "n", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		gone, err := s.Gone("ch", h)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Minute)
		s.Append("ch", h, []byte("x"))
		time.Sleep(50 * time.Minute)
		select {
		case <-gone:
			t.Error("dropped while in use")
		default:
		}
		time.Sleep(20 * time.Minute)
		select {
		case <-gone:
		default:
			t.Error("still there")
		}
	})
}
