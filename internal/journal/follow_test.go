// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"bytes"
	"os"
	"testing"
)

// all follows a journal from a position to its end, a few lines at a time.
func all(t *testing.T, path string, from Position, count int) (seqs []uint64, at Position) {
	t.Helper()
	for {
		list, next, err := After(path, from, count, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return seqs, next
		}
		if len(list) > count {
			t.Fatalf("%d lines, want at most %d", len(list), count)
		}
		for _, l := range list {
			seqs = append(seqs, l.Seq)
		}
		from = next
	}
}

func wantSeqs(t *testing.T, what string, got []uint64, first, last uint64) {
	t.Helper()
	if uint64(len(got)) != last-first+1 {
		t.Fatalf("%s: %d lines, want %d to %d", what, len(got), first, last)
	}
	for i, seq := range got {
		if seq != first+uint64(i) {
			t.Fatalf("%s: line %d is %d, want %d", what, i, seq, first+uint64(i))
		}
	}
}

// TestAfter: each line once and in order, whatever the pieces, and on from the end.
func TestAfter(t *testing.T) {
	j := open(t)
	if seqs, at := all(t, j.Path(), Position{}, 1); len(seqs) != 0 || at != (Position{}) {
		t.Errorf("an empty journal has %v, ends at %v", seqs, at)
	}
	notes(t, j, 100)
	seqs, at := all(t, j.Path(), Position{}, 7)
	wantSeqs(t, "from the beginning", seqs, 1, 100)
	if end, err := End(j.Path()); err != nil || end != at {
		t.Errorf("the end is %v, %v; want %v", end, err, at)
	}
	notes(t, j, 50)
	seqs, _ = all(t, j.Path(), at, 512)
	wantSeqs(t, "from the end", seqs, 101, 150)
	if list, _, err := After(j.Path(), Position{}, 512, 1); err != nil || len(list) != 1 {
		t.Errorf("one byte of room gives %d lines, %v", len(list), err)
	}
}

// TestAfterChanges: lines taken away from the front, and a journal begun anew.
func TestAfterChanges(t *testing.T) {
	j := open(t)
	notes(t, j, 20)
	text, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	list, at, err := After(j.Path(), Position{}, 10, 1<<20)
	if err != nil || len(list) != 10 {
		t.Fatalf("%d lines, %v", len(list), err)
	}
	keep := func(from int) {
		t.Helper()
		if err := os.WriteFile(j.Path(), bytes.Join(lines[from:], nil), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keep(5)
	seqs, _ := all(t, j.Path(), at, 512)
	wantSeqs(t, "five lines were taken away before", seqs, 11, 20)
	keep(15)
	seqs, _ = all(t, j.Path(), at, 512)
	wantSeqs(t, "the line itself was taken away", seqs, 16, 20)

	os.Remove(j.Path())
	os.Remove(j.Path() + ".head")
	again, err := Open(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	notes(t, again, 3)
	seqs, _ = all(t, j.Path(), at, 512)
	wantSeqs(t, "begun anew", seqs, 1, 3)
}

// TestAfterDamage: a line nobody can read is left out, half a line waits, and the position stays good.
func TestAfterDamage(t *testing.T) {
	j := open(t)
	notes(t, j, 10)
	text, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	lines[4] = []byte("not a line\n")
	lines[9] = lines[9][:20]
	if err := os.WriteFile(j.Path(), bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	seqs, at := all(t, j.Path(), Position{}, 3)
	if len(seqs) != 8 || at.Seq != 9 {
		t.Errorf("lines %v, position %v", seqs, at)
	}
}

// FuzzAfter follows any file from any position: it ends, and a position it gives is one it finds again.
func FuzzAfter(f *testing.F) {
	line := []byte(`{"seq":1,"time":"2026-01-01T00:00:00Z","type":"note","kind":"pin","prev":""`)
	sum := digest(append(bytes.Clone(line), '}'))
	whole := append(append(line, hashField...), sum+"\"}\n"...)
	f.Add(whole, int64(0), sum)
	f.Add(append(bytes.Clone(whole), whole...), int64(len(whole)), sum)
	f.Add([]byte("\n\n{}\n"), int64(2), "")
	f.Add([]byte{}, int64(-1), "00")
	path := f.TempDir() + "/journal"
	f.Fuzz(func(t *testing.T, data []byte, offset int64, hash string) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		from := Position{Seq: 1, Hash: hash, Offset: offset}
		for range 1 + bytes.Count(data, []byte("\n")) {
			list, next, err := After(path, from, 2, 1<<10)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				return
			}
			if next == from {
				t.Fatal("it does not move on")
			}
			from = next
		}
	})
}
