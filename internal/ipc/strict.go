// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
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
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(data)
}

func unquote(quoted []byte) string {
	var s string
	_ = json.Unmarshal(quoted, &s) // valid by now
	return s
}
