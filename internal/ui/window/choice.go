// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"gioui.org/layout"
	"gioui.org/widget/material"
)

// choice is one certificate to choose, in a box that can be pressed; the chosen one is framed.
func (w *Window) choice(i int) layout.Widget {
	c := w.card.Choices[i]
	bed, frame := paper, rule
	name := label{size: 16, bold: true}
	if i == w.chosen {
		bed, name.color = mix(w.accent(), paper, 0.9), w.accent()
	}
	return func(gtx layout.Context) layout.Dimensions {
		if i == w.chosen || gtx.Focused(&w.choices[i]) {
			frame = w.accent()
		}
		return material.Clickable(gtx, &w.choices[i], box(bed, frame, 8, 12, column(w.text(c.Name, name), gap(6), w.table(c.Facts))))
	}
}

// choose marks the certificate that was pressed, and leads the keyboard to the button that confirms it.
func (w *Window) choose(gtx layout.Context, deaf bool) {
	for i := range w.choices {
		for w.choices[i].Clicked(gtx) {
			if !deaf && w.screen == asking {
				w.chosen, w.refocus = i, true
			}
		}
	}
}
