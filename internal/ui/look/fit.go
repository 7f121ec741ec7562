// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"image"
	"sort"
	"strings"

	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/widget/material"
)

// fit is as much of a label's text as its lines take, with an ellipsis where it was cut. The toolkit's own way of cutting
// sets the pieces of a text of several scripts in the wrong order: "Договор.txt" would read as "txtДоговор.".
func fit(gtx layout.Context, m material.LabelStyle) string {
	if fits(gtx, m, m.Text) {
		return m.Text
	}
	all := []rune(m.Text)
	n := sort.Search(len(all), func(n int) bool { return !fits(gtx, m, shorter(all, n+1)) })
	return shorter(all, n)
}

func shorter(all []rune, n int) string {
	return strings.TrimRight(string(all[:n]), " ") + "…"
}

// fits tells whether s can be set whole: on one line within the width, else within the height of the lines.
func fits(gtx layout.Context, m material.LabelStyle, s string) bool {
	lines := m.MaxLines
	m.MaxLines = 0
	if lines == 1 {
		room := gtx.Constraints.Max.X
		gtx.Constraints.Max.X = 1 << 20
		return measure(gtx, m, s).X <= room
	}
	return measure(gtx, m, s).Y <= measure(gtx, m, strings.Repeat("x\n", lines-1)+"x").Y
}

func measure(gtx layout.Context, m material.LabelStyle, s string) image.Point {
	gtx.Ops = new(op.Ops)
	gtx.Constraints.Min.X, gtx.Constraints.Min.Y, gtx.Constraints.Max.Y = 0, 0, 1<<20
	m.Text = s
	return m.Layout(gtx).Size
}
