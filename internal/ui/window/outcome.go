// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"gioui.org/layout"

	"persten/internal/ui/look"
)

// outcome is what belongs to the sentence in the header: what was made, or why nothing was and what to do now.
func (w *Window) outcome(gtx layout.Context) layout.Dimensions {
	c := w.closing
	var parts []layout.Widget
	if c.Done || c.Partly {
		parts = append(parts, w.look.Box(w.table(c.Facts)))
	}
	if c.Done {
		return look.Column(parts...)(gtx)
	}
	if c.Partly {
		parts = append(parts, look.Gap(14))
	}
	parts = append(parts, w.look.Text(c.What, look.Label{Size: 16}))
	if c.Next != "" {
		next := look.Column(w.look.Heading(w.card.Say("prompt.closing.next")), look.Gap(4), w.look.Text(c.Next, look.Label{Size: 15}))
		parts = append(parts, look.Gap(14), w.look.Box(next))
	}
	return look.Column(parts...)(gtx)
}
