// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"bytes"
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

// DetectCharset guesses from the beginning of a document. A byte order mark decides; otherwise what is valid UTF-8
// without control characters is UTF-8, and what has letters of Windows-1251 and no control characters is that.
func DetectCharset(head []byte) Charset {
	switch {
	case bytes.HasPrefix(head, []byte{0xEF, 0xBB, 0xBF}):
		return UTF8
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}):
		return UTF16LE
	case bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return UTF16BE
	case bytes.HasPrefix(head, []byte("%PDF-")), controls(head) > 0:
		return Binary
	case utf8.Valid(whole(head)):
		return UTF8
	case cyrillic(head):
		return Windows1251
	}
	return Binary
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

// whole drops a character cut in two at the end.
func whole(b []byte) []byte {
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
