// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// KindExpired is the kind of the note that lines were forgotten; args say through which.
const KindExpired = "expired"

// base is the last of the lines that were forgotten: NAME.base says its seq and hash, in the form of the head, and the chain goes on
// from there. While Expire is at work the file may still begin earlier.
type base struct {
	seq  uint64
	hash string
}

// readBase returns the base of a journal, the zero one when nothing was forgotten.
func readBase(path string) base {
	f, err := os.OpenFile(path+".base", os.O_RDONLY|noFollow, 0)
	if err != nil {
		return base{hash: firstPrev}
	}
	defer f.Close()
	if checkFile(f) == nil {
		if seq, hash, ok := readHead(f); ok {
			return base{seq, hash}
		}
	}
	return base{hash: firstPrev}
}

// begins is what the first line of a file must follow, for a line of this number.
func (b base) begins(l Line) base {
	switch {
	case l.Seq <= 1 || l.Seq > b.seq+1:
		return base{hash: firstPrev}
	case l.Seq == b.seq+1:
		return b
	}
	return base{l.Seq - 1, l.Prev}
}

// maxUnsent is how large a journal may be, in bytes, that keeps lines only because they were not sent: some 80,000.
var maxUnsent int64 = 64 << 20

// Expire forgets the lines from before a time, up to the first that is younger, and notes that it did. The last line always stays. So
// do lines after each of the places in sent, up to which the journal was sent somewhere, unless it is larger than 64 MiB. A
// journal that is damaged stays whole, which is [ErrDamaged]: what is wrong with it must not disappear. It returns how many lines went.
//
// Whoever owns the journal can forge its base as they can cut it; seals of what was forgotten stay in the system's log.
func (j *Journal) Expire(ctx context.Context, before time.Time, sent ...Position) (int, error) {
	gone, through, err := j.expire(ctx, before, sent)
	if err != nil || gone == 0 {
		return gone, err
	}
	return gone, j.Note(Record{Kind: KindExpired, Result: OK, Args: map[string]string{"through": strconv.FormatUint(through, 10)}})
}

func (j *Journal) expire(ctx context.Context, before time.Time, sent []Position) (gone int, through uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	f, err := locked(ctx, j.path, true, func() (*os.File, error) { return openFile(j.path) })
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	last, err := lastSent(f, sent)
	if err != nil {
		return 0, 0, err
	}
	c := cut{before: before, sent: last, old: true, v: newVerifier(j.path, nil)}
	if err := lines(f, c.line); err != nil {
		return 0, 0, err
	}
	c.v.finish()
	if !c.v.OK() {
		return 0, 0, fmt.Errorf("%w: line %d", ErrDamaged, c.v.BadLine)
	}
	if c.gone == 0 {
		return 0, 0, nil
	}
	return c.gone, c.last.seq, j.replace(f, c)
}

// lastSent is the number of the last line that may go as far as sending is concerned.
func lastSent(f *os.File, sent []Position) (uint64, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	last := uint64(math.MaxUint64)
	if fi.Size() > maxUnsent {
		return last, nil
	}
	for _, p := range sent {
		if !p.stands(f, fi.Size()) {
			if p, err = find(f, fi.Size(), p); err != nil {
				return 0, err
			}
		}
		last = min(last, p.Seq)
	}
	return last, nil
}

// cut finds the place from which a journal is kept, and checks the journal on the way.
type cut struct {
	before time.Time
	sent   uint64 // the last line that was sent
	old    bool   // all lines so far are from before, and were sent
	v      *verifier

	end  int64 // of the lines read
	at   int64 // where what is kept begins
	gone int
	last base // of what goes
}

func (c *cut) line(n int, raw []byte, whole bool) {
	if c.old && n > 1 && whole {
		c.at, c.gone, c.last = c.end, n-1, base{c.v.seq, c.v.prev}
	}
	c.v.line(n, raw, whole)
	c.end += int64(len(raw)) + 1
	if l, err := decode(raw); err != nil || !l.Time.Before(c.before) || l.Seq > c.sent {
		c.old = false
	}
}

// replace puts what is kept in the file's place: first its copy and the base are on disk, then the copy gets the name.
func (j *Journal) replace(f *os.File, c cut) error {
	if _, err := f.Seek(c.at, io.SeekStart); err != nil {
		return err
	}
	copied, err := os.CreateTemp(filepath.Dir(j.path), "."+filepath.Base(j.path)+"-") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(copied.Name())
	_, err = io.Copy(copied, f)
	err = errors.Join(err, copied.Sync(), copied.Close())
	if err == nil {
		err = j.writeBase(c.last)
	}
	if err == nil {
		err = os.Rename(copied.Name(), j.path)
	}
	if err != nil {
		return err
	}
	j.last.Store(nil)
	return syncDir(filepath.Dir(j.path))
}

func (j *Journal) writeBase(b base) error {
	f, err := os.OpenFile(j.path+".base", os.O_RDWR|os.O_CREATE|noFollow, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := checkFile(f); err != nil {
		return err
	}
	return errors.Join(writeHead(f, b.seq, b.hash), f.Sync())
}
