// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"gioui.org/layout"

	"persten/internal/signing"
	"persten/internal/ui/look"
)

// inserting tells whether the window waits for a token to be plugged in.
func (w *Window) inserting() bool { return w.screen == working && w.step == signing.StepInsert }

// insertPart says which token to plug in: before the yes, and while it is waited for.
func (w *Window) insertPart(gtx layout.Context) layout.Dimensions {
	if w.card.Insert == "" || w.screen != asking && !w.inserting() {
		return layout.Dimensions{}
	}
	return look.Column(look.Panel(w.look.AmberBed, look.Mix(w.look.Amber, w.look.Paper, 0.6), 8, 12, look.Column(
		w.look.Text(w.card.Insert, look.Label{Size: 16, Bold: true, Color: w.look.Amber}), look.Gap(4),
		w.look.Text(w.card.Say("insert.after"), look.Label{}),
	)), look.Gap(12))(gtx)
}
