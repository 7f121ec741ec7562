// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"persten/internal/text"
	"persten/proto"
)

// TestWaysIn: a longer command is not taken for a shorter one, and no way is offered twice.
func TestWaysIn(t *testing.T) {
	for words, want := range map[string][]string{
		"":                                  nil,
		"Draft it: persten doctor --bundle": {wayBundle},
		"persten certs --all, persten tokens, persten cert check":      {"tokens"},
		"persten browser status; persten doctor; persten journal list": {"journal", wayLook},
	} {
		if got := waysIn(words); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
	}
}

// TestEveryCommandHasAWay: what people arrive with is explained by commands that this window has a place for, and every way has
// a name in both languages.
func TestEveryCommandHasAWay(t *testing.T) {
	named := regexp.MustCompile(`persten [a-z]+`)
	for _, trouble := range proto.Troubles() {
		for _, c := range []proto.Cure{trouble.RU, trouble.EN} {
			words := strings.Join(append(slices.Clone(c.Check), c.Next), "\n")
			for _, command := range named.FindAllString(words, -1) {
				if command != "persten status" && len(waysIn(command+" check")) == 0 {
					t.Errorf("%s: %q has no place in the window", trouble.ID, command)
				}
			}
		}
	}
	for _, lang := range []text.Lang{text.Russian, text.English} {
		p := newDoctor(&Home{kit: newKit(lang, false)})
		for _, w := range ways {
			if name := p.wayName(w.way); strings.Contains(name, "home.") {
				t.Errorf("%s: %s has no name", lang, w.way)
			}
		}
	}
}
