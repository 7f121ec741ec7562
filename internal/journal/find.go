// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"persten/proto"
)

// Unknown is the Result that Find gives to a begin without an end: a use of a key whose outcome was never written.
const Unknown = "unknown"

// clockSlack is how far a clock may have been put back: so much before the time asked for, Find stops to look.
const clockSlack = 24 * time.Hour

// Local is the origin Find knows the records of no site by.
const Local = "local"

// Find returns the newest records that fit q, oldest first, and whether there are older ones that fit. A begin carries the
// result of its end and counts as one with it; q.Limit 0 is no limit. Lines that cannot be read are left out; [Verify] tells of
// them. A journal that does not exist is empty.
func Find(path string, q proto.JournalListParams) (list []Line, more bool, err error) {
	f, size, err := openSteady(path)
	if f == nil {
		return nil, false, err
	}
	defer f.Close()
	s := search{q: q, words: strings.ToLower(q.Text), ends: map[uint64]Line{}}
	if err := backwards(f, size, s.line); err != nil && !errors.Is(err, ErrDamaged) { // what is before the damage is not to be had
		return nil, false, err
	}
	slices.SortFunc(s.list, func(a, b Line) int { return cmp.Compare(a.Seq, b.Seq) })
	return s.list, s.more, nil
}

// steady is the size of the journal when no line was half written. What is before it does not change.
func steady(f *os.File) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	if err := lock(ctx, f, false); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), unlock(f)
}

// search walks the journal from its end.
type search struct {
	q     proto.JournalListParams
	words string
	ends  map[uint64]Line // whose begin is yet to come
	found int             // begins and single lines
	list  []Line
	more  bool
}

func (s *search) line(raw []byte) (more bool, err error) {
	l, err := decode(raw)
	if err != nil {
		return true, nil
	}
	if l.Type == TypeEnd {
		s.ends[l.Of] = l
		return true, nil
	}
	end, ended := s.ends[l.Seq]
	delete(s.ends, l.Seq)
	if l.Type == TypeBegin {
		l.Result, l.Args = cmp.Or(end.Result, Unknown), end.Args
	}
	switch {
	case !s.fits(l):
		return s.q.From.IsZero() || l.Time.After(s.q.From.Add(-clockSlack)), nil
	case s.q.Limit > 0 && s.found == s.q.Limit:
		s.more = true
		return false, nil
	}
	s.found++
	s.list = append(s.list, l)
	if ended {
		s.list = append(s.list, end)
	}
	return true, nil
}

// fits holds a begin, with its result, or a single line against the question.
func (s *search) fits(l Line) bool {
	q := s.q
	origin := cmp.Or(l.Origin, Local)
	return (q.Before == 0 || l.Seq < uint64(q.Before)) &&
		(q.From.IsZero() || !l.Time.Before(q.From)) && (q.To.IsZero() || l.Time.Before(q.To)) &&
		(q.Origin == "" || q.Origin == origin) && (q.Kind == "" || q.Kind == l.Kind) &&
		ended(q.Result, l.Result) && (s.words == "" || l.mentions(s.words))
}

// ended holds the result of a line against the one asked for.
func ended(want, result string) bool {
	switch want {
	case "", result:
		return true
	case "failed":
		return result != OK && result != Unknown && result != ""
	}
	return false
}

// mentions reports whether words, in small letters, stand in what a person may look for.
func (l Line) mentions(words string) bool {
	fields := []string{l.User, l.Origin, l.Top, l.Program, l.CertificateSerial, l.Thumbprint, l.TokenSerial}
	for _, d := range l.Documents {
		fields = append(fields, d.Name, d.Digest)
	}
	return slices.ContainsFunc(fields, func(s string) bool { return strings.Contains(strings.ToLower(s), words) })
}
