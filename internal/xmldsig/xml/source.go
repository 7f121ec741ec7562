// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"io"
	"unicode/utf8"
)

// badByte is why a source cannot be read on: what comes next is not in its encoding.
type badByte string

func (b badByte) Error() string { return string(b) }

const brokenOff badByte = "the document ends inside a character"

// source gives a document as UTF-8 without byte order mark, in whole characters.
type source struct {
	in   io.Reader
	enc  Encoding
	mark int    // length of the byte order mark
	room []byte // what raw is cut from
	raw  []byte // read and not yet decoded
	over error  // why in gives no more
}

// ahead is how much is looked at to find out the encoding: a declaration has to fit into it.
const ahead = 4 << 10

// detect finds out the encoding and passes the byte order mark.
func (s *source) detect() (problem string) {
	s.fill()
	s.enc, s.mark, problem = detect(s.raw[:min(len(s.raw), ahead)])
	s.raw = s.raw[s.mark:]
	return problem
}

// read fills p up to a character and tells the error that ends the source as soon as it is met.
func (s *source) read(p []byte) (n int, err error) {
	for len(p)-n >= utf8.UTFMax {
		written, taken, problem := s.enc.decode(p[n:], s.raw)
		n, s.raw = n+written, s.raw[taken:]
		switch {
		case problem != "":
			return n, badByte(problem)
		case taken > 0:
		case s.over == io.EOF && len(s.raw) > 0:
			return n, brokenOff
		case s.over != nil:
			return n, s.over
		default:
			s.fill()
		}
	}
	return n, nil
}

// fill reads until room is full or nothing follows.
func (s *source) fill() {
	if s.room == nil {
		s.room = make([]byte, buffered)
	}
	n := copy(s.room, s.raw)
	for idle := 0; n < len(s.room) && s.over == nil; {
		m, err := s.in.Read(s.room[n:])
		n, s.over = n+m, err
		if idle++; m > 0 {
			idle = 0
		} else if idle == 100 && err == nil {
			s.over = io.ErrNoProgress
		}
	}
	s.raw = s.room[:n]
}

// Locate turns an offset in the UTF-8 form of the document in src, as in Token, into the offset in src itself: it counts
// the byte order mark and undoes the transcoding. The offset has to be where a character begins, or the end; in UTF-8 this is
// not checked, and no more than the beginning of src is read.
func Locate(src io.Reader, offset int64) (int64, error) {
	s := source{in: src}
	if problem := s.detect(); problem != "" {
		return 0, unlocated(place{line: 1}, 0, ErrEncoding, problem)
	}
	if s.over != nil && s.over != io.EOF {
		return 0, s.over
	}
	if s.enc == UTF8 {
		return int64(s.mark) + offset, nil
	}
	var (
		scratch [8 << 10]byte
		at      = place{line: 1}
		passed  int64
		located = int64(s.mark)
	)
	for passed < offset {
		written, taken, problem := s.enc.decode(scratch[:min(offset-passed, int64(len(scratch)))], s.raw)
		s.raw = s.raw[taken:]
		at.pass(scratch[:written])
		passed, located = passed+int64(written), located+int64(taken)
		switch {
		case problem != "":
			return 0, unlocated(at, passed, ErrEncoding, problem)
		case taken > 0:
		case s.over == io.EOF || len(s.raw) >= utf8.UTFMax:
			return 0, unlocated(at, passed, ErrSyntax, "no character begins at the offset")
		case s.over != nil:
			return 0, s.over
		default:
			s.fill()
		}
	}
	return located, nil
}

func unlocated(at place, offset int64, kind error, reason string) error {
	return &Error{Kind: kind, Reason: reason, Line: at.line, Column: at.column + 1, Offset: offset}
}
