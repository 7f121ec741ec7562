// SPDX-License-Identifier: GPL-3.0-or-later

package pinentry

import (
	"slices"
	"strings"
	"testing"

	"persten/internal/signing"
	"persten/internal/ui"
	"persten/internal/ui/uitest"
)

// shown is every text that a dialog of the card would get, as lines; banners are left out: they depend on who asks.
func shown(t *testing.T, c ui.Card) (lines []string) {
	t.Helper()
	texts := pages(c.Brief())
	for i, one := range c.Choices {
		texts = append(texts, onePage(slices.Concat(c.Brief(), one.Lines(c.Lang, i))))
	}
	for _, page := range texts {
		if sent := "SETDESC " + escape(page); len(sent) > maxLine || strings.ContainsFunc(sent, func(r rune) bool { return r < ' ' }) {
			t.Fatalf("sent as %.200q", sent)
		}
		for l := range strings.SplitSeq(page, "\n") {
			if !strings.HasPrefix(l, "! ") {
				lines = append(lines, l)
			}
		}
	}
	return lines
}

// Nothing from outside ends a line of the protocol or of a dialog, or is drawn out of its place.
func TestHostileFields(t *testing.T) {
	uitest.Hold(t, func(q signing.Question) ([]string, int) {
		lines := shown(t, ui.NewCard(q, "ru"))
		return lines, len(lines)
	})
}
