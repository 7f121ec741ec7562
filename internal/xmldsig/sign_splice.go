// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"persten/internal/xmldsig/xml"
)

// edit replaces the bytes [begin, end) of a document with text. A fresh edit is in UTF-8, offsets and text; transcode
// turns it into bytes of the source.
type edit struct {
	begin, end int64
	text       []byte
}

// transcode returns the edits, which are in order, in offsets of the source and in its encoding.
func transcode(doc io.ReadSeeker, enc xml.Encoding, edits []edit) ([]edit, error) {
	out := slices.Clone(edits)
	for i, e := range out {
		begin, err := locate(doc, e.begin)
		if err != nil {
			return nil, err
		}
		end := begin
		if e.end != e.begin {
			if end, err = locate(doc, e.end); err != nil {
				return nil, err
			}
		}
		text, err := enc.Encode(e.text)
		if err != nil {
			return nil, err
		}
		out[i] = edit{begin, end, text}
	}
	return out, nil
}

func locate(doc io.ReadSeeker, offset int64) (int64, error) {
	if _, err := doc.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("read document: %w", err)
	}
	return xml.Locate(doc, offset)
}

// fitting writes what the encoding lacks as character references. All such characters of a signature are in values, where
// references may stand.
func fitting(enc xml.Encoding, text []byte) []byte {
	if _, err := enc.Encode(text); err == nil {
		return text
	}
	var fits []byte
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if _, err := enc.Encode(text[:n]); err == nil {
			fits = append(fits, text[:n]...)
		} else {
			fits = append(fits, "&#"+strconv.Itoa(int(r))+";"...)
		}
		text = text[n:]
	}
	return fits
}

// splice is a document with edits applied, read as if it were one: nothing is copied. It reads from its beginning.
type splice struct {
	ctx    context.Context
	doc    io.ReadSeeker
	at     int64 // where doc stands
	pieces []piece
	end    int64 // of doc
	size   int64
	pos    int64
}

// piece is a part of a splice: text, or the document's bytes from an offset on.
type piece struct {
	begin, end int64 // in the splice
	from       int64 // in the document, when text is nil
	text       []byte
}

// newSplice takes edits of the source, in order and apart from each other.
func newSplice(ctx context.Context, doc io.ReadSeeker, edits []edit) (*splice, error) {
	size, err := doc.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	s := &splice{ctx: ctx, doc: doc, at: size, end: size}
	from := int64(0)
	for _, e := range edits {
		if e.begin < from || e.end < e.begin || e.end > size {
			return nil, fmt.Errorf("read document: %w", io.ErrUnexpectedEOF)
		}
		s.add(piece{from: from, end: e.begin - from})
		s.add(piece{text: e.text, end: int64(len(e.text))})
		from = e.end
	}
	s.add(piece{from: from, end: size - from})
	return s, nil
}

// add appends a piece whose end is its length.
func (s *splice) add(p piece) {
	if p.end == 0 {
		return
	}
	p.begin, p.end = s.size, s.size+p.end
	s.size = p.end
	s.pieces = append(s.pieces, p)
}

// here is the piece pos is in.
func (s *splice) here() *piece {
	i, _ := slices.BinarySearchFunc(s.pieces, s.pos, func(p piece, pos int64) int {
		if p.end <= pos {
			return -1
		}
		return 1
	})
	if i == len(s.pieces) {
		return nil
	}
	return &s.pieces[i]
}

func (s *splice) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	p := s.here()
	if p == nil {
		return 0, io.EOF
	}
	if p.text != nil {
		n := copy(b, p.text[s.pos-p.begin:])
		s.pos += int64(n)
		return n, nil
	}
	if left := p.end - s.pos; int64(len(b)) > left {
		b = b[:left]
	}
	n, err := s.readAt(b, p.from+s.pos-p.begin)
	s.pos += int64(n)
	return n, err
}

// readAt reads from the document; a document that has become shorter is an error.
func (s *splice) readAt(b []byte, at int64) (int, error) {
	if s.at != at {
		if _, err := s.doc.Seek(at, io.SeekStart); err != nil {
			return 0, fmt.Errorf("read document: %w", err)
		}
		s.at = at
	}
	n, err := s.doc.Read(b)
	s.at += int64(n)
	switch {
	case n > 0 || err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return 0, fmt.Errorf("read document: %w", err)
}

func (s *splice) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.pos
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	s.pos = offset
	return offset, nil
}

// watched is a splice that hashes the document's bytes when it is read from its beginning to its end, those the edits
// replace included.
type watched struct {
	s    *splice
	hash hash.Hash // nil: none
	next int64     // document bytes hashed
}

func (w *watched) Seek(offset int64, whence int) (int64, error) {
	if w.hash != nil {
		w.hash.Reset()
	}
	w.next = 0
	return w.s.Seek(offset, whence)
}

func (w *watched) Read(b []byte) (int, error) {
	if w.hash == nil {
		return w.s.Read(b)
	}
	p := w.s.here()
	if p == nil {
		return 0, cmp.Or(w.skip(w.s.end), io.EOF)
	}
	if p.text == nil {
		if err := w.skip(p.from + w.s.pos - p.begin); err != nil {
			return 0, err
		}
	}
	n, err := w.s.Read(b)
	if p.text == nil {
		w.hash.Write(b[:n])
		w.next += int64(n)
	}
	return n, err
}

// skip hashes the document up to an offset.
func (w *watched) skip(to int64) error {
	var b [512]byte
	for w.next < to {
		n, err := w.s.readAt(b[:min(int64(len(b)), to-w.next)], w.next)
		if err != nil {
			return err
		}
		w.hash.Write(b[:n])
		w.next += int64(n)
	}
	return nil
}
