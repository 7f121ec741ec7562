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
	if s.inline.Load() != 0 || len(s.channels["greedy"].contents) != 0 {
		t.Errorf("%d bytes and %d contents are left", s.inline.Load(), len(s.channels["greedy"].contents))
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
		small, handle, err := s.Collect("ch", "a/b", 100, func(w io.Writer) error {
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
