// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Encoding is a character encoding documents are read in, by its registered name in lower case.
type Encoding string

// The encodings that are read.
const (
	UTF8        Encoding = "utf-8"
	UTF16LE     Encoding = "utf-16le"
	UTF16BE     Encoding = "utf-16be"
	Windows1251 Encoding = "windows-1251"
	KOI8R       Encoding = "koi8-r"
	Latin1      Encoding = "iso-8859-1"
	ASCII       Encoding = "us-ascii"

	anyUTF16 Encoding = "utf-16" // declared; the byte order mark tells which
)

// encodingNames are what a declaration may call an encoding, in lower case (IANA's names and aliases, and cp1251).
var encodingNames = map[string]Encoding{
	"utf-8": UTF8, "utf8": UTF8, "csutf8": UTF8,
	"utf-16": anyUTF16, "csutf16": anyUTF16, "utf-16le": UTF16LE, "utf-16be": UTF16BE,
	"windows-1251": Windows1251, "cswindows1251": Windows1251, "cp1251": Windows1251,
	"koi8-r": KOI8R, "cskoi8r": KOI8R,
	"iso-8859-1": Latin1, "iso_8859-1": Latin1, "latin1": Latin1, "l1": Latin1, "csisolatin1": Latin1,
	"us-ascii": ASCII, "ascii": ASCII, "ansi_x3.4-1968": ASCII, "iso646-us": ASCII, "us": ASCII, "csascii": ASCII,
}

// undefined stands for bytes that are no character.
const undefined rune = -1

// tables map the bytes of one-byte encodings.
var tables = map[Encoding]*[256]rune{
	Windows1251: table(charmap.Windows1251),
	KOI8R:       table(charmap.KOI8R),
	Latin1:      table(charmap.ISO8859_1),
	ASCII:       asciiTable(),
}

func table(m *charmap.Charmap) *[256]rune {
	var t [256]rune
	for i := range t {
		if t[i] = m.DecodeByte(byte(i)); t[i] == utf8.RuneError {
			t[i] = undefined
		}
	}
	return &t
}

func asciiTable() *[256]rune {
	var t [256]rune
	for i := range t {
		if t[i] = rune(i); i >= utf8.RuneSelf {
			t[i] = undefined
		}
	}
	return &t
}

// decode turns as much of raw as is whole and fits into UTF-8; problem tells why the byte after that is wrong.
func (e Encoding) decode(dst, raw []byte) (written, taken int, problem string) {
	switch e {
	case UTF8:
		return decodeUTF8(dst, raw)
	case UTF16LE, UTF16BE:
		return decodeUTF16(dst, raw, e == UTF16BE)
	}
	t := tables[e]
	for taken < len(raw) {
		c := t[raw[taken]]
		if c == undefined {
			return written, taken, fmt.Sprintf("byte 0x%02X is not a character of %s", raw[taken], e)
		}
		if written+utf8.RuneLen(c) > len(dst) {
			break
		}
		written += utf8.EncodeRune(dst[written:], c)
		taken++
	}
	return written, taken, ""
}

func decodeUTF8(dst, raw []byte) (written, taken int, problem string) {
	n := copy(dst, raw)
	for i := n - 1; i >= 0 && i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(dst[i]) {
			if !utf8.FullRune(dst[i:n]) {
				n = i
			}
			break
		}
	}
	if !utf8.Valid(dst[:n]) {
		n = validPrefix(dst[:n])
		problem = fmt.Sprintf("byte 0x%02X is not UTF-8 here", raw[n])
	}
	return n, n, problem
}

func validPrefix(p []byte) (n int) {
	for n < len(p) {
		c, size := utf8.DecodeRune(p[n:])
		if c == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}

func decodeUTF16(dst, raw []byte, big bool) (written, taken int, problem string) {
	unit := func(i int) rune {
		if big {
			return rune(raw[i])<<8 | rune(raw[i+1])
		}
		return rune(raw[i+1])<<8 | rune(raw[i])
	}
	for taken+2 <= len(raw) {
		c, size := unit(taken), 2
		if utf16.IsSurrogate(c) {
			if taken+4 > len(raw) && c < 0xDC00 {
				break
			}
			if c < 0xDC00 {
				c = utf16.DecodeRune(c, unit(taken+2))
			}
			if size = 4; c == utf8.RuneError || utf16.IsSurrogate(c) {
				return written, taken, "half a surrogate pair"
			}
		}
		if written+utf8.RuneLen(c) > len(dst) {
			break
		}
		written += utf8.EncodeRune(dst[written:], c)
		taken += size
	}
	return written, taken, ""
}

// Encode turns UTF-8 text into e, without a byte order mark, to be put into a document in e. It fails when e has no such
// character; a character reference says it then.
func (e Encoding) Encode(text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: the text is not UTF-8", ErrEncoding)
	}
	switch e {
	case UTF8:
		return bytes.Clone(text), nil
	case UTF16LE, UTF16BE:
		return encodeUTF16(text, e == UTF16BE), nil
	}
	t, ok := tables[e]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrEncoding, e)
	}
	out := make([]byte, 0, len(text))
	for _, c := range string(text) {
		b, ok := byteFor(t, c)
		if !ok {
			return nil, fmt.Errorf("%w: %s has no %U", ErrEncoding, e, c)
		}
		out = append(out, b)
	}
	return out, nil
}

func byteFor(t *[256]rune, c rune) (byte, bool) {
	if c < utf8.RuneSelf {
		return byte(c), true
	}
	for i := utf8.RuneSelf; i < len(t); i++ {
		if t[i] == c {
			return byte(i), true
		}
	}
	return 0, false
}

func encodeUTF16(text []byte, big bool) []byte {
	out := make([]byte, 0, 2*len(text))
	for _, u := range utf16.Encode([]rune(string(text))) {
		if big {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return out
}

// detect tells the encoding of a document from its beginning, as appendix F of XML does, and the length of its mark.
func detect(head []byte) (e Encoding, mark int, problem string) {
	begins := func(s string) bool { return bytes.HasPrefix(head, []byte(s)) }
	switch {
	case begins("\xEF\xBB\xBF"):
		return UTF8, 3, ""
	case begins("\xFF\xFE\x00\x00"), begins("\x00\x00\xFE\xFF"), begins("<\x00\x00\x00"), begins("\x00\x00\x00<"):
		return UTF8, 0, "UTF-32 is not supported"
	case begins("\xFF\xFE"):
		return UTF16LE, 2, ""
	case begins("\xFE\xFF"):
		return UTF16BE, 2, ""
	case begins("<\x00"), begins("\x00<"):
		return UTF8, 0, "UTF-16 without a byte order mark"
	}
	d, _, _ := readDeclaration(head)
	if e, ok := encodingNames[strings.ToLower(d.encoding)]; ok && tables[e] != nil {
		return e, 0, ""
	}
	return UTF8, 0, ""
}
