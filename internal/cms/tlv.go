// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"encoding/asn1"
	"slices"
)

// Elements that keep returned have known lengths, though not always written in the shortest form, as encoding/asn1 wants them.

// split takes the first element off der.
func split(der []byte) (tag byte, head, body, rest []byte, err error) {
	if len(der) == 0 {
		return 0, nil, nil, nil, malformed("element missing")
	}
	n := tagLength(der)
	if n >= len(der) {
		return 0, nil, nil, nil, malformed("element cut off")
	}
	size, width := int(der[n]), 1
	if size == 0x80 || size > 0x84 {
		return 0, nil, nil, nil, malformed("bad length")
	}
	if size > 0x80 {
		width, size = 1+size&0x7f, 0
		if n+width > len(der) {
			return 0, nil, nil, nil, malformed("element cut off")
		}
		for _, b := range der[n+1 : n+width] {
			size = size<<8 | int(b)
		}
	}
	if start := n + width; size <= len(der)-start {
		return der[0], der[:n], der[start : start+size], der[start+size:], nil
	}
	return 0, nil, nil, nil, malformed("element longer than what contains it")
}

// children splits the body of a constructed element, at most most of them.
func children(body []byte, most int) ([][]byte, error) {
	var all [][]byte
	for len(body) > 0 {
		_, _, _, rest, err := split(body)
		if err != nil {
			return nil, err
		}
		if len(all) == most {
			return nil, tooMany("elements", most)
		}
		all = append(all, body[:len(body)-len(rest)])
		body = rest
	}
	return all, nil
}

// minimal rewrites every length in der, which may be several elements, in its shortest form. What has it already is returned
// as it is.
func minimal(der []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, tooDeep()
	}
	out, same := der[:0:0], true
	for rest := der; len(rest) > 0; {
		tag, first, body, next, err := split(rest)
		if err != nil {
			return nil, err
		}
		if tag&0x20 != 0 {
			if body, err = minimal(body, depth+1); err != nil {
				return nil, err
			}
		}
		length := head(0, int64(len(body)))[1:]
		if whole := len(first) + len(length) + len(body); same && whole != len(rest)-len(next) {
			same, out = false, slices.Clone(der[:len(der)-len(rest)])
		}
		if !same {
			out = append(append(append(out, first...), length...), body...)
		}
		rest = next
	}
	if same {
		return der, nil
	}
	return out, nil
}

// decode unmarshals one element, in any form of its lengths, and nothing after it.
func decode(der []byte, v any) error {
	der, err := minimal(der, 0)
	if err != nil {
		return err
	}
	rest, err := asn1.Unmarshal(der, v)
	if err == nil && len(rest) != 0 {
		err = malformed("data after an element")
	}
	return err
}
