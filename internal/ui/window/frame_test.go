// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"image"
	"testing"

	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/unit"

	"persten/internal/signing"
	"persten/internal/ui"
	"persten/internal/ui/look"
)

// TestWhoAsksStays: whoever reads a document still sees who asks, however long the name is.
func TestWhoAsksStays(t *testing.T) {
	for _, origin := range []string{"https://lk.portal.example", "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.portal.example"} {
		w := New(look.New(false), nil, nil, nil)
		w.card = ui.NewCard(signing.Question{Kind: signing.KindSign, Origin: origin}, "ru")
		height := func(scrolled int) int {
			w.list.Position.Offset = scrolled
			return w.header(layout.Context{
				Ops: new(op.Ops), Metric: unit.Metric{PxPerDp: 1, PxPerSp: 1}, Constraints: layout.Exact(image.Pt(windowWidth, maxHeight)),
			}).Size.Y
		}
		top, read := height(0), height(300)
		if read < top+14 || read > top+24 {
			t.Errorf("%s: the header is %d high, and %d when the site was scrolled away: want one line more", origin, top, read)
		}
		w.screen = ended
		if height(300) != top {
			t.Error("the outcome has a site in its header")
		}
	}
}
