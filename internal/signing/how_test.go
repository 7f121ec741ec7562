// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"testing"

	"persten/internal/journal"
)

func TestHowDocumentsWereShown(t *testing.T) {
	d := Decision{Viewed: []bool{true, false, true}, How: []How{HowExtracted, "", "<b>"}}
	docs := make([]journal.Document, 5)
	d.mark(docs[1:], 0)
	for i, want := range []string{"", "extracted", "", "not", "not"} {
		if docs[i].How != want || docs[i].Viewed != (i == 1 || i == 3) {
			t.Errorf("%d: %q, viewed %t, want %q", i, docs[i].How, docs[i].Viewed, want)
		}
	}
	rest := make([]journal.Document, 1)
	if d.mark(rest, 1); rest[0].How != "" || rest[0].Viewed {
		t.Errorf("from the second on: %+v", rest[0])
	}
	if (Decision{}).mark(rest, 0); rest[0].How != "not" {
		t.Errorf("a prompt that shows nothing: %q", rest[0].How)
	}
}
