// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"errors"
	"image"
	"image/draw"
	"io"
	"time"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/enums"
	pdferrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"

	"persten/internal/ui"
)

// The limits of a PDF.
const (
	maxPDF       = 128 << 20
	maxPDFMemory = 320 << 20 // of the machine it is drawn in
	pdfStart     = 10 * time.Second
)

// pdf is a document drawn by PDFium, which runs as WebAssembly: what a document does to it stays inside that machine, which
// has no files, no clock and no network, on every system alike.
type pdf struct {
	engine pdfium.Pdfium
	doc    references.FPDF_DOCUMENT
	shapes []image.Point
	more   bool
}

func (p *pdf) kind() ui.Kind { return "pdf" }

func (p *pdf) sizes() ([]image.Point, bool) { return p.shapes, p.more }

// openPDF has the system's programs draw the document or, where there are none or they cannot, PDFium.
func openPDF(in io.ReaderAt) (pager, error) {
	if usePoppler() {
		p, err := openPoppler(in)
		if _, told := errors.AsType[refused](err); err == nil || told {
			return p, err
		}
	}
	return openPDFium(in)
}

// openPDFium starts the machine and has it read the document.
func openPDFium(in io.ReaderAt) (pager, error) {
	b, err := read(in, maxPDF+1)
	if err != nil {
		return nil, err
	}
	if len(b) > maxPDF {
		return nil, refused(ui.RefusedLarge)
	}
	engine, err := startPDFium()
	if err != nil {
		return nil, err
	}
	return readPDF(engine, b)
}

// readPDF has a machine read the document.
func readPDF(engine pdfium.Pdfium, b []byte) (pager, error) {
	d, err := engine.OpenDocument(&requests.OpenDocument{File: &b})
	switch {
	case errors.Is(err, pdferrors.ErrPassword):
		return nil, refused(ui.RefusedEncrypted)
	case errors.Is(err, pdferrors.ErrSecurity):
		return nil, refused(ui.RefusedUnsupported)
	case err != nil:
		return nil, err
	}
	p := &pdf{engine: engine, doc: d.Document}
	return p, p.measure()
}

// startPDFium makes a machine. Where memory cannot be made executable, as in the hardened unit, its code is interpreted.
func startPDFium() (pdfium.Pdfium, error) {
	config := wazero.NewRuntimeConfigInterpreter()
	if mayCompile() {
		config = wazero.NewRuntimeConfigCompiler()
	}
	const page = 64 << 10
	pool, err := webassembly.Init(webassembly.Config{
		MinIdle: 1, MaxIdle: 1, MaxTotal: 1,
		RuntimeConfig: config.WithMemoryLimitPages(maxPDFMemory / page),
		FSConfig:      wazero.NewFSConfig(), Stdout: io.Discard, Stderr: io.Discard,
	})
	if err != nil {
		return nil, err
	}
	return pool.GetInstance(pdfStart)
}

// measure learns the shapes of the pages without reading them.
func (p *pdf) measure() error {
	n, err := p.engine.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: p.doc})
	if err != nil {
		return err
	}
	if n.PageCount < 1 {
		return refused(ui.RefusedBroken)
	}
	p.more = n.PageCount > ui.MaxPages
	for i := range min(n.PageCount, ui.MaxPages) {
		s, err := p.engine.FPDF_GetPageSizeByIndex(&requests.FPDF_GetPageSizeByIndex{Document: p.doc, Index: i})
		shape := image.Pt(595, 842) // A4, for one that will not be drawn either
		if err == nil && s.Width >= 1 && s.Height >= 1 && s.Width < 1<<20 && s.Height < 1<<20 {
			shape = image.Pt(int(s.Width), int(s.Height))
		}
		p.shapes = append(p.shapes, shape)
	}
	return nil
}

func (p *pdf) draw(i, width int) (*image.RGBA, error) {
	size := ui.FitPage(p.shapes[i], width)
	r, err := p.engine.RenderPageInPixels(&requests.RenderPageInPixels{
		Page:  requests.Page{ByIndex: &requests.PageByIndex{Document: p.doc, Index: i}},
		Width: size.X, Height: size.Y, RenderFlags: enums.FPDF_RENDER_FLAG_ANNOT, RenderForm: true, Document: &p.doc,
	})
	if err != nil {
		return nil, err
	}
	defer r.Cleanup() // the pixels lie in the machine
	page := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(page, page.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(page, page.Rect, r.Result.Image, image.Point{}, draw.Over)
	return page, nil
}
