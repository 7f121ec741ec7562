// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"slices"

	"persten/internal/journal"
)

// How is in which way a person was shown a document.
type How string

// The ways. A document that could have been opened, and was not, has none.
const (
	HowShown     How = "shown"     // text, tree, pages
	HowExtracted How = "extracted" // the text of it, without pictures and formatting
	HowSystem    How = "system"    // in the system's own viewer, and the person said so
	HowHex       How = "hex"       // bytes, which tell most people nothing
	HowNot       How = "not"       // nothing could be shown
)

// Content reports whether the person could see what the document says.
func (h How) Content() bool { return h == HowShown || h == HowExtracted || h == HowSystem }

// mark tells the journal how the documents, of which the first is number from, were shown.
func (d Decision) mark(docs []journal.Document, from int) {
	for i := range docs {
		docs[i].Viewed = from+i < len(d.Viewed) && d.Viewed[from+i]
		docs[i].How = string(d.how(from + i))
	}
}

// how does not believe a prompt words nobody knows.
func (d Decision) how(i int) How {
	if i < len(d.How) && slices.Contains([]How{"", HowShown, HowExtracted, HowSystem, HowHex}, d.How[i]) {
		return d.How[i]
	}
	return HowNot
}
