// SPDX-License-Identifier: GPL-3.0-or-later

// Package view is the process that reads a document to be signed and prints it as lines. Documents come from web pages,
// so they are read where little can be harmed: a child with no display, no environment, little memory and time, whose
// output is taken for text whatever it is.
//
// # Contract
//
// [Main] reads a document and writes UTF-8 lines. It knows UTF-8, UTF-16 with a byte order mark and Windows-1251. Control,
// formatting and right-to-left characters are spelled out (ui.VisibleLine). It stops after ui.ViewLines lines and
// ui.ViewBytes bytes; a line is cut at ui.ViewColumns. What is not text is refused. The result is an exit code:
// ui.ExitWhole, ui.ExitCut, ui.ExitBinary, or 1 when the document cannot be read.
//
// [Tree] reads an XML document and writes the rows of its tree, one a line (ui.FormatRow), at most ui.ViewLines and
// ui.ViewOutput bytes. Of what the strict reader refuses it writes the reason and returns ui.ExitRefused.
//
// [Confine] limits the process before it reads anything.
package view

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"persten/internal/ui"
)

// Main prints the document in as lines and returns the exit code of the process.
func Main(in io.ReaderAt, out io.Writer) int {
	head, err := read(in, ui.ViewBytes+1)
	if err != nil {
		return 1
	}
	cut := len(head) > ui.ViewBytes
	if cut {
		head = head[:ui.ViewBytes]
	}
	charset := ui.DetectCharset(head)
	if charset == ui.Binary {
		return ui.ExitBinary
	}
	more, err := print(out, decode(charset, head))
	switch {
	case err != nil:
		return 1
	case cut || more:
		return ui.ExitCut
	}
	return ui.ExitWhole
}

// read takes the beginning without moving the descriptor's offset, which other processes share.
func read(in io.ReaderAt, max int64) ([]byte, error) {
	b, err := io.ReadAll(io.NewSectionReader(in, 0, max))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b, err
}

// print writes the lines of s and tells whether it left some out.
func print(out io.Writer, s string) (more bool, err error) {
	w := bufio.NewWriter(out)
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\f", "\n", "\t", "    ").Replace(s)
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	if s == "" {
		lines = nil
	}
	if more = len(lines) > ui.ViewLines; more {
		lines = lines[:ui.ViewLines]
	}
	for _, l := range lines {
		shown := ui.VisibleLine(l)
		more = more || strings.HasSuffix(shown, "…") && !strings.HasSuffix(l, "…")
		if _, err = w.WriteString(shown + "\n"); err != nil {
			return more, err
		}
	}
	return more, w.Flush()
}

// decode makes UTF-8 of a document. Bytes that are no characters stay, and are spelled out later.
func decode(c ui.Charset, b []byte) string {
	switch c {
	case ui.UTF16LE:
		return decode16(binary.LittleEndian, b[2:])
	case ui.UTF16BE:
		return decode16(binary.BigEndian, b[2:])
	case ui.Windows1251:
		return decode1251(b)
	}
	b = []byte(strings.TrimPrefix(string(b), "\uFEFF"))
	return string(b)
}

func decode16(order binary.ByteOrder, b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// upper1251 is the half of Windows-1251 above ASCII; 0x98 has no character.
var upper1251 = []rune("ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\uFFFD™љ›њќћџ\u00A0ЎўЈ¤Ґ¦§Ё©Є«¬\u00AD®Ї°±Ііґµ¶·ё№є»јЅѕї" +
	"АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя")

func decode1251(b []byte) string {
	var s strings.Builder
	s.Grow(2 * len(b))
	for _, c := range b {
		if c < utf8.RuneSelf {
			s.WriteByte(c)
			continue
		}
		s.WriteRune(upper1251[c-0x80])
	}
	return s.String()
}
