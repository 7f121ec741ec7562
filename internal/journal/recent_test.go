// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// recentSeqs are the numbers of the lines Recent gives.
func recentSeqs(t *testing.T, j *Journal, since time.Time) ([]uint64, error) {
	t.Helper()
	var seqs []uint64
	err := Recent(j.Path(), since, func(l Line) { seqs = append(seqs, l.Seq) })
	return seqs, err
}

func TestRecent(t *testing.T) {
	j := open(t)
	if got, err := recentSeqs(t, j, time.Time{}); err != nil || len(got) != 0 {
		t.Fatalf("empty: %v %v", got, err)
	}
	notes(t, j, 3)
	cut := time.Now()
	if err := j.Note(Record{Kind: "pin", Ref: strings.Repeat("x", 1000), Documents: make([]Document, 9000)}); err != nil { // longer than a block
		t.Fatal(err)
	}
	notes(t, j, 1200)
	all, err := recentSeqs(t, j, time.Time{})
	if err != nil || len(all) != 1204 || all[0] != 1204 || all[1203] != 1 {
		t.Fatalf("%d lines, %v", len(all), err)
	}
	if late, err := recentSeqs(t, j, cut); err != nil || len(late) != 1201 || late[1200] != 4 {
		t.Errorf("%d lines since the cut, %v", len(late), err)
	}
	if none, err := recentSeqs(t, j, time.Now().Add(time.Hour)); err != nil || len(none) != 0 {
		t.Errorf("%d lines from the future, %v", len(none), err)
	}
	// A line that a power loss cut short does not hide the others.
	f, err := os.OpenFile(j.Path(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"seq":1205,"ti`)
	f.Close()
	if got, err := recentSeqs(t, j, time.Time{}); err != nil || len(got) != 1204 {
		t.Errorf("torn: %d lines, %v", len(got), err)
	}
}

// Whoever takes lines away, to be allowed more, is noticed.
func TestRecentIsStrict(t *testing.T) {
	for name, damage := range map[string]func(lines [][]byte) [][]byte{
		"end cut off":     func(l [][]byte) [][]byte { return l[:len(l)-2] },
		"all cut off":     func([][]byte) [][]byte { return nil },
		"start cut off":   func(l [][]byte) [][]byte { return l[2:] },
		"middle cut out":  func(l [][]byte) [][]byte { return append(l[:4:4], l[5:]...) },
		"byte changed":    func(l [][]byte) [][]byte { l[5] = bytes.Replace(l[5], []byte("pin"), []byte("nip"), 1); return l },
		"lines exchanged": func(l [][]byte) [][]byte { l[3], l[4] = l[4], l[3]; return l },
		"nonsense at end": func(l [][]byte) [][]byte { return append(l, []byte("x\n")) },
		"gone altogether": nil,
	} {
		j := open(t)
		notes(t, j, 10)
		data, err := os.ReadFile(j.Path())
		if err != nil {
			t.Fatal(err)
		}
		if damage == nil {
			err = os.Remove(j.Path())
		} else {
			err = os.WriteFile(j.Path(), bytes.Join(damage(bytes.SplitAfter(data, []byte("\n"))[:10]), nil), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := recentSeqs(t, j, time.Time{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %d lines, %v", name, len(got), err)
		}
	}
}
