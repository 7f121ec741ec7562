// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"persten/internal/ui"
)

// The limits of extraction.
const (
	maxFile     = 256 << 20 // of the document
	maxEntries  = 10_000    // of an archive
	maxEntry    = 64 << 20  // unpacked, and of all entries that are read together
	maxRatio    = 200       // of an entry unpacked to packed, beyond its first megabyte
	maxDepth    = 200       // of elements and of groups
	maxRepeated = 100       // cells and rows that a table repeats
)

// errFull ends an extraction that has filled what can be shown.
var errFull = errors.New("no more can be shown")

// Extract prints the kind of in and then its text, or what an archive holds, and returns the exit code of the process.
func Extract(in io.ReaderAt, out io.Writer) int {
	p := &paper{}
	kind, err := extract(in, p)
	p.end()
	full := errors.Is(err, errFull)
	if err != nil && !full {
		return refuse(out, err)
	}
	more, err := print(out, string(kind)+"\n"+p.String())
	switch {
	case err != nil:
		return 1
	case full || more:
		return ui.ExitCut
	}
	return ui.ExitWhole
}

// extract finds out what in is and reads it.
func extract(in io.ReaderAt, p *paper) (ui.Kind, error) {
	head, err := read(in, 8)
	if err != nil {
		return "", err
	}
	size, err := length(in)
	switch {
	case err != nil:
		return "", err
	case size > maxFile:
		return "", refused(ui.RefusedLarge)
	case bytes.HasPrefix(head, []byte(`{\rtf`)):
		return "rtf", extractRTF(io.NewSectionReader(in, 0, size), p)
	}
	a, err := openArchive(in, size)
	if err != nil {
		return "", err
	}
	return a.extract(p)
}

// length is how long a document is.
func length(in io.ReaderAt) (int64, error) {
	switch f := in.(type) {
	case interface{ Stat() (os.FileInfo, error) }:
		info, err := f.Stat()
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	case interface{ Size() int64 }:
		return f.Size(), nil
	}
	return 0, errors.ErrUnsupported
}

// archive is a ZIP file whose entries are unpacked within limits.
type archive struct {
	zip  *zip.Reader
	left int64 // bytes that may still be unpacked
}

func openArchive(in io.ReaderAt, size int64) (*archive, error) {
	z, err := zip.NewReader(in, size)
	if err != nil {
		return nil, err
	}
	if len(z.File) > maxEntries {
		return nil, refused(ui.RefusedLarge)
	}
	return &archive{zip: z, left: maxEntry}, nil
}

// extract reads the office format that the archive is, or lists it.
func (a *archive) extract(p *paper) (ui.Kind, error) {
	switch {
	case a.has("[Content_Types].xml"):
		return a.extractOOXML(p)
	case a.has("mimetype") && a.has("content.xml"):
		return a.extractODF(p)
	}
	return "zip", a.list(p)
}

// has tells whether there is an entry of that name.
func (a *archive) has(name string) bool {
	_, err := a.find(name)
	return !errors.Is(err, errAbsent)
}

var errAbsent = errors.New("no such entry")

// find looks for an entry. A name that is there twice is refused: another program might read the other one.
func (a *archive) find(name string) (*zip.File, error) {
	var found *zip.File
	for _, f := range a.zip.File {
		if !strings.EqualFold(f.Name, name) {
			continue
		}
		if found != nil {
			return nil, refused(ui.RefusedBroken)
		}
		found = f
	}
	if found == nil {
		return nil, errAbsent
	}
	return found, nil
}

// open unpacks an entry.
func (a *archive) open(name string) (io.Reader, error) {
	f, err := a.find(name)
	if err != nil {
		return nil, err
	}
	if f.Flags&1 != 0 {
		return nil, refused(ui.RefusedEncrypted)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	most := max(1<<20, int64(min(f.CompressedSize64, maxEntry))*maxRatio)
	return &unpacked{r: r, archive: a, most: most}, nil
}

// unpacked counts what comes out of an entry.
type unpacked struct {
	r       io.Reader
	archive *archive
	most    int64
}

func (u *unpacked) Read(b []byte) (int, error) {
	n, err := u.r.Read(b)
	u.most -= int64(n)
	u.archive.left -= int64(n)
	if u.most < 0 || u.archive.left < 0 {
		return 0, refused(ui.RefusedLarge)
	}
	return n, err
}

// list tells what an archive holds: sizes and names.
func (a *archive) list(p *paper) error {
	for _, f := range a.zip.File {
		mark := ""
		if f.Flags&1 != 0 {
			mark = " *"
		}
		p.write(fmt.Sprintf("%12d  %s%s", f.UncompressedSize64, name(f), mark))
		if err := p.end(); err != nil {
			return err
		}
	}
	return nil
}

// name is that of an entry; one that is not UTF-8 was written on a Russian DOS or Windows more often than not.
func name(f *zip.File) string {
	if !f.NonUTF8 {
		return f.Name
	}
	return decode866(f.Name)
}

// decode866 reads the code page of DOS, in which Russian archives have their names.
func decode866(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c < 0x80:
			b.WriteByte(c)
		case c < 0xB0:
			b.WriteRune('А' + rune(c-0x80))
		case c >= 0xE0 && c < 0xF0:
			b.WriteRune('р' + rune(c-0xE0))
		case c == 0xF0:
			b.WriteRune('Ё')
		case c == 0xF1:
			b.WriteRune('ё')
		default:
			b.WriteRune('\uFFFD')
		}
	}
	return b.String()
}

// paper collects lines as long as they can be shown.
type paper struct {
	strings.Builder
	lines int
	line  strings.Builder
}

// write adds to the line.
func (p *paper) write(s string) {
	if p.line.Len() <= ui.ViewColumns*4 {
		p.line.WriteString(s)
	}
}

// end ends the line, if there is something in it. errFull says that no more can be shown.
func (p *paper) end() error {
	if p.line.Len() > 0 {
		return p.newLine()
	}
	return p.full()
}

// newLine ends the line, also an empty one.
func (p *paper) newLine() error {
	p.WriteString(p.line.String() + "\n")
	p.line.Reset()
	p.lines++
	return p.full()
}

func (p *paper) full() error {
	if p.lines >= ui.ViewLines-1 || p.Len() > ui.ViewBytes {
		return errFull
	}
	return nil
}
