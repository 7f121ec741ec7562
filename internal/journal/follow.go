// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
)

// Position is a place in a journal: the end of the line with this number and hash. The zero value is the beginning.
type Position struct {
	Seq    uint64 `json:"seq"`
	Hash   string `json:"hash"`
	Offset int64  `json:"offset"` // where the line ends in the file, if the file is still the one it was
}

// After returns the lines that follow a position, oldest first, and the position after the last of them: at most count lines,
// and no more once they take size bytes. Where the line of the position is no more, because the journal was begun anew or old
// lines were taken away, it begins at the first line there is: twice is better than never. Lines that cannot be read are left
// out; [Verify] tells of them. A journal that does not exist is empty.
func After(path string, from Position, count, size int) ([]Line, Position, error) {
	f, end, err := openSteady(path)
	if f == nil {
		return nil, from, err
	}
	defer f.Close()
	if !from.stands(f, end) {
		if from, err = find(f, end, from); err != nil {
			return nil, from, err
		}
	}
	if from.Offset == end {
		return nil, from, nil
	}
	var list []Line
	t := newTape(f, from.Offset, end)
	for len(list) < count && t.at-from.Offset < int64(size) {
		raw, err := t.next()
		if err != nil {
			return list, position(list, from, t.good), ignoreEOF(err)
		}
		if l, err := decode(raw); err == nil {
			list, t.good = append(list, l), t.at
		}
	}
	return list, position(list, from, t.good), nil
}

// End is the position after the last line.
func End(path string) (Position, error) {
	f, end, err := openSteady(path)
	if f == nil {
		return Position{}, err
	}
	defer f.Close()
	raw, at, err := lastLine(f, end)
	if err != nil || raw == nil {
		return Position{}, err
	}
	l, err := decode(raw)
	return Position{l.Seq, l.Hash, at}, err
}

// openSteady opens a journal to read as much as is whole; nil when there is none.
func openSteady(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	end, err := steady(f)
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, end, nil
}

// position is where the last of list ends.
func position(list []Line, from Position, end int64) Position {
	if len(list) == 0 {
		return from
	}
	last := list[len(list)-1]
	return Position{last.Seq, last.Hash, end}
}

// stands reports whether the line of p still ends where it did.
func (p Position) stands(f io.ReaderAt, end int64) bool {
	tail := p.tail()
	if p.Offset < int64(len(tail)) || p.Offset > end {
		return p == Position{}
	}
	found := make([]byte, len(tail))
	_, err := f.ReadAt(found, p.Offset-int64(len(tail)))
	return err == nil && bytes.Equal(found, tail)
}

// tail is how the line of p ends.
func (p Position) tail() []byte { return []byte(hashField + p.Hash + "\"}\n") }

// find looks for the line of p in the whole file; a line that is not there is the beginning.
func find(f io.ReaderAt, end int64, p Position) (Position, error) {
	tail := bytes.TrimSuffix(p.tail(), []byte("\n"))
	t := newTape(f, 0, end)
	for {
		raw, err := t.next()
		switch {
		case errors.Is(err, io.EOF):
			return Position{}, nil
		case err != nil:
			return Position{}, err
		case bytes.HasSuffix(raw, tail):
			p.Offset = t.at
			return p, nil
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// tape reads whole lines and knows where it is.
type tape struct {
	r    *bufio.Reader
	at   int64 // where the line read last ends
	good int64 // where the last one that could be read ends
}

func newTape(f io.ReaderAt, from, to int64) *tape {
	return &tape{bufio.NewReaderSize(io.NewSectionReader(f, from, to-from), 64<<10), from, from}
}

// next is the next line without its end; of one that is too long, as much as shows that. After the last whole line it is io.EOF.
func (t *tape) next() (raw []byte, err error) {
	for read := int64(0); ; {
		piece, err := t.r.ReadSlice('\n')
		read += int64(len(piece))
		if len(raw) <= maxLine {
			raw = append(raw, piece...)
		}
		switch {
		case err == nil:
			t.at += read
			return raw[:len(raw)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
