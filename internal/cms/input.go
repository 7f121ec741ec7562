// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// maxHeading bounds what may stand before the Base64 of a PEM block: comments, its first line.
const maxHeading = 16 << 10

// unarmor finds out how the signature in r is written (BER, PEM, or Base64 alone, also with a byte order mark) and returns its
// bytes. Every BER SignedData begins with the digit 0, so that its Base64 begins with an M.
func unarmor(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 4<<10)
	head, err := in.Peek(1)
	if err != nil || head[0] == tagSequence {
		return in, nil // the parser tells what is wrong with it
	}
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		in.Discard(3)
	}
	for {
		b, err := in.ReadByte()
		switch {
		case err != nil:
			return nil, unreadable(err)
		case b == ' ' || b == '\t' || b == '\r' || b == '\n':
		case b == 'M':
			in.UnreadByte()
			return &unarmored{base64.NewDecoder(base64.StdEncoding, &letters{in: in})}, nil
		case b == '-':
			in.UnreadByte()
			return pemBody(in)
		default:
			return nil, malformed("neither BER nor PEM nor Base64")
		}
	}
}

// pemBody passes over the first line of a PEM block (RFC 7468), whatever its label.
func pemBody(in *bufio.Reader) (io.Reader, error) {
	line, err := in.ReadSlice('\n')
	line = bytes.TrimRight(line, " \t\r\n")
	if err != nil || len(line) > maxHeading || !bytes.HasPrefix(line, []byte("-----BEGIN ")) || !bytes.HasSuffix(line, []byte("-----")) {
		return nil, malformed("not a PEM block")
	}
	return &unarmored{base64.NewDecoder(base64.StdEncoding, &letters{in: in, pem: true})}, nil
}

// letters passes Base64 on without white space, up to the line that ends a PEM block.
type letters struct {
	in   *bufio.Reader
	pem  bool
	done bool
}

func (l *letters) Read(p []byte) (int, error) {
	if l.done {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		b, err := l.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			l.done = true
			if l.pem {
				return n, malformed("PEM block without an end")
			}
			return n, io.EOF
		case err != nil:
			return n, err
		case b == ' ' || b == '\t' || b == '\r' || b == '\n':
		case b == '-' && l.pem:
			l.done = true
			return n, l.footer()
		default:
			p[n] = b
			n++
		}
		if n > 0 && l.in.Buffered() == 0 {
			return n, nil
		}
	}
	return n, nil
}

// footer reads the last line of a PEM block, after which there is nothing.
func (l *letters) footer() error {
	rest, err := io.ReadAll(io.LimitReader(l.in, maxHeading))
	if err != nil {
		return err
	}
	rest = bytes.TrimSpace(rest)
	if !bytes.HasPrefix(rest, []byte("----END ")) || !bytes.HasSuffix(rest, []byte("-----")) || bytes.ContainsAny(rest, "\r\n") {
		return malformed("PEM block ends wrongly")
	}
	return io.EOF
}

// unarmored gives the errors of Base64 their type.
type unarmored struct{ text io.Reader }

func (u *unarmored) Read(p []byte) (int, error) {
	n, err := u.text.Read(p)
	var corrupt base64.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = malformed("Base64: %v", err)
	}
	return n, err
}

// unreadable tells a short input from an input that cannot be read.
func unreadable(err error) error {
	switch {
	case errors.Is(err, ErrFormat), errors.Is(err, ErrLimit):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return malformed("input ends early")
	}
	return fmt.Errorf("read signature: %w", err)
}
