// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// firstPiece is the memory an answer gets on its word alone.
const firstPiece = 1 << 20

// collect reads an answer. Every one that is not plain begins with a DER SEQUENCE, whose header tells the whole length; it is
// believed as far as what comes bears it out. Where PEM is allowed it is told by its first character.
func collect(r io.Reader, k kind) ([]byte, error) {
	b := bufio.NewReaderSize(r, 16<<10)
	if k.plain {
		return collectAll(b, k.limit)
	}
	first, err := b.Peek(1)
	if err != nil {
		return nil, short(err)
	}
	if k.text && (first[0] == '-' || first[0] == 'M') { // -----BEGIN, or bare Base64 of a SEQUENCE
		return collectText(b, k.limit)
	}
	size, err := sequence(b)
	if err != nil {
		return nil, err
	}
	if size > k.limit {
		return nil, tooLarge(k.limit)
	}
	return collectDER(b, size)
}

func collectDER(b *bufio.Reader, size int64) ([]byte, error) {
	buf := make([]byte, min(size, firstPiece))
	n, err := io.ReadFull(b, buf)
	if err == nil && int64(n) < size {
		buf = append(make([]byte, 0, size), buf...)[:size]
		_, err = io.ReadFull(b, buf[n:])
	}
	if err != nil {
		return nil, short(err)
	}
	switch _, err := b.ReadByte(); {
	case err == nil:
		return nil, wrong("data after its end")
	case !errors.Is(err, io.EOF):
		return nil, short(err)
	}
	return buf, nil
}

// sequence looks at the header of a SEQUENCE and returns the length of all of it. An indefinite length is refused: every
// kind of answer is defined as DER.
func sequence(b *bufio.Reader) (int64, error) {
	head, err := b.Peek(2)
	if err != nil {
		return 0, short(err)
	}
	if head[0] != 0x30 || head[1] == 0x80 {
		return 0, wrong("not DER")
	}
	if head[1] < 0x80 {
		return 2 + int64(head[1]), nil
	}
	n := int(head[1] & 0x7f)
	if n > 7 {
		return 0, wrong("not DER")
	}
	if head, err = b.Peek(2 + n); err != nil {
		return 0, short(err)
	}
	size := int64(0)
	for _, d := range head[2:] {
		size = size<<8 | int64(d)
	}
	return 2 + int64(n) + size, nil
}

// collectText reads PEM. It is a third larger than what is in it, and copied: a quarter of the limit is allowed.
func collectText(b *bufio.Reader, limit int64) ([]byte, error) {
	return collectAll(b, max(limit/4, min(limit, 512<<10)))
}

func collectAll(b *bufio.Reader, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	if _, err := io.Copy(&buf, io.LimitReader(b, limit+1)); err != nil {
		return nil, short(err)
	}
	if int64(buf.Len()) > limit {
		return nil, tooLarge(limit)
	}
	return buf.Bytes(), nil
}

// short marks an answer that ends early.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return wrong("it ends early")
	}
	if timedOut(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
