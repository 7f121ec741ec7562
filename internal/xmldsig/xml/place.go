// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// place is a place in the document as a text editor counts: a line ends with CR LF, LF or CR.
type place struct {
	line   int
	column int  // characters before it on the line
	cr     bool // it is behind a CR
}

// pass moves the place over b.
func (p *place) pass(b []byte) {
	if len(b) == 0 {
		return
	}
	if p.cr && b[0] == '\n' {
		p.cr, b = false, b[1:]
		p.pass(b)
		return
	}
	p.cr = b[len(b)-1] == '\r'
	p.line += bytes.Count(b, []byte{'\n'})
	last := bytes.LastIndexByte(b, '\n')
	if cr := bytes.Count(b, []byte{'\r'}); cr > 0 {
		p.line += cr - bytes.Count(b, []byte("\r\n"))
		last = max(last, bytes.LastIndexByte(b, '\r'))
	}
	if last >= 0 {
		p.column, b = 0, b[last+1:]
	}
	p.column += characters(b)
}

// characters counts those in valid UTF-8: the bytes that do not continue one, eight at a time. It passes over the whole
// document, and utf8.RuneCount copies long texts.
func characters(b []byte) int {
	n := len(b)
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		n -= bits.OnesCount64(w >> 7 & (^w >> 6) & 0x0101010101010101)
	}
	for _, c := range b {
		if !utf8.RuneStart(c) {
			n--
		}
	}
	return n
}
