// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// Errors of [CheckJSON].
var (
	ErrJSON          = errors.New("not one JSON value")
	ErrJSONDepth     = errors.New("JSON is nested too deeply")
	ErrJSONDuplicate = errors.New("JSON object repeats a member")
	ErrJSONText      = errors.New("JSON is not UTF-8")
)

// CheckJSON accepts exactly one JSON value (RFC 8259) in UTF-8 with nothing after it, nested at most depth objects and
// arrays deep, in which no object repeats a member name. encoding/json alone takes the last of repeated members and
// replaces bad UTF-8, so that two readers of one message could see different things.
func CheckJSON(data []byte, depth int) error {
	if !utf8.Valid(data) {
		return ErrJSONText
	}
	if err := checkDepth(data, depth); err != nil { // first: json.Valid recurses no deeper than this allows
		return err
	}
	if !json.Valid(data) {
		return ErrJSON
	}
	return checkNames(data)
}

// checkDepth counts brackets outside strings; it needs no valid JSON.
func checkDepth(data []byte, depth int) error {
	level := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = skipString(data, i)
		case '{', '[':
			if level++; level > depth {
				return ErrJSONDepth
			}
		case '}', ']':
			level--
		}
	}
	return nil
}

// checkNames looks for repeated names in valid JSON.
func checkNames(data []byte) error {
	var stack []map[string]bool // nil for an array
	var atName bool
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{':
			stack, atName = append(stack, map[string]bool{}), true
		case '[':
			stack, atName = append(stack, nil), false
		case '}', ']':
			stack, atName = stack[:len(stack)-1], false
		case ',':
			atName = len(stack) > 0 && stack[len(stack)-1] != nil
		case '"':
			end := skipString(data, i)
			if atName {
				name := unquote(data[i : end+1])
				if stack[len(stack)-1][name] {
					return ErrJSONDuplicate
				}
				stack[len(stack)-1][name], atName = true, false
			}
			i = end
		}
	}
	return nil
}

// skipString returns the index of the quote that ends the string beginning at i, or the last index.
func skipString(data []byte, i int) int {
	quote := i
	for i++; ; {
		if quote < i { // each byte is looked at once for either, however many escapes there are
			n := bytes.IndexByte(data[min(i, len(data)):], '"')
			if n < 0 {
				return len(data)
			}
			quote = i + n
		}
		n := bytes.IndexByte(data[i:quote], '\\')
		if n < 0 {
			return quote
		}
		i += n + 2
	}
}

// Members splits an object that [CheckJSON] accepted; it is nil for another value. The values are parts of data. It is
// encoding/json's map of raw messages without three more readings of a message that is one long string.
func Members(data []byte) map[string]json.RawMessage {
	data = bytes.TrimSpace(data)
	if data[0] != '{' {
		return nil
	}
	members := map[string]json.RawMessage{}
	var name string
	var named bool
	for i, start, level := 0, 1, 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = skipString(data, i)
		case '{', '[':
			level++
		case '}', ']':
			level--
		}
		switch c := data[i]; {
		case level == 1 && c == ':':
			name, named, start = unquote(bytes.TrimSpace(data[start:i])), true, i+1
		case named && (level == 1 && c == ',' || level == 0):
			members[name], named, start = bytes.TrimSpace(data[start:i]), false, i+1
		}
	}
	return members
}

func unquote(quoted []byte) string {
	var s string
	_ = json.Unmarshal(quoted, &s) // valid by now
	return s
}
