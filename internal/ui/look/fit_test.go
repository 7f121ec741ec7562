// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"image"
	"strings"
	"testing"

	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/unit"
	"gioui.org/widget/material"
)

// TestFit: a text that is too long keeps its beginning, in order, and as much of it as there is room for.
func TestFit(t *testing.T) {
	th := New(false)
	const name = "Договор.txt, программа persten-desktop, ещё слова и words"
	for _, width := range []int{1, 20, 60, 150, 300, 380, 2000} {
		gtx := layout.Context{Ops: new(op.Ops), Metric: unit.Metric{PxPerDp: 1, PxPerSp: 1}, Constraints: layout.Constraints{Max: image.Pt(width, 1000)}}
		m := material.Label(th.Material, 14, name)
		m.MaxLines = 1
		got := fit(gtx, m)
		if got == name {
			if width < 2000 {
				t.Errorf("%d: not cut", width)
			}
			continue
		}
		head := strings.TrimSuffix(got, "…")
		if head == got || !strings.HasPrefix(name, head) {
			t.Errorf("%d: %q", width, got)
		}
		n := len([]rune(head)) + 2 // the next letter, or the one after a blank
		if head != "" && !fits(gtx, m, got) || fits(gtx, m, shorter([]rune(name), n)) {
			t.Errorf("%d: %q", width, got)
		}
	}
	gtx := layout.Context{Ops: new(op.Ops), Metric: unit.Metric{PxPerDp: 1, PxPerSp: 1}, Constraints: layout.Constraints{Max: image.Pt(200, 1000)}}
	m := material.Label(th.Material, 14, name)
	m.MaxLines = 2
	if got := fit(gtx, m); !strings.HasSuffix(got, "…") || len(got) < len(name)/2 || measure(gtx, m, got).Y > measure(gtx, m, "x\nx").Y {
		t.Errorf("two lines: %q", got)
	}
}
