// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// append writes l and, when that is due, seals it.
func (j *Journal) append(ctx context.Context, l Line) (Line, error) {
	l, err := j.write(ctx, l)
	if err == nil {
		j.sealed(l)
	}
	return l, err
}

// write chains l to the end of the file and returns it as written.
func (j *Journal) write(ctx context.Context, l Line) (Line, error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	f, err := locked(ctx, j.path, true, func() (*os.File, error) { return openFile(j.path) })
	if err != nil {
		return l, unwritable(err)
	}
	defer f.Close() // also lets the lock go
	head := openHead(j.path, true)
	if head == nil {
		return l, unwritable(errors.New("the head cannot be opened"))
	}
	defer head.Close()
	w := writer{file: f, head: head, last: j.last.Swap(nil)}
	l.Record = l.clean()
	if err := w.write(&l); err != nil {
		return l, unwritable(err)
	}
	j.last.Store(w.tail())
	return l, nil
}

// tail is the end of the file as it was left.
type tail struct {
	info os.FileInfo
	seq  uint64
	hash string
}

// tail is what was just written, nil when that cannot be told.
func (w *writer) tail() *tail {
	info, err := w.file.Stat()
	if err != nil || info.Size() != w.end {
		return nil
	}
	return &tail{info, w.seq, w.hash}
}

// still reports whether nobody has written to the file since.
func (t *tail) still(now os.FileInfo) bool {
	return t != nil && os.SameFile(t.info, now) && t.info.Size() == now.Size() && t.info.ModTime().Equal(now.ModTime())
}

// openFile opens the journal for appending and makes it, 0600, if need be.
func openFile(path string) (*os.File, error) {
	_, err := os.Lstat(path)
	created := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	if err := checkFile(f); err != nil {
		f.Close()
		return nil, err
	}
	if created {
		if err := syncDir(filepath.Dir(path)); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

// locked opens the journal and locks it. Between the two, Expire may put another file in its place: then that one is opened.
func locked(ctx context.Context, path string, exclusive bool, open func() (*os.File, error)) (*os.File, error) {
	for {
		f, err := open()
		if err != nil {
			return nil, err
		}
		if err := lock(ctx, f, exclusive); err != nil {
			f.Close()
			return nil, err
		}
		mine, err := f.Stat()
		if now, gone := os.Lstat(path); err == nil && (gone != nil || os.SameFile(mine, now)) {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
}

// lock waits for the lock between processes until ctx ends.
func lock(ctx context.Context, f *os.File, exclusive bool) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		ok, err := tryLock(f, exclusive)
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another process holds the journal: %w", ctx.Err())
		case <-time.After(wait):
		}
	}
}

// writer is one append under the lock.
type writer struct {
	file, head *os.File
	last       *tail // of the append before this one, if it is known
	end        int64 // where the next line goes
	size       int64 // of the file, past end when it is torn
	seq        uint64
	hash       string
}

func (w *writer) write(l *Line) error {
	if err := w.readTail(); err != nil {
		return err
	}
	if w.size > w.end {
		if err := w.setAside(); err != nil {
			return err
		}
	}
	return w.put(l)
}

// put writes one line after the last and syncs it.
func (w *writer) put(l *Line) error {
	l.Seq, l.Prev, l.Time = w.seq+1, w.hash, time.Now().UTC()
	data, err := l.encode()
	if err != nil {
		return err
	}
	if _, err := w.file.WriteAt(data, w.end); err != nil {
		// A line written in part, say on a full disk, must not stay: nothing vouches for it.
		return errors.Join(err, w.file.Truncate(w.end))
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	w.end += int64(len(data))
	w.seq, w.hash = l.Seq, l.Hash
	return writeHead(w.head, w.seq, w.hash)
}

// setAside replaces the torn end of the file by a line that holds it.
func (w *writer) setAside() error {
	torn := make([]byte, min(w.size-w.end, maxTorn))
	if _, err := w.file.ReadAt(torn, w.end); err != nil {
		return err
	}
	if err := w.put(&Line{Type: TypeTorn, Torn: torn, Record: Record{Kind: TypeTorn}}); err != nil {
		return err
	}
	return w.file.Truncate(w.end)
}

// readTail finds the end of the last whole line and what to chain to. When the head knows of later lines than the file
// has, the chain goes on from the head, so that the gap stays visible.
func (w *writer) readTail() error {
	info, err := w.file.Stat()
	if err != nil {
		return err
	}
	w.size, w.hash = info.Size(), firstPrev
	if w.last.still(info) {
		w.end, w.seq, w.hash = w.size, w.last.seq, w.last.hash
	} else if err := w.readLast(); err != nil {
		return err
	}
	if seq, hash, ok := readHead(w.head); ok && seq > w.seq {
		w.seq, w.hash = seq, hash
	}
	return nil
}

func (w *writer) readLast() error {
	raw, end, err := lastLine(w.file, w.size)
	if err != nil {
		return err
	}
	w.end = end
	if raw == nil {
		return nil
	}
	last, err := decode(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	w.seq, w.hash = last.Seq, last.Hash
	return nil
}

// lastLine returns the last line of the file that has a line end, nil when there is none, and where it ends.
func lastLine(f io.ReaderAt, size int64) (raw []byte, end int64, err error) {
	for window := int64(16 << 10); ; window *= 8 {
		window = min(window, size)
		buf := make([]byte, window)
		if _, err := f.ReadAt(buf, size-window); err != nil && err != io.EOF {
			return nil, 0, err
		}
		last := bytes.LastIndexByte(buf, '\n')
		start := -1
		if last >= 0 {
			start = bytes.LastIndexByte(buf[:last], '\n')
		}
		switch {
		case last >= 0 && (start >= 0 || window == size):
			return buf[start+1 : last], size - window + int64(last) + 1, nil
		case window == size:
			return nil, 0, nil
		case window > 4*maxLine:
			return nil, 0, fmt.Errorf("%w: line is too long", ErrDamaged)
		}
	}
}
