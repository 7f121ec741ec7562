// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"strings"

	"persten/internal/signing"
	"persten/internal/text"
)

// Closing is the end of every prompt, the same in all bodies.
type Closing struct {
	Done     bool
	Partly   bool   // of a batch: some were signed, Facts tell how many
	Declined bool   // the person said no: nothing went wrong
	Title    string // "Signature created", "No signature was created" or "Outcome unknown"
	What     string // why not, one sentence
	Next     string // what to do now, one sentence
	Facts    []Fact // documents, owner, time of a signature
	lang     text.Lang
}

// NewClosing says in one of text's languages how a question of some kind ended.
func NewClosing(k signing.Kind, o signing.Outcome, lang text.Lang) Closing {
	c := Closing{Done: o.Code == "", Declined: o.Code == "user_rejected" || o.Code == "user_stopped", lang: lang}
	if !c.Done {
		c.Title = say(lang, "prompt."+string(k)+".failed")
		if o.Code == codeLost {
			c.Title = say(lang, "prompt.lost")
		}
		what, next := text.Error(lang, o.Code, o.Args)
		if declined := "prompt." + string(k) + ".declined"; c.Declined && text.Has(declined) {
			what, next = say(lang, declined), say(lang, declined+".next")
		}
		c.What, c.Next = Safe(what, 400), Safe(next, 400)
		if o.Batch != nil {
			c = batchClosing(c, o)
		}
		return c
	}
	c.Title = say(lang, "prompt."+string(k)+".done")
	for i, name := range o.Signed {
		f := Fact{Value: Safe(name, maxName)}
		if i == 0 {
			f.Label = text.Plural(lang, "prompt.closing.documents", len(o.Signed))
		}
		c.Facts = append(c.Facts, f)
	}
	if o.Owner != "" {
		c.Facts = append(c.Facts, Fact{Label: say(lang, "prompt.cert.name"), Value: Safe(o.Owner, maxFact)})
	}
	c.Facts = append(c.Facts, Fact{Label: say(lang, "prompt.closing.time"), Value: Moment(lang, o.Time)})
	if o.Batch != nil {
		c = batchClosing(c, o)
	}
	return c
}

// Failed tells that something went wrong, for which there may be a remedy.
func (c Closing) Failed() bool { return !c.Done && !c.Declined }

// Lines is the closing as text. The first line is the sentence all bodies share.
func (c Closing) Lines() []string {
	if !c.Done {
		lines := []string{c.Title + ": " + c.What}
		if c.Next != "" {
			lines = append(lines, say(c.lang, "prompt.closing.next")+": "+c.Next)
		}
		return lines
	}
	lines := []string{c.Title + "."}
	for _, f := range c.Facts {
		if f.Label == "" {
			lines = append(lines, "    "+f.Value)
			continue
		}
		lines = append(lines, f.Label+": "+f.Value)
	}
	return lines
}

// String is the closing on one line.
func (c Closing) String() string { return strings.Join(c.Lines(), " ") }
