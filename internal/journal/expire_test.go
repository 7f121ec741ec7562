// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// sound fails the test unless the journal verifies with this many records.
func sound(t *testing.T, j *Journal, records int) {
	t.Helper()
	s, err := Verify(j.Path())
	if err != nil || !s.OK() || s.Records != records || s.Unknown != 0 {
		t.Errorf("%+v, %v; want %d records", s, err, records)
	}
	if _, err := recentSeqs(t, j, time.Time{}); err != nil {
		t.Errorf("Recent: %v", err)
	}
}

// TestExpire: what is old goes, the chain holds, and the numbers go on; again, and with a use that the cut divides.
func TestExpire(t *testing.T) {
	j := open(t)
	notes(t, j, 5)
	begun, err := j.Begin(t.Context(), Record{Kind: "sign"})
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	if err := begun.End(OK, nil); err != nil {
		t.Fatal(err)
	}
	notes(t, j, 3)
	if gone, err := j.Expire(t.Context(), before); gone != 6 || err != nil {
		t.Fatalf("%d lines, %v", gone, err)
	}
	sound(t, j, 5) // an end, three notes, the note of it
	last, err := List(j.Path(), 1)
	if err != nil || last[0].Kind != KindExpired || last[0].Args["through"] != "6" || last[0].Seq != 11 {
		t.Errorf("%+v, %v", last, err)
	}
	if gone, err := j.Expire(t.Context(), before); gone != 0 || err != nil {
		t.Errorf("once more: %d lines, %v", gone, err)
	}
	notes(t, j, 2)
	if gone, err := j.Expire(t.Context(), time.Now().Add(time.Hour)); gone != 6 || err != nil {
		t.Errorf("all: %d lines, %v", gone, err)
	}
	sound(t, j, 2)
	other, err := Open(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	notes(t, other, 1)
	sound(t, other, 3)
}

// TestExpireDamaged: what is wrong with a journal does not go away.
func TestExpireDamaged(t *testing.T) {
	j := open(t)
	notes(t, j, 4)
	data, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(j.Path(), []byte(strings.Replace(string(data), `"seq":2`, `"seq":3`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if gone, err := j.Expire(t.Context(), time.Now()); gone != 0 || !errors.Is(err, ErrDamaged) {
		t.Errorf("%d lines, %v", gone, err)
	}
}

// TestExpireCut: a file that was cut by hand, or put together with another base, is noticed; one left by a crash between base and file is not.
func TestExpireCut(t *testing.T) {
	j := open(t)
	notes(t, j, 6)
	whole, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	if gone, err := j.Expire(t.Context(), time.Now()); gone != 5 || err != nil {
		t.Fatalf("%d lines, %v", gone, err)
	}
	kept, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	note := kept[strings.Index(string(kept), "\n")+1:]
	for name, c := range map[string]struct {
		text string
		good bool
	}{
		"the crash":               {string(whole) + string(note), true},
		"one more line cut":       {string(note), false},
		"without the base's line": {strings.Join(strings.SplitAfter(string(whole), "\n")[:4], "") + string(kept), false},
		"without what was kept":   {string(whole[:len(whole)-len(kept)]), false},
	} {
		if err := os.WriteFile(j.Path(), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Verify(j.Path()); err != nil || s.OK() != c.good {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	if err := os.WriteFile(j.Path(), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "nonsense", fmt.Sprintf(headFormat, 5, strings.Repeat("0", 64)), fmt.Sprintf(headFormat, 3, strings.Repeat("a", 64))} {
		if err := os.WriteFile(j.Path()+".base", []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Verify(j.Path()); err != nil || s.OK() {
			t.Errorf("base %q: %+v, %v", bad, s, err)
		}
	}
}

// TestExpireBeside: other processes and goroutines write while lines are forgotten, and lose nothing.
func TestExpireBeside(t *testing.T) {
	j := open(t)
	var wg sync.WaitGroup
	for range 4 {
		other, err := Open(j.Path())
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for range 50 {
				if err := other.Note(Record{Kind: "pin"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	expired := 0
	ctx, cancel := context.WithCancel(t.Context())
	var forgetting sync.WaitGroup
	forgetting.Go(func() {
		for ctx.Err() == nil {
			if gone, err := j.Expire(context.Background(), time.Now()); err != nil {
				t.Error(err)
			} else if gone > 0 {
				expired++
			}
			if _, err := Verify(j.Path()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	cancel()
	forgetting.Wait()
	s, err := Verify(j.Path())
	last, listErr := List(j.Path(), 1)
	if err != nil || listErr != nil || !s.OK() || last[0].Seq != uint64(200+expired) {
		t.Errorf("%+v, %v; last %+v, %d notes of forgetting", s, err, last, expired)
	}
}

// TestExpireUnsent: what was not sent yet stays, whatever its age, and nothing is sent twice or left out afterwards.
func TestExpireUnsent(t *testing.T) {
	for name, c := range map[string]struct {
		sent []int // how many lines each way out has sent; -1: a place in a journal that is no more
		gone int
	}{
		"nothing sent":       {[]int{0}, 0},
		"four sent":          {[]int{4}, 4},
		"the slower decides": {[]int{8, 3}, 3},
		"all sent":           {[]int{10}, 9},
		"another journal":    {[]int{10, -1}, 0},
		"nobody sends":       {nil, 9},
	} {
		t.Run(name, func(t *testing.T) {
			j := open(t)
			notes(t, j, 10)
			var places []Position
			for _, n := range c.sent {
				at := Position{Seq: 7, Hash: strings.Repeat("a", 64), Offset: 100}
				if n >= 0 {
					at = Position{}
				}
				for range n {
					_, next, err := After(j.Path(), at, 1, 1<<20)
					if err != nil {
						t.Fatal(err)
					}
					at = next
				}
				places = append(places, at)
			}
			if gone, err := j.Expire(t.Context(), time.Now(), places...); gone != c.gone || err != nil {
				t.Fatalf("%d lines, %v; want %d", gone, err, c.gone)
			}
			for i, p := range places {
				if c.sent[i] < 0 {
					continue
				}
				last := uint64(10)
				if c.gone > 0 {
					last++ // the note of it
				}
				seqs, _ := all(t, j.Path(), p, 3)
				wantSeqs(t, "the rest", seqs, uint64(c.sent[i])+1, last)
			}
		})
	}
}

// TestExpireUnsentBound: a journal that cannot be sent does not grow for ever.
func TestExpireUnsentBound(t *testing.T) {
	j := open(t)
	notes(t, j, 10)
	fi, err := os.Stat(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer func(n int64) { maxUnsent = n }(maxUnsent)
	for _, c := range []struct{ most, gone int }{{0, 0}, {1, 9}} {
		maxUnsent = fi.Size() - int64(c.most)
		if gone, err := j.Expire(t.Context(), time.Now(), Position{}); gone != c.gone || err != nil {
			t.Errorf("%d bytes beyond: %d lines, %v; want %d", c.most, gone, err, c.gone)
		}
	}
	sound(t, j, 2)
}
