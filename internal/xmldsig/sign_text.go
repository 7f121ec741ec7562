// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// markup writes elements. Names are given with their prefix, attributes as name and value in turn.
type markup struct {
	bytes.Buffer
	columns int // of base64
}

var (
	attributeEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;")
	textEscapes      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")
)

func (m *markup) tag(name string, attrs []string, end string) {
	m.WriteString("<" + name)
	for i := 0; i+1 < len(attrs); i += 2 {
		m.WriteString(" " + attrs[i] + `="` + attributeEscapes.Replace(attrs[i+1]) + `"`)
	}
	m.WriteString(end)
}

func (m *markup) open(name string, attrs ...string)  { m.tag(name, attrs, ">") }
func (m *markup) empty(name string, attrs ...string) { m.tag(name, attrs, "/>") }
func (m *markup) close(name string)                  { m.WriteString("</" + name + ">") }

// text writes an element that holds text.
func (m *markup) text(name, value string, attrs ...string) {
	m.open(name, attrs...)
	m.WriteString(textEscapes.Replace(value))
	m.close(name)
}

// base64 writes an element that holds octets.
func (m *markup) base64(name string, octets []byte, attrs ...string) {
	m.open(name, attrs...)
	m.WriteString(wrapped(octets, m.columns))
	m.close(name)
}

// wrapped is base64 in lines of so many characters; 0 is one line.
func wrapped(octets []byte, columns int) string { return string(appendWrapped(nil, octets, columns)) }

func appendWrapped(text, octets []byte, columns int) []byte {
	for line := columns / 4 * 3; columns > 0 && len(octets) > line; octets = octets[line:] {
		text = append(base64.StdEncoding.AppendEncode(text, octets[:line]), '\n')
	}
	return base64.StdEncoding.AppendEncode(text, octets)
}
