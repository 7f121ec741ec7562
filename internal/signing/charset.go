// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Charset is how a document's bytes spell text.
type Charset int

// The charsets a document is shown in.
const (
	Binary Charset = iota // not text
	UTF8
	UTF16LE
	UTF16BE
	Windows1251
)

// DetectCharset guesses from the beginning of a document. A byte order mark decides; otherwise UTF-16 is what has nothing but
// Latin and Russian letters and usual signs in it, as scripts of Windows leave it; what is valid UTF-8 without control
// characters is UTF-8, and what has letters of Windows-1251 and no control characters is that.
func DetectCharset(head []byte) Charset {
	switch {
	case bytes.HasPrefix(head, []byte{0xEF, 0xBB, 0xBF}):
		return UTF8
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}):
		return UTF16LE
	case bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return UTF16BE
	case wide(head):
		return UTF16LE
	case bytes.HasPrefix(head, []byte("%PDF-")), controls(head) > 0:
		return Binary
	case utf8.Valid(uncut(head)):
		return UTF8
	case cyrillic(head):
		return Windows1251
	}
	return Binary
}

// Decode makes UTF-8 of b without its byte order mark. Bytes that are no characters stay, or become replacement characters.
func (c Charset) Decode(b []byte) string {
	var s string
	switch c {
	case UTF16LE:
		s = decode16(binary.LittleEndian, b)
	case UTF16BE:
		s = decode16(binary.BigEndian, b)
	case Windows1251:
		return decode1251(b)
	default:
		s = string(b)
	}
	return strings.TrimPrefix(s, "\uFEFF")
}

func decode16(order binary.ByteOrder, b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// upper1251 is the half of Windows-1251 above ASCII; 0x98 has no character.
var upper1251 = []rune("ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\uFFFD™љ›њќћџ\u00A0ЎўЈ¤Ґ¦§Ё©Є«¬\u00AD®Ї°±Ііґµ¶·ё№є»јЅѕї" +
	"АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя")

func decode1251(b []byte) string {
	var s strings.Builder
	s.Grow(2 * len(b))
	for _, c := range b {
		if c < utf8.RuneSelf {
			s.WriteByte(c)
			continue
		}
		s.WriteRune(upper1251[c-0x80])
	}
	return s.String()
}

// wide tells whether b is UTF-16 without a mark. Random bytes are not: one pair in fifty is such a character.
func wide(b []byte) bool {
	if len(b) < 2 || len(b)%2 != 0 {
		return false
	}
	for i := 0; i < len(b); i += 2 {
		switch u := binary.LittleEndian.Uint16(b[i:]); {
		case u == '\t', u == '\n', u == '\r', u >= ' ' && u < 0x7f:
		case u >= 0xa0 && u < 0x100, u >= 0x400 && u < 0x460, u >= 0x2010 && u < 0x2027, u == '№', u == '₽':
		default:
			return false
		}
	}
	return true
}

// controls counts the bytes no text has. Escape is one of them too, but logs have it, and it is shown spelled out.
func controls(b []byte) (n int) {
	for _, c := range b {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b {
			n++
		}
	}
	return n
}

// uncut drops a character cut in two at the end.
func uncut(b []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if c >= 0xC0 && !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// cyrillic tells whether most bytes above ASCII are Russian letters of Windows-1251.
func cyrillic(b []byte) bool {
	high, letters := 0, 0
	for _, c := range b {
		if c < 0x80 {
			continue
		}
		high++
		if c >= 0xC0 || c == 0xA8 || c == 0xB8 {
			letters++
		}
	}
	return high > 0 && letters*10 >= high*8
}
