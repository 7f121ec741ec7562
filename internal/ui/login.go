// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/token"
)

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
	c.choices(q)
}
