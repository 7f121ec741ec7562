// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"persten/proto"
)

func TestInline(t *testing.T) {
	s := newStore(t, Limits{Content: 100 << 20, Channel: 100 << 20, Handles: 2, Lifetime: time.Hour})
	data := bytes.Repeat([]byte("order "), 1000)
	for range 5 { // no handle stays
		c, done, err := s.Inline("ch", data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c.Reader())
		if err != nil || !bytes.Equal(got, data) || c.Size() != int64(len(data)) {
			t.Errorf("%d bytes back, %v", len(got), err)
		}
		f, err := c.Descriptor()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("x"), 0); err == nil {
			t.Error("what a person is shown can be written to")
		}
		if w, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDWR, 0); err == nil && runtime.GOOS == "linux" {
			if _, err := w.WriteAt([]byte("x"), 0); err == nil {
				t.Error("what a person is shown can be opened anew and written to")
			}
			if err := w.Truncate(0); err == nil {
				t.Error("what a person is shown can be cut off")
			}
			w.Close()
		}
		done()
		if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, data) {
			t.Errorf("a window that is still open sees %d bytes, %v", len(got), err)
		}
		f.Close()
		if _, err := c.ReadAt(make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
			t.Errorf("after the request: %v", err)
		}
	}
	if n := s.inline.Load(); n != 0 {
		t.Errorf("%d bytes still counted", n)
	}
}

// Beyond the room in memory contents go to disk, where the channel's limits hold.
func TestInlineBeyondMemory(t *testing.T) {
	s := newStore(t, Limits{Content: 100 << 20, Channel: 100 << 20, Handles: 1, Lifetime: time.Hour})
	s.inline.Store(inlineMemory)
	c, done, err := s.Inline("ch", []byte("order"))
	if err != nil || c.Size() != 5 || len(s.channels["ch"].contents) != 1 {
		t.Fatalf("%v, %d contents", err, len(s.channels["ch"].contents))
	}
	if _, _, err := s.Inline("ch", []byte("order")); !errors.Is(err, proto.CodeContentQuota) {
		t.Errorf("a second one: %v", err)
	}
	done()
	if len(s.channels["ch"].contents) != 0 || s.inline.Load() != inlineMemory {
		t.Errorf("%d contents, %d bytes", len(s.channels["ch"].contents), s.inline.Load())
	}
}

// Many small contents of one page leave descriptors to everybody else.
func TestInlineCrowd(t *testing.T) {
	s := newStore(t, BatchLimits)
	s.most = 400
	open := 0
	var free []func()
	for range 3000 {
		c, done, err := s.Inline("greedy", []byte("x"))
		if err != nil {
			if !errors.Is(err, proto.CodeContentQuota) {
				t.Fatal(err)
			}
			continue
		}
		if c.Size() != 1 {
			t.Fatalf("size %d", c.Size())
		}
		open++
		free = append(free, done)
	}
	if open > 200 {
		t.Errorf("one page has %d contents of 400", open)
	}
	if _, err := s.Open("another", "a", "", 0); err != nil {
		t.Errorf("another page: %v", err)
	}
	for _, done := range free {
		done()
	}
	if sh := s.channels["greedy"]; s.inline.Load() != 0 || sh == nil || len(sh.contents) != 0 {
		t.Errorf("%d bytes are left, or contents: %+v", s.inline.Load(), sh)
	}
}

func TestCollect(t *testing.T) {
	s := newStore(t, Limits{Content: 1000, Channel: 2000, Handles: 9, Lifetime: time.Hour})
	broken := errors.New("no more")
	for _, c := range []struct {
		name   string
		pieces []int
		fails  error
		handle bool
	}{
		{"nothing", nil, nil, false},
		{"small", []int{10, 90}, nil, false},
		{"large", []int{10, 90, 1, 200}, nil, true},
		{"large at once", []int{500}, nil, true},
		{"small, then broken", []int{10}, broken, false},
		{"large, then broken", []int{101, 5}, broken, false},
		{"too large", []int{900, 200}, proto.CodeContentTooLarge, false},
	} {
		var want []byte
		small, handle, err := s.Collect("ch", "a/b", 100, 0, func(w io.Writer) error {
			for i, n := range c.pieces {
				piece := bytes.Repeat([]byte{byte('a' + i)}, n)
				want = append(want, piece...)
				if _, err := w.Write(piece); err != nil {
					return err
				}
			}
			if errors.Is(c.fails, broken) {
				return broken
			}
			return nil
		})
		if !errors.Is(err, c.fails) || (handle != "") != c.handle {
			t.Errorf("%s: handle %q, %v", c.name, handle, err)
		}
		if c.fails != nil {
			if small != nil || s.channels["ch"] != nil && len(s.channels["ch"].contents) != 0 {
				t.Errorf("%s: something is left", c.name)
			}
			continue
		}
		got := small
		if c.handle {
			if got, _, err = s.Read("ch", handle, 0, 2000); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			s.Drop("ch", handle)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d", c.name, len(got), len(want))
		}
	}
}

// A result that is expected to be large has its place and its room before it is begun, keeps them until it is done, and takes
// what it is afterwards.
func TestCollectReserves(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits Limits
		most   int
		want   proto.Code
	}{
		{"the result is too large", Limits{Content: 400, Channel: 2000, Handles: 9}, 400, proto.CodeContentTooLarge},
		{"the channel has no room", Limits{Content: 1000, Channel: 800, Handles: 9}, 400, proto.CodeContentQuota},
		{"the channel has no handle", Limits{Content: 1000, Channel: 2000, Handles: 1}, 400, proto.CodeContentQuota},
		{"everybody's places are taken", Limits{Content: 1000, Channel: 2000, Handles: 9}, 1, proto.CodeContentQuota},
	} {
		c.limits.Lifetime = time.Hour
		s := newStore(t, c.limits)
		s.most = c.most
		h, err := s.Open("ch", "n", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append("ch", h, make([]byte, 400)); err != nil {
			t.Fatal(err)
		}
		_, _, err = s.Collect("ch", "a/b", 100, 500, func(io.Writer) error {
			t.Errorf("%s: the key was used", c.name)
			return nil
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if sh := s.channels["ch"]; len(sh.contents) != 1 || sh.used != 400 {
			t.Errorf("%s: %d contents and %d bytes are left", c.name, len(sh.contents), sh.used)
		}
	}
	s := newStore(t, Limits{Content: 1000, Channel: 1000, Handles: 9, Lifetime: time.Hour})
	for written, kept := range map[int]int64{0: 0, 100: 0, 101: 101, 600: 600, 700: 700} {
		small, h, err := s.Collect("ch", "a/b", 100, 600, func(w io.Writer) error {
			other, err := s.Open("ch", "n", "", 0)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Drop("ch", other)
			if _, err := s.Append("ch", other, make([]byte, 401)); !errors.Is(err, proto.CodeContentQuota) {
				t.Errorf("room that was set aside: %v", err)
			}
			_, err = w.Write(make([]byte, written))
			return err
		})
		if err != nil || (h != "") != (kept > 0) || kept == 0 && len(small) != written {
			t.Errorf("%d written: %d bytes, handle %q, %v", written, len(small), h, err)
		}
		if sh := s.channels["ch"]; sh.used != kept {
			t.Errorf("%d written: %d bytes taken", written, sh.used)
		}
		s.Drop("ch", h)
		if sh := s.channels["ch"]; sh.used != 0 || len(sh.contents) != 0 {
			t.Errorf("%d written: %d bytes in %d contents are left", written, sh.used, len(sh.contents))
		}
	}
}
