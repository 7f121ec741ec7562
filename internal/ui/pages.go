// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The limits of pages.
const (
	MaxPages    = 2000
	MaxPageSide = 16384       // pixels, either way
	MaxPixels   = 8 << 20     // of one page as it is handed over
	pageTime    = time.Minute // for the start, and for one page: a busy machine takes a while
)

// Pages is a PDF or a picture that is being looked at: a viewing process that draws its pages one by one. Close ends it; one
// goroutine at a time may call Page.
type Pages struct {
	Kind    Kind
	Sizes   []image.Point // of the pages, in any unit
	Cut     bool          // there are more pages than can be shown
	Refused bool
	Refusal Refusal

	in    io.WriteCloser
	out   *bufio.Reader
	close func()
}

// RefusedPage is the error of a page that cannot be shown while others may be.
type RefusedPage struct{ Refusal }

func (r RefusedPage) Error() string { return "the page is refused: " + string(r.Refusal) }

// Pages starts to look at a document as pages. The process ends with ctx too.
func (v Viewer) Pages(ctx context.Context, content *os.File) (*Pages, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := v(ctx, string(FormPages))
	prepare(cmd, content)
	p, err := begin(cmd)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("%w: %w", errView, err)
	}
	p.close = sync.OnceFunc(func() {
		p.in.Close()
		cancel()
		cmd.Wait()
	})
	if err := within(pageTime, p.close, p.readSizes); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// begin starts the process with pipes for requests and pages.
func begin(cmd *exec.Cmd) (*Pages, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &Pages{in: in, out: bufio.NewReader(out)}, cmd.Start()
}

// within ends a process that takes too long.
func within(limit time.Duration, end func(), do func() error) error {
	t := time.AfterFunc(limit, end)
	defer t.Stop()
	return do()
}

// Close ends the viewing process.
func (p *Pages) Close() { p.close() }

// readSizes reads what the process says first: "pages KIND NUMBER", "more" or "all", and a line "WIDTH HEIGHT" for each page.
func (p *Pages) readSizes() error {
	words, err := p.line()
	switch {
	case err != nil:
		return err
	case words[0] == "refused" && len(words) == 2:
		p.Refused, p.Refusal = true, parseRefusal(words[1])
		return nil
	case len(words) != 4 || words[0] != "pages":
		return fmt.Errorf("%w: no pages", errView)
	}
	n, err := number(words[2], MaxPages)
	if err != nil {
		return err
	}
	p.Kind, p.Cut = parseKind(words[1]), words[3] == "more"
	for range n {
		words, err := p.line()
		if err != nil || len(words) != 2 {
			return fmt.Errorf("%w: size of a page", errView)
		}
		size, err := point(words)
		if err != nil {
			return err
		}
		p.Sizes = append(p.Sizes, size)
	}
	return nil
}

// Page draws page i at the given width, or narrower when it would become too large.
func (p *Pages) Page(i, width int) (*image.RGBA, error) {
	var page *image.RGBA
	err := within(pageTime, p.close, func() error {
		if _, err := fmt.Fprintf(p.in, "%d %d\n", i, width); err != nil {
			return fmt.Errorf("%w: %w", errView, err)
		}
		words, err := p.line()
		if err != nil {
			return err
		}
		page, err = p.pixels(words)
		return err
	})
	return page, err
}

// pixels reads a page: "page WIDTH HEIGHT" and its bytes.
func (p *Pages) pixels(words []string) (*image.RGBA, error) {
	if words[0] == "refused" && len(words) == 2 {
		return nil, RefusedPage{parseRefusal(words[1])}
	}
	if words[0] != "page" || len(words) != 3 {
		return nil, fmt.Errorf("%w: not a page", errView)
	}
	size, err := point(words[1:])
	if err != nil {
		return nil, err
	}
	if size.X*size.Y > MaxPixels {
		return nil, fmt.Errorf("%w: a page of %d pixels", errView, size.X*size.Y)
	}
	page := image.NewRGBA(image.Rectangle{Max: size})
	if _, err := io.ReadFull(p.out, page.Pix); err != nil {
		return nil, fmt.Errorf("%w: %w", errView, err)
	}
	for i := 3; i < len(page.Pix); i += 4 {
		page.Pix[i] = 0xff // paper is not transparent
	}
	return page, nil
}

// line reads a short line and cuts it into words, one at least.
func (p *Pages) line() ([]string, error) {
	b, err := p.out.ReadSlice('\n')
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errView, err)
	}
	words := strings.Fields(string(b))
	if len(words) == 0 {
		return nil, fmt.Errorf("%w: an empty line", errView)
	}
	return words, nil
}

// point reads a size.
func point(words []string) (image.Point, error) {
	w, err := number(words[0], MaxPageSide)
	h, err2 := number(words[1], MaxPageSide)
	if err := errors.Join(err, err2); err != nil || w == 0 || h == 0 {
		return image.Point{}, fmt.Errorf("%w: size of a page: %w", errView, err)
	}
	return image.Pt(w, h), nil
}

func number(word string, most int) (int, error) {
	n, err := strconv.ParseUint(word, 10, 31)
	if err == nil && int(n) > most {
		err = strconv.ErrRange
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errView, err)
	}
	return int(n), nil
}

// FitPage is the size in which a page of that shape is drawn at a width: within MaxPageSide and MaxPixels, keeping its shape.
func FitPage(shape image.Point, width int) image.Point {
	if shape.X <= 0 || shape.Y <= 0 {
		return image.Pt(1, 1)
	}
	width = max(1, min(width, MaxPageSide, MaxPageSide*shape.X/shape.Y))
	height := max(1, width*shape.Y/shape.X)
	for width > 1 && width*height > MaxPixels {
		width = width * 9 / 10
		height = max(1, width*shape.Y/shape.X)
	}
	return image.Pt(width, min(height, MaxPageSide))
}
