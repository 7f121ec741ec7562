// SPDX-License-Identifier: GPL-3.0-or-later

// Package view is the process that reads a document to be signed and prints it as lines. Documents come from web pages,
// so they are read where little can be harmed: a child with no display, no environment, little memory and time, whose
// output is taken for text whatever it is.
//
// # Contract
//
// [Main] reads a text and writes UTF-8 lines. It knows UTF-8, UTF-16 and Windows-1251. Control,
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
	"errors"
	"io"
	"strings"

	"persten/internal/signing"
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
	charset := signing.DetectCharset(head)
	if charset == signing.Binary {
		return refuse(out, refused(ui.RefusedUnsupported))
	}
	more, err := print(out, charset.Decode(head))
	switch {
	case err != nil:
		return 1
	case cut || more:
		return ui.ExitCut
	}
	return ui.ExitWhole
}

// refuse says why a document is not shown.
func refuse(out io.Writer, err error) int {
	io.WriteString(out, string(refusal(err))+"\n")
	return ui.ExitRefused
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
	left := ui.ViewOutput
	for _, l := range lines {
		shown := ui.VisibleLine(l)
		if left -= len(shown) + 1; left < 0 {
			return true, w.Flush()
		}
		more = more || strings.HasSuffix(shown, "…") && !strings.HasSuffix(l, "…")
		if _, err = w.WriteString(shown + "\n"); err != nil {
			return more, err
		}
	}
	return more, w.Flush()
}
