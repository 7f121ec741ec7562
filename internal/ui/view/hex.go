// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"bufio"
	"fmt"
	"io"

	"persten/internal/ui"
)

// hexRow is how many bytes stand in a line.
const hexRow = 16

// Hex prints the bytes of in, sixteen a line with their place and what they are in ASCII, and returns the exit code of the process.
func Hex(in io.ReaderAt, out io.Writer) int {
	b, err := read(in, hexRow*ui.ViewLines+1)
	if err != nil {
		return 1
	}
	code := ui.ExitWhole
	if len(b) > hexRow*ui.ViewLines {
		b, code = b[:hexRow*ui.ViewLines], ui.ExitCut
	}
	w := bufio.NewWriter(out)
	for at := 0; at < len(b); at += hexRow {
		row := b[at:min(at+hexRow, len(b))]
		fmt.Fprintf(w, "%06x % -*x %s\n", at, 3*hexRow-1, row, ascii(row))
	}
	if w.Flush() != nil {
		return 1
	}
	return code
}

// ascii has a dot for every byte that is none.
func ascii(row []byte) string {
	s := make([]byte, len(row))
	for i, c := range row {
		s[i] = '.'
		if c > ' ' && c <= '~' {
			s[i] = c
		}
	}
	return string(s)
}
