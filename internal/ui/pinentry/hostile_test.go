// SPDX-License-Identifier: GPL-3.0-or-later

package pinentry

import (
	"slices"
	"strings"
	"testing"

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
	list, fields := uitest.Strings(t), uitest.Fields()
	for _, f := range fields {
		plain := map[string]int{}
		for _, word := range []string{uitest.Plain(""), uitest.Plain("x")} {
			plain[word] = len(shown(t, ui.NewCard(f.Make(word), "ru")))
		}
		for _, s := range list {
			lines := shown(t, ui.NewCard(f.Make(s), "ru"))
			if got, want := len(lines), plain[uitest.Plain(s)]; got != want {
				t.Fatalf("%s: %.40q makes %d lines of %d", f.Name, s, got, want)
			}
			for _, l := range lines {
				if err := uitest.Check(l); err != nil {
					t.Fatalf("%s: %.40q is shown as %.300q: %v", f.Name, s, l, err)
				}
			}
		}
	}
	t.Logf("%d strings in %d fields", len(list), len(fields))
}
