// SPDX-License-Identifier: GPL-3.0-or-later

// Package view is the process that reads a document to be signed and shows it. Documents come from web pages, so they are read
// where little can be harmed: a child with no display, no environment, little memory and time, and no files, network or
// programs of its own, whose output is taken for text or pixels whatever it is.
//
// # Contract
//
// Each form is one function; all read a document and return the exit code of the process: ui.ExitWhole, ui.ExitCut when there is
// more than can be shown, ui.ExitRefused with the reason as the output (a ui.Refusal; of a tree a ui.Reason), or 1 when the
// document cannot be read. Lines are UTF-8; control, formatting and right-to-left characters are spelled out (ui.VisibleLine); there
// are at most ui.ViewLines of them and ui.ViewOutput bytes.
//
//   - [Main]: text in UTF-8, UTF-16 or Windows-1251. Its first ui.ViewBytes bytes; what is not text is refused.
//   - [Tree]: an XML document, as rows (ui.FormatRow).
//   - [Extract]: the text of DOCX, XLSX, PPTX, ODT, ODS, ODP and RTF, or the list of a ZIP file. The first line is the kind (ui.Kind).
//     Entries, sizes, depth, repetitions and the ratio of compression are limited.
//   - [Hex]: the bytes.
//   - [Pages]: PDF and pictures (PNG, JPEG, GIF, BMP, TIFF, WebP). It tells the sizes of the pages and then draws those it is asked
//     for on its standard input, until that ends; ui.Pages is the other side. Of an animation it draws the first picture.
//
// PDF is drawn by the system's pdftoppm, behind the same fence and filter, or, where that is not installed, by PDFium in a
// WebAssembly machine, compiled if that is allowed and interpreted if not.
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
