// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klippa-app/go-pdfium/requests"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"persten/internal/ui"
	"persten/internal/ui/view/viewtest"
)

// flag is a picture: its left half is red and the right one blue.
func flag(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{R: 0xff, A: 0xff}
			if x >= w/2 {
				c = color.RGBA{B: 0xff, A: 0xff}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

func encoded(t testing.TB, encode func(io.Writer, image.Image) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b, flag(40, 20)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pictureFiles(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"png":  encoded(t, png.Encode),
		"jpeg": encoded(t, func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, &jpeg.Options{Quality: 100}) }),
		"gif":  encoded(t, func(w io.Writer, m image.Image) error { return gif.Encode(w, m, nil) }),
		"bmp":  encoded(t, bmp.Encode),
		"tiff": encoded(t, func(w io.Writer, m image.Image) error { return tiff.Encode(w, m, nil) }),
	}
}

func TestPictures(t *testing.T) {
	for kind, file := range pictureFiles(t) {
		var out bytes.Buffer
		code := Pages(bytes.NewReader(file), strings.NewReader("0 80\n0 10\n"), &out)
		head := fmt.Sprintf("pages %s 1 all\n40 20\npage 80 40\n", kind)
		if got := out.Bytes(); code != ui.ExitWhole || !bytes.HasPrefix(got, []byte(head)) || len(got) != len(head)+80*40*4+len("page 10 5\n")+10*5*4 {
			t.Errorf("%s: %d, %d bytes: %.60q", kind, code, len(got), got)
			continue
		}
		page := out.Bytes()[len(head):]
		left, right := page[4*80*20+4*10:][:4], page[4*80*20+4*70:][:4]
		if left[0] < 0xf0 || left[2] > 0x10 || right[2] < 0xf0 || right[0] > 0x10 {
			t.Errorf("%s: left %v, right %v", kind, left, right)
		}
	}
}

// scan is a TIFF file of three pages, chained as scanners do it: one file after the other, with the offsets moved.
func scan(t testing.TB) []byte {
	var all []byte
	link := 4 // where the offset of the next directory stands
	for i := range 3 {
		var b bytes.Buffer
		if err := tiff.Encode(&b, flag(40, 20+10*i), nil); err != nil {
			t.Fatal(err)
		}
		one, base := b.Bytes(), uint32(len(all))
		dir := binary.LittleEndian.Uint32(one[4:])
		n := uint32(binary.LittleEndian.Uint16(one[dir:]))
		for e := dir + 2; e < dir+2+12*n; e += 12 {
			tag, kind, count := binary.LittleEndian.Uint16(one[e:]), binary.LittleEndian.Uint16(one[e+2:]), binary.LittleEndian.Uint32(one[e+4:])
			width := map[uint16]uint32{1: 1, 2: 1, 3: 2, 4: 4, 5: 8}[kind]
			if tag == 273 || width*count > 4 { // where the pixels are, and values that stand elsewhere
				binary.LittleEndian.PutUint32(one[e+8:], binary.LittleEndian.Uint32(one[e+8:])+base)
			}
		}
		all = append(all, one...)
		binary.LittleEndian.PutUint32(all[link:], base+dir)
		link = int(base + dir + 2 + 12*n)
	}
	return all
}

func TestScan(t *testing.T) {
	var out bytes.Buffer
	if code := Pages(bytes.NewReader(scan(t)), strings.NewReader("2 40\n"), &out); code != ui.ExitWhole || !strings.HasPrefix(out.String(), "pages tiff 3 all\n40 20\n40 30\n40 40\npage 40 40\n") {
		t.Errorf("%d %.80q", code, out.String())
	}
	looped := scan(t)
	first := binary.LittleEndian.Uint32(looped[4:])
	n := uint32(binary.LittleEndian.Uint16(looped[first:]))
	binary.LittleEndian.PutUint32(looped[first+2+12*n:], first)
	out.Reset()
	if code := Pages(bytes.NewReader(looped), strings.NewReader(""), &out); code != ui.ExitRefused || out.String() != "refused broken\n" {
		t.Errorf("a loop: %d %q", code, out.String())
	}
}

