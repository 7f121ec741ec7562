// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"context"
	"io"
)

// Extract writes the attached content of a signature to w, whatever the signature is worth, and returns how much of it there is. It
// reads what Verify reads. The error wraps ErrNoContent for a detached signature, ErrFormat or ErrLimit, or comes from
// reading, from w or from ctx; w may then hold a part.
func Extract(ctx context.Context, w io.Writer, r io.Reader) (int64, error) {
	bits, err := unarmor(&reading{ctx, r})
	if err != nil {
		return 0, err
	}
	var n counted
	m, err := parseWith(newReader(bits), &message{body: io.MultiWriter(w, &n)})
	if err == nil && !m.attached {
		err = ErrNoContent
	}
	return int64(n), err
}

// counted counts what is written to it.
type counted int64

func (c *counted) Write(p []byte) (int, error) {
	*c += counted(len(p))
	return len(p), nil
}
