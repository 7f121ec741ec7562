// SPDX-License-Identifier: GPL-3.0-or-later

package tray

import (
	"encoding/binary"
	"strings"
)

// label is a text as menus take it: & underlines the next letter, && is one &.
func label(s string) string { return strings.ReplaceAll(s, "&", "&&") }

// format puts a PNG into the form the panel takes: an ICO file with one PNG in it.
func format(p []byte) []byte {
	const header = 6 + 16
	b := make([]byte, header, header+len(p))
	le := binary.LittleEndian
	le.PutUint16(b[2:], 1) // icon
	le.PutUint16(b[4:], 1) // one image
	b[6], b[7] = iconSize, iconSize
	le.PutUint16(b[10:], 1)  // planes
	le.PutUint16(b[12:], 32) // bits a pixel
	le.PutUint32(b[14:], uint32(len(p)))
	le.PutUint32(b[18:], header)
	return append(b, p...)
}
