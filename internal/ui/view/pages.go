// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"io"

	"persten/internal/ui"
)

// pager is a document that is drawn page by page.
type pager interface {
	kind() ui.Kind
	sizes() (list []image.Point, more bool)
	draw(i, width int) (*image.RGBA, error) // within ui.FitPage
}

// refused is an error the person is told about.
type refused ui.Refusal

func (r refused) Error() string { return "refused: " + string(r) }

// refusal is what the person is told about an error.
func refusal(err error) ui.Refusal {
	if r, ok := errors.AsType[refused](err); ok {
		return ui.Refusal(r)
	}
	return ui.RefusedBroken
}

// Pages tells the sizes of the pages of in, and draws those it is asked for on requests, until there are no more requests. It
// returns the exit code of the process.
func Pages(in io.ReaderAt, requests io.Reader, out io.Writer) int {
	p, err := openPages(in)
	if err != nil {
		fmt.Fprintf(out, "refused %s\n", refusal(err))
		return ui.ExitRefused
	}
	if err := answer(p, requests, bufio.NewWriterSize(out, 1<<16)); err != nil {
		return 1
	}
	return ui.ExitWhole
}

// openPages finds out what in is.
func openPages(in io.ReaderAt) (pager, error) {
	head, err := read(in, 1024)
	switch {
	case err != nil:
		return nil, err
	case bytes.Contains(head, []byte("%PDF-")):
		return openPDF(in)
	case bytes.HasPrefix(head, []byte("II*\x00")), bytes.HasPrefix(head, []byte("MM\x00*")):
		return openTIFF(in)
	}
	return openPicture(in)
}

// answer serves the requests.
func answer(p pager, requests io.Reader, out *bufio.Writer) error {
	sizes, more := p.sizes()
	rest := "all"
	if more {
		rest = "more"
	}
	fmt.Fprintf(out, "pages %s %d %s\n", p.kind(), len(sizes), rest)
	for _, s := range sizes {
		s = ui.FitPage(s, s.X)
		fmt.Fprintln(out, s.X, s.Y)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	asked := bufio.NewReader(requests)
	for {
		var i, width int
		if _, err := fmt.Fscanf(asked, "%d %d\n", &i, &width); err != nil || i < 0 || i >= len(sizes) {
			return nil
		}
		if err := writePage(out, p, i, width); err != nil {
			return err
		}
	}
}

func writePage(out *bufio.Writer, p pager, i, width int) error {
	page, err := p.draw(i, width)
	if err != nil {
		fmt.Fprintf(out, "refused %s\n", refusal(err))
		return out.Flush()
	}
	size := page.Bounds().Size()
	fmt.Fprintf(out, "page %d %d\n", size.X, size.Y)
	for y := range size.Y {
		if _, err := out.Write(page.Pix[y*page.Stride:][:4*size.X]); err != nil {
			return err
		}
	}
	return out.Flush()
}
