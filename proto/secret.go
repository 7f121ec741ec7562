// SPDX-License-Identifier: GPL-3.0-or-later

package proto

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
)

// secretWords are the words that make a member's name look like a secret. A name is cut into words at case changes,
// digits and punctuation, so "userPin", "USER_PIN" and "pin1" are found and "shipping" is not.
var secretWords = map[string]bool{
	"pin": true, "pins": true, "puk": true, "pass": true, "passwd": true, "password": true, "passphrase": true,
	"passcode": true, "pwd": true, "pincode": true, "userpin": true, "sopin": true, "adminpin": true, "keypass": true,
	"storepass": true, "secret": true,
	"пин": true, "пинкод": true, "пук": true, "пукод": true, "пароль": true, "парольная": true, "секрет": true,
}

// secretParts make a name a secret wherever they stand in it.
var secretParts = []string{"password", "passphrase", "passwd", "passcode", "pincode", "парол", "пинкод"}

// SecretMember looks for a member whose name looks like a PIN or a password, at any depth down to [MaxDepth], and returns
// its path. It reads as far as the JSON can be read: a document that breaks off later, or nests deeper, is still refused
// for what stands before. The values are not looked at.
func SecretMember(params []byte) (field string, found bool) {
	dec := json.NewDecoder(bytes.NewReader(params))
	dec.UseNumber()
	var stack []level
	for {
		t, err := dec.Token()
		if err != nil {
			return "", false
		}
		top := len(stack) - 1
		if name, ok := t.(string); ok && top >= 0 && stack[top].wantsName {
			stack[top].name, stack[top].wantsName = name, false
			if looksSecret(name) {
				return path(stack), true
			}
			continue
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if len(stack) == MaxDepth {
				return "", false
			}
			stack = append(stack, level{object: t == json.Delim('{'), wantsName: t == json.Delim('{')})
			continue
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:top]
		}
		if top = len(stack) - 1; top >= 0 {
			stack[top].next()
		}
	}
}

// level is one open object or array of the walk.
type level struct {
	object, wantsName bool
	name              string
	index             int
}

func (l *level) next() {
	if l.object {
		l.wantsName = true
	} else {
		l.index++
	}
}

func path(stack []level) string {
	var p string
	for _, l := range stack {
		if l.object {
			p = join(p, clip(l.name))
		} else {
			p += "[" + strconv.Itoa(l.index) + "]"
		}
	}
	return p
}

func looksSecret(name string) bool {
	words := split(name)
	for _, w := range words {
		if secretWords[w] {
			return true
		}
	}
	squashed := strings.Join(words, "")
	if secretWords[squashed] {
		return true
	}
	for _, p := range secretParts {
		if strings.Contains(squashed, p) {
			return true
		}
	}
	return false
}

// split cuts a name into lower-case words of letters: "userPIN_Code" into user, pin and code.
func split(name string) []string {
	runes := []rune(name)
	var words []string
	start := -1
	for i, r := range runes {
		if start >= 0 && (!unicode.IsLetter(r) || startsWord(runes, i)) {
			words = append(words, strings.ToLower(string(runes[start:i])))
			start = -1
		}
		if start < 0 && unicode.IsLetter(r) {
			start = i
		}
	}
	if start >= 0 {
		words = append(words, strings.ToLower(string(runes[start:])))
	}
	return words
}

// startsWord reports whether the capital at i begins a word: after a small letter, or before one and after a capital.
func startsWord(runes []rune, i int) bool {
	if !unicode.IsUpper(runes[i]) {
		return false
	}
	return unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])
}