// claim is the head of a PNG file that says it is as large as this.
func claim(w, h uint32) []byte {
	var file bytes.Buffer
	if err := png.Encode(&file, flag(4, 4)); err != nil {
		panic(err)
	}
	b := file.Bytes()
	binary.BigEndian.PutUint32(b[16:], w)
	binary.BigEndian.PutUint32(b[20:], h)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

func TestPagesRefuse(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want ui.Refusal
	}{
		{"a picture of 4 gigapixels", claim(65536, 65536), ui.RefusedLarge},
		{"a picture with one side", claim(1<<30, 1), ui.RefusedLarge},
		{"no picture", []byte("\x89PNG\r\n\x1a\n"), ui.RefusedBroken},
		{"a head alone", []byte("%PDF-1.7\n"), ui.RefusedBroken},
		{"half of a document", viewtest.PDF("one")[:300], ui.RefusedBroken},
		{"a password", viewtest.LockedPDF(), ui.RefusedEncrypted},
		{"nothing", nil, ui.RefusedBroken},
	} {
		var out bytes.Buffer
		if code := Pages(bytes.NewReader(c.in), strings.NewReader("0 10\n"), &out); code != ui.ExitRefused || out.String() != "refused "+string(c.want)+"\n" {
			t.Errorf("%s: %d %.80q, want %s", c.name, code, out.String(), c.want)
		}
	}
}

// engines are the ways to draw a PDF.
func engines(t testing.TB) map[string]func(io.ReaderAt) (pager, error) {
	list := map[string]func(io.ReaderAt) (pager, error){"pdfium": openPDFium}
	if usePoppler() {
		list["poppler"] = openPoppler
	} else {
		t.Log("poppler-utils is not installed: the system's programs were not tried")
	}
	return list
}

// The title of a document may look like what the system's programs say of its pages, which would then be drawn in another shape.
func TestPDFLies(t *testing.T) {
	lie := "x\nPages: 1\nPage    1 size: 7 x 7000 pts\nPage    2 size: 7 x 7000 pts\nPage    3 size: 7 x 7000 pts\n"
	for name, open := range engines(t) {
		p, err := open(bytes.NewReader(viewtest.TitledPDF(lie, "one", "two")))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a4 := image.Pt(595, 842)
		if sizes, more := p.sizes(); more || !slices.Equal(sizes, []image.Point{a4, a4}) {
			t.Errorf("%s: %v %t", name, sizes, more)
		}
	}
}

func TestPDF(t *testing.T) {
	for name, open := range engines(t) {
		p, err := open(bytes.NewReader(viewtest.PDF("one", "two")))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var out bytes.Buffer
		err = answer(p, strings.NewReader("1 595\n0 300\n7 10\n"), bufio.NewWriter(&out))
		head := "pages pdf 2 all\n595 842\n595 842\npage 595 842\n"
		if got := out.String(); err != nil || !strings.HasPrefix(got, head) || !strings.HasPrefix(got[len(head)+595*842*4:], "page 300 424\n") {
			t.Fatalf("%s: %v %.120q", name, err, got)
		}
		at := func(x, y int) []byte { return out.Bytes()[len(head)+4*(595*y+x):][:4] }
		if blue, paper := at(100, 110), at(400, 400); blue[2] < 0xb0 || blue[0] > 0x50 || !bytes.Equal(paper, []byte{0xff, 0xff, 0xff, 0xff}) {
			t.Errorf("%s: the box is %v, the paper %v", name, blue, paper)
		}
		for want, in := range map[ui.Refusal][]byte{ui.RefusedEncrypted: viewtest.LockedPDF(), ui.RefusedBroken: viewtest.PDF("one")[:300]} {
			if _, err := open(bytes.NewReader(in)); err == nil || refusal(err) != want {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	}
}

func FuzzPictures(f *testing.F) {
	for _, file := range pictureFiles(f) {
		f.Add(file)
	}
	f.Add(scan(f))
	f.Add(claim(1<<16, 1<<16))
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.Contains(in[:min(len(in), 1024)], []byte("%PDF-")) {
			return
		}
		var out bytes.Buffer
		Pages(bytes.NewReader(in), strings.NewReader("0 100\n1 100\n"), &out)
		if out.Len() > 3*4*ui.MaxPixels {
			t.Fatalf("%d bytes", out.Len())
		}
	})
}

func FuzzPDF(f *testing.F) {
	f.Add(viewtest.PDF("one", "two"))
	f.Add(viewtest.LockedPDF())
	e, err := startPDFium() // one for all: it takes a second, and longer than the fuzzer waits on a busy machine
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := readPDF(e, append([]byte("%PDF-"), in...))
		if err != nil {
			return
		}
		defer e.FPDF_CloseDocument(&requests.FPDF_CloseDocument{Document: p.(*pdf).doc})
		var out bytes.Buffer
		if err := answer(p, strings.NewReader("0 50\n"), bufio.NewWriter(&out)); err != nil || !strings.HasPrefix(out.String(), "pages pdf ") {
			t.Fatalf("%v %.80q", err, out.String())
		}
	})
}
