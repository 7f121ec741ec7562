// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"testing"

	"persten/internal/text"
	"persten/proto"
)

// The journal says where the person could not see what they signed.
func TestJournalSaysHowDocumentsWereShown(t *testing.T) {
	for how, want := range map[string]string{
		"": "a.pdf", "shown": "a.pdf", "not": "a.pdf (content not shown)", "hex": "a.pdf (content not shown: bytes only)",
		"extracted": "a.pdf (only the text was shown)", "system": "a.pdf (seen in the system's viewer)",
	} {
		r := proto.JournalRecord{Kind: "sign", Documents: []proto.JournalDocument{{Name: "a.pdf", How: how}}}
		if got := journalRow(r, text.English).Documents; got != want {
			t.Errorf("%q: %q, want %q", how, got, want)
		}
	}
}
