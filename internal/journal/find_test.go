// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"persten/proto"
)

// mixed is a journal of six entries: signatures of two sites, one without its end, a refusal, a command, a test.
func mixed(t *testing.T) *Journal {
	t.Helper()
	j := open(t)
	use := func(r Record, result string) {
		e, err := j.Begin(context.Background(), r)
		must(t, err)
		if result != "" {
			must(t, e.End(result, nil))
		}
	}
	contract := []Document{{Name: "Договор.PDF", Digest: "00ff"}}
	use(Record{Kind: "sign", Origin: "https://a.example", Documents: contract}, OK)                // 1, 2
	use(Record{Kind: "sign", Origin: "https://b.example"}, "pin_locked")                           // 3, 4
	must(t, j.Note(Record{Kind: "refused", Origin: "https://b.example", Result: "user_rejected"})) // 5
	use(Record{Kind: "sign", Origin: "https://a.example"}, "")                                     // 6
	use(Record{Kind: "sign", Via: "command", TokenSerial: "3A5B"}, OK)                             // 7, 8
	use(Record{Kind: "test"}, OK)                                                                  // 9, 10
	return j
}

func found(t *testing.T, j *Journal, q proto.JournalListParams) (seqs []uint64, more bool) {
	t.Helper()
	list, more, err := Find(j.Path(), q)
	must(t, err)
	for _, l := range list {
		seqs = append(seqs, l.Seq)
	}
	return seqs, more
}

func TestFind(t *testing.T) {
	j := mixed(t)
	for _, c := range []struct {
		name string
		q    proto.JournalListParams
		want []uint64
		more bool
	}{
		{"all", proto.JournalListParams{}, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, false},
		{"the last two", proto.JournalListParams{Limit: 2}, []uint64{7, 8, 9, 10}, true},
		{"the page before", proto.JournalListParams{Limit: 2, Before: 7}, []uint64{5, 6}, true},
		{"the first page", proto.JournalListParams{Limit: 2, Before: 5}, []uint64{1, 2, 3, 4}, false},
		{"before an end", proto.JournalListParams{Before: 2}, []uint64{1, 2}, false},
		{"a site", proto.JournalListParams{Origin: "https://b.example"}, []uint64{3, 4, 5}, false},
		{"no site", proto.JournalListParams{Origin: Local}, []uint64{7, 8, 9, 10}, false},
		{"a kind", proto.JournalListParams{Kind: "test"}, []uint64{9, 10}, false},
		{"good ones", proto.JournalListParams{Result: OK}, []uint64{1, 2, 7, 8, 9, 10}, false},
		{"failures", proto.JournalListParams{Result: "failed"}, []uint64{3, 4, 5}, false},
		{"a code", proto.JournalListParams{Result: "pin_locked"}, []uint64{3, 4}, false},
		{"outcome unknown", proto.JournalListParams{Result: Unknown}, []uint64{6}, false},
		{"words of a document", proto.JournalListParams{Text: "договор"}, []uint64{1, 2}, false},
		{"words of a token", proto.JournalListParams{Text: "3a5b"}, []uint64{7, 8}, false},
		{"together", proto.JournalListParams{Origin: "https://a.example", Result: OK}, []uint64{1, 2}, false},
		{"nothing", proto.JournalListParams{Text: "no such"}, nil, false},
	} {
		if got, more := found(t, j, c.q); !slices.Equal(got, c.want) || more != c.more {
			t.Errorf("%s: %v, more %v; want %v, %v", c.name, got, more, c.want, c.more)
		}
	}
	list, _, _ := Find(j.Path(), proto.JournalListParams{})
	for seq, want := range map[int]string{1: OK, 3: "pin_locked", 6: Unknown, 7: OK} {
		if got := list[seq-1].Result; got != want {
			t.Errorf("begin %d has the result %q, want %q", seq, got, want)
		}
	}
}

func TestFindTimes(t *testing.T) {
	j := open(t)
	notes(t, j, 3)
	time.Sleep(20 * time.Millisecond)
	middle := time.Now()
	notes(t, j, 3)
	if got, _ := found(t, j, proto.JournalListParams{From: middle}); !slices.Equal(got, []uint64{4, 5, 6}) {
		t.Error(got)
	}
	if got, _ := found(t, j, proto.JournalListParams{To: middle}); !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Error(got)
	}
	if got, more := found(t, j, proto.JournalListParams{To: middle, Limit: 2}); !slices.Equal(got, []uint64{2, 3}) || !more {
		t.Error(got, more)
	}
}

// A damaged line is left out, and an absent journal is empty.
func TestFindDamaged(t *testing.T) {
	j := mixed(t)
	data, err := os.ReadFile(j.Path())
	must(t, err)
	data[len(data)/2] ^= 1
	must(t, os.WriteFile(j.Path(), data, 0o600))
	list, _, err := Find(j.Path(), proto.JournalListParams{})
	if err != nil || len(list) < 8 || len(list) > 9 {
		t.Errorf("%d lines, %v", len(list), err)
	}
	if list, more, err := Find(filepath.Join(t.TempDir(), "none"), proto.JournalListParams{}); err != nil || more || len(list) != 0 {
		t.Error(list, more, err)
	}
}

// FuzzFind reads any bytes as a journal, with any question: no panic, no more than asked for, and nothing List does not have.
func FuzzFind(f *testing.F) {
	l := Line{Seq: 1, Type: TypeBegin, Prev: firstPrev, Record: Record{Kind: "sign"}}
	first, err := l.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(first, []byte(`{"limit":1,"result":"unknown"}`))
	f.Add(append(first, first...), []byte(`{"text":"x","before":9}`))
	f.Fuzz(func(t *testing.T, data, question []byte) {
		var q proto.JournalListParams
		if json.Unmarshal(question, &q) != nil || q.Validate() != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "j")
		must(t, os.WriteFile(path, data, 0o600))
		list, _, err := Find(path, q)
		must(t, err)
		all, err := List(path, 0)
		must(t, err)
		if len(list) > len(all) || q.Limit > 0 && len(list) > 2*q.Limit {
			t.Errorf("%d of %d lines, limit %d", len(list), len(all), q.Limit)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	path := filepath.Join(b.TempDir(), "j")
	var data []byte
	prev := firstPrev
	for n := range 100_000 {
		l := Line{Seq: uint64(n + 1), Time: time.Now(), Type: TypeNote, Prev: prev, Record: Record{Kind: "pin", Origin: fmt.Sprint("https://s", n)}}
		raw, err := l.encode()
		if err != nil {
			b.Fatal(err)
		}
		data, prev = append(data, raw...), l.Hash
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	for _, q := range []proto.JournalListParams{{Limit: 100}, {Limit: 100, Text: "none"}} {
		b.Run("text "+q.Text, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := Find(path, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
