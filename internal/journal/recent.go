// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// block is how much of the journal is read at once from its end.
const block = 256 << 10

// Recent calls fn for the lines written since a time, newest first, without reading what is older. It is strict, because
// what is counted in it bounds what may be done: a line that does not fit its hash or the one after it, and an end that was
// cut off, are [ErrDamaged]. A journal that never was is empty.
func Recent(path string, since time.Time, fn func(Line)) error {
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	f, err := locked(ctx, path, false, func() (*os.File, error) { return os.OpenFile(path, os.O_RDONLY|noFollow, 0) })
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	r := recent{since: since, fn: fn}
	if err != nil {
		return r.finish(path)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := backwards(f, info.Size(), r.line); err != nil {
		return err
	}
	return r.finish(path)
}

// recent walks the chain from its end.
type recent struct {
	since time.Time
	fn    func(Line)
	first *Line  // the newest
	seq   uint64 // of the line read last
	prev  string // what the line before it must hash to
	old   bool   // the walk came to lines from before since
}

func (r *recent) line(raw []byte) (more bool, err error) {
	l, err := decode(raw)
	switch {
	case err != nil:
		return false, fmt.Errorf("%w: %w", ErrDamaged, err)
	case r.first == nil:
		r.first = &l
	case l.Seq+1 != r.seq || l.Hash != r.prev:
		return false, fmt.Errorf("%w: line %d does not follow line %d", ErrDamaged, r.seq, l.Seq)
	}
	r.seq, r.prev = l.Seq, l.Prev
	if l.Time.Before(r.since) {
		r.old = true
		return false, nil
	}
	r.fn(l)
	return true, nil
}

// finish looks at both ends: the head knows what the newest line was, and the oldest is the first or older than asked for.
func (r *recent) finish(path string) error {
	newest := uint64(0)
	if r.first != nil {
		newest = r.first.Seq
	}
	if head := openHead(path, false); head != nil {
		defer head.Close()
		if seq, _, ok := readHead(head); ok && seq > newest {
			return fmt.Errorf("%w: lines were cut off the end", ErrDamaged)
		}
	}
	oldest := readBase(path).begins(Line{Seq: r.seq, Prev: r.prev})
	if r.first != nil && !r.old && (r.seq != oldest.seq+1 || r.prev != oldest.hash) {
		return fmt.Errorf("%w: lines before line %d are missing", ErrDamaged, r.seq)
	}
	return nil
}

// backwards calls fn for each whole line of the first size bytes of f, last one first, until fn wants no more. What follows
// the last line end is no whole line and is left out.
func backwards(f io.ReaderAt, size int64, fn func(raw []byte) (more bool, err error)) error {
	var rest []byte // read already, before the lines that were handed out
	ended := false  // rest ends where a line does
	for at := size; at > 0; {
		n := min(block, at)
		at -= n
		buf := make([]byte, n, n+int64(len(rest)))
		if _, err := f.ReadAt(buf, at); err != nil && err != io.EOF {
			return err
		}
		rest = append(buf, rest...)
		if !ended {
			last := bytes.LastIndexByte(rest, '\n')
			rest, ended = rest[:max(last, 0)], last >= 0
			if !ended {
				continue
			}
		}
		for i := bytes.LastIndexByte(rest, '\n'); i >= 0; i = bytes.LastIndexByte(rest, '\n') {
			if more, err := fn(rest[i+1:]); err != nil || !more {
				return err
			}
			rest = rest[:i]
		}
		if len(rest) > maxLine {
			return fmt.Errorf("%w: line is too long", ErrDamaged)
		}
	}
	if !ended {
		return nil
	}
	_, err := fn(rest)
	return err
}
