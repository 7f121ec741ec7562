// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"bytes"
	"regexp"
)

// kinds are how documents of known kinds begin: PDF, ZIP and what is made of it, PNG, JPEG, the older files of Office.
var kinds = [][]byte{
	[]byte("%PDF-"), []byte("PK\x03\x04"), []byte("\x89PNG\r\n\x1a\n"), []byte("\xff\xd8\xff"), []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
}

// magic reports whether a document begins like one of a known kind.
func magic(head []byte) bool {
	for _, k := range kinds {
		if bytes.HasPrefix(head, k) {
			return true
		}
	}
	return false
}

// What signatures of other kinds are made over, where it is text: SignedInfo of XML in canonical form, the header of a JSON web
// signature, with anything behind it.
var inputs = regexp.MustCompile(`^(<([^\s:<>/]+:)?SignedInfo[\s>]|[A-Za-z0-9_-]{18,}\.)`)

// What may be the beginning of one of these, with a prefix or a header that does not end in sight.
var begun = regexp.MustCompile(`^(<[^\s:<>/]+|[A-Za-z0-9_-]+)$`)

// opaque reports whether nobody could tell what the bare value over a document of this beginning and size says. The value is all
// there is to most signatures: who has it made over attributes of CMS, over SignedInfo or over the digests of an origin and a
// nonce has a signature of that other form, of something the person was not shown. Text and documents of known kinds cannot be
// mistaken for these. Of few bytes only text is surely no chance.
func opaque(head []byte, size int64) bool {
	charset := DetectCharset(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))) // the mark alone makes no text
	switch {
	case inputs.Match(head), int64(len(head)) < size && begun.Match(head):
		return true
	case size <= shortWord:
		return charset != UTF8 && !wide(head)
	}
	return charset == Binary && !magic(head)
}

// Opaque reports whether a page needs the right to sign what nobody can be shown for the bare value over this content.
func (c *Content) Opaque() bool {
	head := make([]byte, min(c.Size(), 4<<10))
	if _, err := c.ReadAt(head, 0); err != nil {
		return true
	}
	return opaque(head, c.Size())
}
