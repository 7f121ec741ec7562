// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"bufio"
	"errors"
	"io"
	"strconv"

	"persten/internal/signing"
	"persten/internal/ui"
)

// silent are the groups of an RTF document that are not its text.
var silent = map[string]bool{
	"fonttbl": true, "colortbl": true, "stylesheet": true, "info": true, "pict": true, "object": true, "fldinst": true,
	"listtable": true, "listoverridetable": true, "rsidtbl": true, "themedata": true, "datastore": true, "xmlnstbl": true,
	"generator": true, "latentstyles": true, "colorschememapping": true, "filetbl": true, "revtbl": true, "nonshppict": true,
}

// marks are the words that stand for characters.
var marks = map[string]string{
	"tab": "    ", "cell": " | ", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
	"bullet": "•", "~": "\u00A0", "_": "-", "emspace": " ", "enspace": " ",
}

// group is what holds between a pair of braces.
type group struct {
	silent bool
	skip   int // characters that follow one in Unicode, for programs that do not know it
	font   int
}

// rtf reads a document of control words, groups and text.
type rtf struct {
	in      *bufio.Reader
	paper   *paper
	now     group
	around  []group
	leave   int          // characters still to be skipped
	russian bool         // the page of codes when no font says otherwise
	fonts   map[int]bool // those whose letters are Russian
	naming  int          // the font that is being described
	high    rune         // the first half of a character beyond the basic plane
}

// extractRTF prints the text of an RTF document.
func extractRTF(in io.Reader, p *paper) error {
	r := &rtf{in: bufio.NewReader(in), paper: p, now: group{skip: 1}, fonts: map[int]bool{}}
	for {
		c, err := r.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return r.finish()
		}
		if err != nil {
			return err
		}
		if err := r.step(c); err != nil {
			return err
		}
		if len(r.around) == 0 && c == '}' {
			return p.end() // what follows belongs to nothing
		}
	}
}

// finish judges the end of the file: groups that are open tell that a part is missing.
func (r *rtf) finish() error {
	if len(r.around) > 0 {
		return refused(ui.RefusedBroken)
	}
	return r.paper.end()
}

func (r *rtf) step(c byte) error {
	switch c {
	case '{':
		if len(r.around) == maxDepth {
			return refused(ui.RefusedLarge)
		}
		r.around, r.leave = append(r.around, r.now), 0
	case '}':
		if len(r.around) == 0 {
			return refused(ui.RefusedBroken)
		}
		r.now, r.around, r.leave = r.around[len(r.around)-1], r.around[:len(r.around)-1], 0
	case '\\':
		return r.control()
	case '\r', '\n':
	default:
		return r.char(c)
	}
	return nil
}

// control reads what follows a backslash: a sign, or a word and its number.
func (r *rtf) control() error {
	c, err := r.in.ReadByte()
	if err != nil {
		return refused(ui.RefusedBroken)
	}
	switch {
	case c == '\'':
		var b [2]byte
		if _, err := io.ReadFull(r.in, b[:]); err != nil {
			return refused(ui.RefusedBroken)
		}
		n, err := strconv.ParseUint(string(b[:]), 16, 8)
		if err != nil {
			return refused(ui.RefusedBroken)
		}
		return r.char(byte(n))
	case c == '*':
		r.now.silent = true
		return nil
	case c == '\\' || c == '{' || c == '}':
		return r.char(c)
	case c == '\r' || c == '\n':
		return r.word("par", 0, false)
	case !letter(c):
		return r.word(string(c), 0, false)
	}
	name, number, given, err := r.name(c)
	if err != nil {
		return err
	}
	return r.word(name, number, given)
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// name reads the rest of a control word, its number, and the space that ends it.
func (r *rtf) name(first byte) (name string, number int, given bool, err error) {
	word, digits := []byte{first}, []byte{}
	for len(word)+len(digits) <= 64 {
		c, err := r.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return string(word), 0, false, nil
		case err != nil:
			return "", 0, false, err
		case letter(c) && len(digits) == 0:
			word = append(word, c)
		case c >= '0' && c <= '9' || c == '-' && len(digits) == 0:
			digits = append(digits, c)
		default:
			if c != ' ' {
				r.in.UnreadByte()
			}
			number, err := strconv.Atoi(string(digits))
			return string(word), number, err == nil, nil
		}
	}
	return "", 0, false, refused(ui.RefusedBroken)
}

// word does what a control word says.
func (r *rtf) word(name string, n int, given bool) error {
	switch {
	case silent[name]:
		r.now.silent = true
		if name == "fonttbl" {
			r.naming = 0
		}
	case name == "bin":
		_, err := r.in.Discard(max(0, min(n, maxFile)))
		return err
	case name == "ansicpg":
		r.russian = n == 1251
	case name == "f" && given:
		r.now.font, r.naming = n, n
	case name == "fcharset" && len(r.fonts) < maxEntries:
		r.fonts[r.naming] = n == 204
	case name == "uc":
		r.now.skip = max(0, min(n, 16))
	case name == "u":
		return r.unicode(n)
	case name == "par" || name == "line" || name == "sect" || name == "page":
		if !r.now.silent {
			return r.paper.newLine()
		}
	case name == "row":
		if !r.now.silent {
			return r.paper.end()
		}
	case marks[name] != "" && !r.now.silent:
		r.paper.write(marks[name])
	}
	return nil
}

// unicode is a character by its number, negative beyond 32767. Those beyond the basic plane come as two.
func (r *rtf) unicode(n int) error {
	c := rune(uint16(n))
	r.leave = r.now.skip
	switch {
	case c >= 0xD800 && c < 0xDC00:
		r.high = c
		return nil
	case c >= 0xDC00 && c < 0xE000:
		c = (r.high-0xD800)<<10 + (c - 0xDC00) + 0x10000
	}
	if !r.now.silent {
		r.paper.write(string(c))
	}
	return nil
}

// char is a byte of text.
func (r *rtf) char(c byte) error {
	if r.leave > 0 {
		r.leave--
		return nil
	}
	if r.now.silent {
		return nil
	}
	if r.russian || r.fonts[r.now.font] {
		r.paper.write(signing.Windows1251.Decode([]byte{c}))
	} else {
		r.paper.write(latin(c))
	}
	return nil
}

// latin is a byte of the western page of codes.
func latin(c byte) string {
	const upper = "€\uFFFD‚ƒ„…†‡ˆ‰Š‹Œ\uFFFDŽ\uFFFD\uFFFD‘’“”•–—˜™š›œ\uFFFDžŸ"
	if c >= 0x80 && c < 0xA0 {
		return string([]rune(upper)[c-0x80])
	}
	return string(rune(c))
}
