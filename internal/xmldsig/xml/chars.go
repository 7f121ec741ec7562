// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import "unicode/utf8"

// Classes of bytes. A scanner runs over bytes that are not in the class it stops at; the zero byte behind the text is in
// each of these, so that no scanner runs past the end.
const (
	stopText    uint8 = 1 << iota // what needs a look in character data
	stopSection                   // in a CDATA section
	stopValue                     // in an attribute value
	stopOther                     // in a comment or an instruction
	isName                        // ASCII in names, without the colon
	isFirst                       // ASCII that begins a name, without the colon
	isSpace
)

var class = classes()

func classes() (t [256]uint8) {
	for c := range 0x20 {
		t[c] = stopText | stopSection | stopValue | stopOther
	}
	t['\n'], t['\t'] = stopValue|isSpace, stopValue|isSpace
	t['\r'], t[' '] = t['\r']|isSpace, isSpace
	t[0xEF] |= stopText | stopSection | stopValue | stopOther // the first byte of U+FFFE and U+FFFF
	t['<'] |= stopText | stopValue
	t['&'] |= stopText | stopValue
	t[']'] |= stopText | stopSection
	t['"'] |= stopValue
	t['\''] |= stopValue
	t['-'] |= stopOther
	t['?'] |= stopOther
	for c := 'a'; c <= 'z'; c++ {
		t[c] |= isName | isFirst
		t[c-'a'+'A'] |= isName | isFirst
	}
	t['_'] |= isName | isFirst
	for _, c := range "-.0123456789" {
		t[c] |= isName
	}
	return t
}

// nonCharacter tells whether valid UTF-8 begins with U+FFFE or U+FFFF, which XML does not allow.
func nonCharacter(b []byte) bool {
	return len(b) >= 3 && b[0] == 0xEF && b[1] == 0xBF && b[2] >= 0xBE
}

// isChar is Char of XML 1.0 (section 2.2).
func isChar(c rune) bool {
	switch {
	case c < 0x20:
		return c == '\t' || c == '\n' || c == '\r'
	case c < 0xD800:
		return true
	}
	return c >= 0xE000 && c <= 0xFFFD || c >= 0x10000 && c <= utf8.MaxRune
}

// isFirstRune is NameStartChar beyond ASCII (fifth edition, section 2.3).
func isFirstRune(c rune) bool {
	switch {
	case c < 0x370:
		return c >= 0xC0 && c != 0xD7 && c != 0xF7 && c < 0x300
	case c < 0x2000:
		return c != 0x37E
	case c < 0x3001:
		return c == 0x200C || c == 0x200D || c >= 0x2070 && c <= 0x218F || c >= 0x2C00 && c <= 0x2FEF
	}
	return c <= 0xD7FF || c >= 0xF900 && c <= 0xFDCF || c >= 0xFDF0 && c <= 0xFFFD || c >= 0x10000 && c <= 0xEFFFF
}

// isNameRune is NameChar beyond ASCII.
func isNameRune(c rune) bool {
	return isFirstRune(c) || c == 0xB7 || c >= 0x300 && c <= 0x36F || c == 0x203F || c == 0x2040
}
