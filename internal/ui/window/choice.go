// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"gioui.org/layout"
	"gioui.org/widget/material"

	"persten/internal/ui/look"
)

// choice is one certificate to choose, in a box that can be pressed; the chosen one is framed.
func (w *Window) choice(i int) layout.Widget {
	c := w.card.Choices[i]
	bed, frame := w.look.Paper, w.look.Rule
	name := look.Label{Size: 16, Bold: true}
	if i == w.chosen {
		bed, name.Color = look.Mix(w.accent(), w.look.Paper, 0.9), w.accent()
	}
	return func(gtx layout.Context) layout.Dimensions {
		if i == w.chosen || gtx.Focused(&w.choices[i]) {
			frame = w.accent()
		}
		return material.Clickable(gtx, &w.choices[i], look.Panel(bed, frame, 8, 12, look.Column(w.look.Text(c.Name, name), look.Gap(6), w.table(c.Facts))))
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
