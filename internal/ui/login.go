// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"strconv"
	"time"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/token"
)

// Choice is a certificate the person may choose.
type Choice struct {
	Name  string
	Facts []Fact
}

// explain completes the card of a question without a document: what a yes means, and what there is to choose from.
func (c *Card) explain(q signing.Question) {
	if q.Kind == signing.KindSign {
		return
	}
	key := "prompt." + string(q.Kind) + ".body"
	switch {
	case q.Kind == signing.KindLogin && c.Site != nil:
		c.Title = c.Say("prompt.login.title", "site", c.Site.Before+c.Site.Domain+c.Site.After)
	case q.Kind == signing.KindPIN && q.Token.Module == token.KeyFile:
		c.Title, c.Body = c.Say("prompt.pin.file.title"), c.Say("prompt.pin.file.body", "file", Safe(q.Token.Path, maxFact))
		return
	case q.Kind == signing.KindSelect && q.For == signing.KindLogin:
		key = "prompt.select.login"
	}
	if text.Has(key) {
		c.Body = c.Say(key)
	}
	for _, one := range q.Choices {
		c.Choices = append(c.Choices, choice(c.Lang, one, time.Now()))
	}
}

// choice is what tells one certificate from the others.
func choice(lang text.Lang, one signing.Choice, now time.Time) Choice {
	wanted := map[string]bool{}
	for _, key := range []string{"cert.organization", "cert.title", "cert.inn", "cert.innle", "cert.issuer", "cert.validity", "place.label", "cert.key"} {
		wanted[say(lang, "prompt."+key)] = true
	}
	out := Choice{Name: Safe(one.Certificate.Name, maxFact)}
	for _, f := range owner(lang, one.Certificate, one.Token, now) {
		if wanted[f.Label] {
			out.Facts = append(out.Facts, f)
		}
	}
	return out
}

// Lines is the choice as text, numbered from 1.
func (c Choice) Lines(index int) []string {
	lines := []string{strconv.Itoa(index+1) + ". " + c.Name}
	for _, f := range c.Facts {
		lines = append(lines, "    "+f.Label+": "+f.Value)
	}
	return lines
}
