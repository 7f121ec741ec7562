// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
)

// Limits of Verify.
const (
	maxHeld         = 8 << 20 // bytes of certificates and signers kept in memory
	maxDepth        = 64      // of nested elements
	maxCertificates = 128
	maxSigners      = 32 // side by side
	maxBeside       = 64 // countersigners and time-stamps, at any depth, of all signers together
	maxValues       = 64 // revocation lists and answers in one place
	maxAttributes   = 64
	maxSignature    = 4096 // bytes of a signature value
	maxLevel        = 4    // of countersignatures
	maxTSTInfo      = 64 << 10
	maxChecks       = 64 // certificate signatures, for all signers together
	maxDigests      = 8
	maxAlike        = 8 // certificates that fit one signer's identifier
)

// perElement is what an element in memory costs beside its bytes.
const perElement = 64

// reader takes BER apart as it arrives (X.690 section 8).
type reader struct {
	r     *bufio.Reader
	off   int64 // bytes consumed
	limit int64 // end of the innermost element of known length
	held  int   // bytes kept so far
}

func newReader(r io.Reader) *reader {
	return &reader{r: bufio.NewReaderSize(r, 64<<10), limit: math.MaxInt64}
}

// header is a tag and a length; length is negative when it is indefinite.
type header struct {
	tag         byte // class, constructed bit and number when below 31; the first byte otherwise
	constructed bool
	length      int64
	raw         []byte
}

func malformed(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, a...))
}

func tooDeep() error { return fmt.Errorf("%w: elements nested too deeply", ErrLimit) }

func tooMuch() error {
	return fmt.Errorf("%w: more than %d bytes of certificates and signers", ErrLimit, maxHeld)
}

func tooMany(what string, most int) error {
	return fmt.Errorf("%w: more than %d %s", ErrLimit, most, what)
}

func (r *reader) byte() (byte, error) {
	if r.off >= r.limit {
		return 0, malformed("element longer than what contains it")
	}
	b, err := r.r.ReadByte()
	if err != nil {
		return 0, unreadable(err)
	}
	r.off++
	return b, nil
}

// next reads a header and checks that the element fits where it stands.
func (r *reader) next() (header, error) {
	b, err := r.byte()
	h := header{tag: b, constructed: b&0x20 != 0, raw: []byte{b}}
	if err != nil {
		return h, err
	}
	for more := b&0x1f == 0x1f; more; {
		if b, err = r.byte(); err != nil {
			return h, err
		}
		h.raw = append(h.raw, b)
		if more = b&0x80 != 0; more && len(h.raw) > 5 {
			return h, malformed("tag number too large")
		}
	}
	if err := r.length(&h); err != nil {
		return h, err
	}
	if h.length > r.limit-r.off {
		return h, malformed("element longer than what contains it")
	}
	return h, nil
}

func (r *reader) length(h *header) error {
	b, err := r.byte()
	if err != nil {
		return err
	}
	h.raw = append(h.raw, b)
	switch {
	case b < 0x80:
		h.length = int64(b)
		return nil
	case b == 0x80 && h.constructed:
		h.length = -1
		return nil
	case b == 0x80 || b > 0x88:
		return malformed("bad length")
	}
	for range b & 0x7f {
		if b, err = r.byte(); err != nil {
			return err
		}
		h.raw = append(h.raw, b)
		if h.length > math.MaxInt64>>9 {
			return malformed("bad length")
		}
		h.length = h.length<<8 | int64(b)
	}
	return nil
}

// expect reads a header that must have this tag.
func (r *reader) expect(tag byte, what string) (header, error) {
	h, err := r.next()
	if err == nil && h.tag != tag {
		err = malformed("%s expected, found tag %#x", what, h.tag)
	}
	return h, err
}

// scope is an element whose children are being read.
type scope struct{ end, outer int64 }

func (r *reader) open(h header) scope {
	s := scope{end: -1, outer: r.limit}
	if h.length >= 0 {
		s.end = r.off + h.length
		r.limit = s.end
	}
	return s
}

// enter is expect and open.
func (r *reader) enter(tag byte, what string) (scope, error) {
	h, err := r.expect(tag, what)
	return r.open(h), err
}

// more reports whether another child follows. When it does not, the scope is closed.
func (r *reader) more(s *scope) (bool, error) {
	if s.end >= 0 {
		if r.off < s.end {
			return true, nil
		}
		r.limit = s.outer
		return false, nil
	}
	if r.limit-r.off < 2 {
		return false, malformed("element without an end")
	}
	b, err := r.r.Peek(2)
	if err != nil {
		return false, unreadable(err)
	}
	if b[0] != 0 || b[1] != 0 {
		return true, nil
	}
	r.r.Discard(2)
	r.off += 2
	return false, nil
}

// close ends a scope that must be empty by now.
func (r *reader) close(s scope, what string) error {
	more, err := r.more(&s)
	if err == nil && more {
		err = malformed("unexpected element in %s", what)
	}
	return err
}

