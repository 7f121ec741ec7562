// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks in a row are drawn; more of them would paint over the neighbouring lines.
const maxMarks = 2

// Safe makes a string from outside fit to be shown on one line: at most max columns, no character that draws nothing,
// moves the cursor, or changes the direction of the text. Such characters are spelled ‹U+202E›, bytes that are not UTF-8
// ‹xFF›; every space after the first of a run becomes a middle dot. What is too long loses its middle, so the
// beginning and the extension of a file name both stay.
func Safe(s string, max int) string {
	if max < 3 {
		max = 3
	}
	if head, tail := cut(s, max); tail != "" {
		return join(cells(head, ' '), cells(tail, 'x'), max)
	}
	c := cells(s, ' ')
	if width(c) <= max {
		return strings.Join(c, "")
	}
	return join(c, c, max)
}

// cut keeps the first and last max characters of a long string, so that a megabyte costs no more than a line.
func cut(s string, max int) (head, tail string) {
	const widest = utf8.UTFMax
	if len(s) <= 2*max*widest {
		return s, ""
	}
	head, tail = s[:max*widest], s[len(s)-max*widest:]
	for i := 0; i < utf8.UTFMax && !utf8.RuneStart(tail[0]); i++ {
		tail = tail[1:]
	}
	for i := 0; i < utf8.UTFMax && len(head) > 0 && !utf8.RuneStart(s[len(head)]); i++ {
		head = head[:len(head)-1]
	}
	return head, tail
}

// cells spells each character of s; before is the character ahead of the first.
func cells(s string, before rune) []string {
	out := make([]string, 0, len(s))
	marks := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, fmt.Sprintf("‹x%02X›", s[i]))
		case r == ' ' && (before == ' ' || i == len(s)-1):
			out = append(out, "·")
		case r == ' ' || plain(r) && marks <= maxMarks:
			out = append(out, s[i:i+n])
		default:
			out = append(out, fmt.Sprintf("‹U+%04X›", r))
		}
		before = r
		i += n
	}
	return out
}

// blanks are letters by their category that draw nothing.
var blanks = map[rune]bool{0x115F: true, 0x1160: true, 0x3164: true, 0xFFA0: true, 0x2800: true, 0x034F: true}

// plain reports whether r draws something, in its place, from left to right.
func plain(r rune) bool {
	if blanks[r] || unicode.Is(unicode.Variation_Selector, r) {
		return false
	}
	return unicode.IsPrint(r) && !rightToLeft(r) && r < 0xE0000
}

// rightToLeft covers the scripts that reorder the digits and the punctuation beside them; an extension could move to the
// front of its file name.
func rightToLeft(r rune) bool {
	return r >= 0x0590 && (r <= 0x08FF || r >= 0xFB1D && r <= 0xFDFF || r >= 0xFE70 && r <= 0xFEFF ||
		r >= 0x10800 && r <= 0x10FFF || r >= 0x1E800 && r <= 0x1EFFF)
}

func width(cells []string) int {
	n := 0
	for _, c := range cells {
		n += columns(c)
	}
	return n
}

// columns is the room one cell takes: wide scripts take two.
func columns(cell string) int {
	n := utf8.RuneCountInString(cell)
	if r, _ := utf8.DecodeRuneInString(cell); n == 1 && wide(r) {
		return 2
	}
	return n
}

func wide(r rune) bool {
	return r >= 0x1100 && (r <= 0x115F || r >= 0x2E80 && r <= 0xA4CF || r >= 0xAC00 && r <= 0xD7A3 ||
		r >= 0xF900 && r <= 0xFAFF || r >= 0xFE30 && r <= 0xFE6F || r >= 0xFF00 && r <= 0xFF60 || r >= 0x1F300)
}

// join fits the beginning of head and the end of tail into max columns, two thirds and one third.
func join(head, tail []string, max int) string {
	last := (max - 1) / 3
	first := max - 1 - last
	i, used := 0, 0
	for ; i < len(head) && used+columns(head[i]) <= first; i++ {
		used += columns(head[i])
	}
	j, used := len(tail), 0
	for ; j > 0 && used+columns(tail[j-1]) <= last; j-- {
		used += columns(tail[j-1])
	}
	return strings.Join(head[:i], "") + "…" + strings.Join(tail[j:], "")
}
