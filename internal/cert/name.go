// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/text/unicode/norm"
)

// name is a distinguished name in the form RFC 5280 section 7.1 compares: one string per RDN, equal when the RDNs match.
// Strings of every ASN.1 type are compared as text, without regard to capitals and to white space beyond one blank between
// words; other values byte for byte.
type name []string

// maxName bounds the DER of a name that is taken apart. The largest real ones have two kilobytes.
const maxName = 64 << 10

// parseName takes an RDNSequence apart. One that cannot be read becomes a name that matches its own bytes alone.
func parseName(der []byte) name {
	in := cryptobyte.String(der)
	var rdns cryptobyte.String
	if len(der) > maxName || !in.ReadASN1(&rdns, casn1.SEQUENCE) || !in.Empty() {
		return unreadable(der)
	}
	var n name
	for !rdns.Empty() {
		var rdn cryptobyte.String
		if !rdns.ReadASN1(&rdn, casn1.SET) {
			return unreadable(der)
		}
		s, ok := parseRDN(rdn)
		if !ok {
			return unreadable(der)
		}
		n = append(n, s)
	}
	return n
}

// unreadable is like no other name: an RDN begins with the length of an OID, and one whose OID has 33 bytes, a '!', is longer.
func unreadable(der []byte) name {
	sum := sha256.Sum256(der)
	return name{"!" + string(sum[:])}
}

func (n name) readable() bool { return len(n) != 1 || len(n[0]) != 1+sha256.Size || n[0][0] != '!' }

// parseRDN joins the attributes of an RDN in an order of its own, since they are a set.
func parseRDN(rdn cryptobyte.String) (string, bool) {
	var parts []string
	for !rdn.Empty() {
		var attribute, kind, value cryptobyte.String
		var tag casn1.Tag
		if !rdn.ReadASN1(&attribute, casn1.SEQUENCE) || !attribute.ReadASN1(&kind, casn1.OBJECT_IDENTIFIER) ||
			!attribute.ReadAnyASN1(&value, &tag) || !attribute.Empty() {
			return "", false
		}
		parts = append(parts, framed(string(kind))+framed(matchable(tag, value)))
	}
	slices.Sort(parts)
	return strings.Join(parts, ""), len(parts) > 0
}

// framed makes concatenations unambiguous.
func framed(s string) string {
	return string(binary.AppendUvarint(nil, uint64(len(s)))) + s
}

// matchable is an attribute's value as it is compared. Text and anything else never match each other.
func matchable(tag casn1.Tag, value []byte) string {
	s, ok := text(tag, value)
	if !ok {
		return string([]byte{0, byte(tag)}) + string(value)
	}
	return "t" + prepare(s)
}

const (
	tagNumeric   = casn1.Tag(18)
	tagVisible   = casn1.Tag(26)
	tagUniversal = casn1.Tag(28)
	tagBMP       = casn1.Tag(30)
)

// text decodes the string types of X.520. A T61String is read as Latin-1, the way everybody writes it.
func text(tag casn1.Tag, b []byte) (string, bool) {
	switch tag {
	case casn1.UTF8String:
		return string(b), utf8.Valid(b)
	case casn1.PrintableString, casn1.IA5String, tagNumeric, tagVisible:
		return string(b), isASCII(b)
	case casn1.T61String:
		r := make([]rune, len(b))
		for i, c := range b {
			r[i] = rune(c)
		}
		return string(r), true
	case tagBMP:
		return bmp(b)
	case tagUniversal:
		return ucs4(b)
	}
	return "", false
}

func isASCII[T []byte | string](b T) bool {
	for i := range len(b) {
		if b[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func bmp(b []byte) (string, bool) {
	if len(b)%2 != 0 {
		return "", false
	}
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u)), true
}

func ucs4(b []byte) (string, bool) {
	if len(b)%4 != 0 {
		return "", false
	}
	r := make([]rune, len(b)/4)
	for i := range r {
		v := binary.BigEndian.Uint32(b[4*i:])
		if v > unicode.MaxRune {
			return "", false
		}
		r[i] = rune(v)
	}
	return string(r), true
}

// prepare is the string preparation of RFC 4518 as RFC 5280 section 7.1 wants it: controls dropped, white space made
// blanks, capitals folded, compatible characters made one (NFKC), outer and repeated blanks dropped.
func prepare(s string) string {
	if !isASCII(s) {
		s = norm.NFKC.String(s)
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

func (n name) equal(o name) bool { return slices.Equal(n, o) }

// within reports whether n lies in the subtree of o: o is the beginning of n.
func (n name) within(o name) bool { return len(n) >= len(o) && slices.Equal(n[:len(o)], o) }
