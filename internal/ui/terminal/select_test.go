// SPDX-License-Identifier: GPL-3.0-or-later

package terminal

import (
	"strings"
	"testing"

	"persten/internal/signing"
	"persten/internal/token"
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

// What cannot be chosen stands below the rest without a number, with the reason and the way out, one fact a line; its place in the list
// is no answer.
func TestRefused(t *testing.T) {
	expired := signing.Choice{Certificate: signing.Certificate{Name: "Ivan", INN: "500100732259"}, Refusal: &signing.Refusal{Code: "certificate_expired", Args: map[string]string{"date": "2026-03-01"}}}
	q := signing.Question{Kind: signing.KindSelect, Lang: "en", Origin: "https://a.example", Choices: []signing.Choice{
		{Certificate: signing.Certificate{Name: "Maria"}, Last: true, Attorney: true}, expired,
	}}
	f := &fake{keys: strings.NewReader("2\n")}
	if d, err := On(f).Decide(t.Context(), q); err != nil || d.Approved {
		t.Errorf("%+v, %v", d, err)
	}
	for _, want := range []string{
		"1. Maria\n", "Authority: a power of attorney", "you chose it here last time", "Cannot be chosen:\n\nIvan\n", "INN: 500100732259\n",
		"Cannot be chosen: The certificate expired on 1 Mar 2026.\n", "What to do: Choose another certificate",
	} {
		if !strings.Contains(f.shown.String(), want) {
			t.Errorf("%q is not in %s", want, f.shown.String())
		}
	}
	q.Choices = q.Choices[1:]
	f = &fake{keys: strings.NewReader("1\n")}
	if d, err := On(f).Decide(t.Context(), q); err != nil || d.Approved || !strings.HasSuffix(f.shown.String(), "Press Enter to close: ") {
		t.Errorf("%+v, %v, %s", d, err, f.shown.String())
	}
}

// A token that is not there is named before the yes and while it is waited for.
func TestInsert(t *testing.T) {
	f := &fake{keys: strings.NewReader("yes\n")}
	b := On(f)
	d, err := b.Decide(t.Context(), signing.Question{Kind: signing.KindSign, Lang: "en", Origin: "https://a.example", Absent: true,
		Token: token.Info{Label: "Rutoken", Serial: "0a1b"}, Certificate: &signing.Certificate{Name: "Maria"}})
	if err != nil || !d.Approved {
		t.Fatal(d, err)
	}
	const want = "Plug in the token Rutoken, serial number 0a1b, owner Maria.\n"
	before := f.shown.String()
	b.Progress(signing.StepInsert)
	if after := f.shown.String()[len(before):]; !strings.Contains(before, want) || after != want+"Waiting for the token…\n" {
		t.Errorf("%s\n%s", before, after)
	}
}
