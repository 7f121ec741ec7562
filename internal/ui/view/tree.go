// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"bufio"
	"errors"
	"io"
	"math"

	"persten/internal/signing"
	"persten/internal/ui"
	"persten/proto"
)

// Tree prints the XML document in as rows and returns the exit code of the process. spans are the pieces that will be signed
// (ui.ParseSpans).
func Tree(in io.ReaderAt, spans string, out io.Writer) int {
	covered, err := ui.ParseSpans(spans)
	if err != nil {
		return 1
	}
	src := &source{r: io.NewSectionReader(in, 0, math.MaxInt64)}
	rows, cut, err := signing.Tree(src, covered, ui.ViewLines)
	switch {
	case src.failed:
		return 1
	case err != nil:
		io.WriteString(out, ui.FormatReason(reason(err))+"\n")
		return ui.ExitRefused
	}
	more, err := printRows(out, rows)
	switch {
	case err != nil:
		return 1
	case cut || more:
		return ui.ExitCut
	}
	return ui.ExitWhole
}

// source remembers that a document could not be read, which says nothing about the document.
type source struct {
	r      io.Reader
	failed bool
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.failed = s.failed || err != nil && !errors.Is(err, io.EOF)
	return n, err
}

// printRows writes rows as long as there is room, and tells whether some were left out.
func printRows(out io.Writer, rows []signing.TreeRow) (more bool, err error) {
	w := bufio.NewWriter(out)
	left := ui.ViewOutput
	for _, r := range rows {
		line := ui.FormatRow(r) + "\n"
		if left -= len(line); left < 0 {
			return true, w.Flush()
		}
		if _, err := w.WriteString(line); err != nil {
			return false, err
		}
	}
	return false, w.Flush()
}

// reason is what the catalogue knows of a refusal.
func reason(err error) ui.Reason {
	var known *proto.Error
	if !errors.As(err, &known) {
		return ui.Reason{}
	}
	return ui.Reason{Code: string(known.Code), Line: known.Args["line"], Column: known.Args["column"]}
}
