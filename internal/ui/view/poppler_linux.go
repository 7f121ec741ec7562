// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"persten/internal/ui"
)

// The system's own programs for PDF. They draw a page in a tenth of the time that PDFium needs to start, and a scanned one a hundred
// times faster than PDFium where that is interpreted.
const (
	pdfinfo  = "/usr/bin/pdfinfo"
	pdftoppm = "/usr/bin/pdftoppm"

	popplerTime = 50 * time.Second // for a page
)

// usePoppler tells whether the system has these programs.
func usePoppler() bool {
	for _, program := range []string{pdfinfo, pdftoppm} {
		if _, err := os.Stat(program); err != nil {
			return false
		}
	}
	return true
}

// poppler is a document drawn by the system's programs, which run behind the same fence and filter as this process.
type poppler struct {
	in     io.ReaderAt
	size   int64
	shapes []image.Point
	more   bool
}

func (p *poppler) kind() ui.Kind { return "pdf" }

func (p *poppler) sizes() ([]image.Point, bool) { return p.shapes, p.more }

// openPoppler learns the shapes of the pages.
func openPoppler(in io.ReaderAt) (pager, error) {
	size, err := length(in)
	if err != nil {
		return nil, err
	}
	if size > maxPDF {
		return nil, refused(ui.RefusedLarge)
	}
	p := &poppler{in: in, size: size}
	out, err := p.run(1<<20, pdfinfo, "-f", "1", "-l", fmt.Sprint(ui.MaxPages), "-")
	if err != nil {
		return nil, err
	}
	pages := 0
	for line := range strings.Lines(string(out)) {
		pages = p.measure(line, pages)
	}
	p.more = pages > len(p.shapes)
	if len(p.shapes) == 0 || len(p.shapes) > ui.MaxPages {
		return nil, refused(ui.RefusedBroken)
	}
	return p, nil
}

// measure reads a line of pdfinfo. A turned page is told after its size. What the document says of itself, such as its title, comes
// first and may have lines like these: only what follows the last number of pages counts.
func (p *poppler) measure(line string, pages int) int {
	var n, turned int
	var w, h float64
	if _, err := fmt.Sscanf(line, "Pages: %d", &n); err == nil {
		p.shapes = nil
		return n
	}
	if _, err := fmt.Sscanf(line, "Page %d size: %f x %f pts", &n, &w, &h); err == nil && n == len(p.shapes)+1 {
		p.shapes = append(p.shapes, image.Pt(max(1, min(int(w), 1<<20)), max(1, min(int(h), 1<<20))))
	}
	if _, err := fmt.Sscanf(line, "Page %d rot: %d", &n, &turned); err == nil && n == len(p.shapes) && turned%180 != 0 {
		s := &p.shapes[n-1]
		s.X, s.Y = s.Y, s.X
	}
	return pages
}

// run gives a program the document as its input and returns what it wrote. The descriptor itself is not handed on: its offset is
// shared with other processes.
func (p *poppler) run(most int, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), popplerTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"LC_ALL=C"}
	cmd.Stdin = io.NewSectionReader(p.in, 0, p.size)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &bounded{&out, most}, &bounded{&complaint, 1 << 20}
	err := cmd.Run()
	switch {
	case err == nil:
		return out.Bytes(), nil
	case strings.Contains(complaint.String(), "Incorrect password"):
		return nil, refused(ui.RefusedEncrypted)
	}
	if _, ran := errors.AsType[*exec.ExitError](err); ran {
		return nil, refused(ui.RefusedBroken)
	}
	return nil, err
}

// bounded takes so much and no more.
type bounded struct {
	w    io.Writer
	left int
}

var errTooMuch = errors.New("too much output")

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errTooMuch
	}
	return b.w.Write(p)
}

func (p *poppler) draw(i, width int) (*image.RGBA, error) {
	size := ui.FitPage(p.shapes[i], width)
	n := fmt.Sprint(i + 1)
	out, err := p.run(3*size.X*size.Y+100, pdftoppm, "-f", n, "-l", n, "-cropbox", "-scale-to-x", fmt.Sprint(size.X), "-scale-to-y", fmt.Sprint(size.Y), "-")
	if err != nil {
		return nil, err
	}
	return ppm(out, size)
}

// ppm reads a picture of the size that was asked for.
func ppm(b []byte, size image.Point) (*image.RGBA, error) {
	head := fmt.Appendf(nil, "P6\n%d %d\n255\n", size.X, size.Y)
	if !bytes.HasPrefix(b, head) || len(b)-len(head) != 3*size.X*size.Y {
		return nil, refused(ui.RefusedBroken)
	}
	b = b[len(head):]
	page := image.NewRGBA(image.Rectangle{Max: size})
	for i := range size.X * size.Y {
		copy(page.Pix[4*i:], b[3*i:3*i+3])
		page.Pix[4*i+3] = 0xff
	}
	return page, nil
}
