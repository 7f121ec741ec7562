// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/algo"
	"persten/proto"
)

func newStore(t *testing.T, l Limits) *Store {
	t.Helper()
	s, err := NewStore(t.TempDir(), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.DropChannel("ch") })
	return s
}

func TestFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no /dev/full here: a full disk was not tried")
	}
	s := newStore(t, Limits{Content: 10, Channel: 10, Handles: 1, Lifetime: time.Hour})
	h, err := s.Open("ch", "n", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	c := s.channels["ch"].contents[h]
	disk := c.w
	if c.w, err = os.OpenFile("/dev/full", os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append("ch", h, []byte("0123456789")); !errors.Is(err, proto.CodeContentDiskFull) {
		t.Fatalf("%v, want content_disk_full", err)
	}
	c.w.Close()
	c.w = disk
	if n, err := s.Append("ch", h, []byte("0123456789")); n != 10 || err != nil { // the quota was given back
		t.Fatalf("after the disk has room: %d %v", n, err)
	}
	if _, err := s.Seal("ch", h); err != nil {
		t.Fatal(err)
	}
	if info, err := c.r.Stat(); err != nil || info.Size() != 10 {
		t.Errorf("the file holds %d bytes: %v", info.Size(), err)
	}
}

func TestChargesAreGivenBack(t *testing.T) {
	s := newStore(t, Limits{Content: 100, Channel: 100, Handles: 2, Lifetime: time.Hour})
	for range 5 {
		h, err := s.Open("ch", "n", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append("ch", h, make([]byte, 60)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Seal("ch", h); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append("ch", h, make([]byte, 30)); !errors.Is(err, proto.CodeContentSealed) {
			t.Fatal(err)
		}
		s.Drop("ch", h)
	}
	if used := s.channels["ch"].used; used != 0 {
		t.Errorf("%d bytes still charged", used)
	}
}

// Pieces that arrive at once must not add up to more than the limit.
func TestLimitHoldsForManyWriters(t *testing.T) {
	s := newStore(t, Limits{Content: 1000, Channel: 5000, Handles: 2, Lifetime: time.Hour})
	h, err := s.Open("ch", "n", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() { s.Append("ch", h, make([]byte, 100)) })
	}
	wg.Wait()
	if n, err := s.Seal("ch", h); n != 1000 || err != nil {
		t.Errorf("%d bytes: %v", n, err)
	}
}

func TestContentInUseDoesNotGrowOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{Content: 10, Channel: 100, Handles: 9, Lifetime: time.Hour})
		old, _, err := s.Create("ch", "n", "", func(io.Writer) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		h, c, err := s.Create("ch", "n", "", func(w io.Writer) error {
			time.Sleep(3 * time.Hour) // a queue, and a person who thinks
			s.Open("ch", "another", "", 0)
			_, err := io.WriteString(w, "late")
			return err
		})
		if err != nil || c.Size() != 4 {
			t.Fatalf("%v", err)
		}
		if _, err := s.Sealed("ch", old); !errors.Is(err, proto.CodeContentAbsent) {
			t.Errorf("an idle content is still there: %v", err)
		}
		used, err := s.Sealed("ch", h)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		s.Open("ch", "another", "", 0)
		if sum, err := used.Digest(context.Background(), algo.Digest("sha256")); err != nil || len(sum) != 32 {
			t.Error(err)
		}
		used.Release()
		time.Sleep(3 * time.Hour)
		s.Open("ch", "another", "", 0)
		if _, err := s.Sealed("ch", h); !errors.Is(err, proto.CodeContentAbsent) {
			t.Errorf("a released content never grows old: %v", err)
		}
	})
}

func TestDroppedContentStaysReadableWhileUsed(t *testing.T) {
	s := newStore(t, DefaultLimits)
	h, _, err := s.Create("ch", "n", "", func(w io.Writer) error { _, err := io.WriteString(w, "text"); return err })
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Sealed("ch", h)
	if err != nil {
		t.Fatal(err)
	}
	s.DropChannel("ch")
	if data, err := io.ReadAll(c.Reader()); string(data) != "text" || err != nil {
		t.Errorf("%q %v", data, err)
	}
	c.Release()
	if _, err := io.ReadAll(c.Reader()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file is still open: %v", err)
	}
}

func TestDigestEndsWithTheRequest(t *testing.T) {
	s := newStore(t, DefaultLimits)
	_, c, err := s.Create("ch", "n", "", func(w io.Writer) error { _, err := io.Copy(w, bytes.NewReader(make([]byte, 1<<20))); return err })
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Digest(gone, algo.Digest("sha256")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := c.Digest(context.Background(), algo.Digest("sha256")); err != nil {
		t.Errorf("after a cancelled one: %v", err)
	}
}

func TestApprovalIsRedeemedOnce(t *testing.T) {
	a := newApproval(1)
	var wg sync.WaitGroup
	uses := make(chan error, 100)
	for range 100 {
		wg.Go(func() { uses <- a.redeem() })
	}
	wg.Wait()
	close(uses)
	good := 0
	for err := range uses {
		if err == nil {
			good++
		}
	}
	if good != 1 {
		t.Errorf("redeemed %d times", good)
	}
	late := newApproval(1)
	late.deadline = time.Now().Add(-time.Second)
	if late.redeem() == nil {
		t.Error("an approval too old was redeemed")
	}
	late.renew()
	if err := late.redeem(); err != nil {
		t.Error(err)
	}
}

func TestDeskForgetsOrigins(t *testing.T) {
	d := newDesk(nil, func() {}, time.Minute)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 {
		leave, err := d.enter(context.Background(), Question{Origin: randomID()})
		if err != nil {
			t.Fatal(err)
		}
		leave()
		if leave, err := d.enter(gone, Question{Origin: randomID()}); err == nil { // a free place may win over a lost caller
			leave()
		}
	}
	if len(d.origins) != 0 || d.prompts() != 0 {
		t.Errorf("%d origins and %d places left", len(d.origins), d.prompts())
	}
}
