// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"errors"
	"fmt"
	"hash"
	"io"
)

// encoded is a document read as base64, in lines of so many columns. It can be taken back to its beginning only.
type encoded struct {
	doc     io.ReadSeeker
	columns int
	hash    hash.Hash // of the document's own bytes; may be nil
	length  int64     // of the document when it was made
	buffer  []byte    // bytes of the document
	text    []byte    // what they are encoded as
	pending []byte    // the rest of that
	begun   bool
}

// encodedLines is how many lines are encoded at a time.
const encodedLines = 768

func newEncoded(doc io.ReadSeeker, columns int) (*encoded, error) {
	length, err := doc.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	line := 64
	if columns > 0 {
		line = columns
	}
	return &encoded{doc: doc, columns: columns, length: length, buffer: make([]byte, encodedLines*line/4*3)}, nil
}

// size is the number of characters.
func (e *encoded) size() int64 {
	n := (e.length + 2) / 3 * 4
	if e.columns > 0 && n > 0 {
		n += (n - 1) / int64(e.columns)
	}
	return n
}

func (e *encoded) Read(p []byte) (int, error) {
	if len(e.pending) == 0 {
		if err := e.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, e.pending)
	e.pending = e.pending[n:]
	return n, nil
}

// fill encodes the next lines.
func (e *encoded) fill() error {
	n, err := io.ReadFull(e.doc, e.buffer)
	if n == 0 || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if e.hash != nil {
		e.hash.Write(e.buffer[:n])
	}
	e.text = e.text[:0]
	if e.begun && e.columns > 0 {
		e.text = append(e.text, '\n')
	}
	e.begun = true
	e.text = appendWrapped(e.text, e.buffer[:n], e.columns)
	e.pending = e.text
	return nil
}

func (e *encoded) Seek(offset int64, whence int) (int64, error) {
	switch {
	case offset != 0 || whence == io.SeekCurrent:
		return 0, errors.New("base64 is read from its beginning")
	case whence == io.SeekEnd:
		return e.size(), nil
	}
	if e.hash != nil {
		e.hash.Reset()
	}
	e.pending, e.begun = nil, false
	_, err := e.doc.Seek(0, io.SeekStart)
	return 0, err
}
