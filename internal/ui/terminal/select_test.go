// SPDX-License-Identifier: GPL-3.0-or-later

package terminal

import (
	"strings"
	"testing"

	"persten/internal/signing"
	"persten/internal/ui"
)

// A number that was offered is a yes, everything else is a no.
func TestNumbers(t *testing.T) {
	q := signing.Question{Kind: signing.KindSelect, Lang: "en", Origin: "https://a.example", Choices: []signing.Choice{
		{Certificate: signing.Certificate{Name: "Maria"}}, {Certificate: signing.Certificate{Name: "Ivan"}},
	}}
	for keys, want := range map[string]int{"1\n": 0, " 2 \n": 1, "3\n": -1, "0\n": -1, "-1\n": -1, "\n": -1, "": -1, "yes\n": -1, "99999999999999999999\n": -1} {
		f := &fake{keys: strings.NewReader(keys)}
		p, err := ui.Local(func() ui.Body { return On(f) }).Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Decide(t.Context())
		if err != nil || d.Approved != (want >= 0) || d.Approved && d.Chosen != want {
			t.Errorf("%q: %+v, %v", keys, d, err)
		}
		if shown := f.shown.String(); !strings.Contains(shown, "1. Maria") || !strings.Contains(shown, "2. Ivan") {
			t.Error(shown)
		}
	}
}
