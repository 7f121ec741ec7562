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
//
// # How documents come on screen
//
// ui.Forms looks at the beginning of a document, never at its name, and says in which forms it can be shown; each form is a run
// of persten-desktop view. The window takes the best one, goes on to the next when it is refused, and says why.
//
//   - Pages (PDF, pictures) are drawn when they come into sight, by a process that lives as long as the document is open. First
//     page of an A4 scan at 300 dpi, two cores: the system's pdftoppm 0.3 s; PDFium as WebAssembly 1.5 s compiled, 16 s
//     interpreted, and in the unit nothing may be compiled. So pdftoppm comes first where it is installed (poppler-utils), then
//     PDFium, which is also what Windows has. PDFium's machine is a sandbox by itself; pdftoppm runs behind the process's own.
//   - Text of office formats is extracted by our own readers, in the order and from the parts that office programs take
//     (relations, not names), with hidden sheets and what stands in headers, footers and notes. The window says that looks are
//     not shown, and offers the system's viewer.
//   - The system's viewer is opened by the session: a copy nobody can write to (0400, in the runtime folder, removed with the
//     prompt), under an extension of a fixed list, through the desktop's portal or else xdg-open, outside the unit's sandbox.
//     Documents with macros, archives and unknown files are not opened. Only the person's tick makes it count as seen.
//   - The journal says of each document how it was shown: shown, extracted, system, hex or not; the last two read "content not
//     shown". pinentry and terminal show no content, and say so.
//   - Confinement (Linux): limits of memory, time and descriptors; Landlock, behind which the process starts itself once more so
//     that it holds for all threads (14 ms of processor time); a filter of system calls without files, network, programs and
//     processes. For pdftoppm the fence lets the system's folders be read and the filter programs be started; nothing can be
//     written or sent. On Windows the parent's limits of time and output are all there is.
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
