// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import "persten/internal/xmldsig/xml"

// What canonical forms write for a character, by its byte: nothing here is itself.
var (
	inText  = [256]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\r': "&#xD;"}
	inValue = [256]string{'&': "&amp;", '<': "&lt;", '"': "&quot;", '\t': "&#x9;", '\n': "&#xA;", '\r': "&#xD;"}
)

// special has a bit for each table that replaces the byte.
var special = func() (t [256]uint8) {
	for c := range t {
		for bit, table := range []*[256]string{&inText, &inValue} {
			if table[c] != "" {
				t[c] |= 1 << bit
			}
		}
	}
	return t
}()

const (
	textBit  = 1
	valueBit = 2
)

func appendText(b, text []byte) []byte { return appendEscaped(b, text, &inText, textBit) }

func appendValue(b, value []byte) []byte { return appendEscaped(b, value, &inValue, valueBit) }

func appendEscaped(b, s []byte, table *[256]string, bit uint8) []byte {
	from := 0
	for i, c := range s {
		if special[c]&bit != 0 {
			b = append(b, s[from:i]...)
			b = append(b, table[c]...)
			from = i + 1
		}
	}
	return append(b, s[from:]...)
}

func appendName(b []byte, n xml.Name) []byte {
	if len(n.Prefix) > 0 {
		b = append(append(b, n.Prefix...), ':')
	}
	return append(b, n.Local...)
}

func appendAttr(b []byte, a *xml.Attr) []byte {
	b = appendName(append(b, ' '), a.Name)
	b = append(b, '=', '"')
	return append(appendValue(b, a.Value), '"')
}

// appendDeclaration writes a namespace declaration. The value is an attribute value like any other.
func appendDeclaration(b, prefix []byte, uri string) []byte {
	b = append(b, " xmlns"...)
	if len(prefix) > 0 {
		b = append(append(b, ':'), prefix...)
	}
	b = append(b, '=', '"')
	return append(appendValue(b, []byte(uri)), '"')
}

func appendEnd(b []byte, n xml.Name) []byte {
	return append(appendName(append(b, '<', '/'), n), '>')
}

func appendComment(b, data []byte) []byte {
	return append(append(append(b, "<!--"...), data...), "-->"...)
}

func appendInstruction(b []byte, t *xml.Token) []byte {
	b = append(append(b, '<', '?'), t.Name.Local...)
	if len(t.Data) > 0 {
		b = append(append(b, ' '), t.Data...)
	}
	return append(b, '?', '>')
}
