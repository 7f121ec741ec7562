// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"encoding/binary"
	"image"
	"image/color"
	_ "image/gif" // formats of pictures
	_ "image/jpeg"
	_ "image/png"
	"io"
	"math"

	_ "golang.org/x/image/bmp"
	"golang.org/x/image/draw"
	"golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"

	"persten/internal/ui"
)

// maxDecoded is how many bytes a picture may take before it is made smaller: a page of A4 scanned at 600 dpi takes 139 MB.
const maxDecoded = 160 << 20

// pictures is a document of pictures, each a page. The last one drawn is kept: another width costs no decoding.
type pictures struct {
	of     ui.Kind
	shapes []image.Point
	more   bool
	decode func(i int) (image.Image, error)
	last   image.Image
	lastAt int
}

func (p *pictures) kind() ui.Kind { return p.of }

func (p *pictures) sizes() ([]image.Point, bool) { return p.shapes, p.more }

func (p *pictures) draw(i, width int) (*image.RGBA, error) {
	if p.last == nil || p.lastAt != i {
		p.last = nil // two of them might be too much
		m, err := p.decode(i)
		if err != nil {
			return nil, err
		}
		p.last, p.lastAt = m, i
	}
	page := image.NewRGBA(image.Rectangle{Max: ui.FitPage(p.last.Bounds().Size(), width)})
	draw.Draw(page, page.Rect, image.White, image.Point{}, draw.Src)
	draw.ApproxBiLinear.Scale(page, page.Rect, p.last, p.last.Bounds(), draw.Over, nil)
	return page, nil
}

// openPicture reads a file with one picture. Of an animation that is the first.
func openPicture(in io.ReaderAt) (pager, error) {
	whole := func() io.Reader { return io.NewSectionReader(in, 0, math.MaxInt64) }
	c, format, err := image.DecodeConfig(whole())
	if err != nil {
		return nil, err
	}
	if err := fits(c); err != nil {
		return nil, err
	}
	decode := func(int) (image.Image, error) {
		m, _, err := image.Decode(whole())
		return m, err
	}
	return &pictures{of: ui.Kind(format), shapes: []image.Point{{X: c.Width, Y: c.Height}}, decode: decode}, nil
}

// fits refuses a picture that would take too much memory.
func fits(c image.Config) error {
	if c.Width <= 0 || c.Height <= 0 {
		return refused(ui.RefusedBroken)
	}
	size := int64(4)
	if c.ColorModel == color.RGBA64Model || c.ColorModel == color.NRGBA64Model || c.ColorModel == color.Gray16Model {
		size = 8
	}
	if c.Width > 1<<20 || c.Height > 1<<20 || int64(c.Width)*int64(c.Height)*size > maxDecoded {
		return refused(ui.RefusedLarge)
	}
	return nil
}

// openTIFF reads a file of several pictures, as scanners make them. Each directory names the next.
func openTIFF(in io.ReaderAt) (pager, error) {
	p := &pictures{of: "tiff"}
	at, more, err := directories(in)
	if err != nil {
		return nil, err
	}
	for _, offset := range at {
		c, err := tiff.DecodeConfig(directory(in, offset))
		if err != nil {
			return nil, err
		}
		p.shapes = append(p.shapes, image.Pt(c.Width, c.Height))
	}
	p.more = more
	p.decode = func(i int) (image.Image, error) {
		c, err := tiff.DecodeConfig(directory(in, at[i]))
		if err == nil {
			err = fits(c)
		}
		if err != nil {
			return nil, err
		}
		return tiff.Decode(directory(in, at[i]))
	}
	return p, nil
}

// directories follows the chain of a TIFF file. A chain that bites its tail is broken.
func directories(in io.ReaderAt) (at []uint32, more bool, err error) {
	var head [8]byte
	if _, err := in.ReadAt(head[:], 0); err != nil {
		return nil, false, err
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if head[0] == 'M' {
		order = binary.BigEndian
	}
	seen := map[uint32]bool{}
	for next := order.Uint32(head[4:]); next != 0; {
		switch {
		case seen[next]:
			return nil, false, refused(ui.RefusedBroken)
		case len(at) == ui.MaxPages:
			return at, true, nil
		}
		seen[next], at = true, append(at, next)
		if next, err = following(in, order, next); err != nil {
			return nil, false, err
		}
	}
	if len(at) == 0 {
		return nil, false, refused(ui.RefusedBroken)
	}
	return at, false, nil
}

// following is the directory after the one at offset.
func following(in io.ReaderAt, order binary.ByteOrder, offset uint32) (uint32, error) {
	var b [4]byte
	if _, err := in.ReadAt(b[:2], int64(offset)); err != nil {
		return 0, err
	}
	const entry = 12
	_, err := in.ReadAt(b[:], int64(offset)+2+entry*int64(order.Uint16(b[:])))
	return order.Uint32(b[:]), err
}

// directory makes the file one whose first directory is at offset: the decoder reads the first alone.
func directory(in io.ReaderAt, offset uint32) io.Reader {
	return io.NewSectionReader(patched{in, offset}, 0, math.MaxInt64)
}

type patched struct {
	io.ReaderAt
	offset uint32
}

func (p patched) ReadAt(b []byte, at int64) (int, error) {
	n, err := p.ReaderAt.ReadAt(b, at)
	var head [8]byte
	if at < int64(len(head)) {
		if _, err := p.ReaderAt.ReadAt(head[:], 0); err != nil {
			return 0, err
		}
		order := binary.ByteOrder(binary.LittleEndian)
		if head[0] == 'M' {
			order = binary.BigEndian
		}
		order.PutUint32(head[4:], p.offset)
		copy(b[:n], head[at:])
	}
	return n, err
}
