// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"

	"persten/proto"
)

// List returns the last lines of the journal at path, oldest first: at most limit of them, all when limit is 0. Lines that
// cannot be read are left out; [Verify] tells of them. A journal that does not exist is empty.
func List(path string, limit int) ([]Line, error) {
	var list []Line
	err := each(path, func(_ int, raw []byte, whole bool) {
		l, err := decode(raw)
		if err != nil || !whole {
			return
		}
		list = append(list, l)
		if limit > 0 && len(list) >= 2*limit {
			list = append(list[:0], list[len(list)-limit:]...)
		}
	})
	if limit > 0 && len(list) > limit {
		list = list[len(list)-limit:]
	}
	return list, err
}

// Summary is what Verify found.
type Summary struct {
	Records   int                 // lines that are whole and read
	BadLine   int                 // first line that does not fit, from 1; 0 when all fit
	Reason    proto.JournalDamage // what is wrong with it
	Unknown   int                 // begins without an end
	Torn      int                 // lines cut short by a power loss, set aside or still at the end
	Truncated bool                // the head knows of lines that are no more
	Anchored  bool                // the head was there to check the end against
	Newest    *Seal               // the newest seal it was held against
	Place     string              // the log it stands in
}

// OK reports whether nothing was changed, removed or reordered.
func (s Summary) OK() bool { return s.BadLine == 0 }

// Proto returns the summary as journal.verify tells it.
func (s Summary) Proto() proto.JournalVerifyResult {
	r := proto.JournalVerifyResult{OK: s.OK(), Records: s.Records, Unknown: s.Unknown, Line: s.BadLine}
	if !s.OK() {
		r.Code, r.Reason = proto.CodeJournalDamaged, s.Reason
	}
	if s.Newest != nil {
		r.Seal = &proto.JournalSeal{Place: s.Place, Seq: int64(s.Newest.Seq), Time: s.Newest.Time}
	}
	return r
}

// Verify reads the whole journal and checks every hash and the chain. An error means it could not be read at all.
func Verify(path string) (Summary, error) { return verifyWith(path, nil) }

func verifyWith(path string, seals []Seal) (Summary, error) {
	v := newVerifier(path, seals)
	head := openHead(path, false)
	if head != nil {
		defer head.Close()
	}
	err := eachLocked(path, v.line, func() {
		v.base = readBase(path)
		if head != nil {
			v.headSeq, v.headHash, v.Anchored = readHead(head)
		}
	})
	if errors.Is(err, os.ErrNotExist) {
		err = nil
		if head != nil {
			v.headSeq, v.headHash, v.Anchored = readHead(head)
		}
	}
	v.finish()
	return v.Summary, err
}

func newVerifier(path string, seals []Seal) *verifier {
	v := &verifier{base: readBase(path), open: map[uint64]bool{}, seals: map[uint64][]Seal{}}
	for i, s := range seals {
		v.seals[s.Seq] = append(v.seals[s.Seq], s)
		v.Newest = &seals[i]
	}
	return v
}

// verifier walks the chain. After a line that does not fit it goes on from that line, so that the counts are of the whole.
type verifier struct {
	Summary
	base     base
	from     uint64 // the line before the first
	seq      uint64
	prev     string
	open     map[uint64]bool
	lines    int
	headSeq  uint64
	headHash string
	seals    map[uint64][]Seal // by record
}

func (v *verifier) bad(n int, reason proto.JournalDamage) {
	if v.BadLine == 0 {
		v.BadLine, v.Reason = n, reason
	}
}

func (v *verifier) line(n int, raw []byte, whole bool) {
	v.lines = n
	if !whole {
		v.Torn++ // the next append sets it aside
		return
	}
	l, err := decode(raw)
	switch {
	case err != nil:
		v.bad(n, proto.JournalDamageLineDamaged)
		return
	case n == 1:
		first := v.base.begins(l)
		v.from, v.seq, v.prev = first.seq, first.seq, first.hash
	}
	switch {
	case l.Seq != v.seq+1:
		v.bad(n, proto.JournalDamageLinesMissing)
	case l.Prev != v.prev:
		v.bad(n, proto.JournalDamageLineBeforeChanged)
	case l.Seq == v.base.seq && l.Hash != v.base.hash:
		v.bad(n, proto.JournalDamageLinesMissing)
	case l.Seq == v.headSeq && v.Anchored && l.Hash != v.headHash:
		v.bad(n, proto.JournalDamageHeadDiffers)
	}
	v.hold(n, l)
	v.seq, v.prev = l.Seq, l.Hash
	v.Records++
	v.count(n, l)
}

func (v *verifier) count(n int, l Line) {
	switch l.Type {
	case TypeBegin:
		v.open[l.Seq] = true
	case TypeEnd:
		if !v.open[l.Of] && l.Of > v.from { // else its begin was forgotten
			v.bad(n, proto.JournalDamageEndWithoutBegin)
		}
		delete(v.open, l.Of)
	case TypeTorn:
		v.Torn++
	}
}

func (v *verifier) finish() {
	v.Unknown = len(v.open)
	if v.Anchored && v.headSeq > v.seq {
		v.Truncated = true
		v.bad(v.lines+1, proto.JournalDamageEndCutOff)
	}
	for seq := range v.seals {
		if seq > v.seq {
			v.bad(v.lines+1, proto.JournalDamageSealAhead)
		}
	}
}

// each calls fn for every line of the journal, numbered from 1; whole is false for a last line without its end.
func each(path string, fn func(n int, raw []byte, whole bool)) error {
	err := eachLocked(path, fn, func() {})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// eachLocked is each, with a call under the lock before the first line.
func eachLocked(path string, fn func(n int, raw []byte, whole bool), first func()) error {
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	f, err := locked(ctx, path, false, func() (*os.File, error) { return os.OpenFile(path, os.O_RDONLY|noFollow, 0) })
	if err != nil {
		return err
	}
	defer f.Close()
	first()
	return lines(f, fn)
}

// lines cuts a reader into lines. Of one longer than a line may be it keeps only as much as shows that.
func lines(r io.Reader, fn func(n int, raw []byte, whole bool)) error {
	b := bufio.NewReaderSize(r, 64<<10)
	var raw []byte
	for n := 1; ; {
		piece, err := b.ReadSlice('\n')
		if len(raw) <= maxLine {
			raw = append(raw, piece...)
		}
		switch {
		case err == nil:
			fn(n, raw[:len(raw)-1], true)
			raw = raw[:0]
			n++
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			if len(raw) > 0 {
				fn(n, raw, false)
			}
			return nil
		default:
			return err
		}
	}
}