// peek returns the first byte of the next child, 0 when there is none. It does not close the scope.
func (r *reader) peek(s scope) (byte, error) {
	if s.end >= 0 && r.off >= s.end {
		return 0, nil
	}
	b, err := r.r.Peek(1)
	if err != nil {
		return 0, unreadable(err)
	}
	return b[0], nil
}

// keep reads the whole element into memory. An element with known lengths throughout stays as it is, bit for bit:
// signatures were made over those bits. Any other is rebuilt with known lengths.
func (r *reader) keep(h header, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, tooDeep()
	}
	if h.length < 0 {
		return r.rebuild(h, depth)
	}
	raw, err := r.bytes(h.raw, h.length)
	if err != nil || !h.constructed || plain(raw, 0) {
		return raw, err
	}
	sub := &reader{r: bufio.NewReaderSize(bytes.NewReader(raw), 16), limit: int64(len(raw)), held: r.held}
	defer func() { r.held = sub.held }() // copies count too, or deep nesting would multiply memory
	if h, err = sub.next(); err != nil {
		return nil, err
	}
	return sub.rebuild(h, depth)
}

// rebuild joins the children of h under a known length. Pieces of a string become one string.
func (r *reader) rebuild(h header, depth int) ([]byte, error) {
	var body []byte
	pieces := h.tag == tagOctets|0x20
	err := r.each(h, func(child header) error {
		der, err := r.keep(child, depth+1)
		if err == nil && pieces {
			der, err = octets(der)
		}
		body = append(body, der...)
		return err
	})
	if err != nil {
		return nil, err
	}
	if pieces {
		return append(head(tagOctets, int64(len(body))), body...), nil
	}
	tag := h.raw[:tagLength(h.raw)]
	return slices.Concat(tag, head(0, int64(len(body)))[1:], body), nil
}

// plain reports whether no element in raw has an indefinite length or is a string in pieces. Malformed input is plain: it is
// kept as it is, for the decoder to refuse.
func plain(raw []byte, depth int) bool {
	for len(raw) > 0 && depth <= maxDepth {
		tag, n := raw[0], tagLength(raw)
		if n >= len(raw) {
			return true
		}
		size, width := int(raw[n]), 1
		if size == 0x80 || tag == tagOctets|0x20 {
			return false
		}
		if size > 0x80 {
			width, size = 1+size&0x7f, 0
			if width > 5 || n+width > len(raw) {
				return true
			}
			for _, b := range raw[n+1 : n+width] {
				size = size<<8 | int(b)
			}
		}
		start := n + width
		if size > len(raw)-start {
			return true
		}
		if tag&0x20 != 0 && !plain(raw[start:start+size], depth+1) {
			return false
		}
		raw = raw[start+size:]
	}
	return true
}

// tagLength counts the bytes of a tag at the start of raw.
func tagLength(raw []byte) int {
	n := 1
	if raw[0]&0x1f == 0x1f {
		for n < len(raw) && raw[n]&0x80 != 0 {
			n++
		}
		n++
	}
	return n
}

// octets takes the content out of a primitive OCTET STRING that keep returned.
func octets(der []byte) ([]byte, error) {
	if der[0] != tagOctets {
		return nil, malformed("a piece of a string is not a string")
	}
	n := 2
	if der[1]&0x80 != 0 {
		n += int(der[1] & 0x7f)
	}
	return der[n:], nil
}

// bytes reads n bytes of content after raw, within the memory limit.
func (r *reader) bytes(raw []byte, n int64) ([]byte, error) {
	if n > int64(maxHeld-r.held) {
		return nil, tooMuch()
	}
	r.held += int(n) + perElement
	out := make([]byte, len(raw)+int(n))
	copy(out, raw)
	if _, err := io.ReadFull(r.r, out[len(raw):]); err != nil {
		return nil, unreadable(err)
	}
	r.off += n
	return out, nil
}

// copyOctets streams the contents of an OCTET STRING, in one piece or in many, into w.
func (r *reader) copyOctets(h header, w io.Writer, depth int) error {
	if depth > maxDepth {
		return tooDeep()
	}
	if h.tag&^0x20 != tagOctets {
		return malformed("content is not an OCTET STRING")
	}
	if !h.constructed {
		return r.copyBody(h, w)
	}
	return r.each(h, func(child header) error { return r.copyOctets(child, w, depth+1) })
}

// skip reads over an element.
func (r *reader) skip(h header, depth int) error {
	if depth > maxDepth {
		return tooDeep()
	}
	if h.length >= 0 {
		return r.copyBody(h, io.Discard)
	}
	return r.each(h, func(child header) error { return r.skip(child, depth+1) })
}

// each calls f with the header of every child of h; f reads the rest of the child.
func (r *reader) each(h header, f func(header) error) error {
	s := r.open(h)
	for {
		more, err := r.more(&s)
		if err != nil || !more {
			return err
		}
		child, err := r.next()
		if err != nil {
			return err
		}
		if err := f(child); err != nil {
			return err
		}
	}
}
