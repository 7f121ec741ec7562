// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"strconv"
	"strings"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/proto"
)

// maxNamed is how many documents of a batch the bodies without a list of their own name.
const maxNamed = 5

// batch completes the card of a batch: how many documents, how large together, and what one PIN does.
func (c *Card) batch(q signing.Question) {
	if !q.Batch {
		return
	}
	var size int64
	hidden := 0
	for _, d := range q.Documents {
		size += d.Size
		if d.Hidden {
			hidden++
		}
	}
	c.Summary = text.Plural(c.Lang, "prompt.sign.count", len(q.Documents)) + ", " + c.Say("prompt.batch.size", "size", Size(c.Lang, size))
	if hidden > 0 {
		c.Unseen = c.Say("prompt.batch.hidden", "n", strconv.Itoa(hidden))
	}
	if q.Token.LoginRequired {
		c.Facts = append(c.Facts, Fact{Label: c.Say("prompt.batch.pin.label"), Value: c.Say("prompt.batch.pin")})
	}
}

// batchLines is the list of a batch for bodies with little room: the sum and the first names.
func (c Card) batchLines() []string {
	lines := append([]string{c.Summary}, c.warningLines()...)
	for i, d := range c.Documents {
		if i == maxNamed {
			lines = append(lines, "    "+c.Say("prompt.batch.more", "n", strconv.Itoa(len(c.Documents)-maxNamed)))
			break
		}
		lines = append(lines, "    "+d.Name+", "+d.Size)
	}
	return lines
}

// Found lists the documents whose name contains what, whatever the case; all of them for an empty one.
func (c Card) Found(what string) []int {
	what = strings.ToLower(strings.TrimSpace(what))
	var list []int
	for i, d := range c.Documents {
		if strings.Contains(strings.ToLower(d.Name), what) {
			list = append(list, i)
		}
	}
	return list
}

// batchClosing says how a batch ended: first how many were signed, then what ended it.
func batchClosing(c Closing, o signing.Outcome) Closing {
	b := *o.Batch
	total := strconv.Itoa(b.Signed + b.Failed + b.NotSigned)
	switch {
	case b.Signed == 0:
		return c
	case b.Failed+b.NotSigned == 0:
		c.Title = say(c.lang, "prompt.batch.done")
	default:
		c.Done, c.Title = false, say(c.lang, "prompt.batch.partly", "n", strconv.Itoa(b.Signed), "total", total)
		c.Partly, c.Declined = true, false
	}
	count := Fact{Label: say(c.lang, "prompt.batch.signed"), Value: say(c.lang, "prompt.batch.of", "n", strconv.Itoa(b.Signed), "total", total)}
	c.Facts = append([]Fact{count}, c.Facts...)
	switch {
	case o.Code == "" && b.Failed > 0:
		c.What, c.Next = say(c.lang, "prompt.batch.failed", "n", strconv.Itoa(b.Failed)), say(c.lang, "prompt.batch.failed.next")
	case b.NotSigned > 0:
		c.What = say(c.lang, "prompt.batch.left", "n", strconv.Itoa(b.NotSigned)) + " " + proto.Partly(c.What)
	}
	return c
}
