// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"crypto/subtle"

	"persten/internal/secret"
	"persten/internal/text"
	"persten/internal/token"
)

// PINLabel names the token a PIN belongs to.
func PINLabel(lang text.Lang, r token.PINRequest) string {
	if r.Token.Label == "" {
		return say(lang, "prompt.pin.short")
	}
	if r.Token.Module == token.KeyFile {
		return say(lang, "prompt.pin.file", "label", Safe(r.Token.Label, 40))
	}
	return say(lang, "prompt.pin.label", "label", Safe(r.Token.Label, 40))
}

// PINWarnings says what a person should know before typing, the worst last. An empty list means nothing is wrong.
func PINWarnings(lang text.Lang, r token.PINRequest) []string {
	var list []string
	if r.Wrong && r.Token.Module == token.KeyFile {
		return []string{say(lang, "prompt.pin.file.wrong")} // a file counts no attempts
	}
	if r.Wrong {
		list = append(list, say(lang, "prompt.pin.wrong"))
	}
	switch {
	case r.Final:
		return append(list, say(lang, "prompt.pin.final"))
	case r.Attempts > 0 && (r.Low || r.Wrong):
		list = append(list, text.Plural(lang, "prompt.pin.left", r.Attempts))
	case r.Wrong && r.Attempts < 0:
		list = append(list, say(lang, "prompt.pin.uncounted"))
	}
	if r.Low && !r.Wrong {
		list = append(list, say(lang, "prompt.pin.low"))
	}
	return list
}

// SamePIN compares two entries without telling by its time where they differ.
func SamePIN(a, b *secret.Buffer) bool {
	return a != nil && b != nil && subtle.ConstantTimeCompare(a.Bytes(), b.Bytes()) == 1
}
