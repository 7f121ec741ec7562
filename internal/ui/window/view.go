// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"context"

	"gioui.org/layout"
	"gioui.org/unit"
	"gioui.org/widget"
	"gioui.org/widget/material"

	"persten/internal/signing"
	"persten/internal/ui"
	"persten/internal/ui/look"
)

// view is a document in one of its forms.
type view struct {
	form ui.Form
	tab  widget.Clickable
	list widget.List

	asked, there, failed bool // an answer of the viewing process is awaited, is there, or will not come

	lines ui.Lines
	tree  ui.Tree
	rows  []treeRow // of tree, ready to draw
	pages pages

	system                  widget.Clickable // opens the system's viewer
	seen                    widget.Bool      // the person says that they have looked at it there
	opening, opened, unable bool
}

func newViews(d signing.Document) (list []*view) {
	for _, f := range ui.Forms(d) {
		v := &view{form: f}
		v.list.Axis = layout.Vertical
		list = append(list, v)
	}
	return list
}

// good tells that the document has been on screen in this form.
func (v *view) good() bool {
	if v.form == ui.FormPages {
		return v.pages.drawn
	}
	return v.there && !v.bad()
}

// bad tells that the document cannot be shown in this form.
func (v *view) bad() bool {
	return v.failed || v.lines.Refused || v.tree.Refused || v.pages.refused()
}

// kind is what the document is, as far as this form tells.
func (v *view) kind() ui.Kind {
	if v.pages.of != nil {
		return v.pages.of.Kind
	}
	return v.lines.Kind
}

// how is in which way the document has been shown in this form.
func (v *view) how() signing.How {
	switch {
	case v.opened && v.seen.Value:
		return signing.HowSystem
	case v.good():
		return v.form.How()
	}
	return ""
}

// launch opens the document in the system's viewer. It runs beside the drawing.
func (w *Window) launch(ctx context.Context, d *document, v *view) {
	err := d.asked.System(ctx, string(v.kind()))
	w.mu.Lock()
	defer w.mu.Unlock()
	v.opening, v.opened, v.unable = false, v.opened || err == nil, err != nil
	w.refit = true
	w.redraw()
}

// systemPanel offers the system's viewer for what is shown without its looks.
func (w *Window) systemPanel(d *document, v *view) []layout.Widget {
	if d.asked.System == nil || v.form != ui.FormExtract || !v.there || v.bad() || v.kind().Extension() == "" {
		return nil
	}
	small := look.Label{Size: 13, Color: w.look.Soft}
	parts := []layout.Widget{look.Gap(6), fit(w.look.Small(&v.system, w.card.Say("view.system"), w.accent()))}
	switch {
	case v.unable:
		small.Color = w.look.Amber
		parts = append(parts, look.Gap(4), w.look.Text(w.card.Say("view.system.failed"), small))
	case v.opened:
		tick := material.CheckBox(w.look.Material, &v.seen, w.card.Say("view.system.seen"))
		tick.TextSize, tick.IconColor, tick.Size = 14, w.accent(), 20
		parts = append(parts, look.Gap(4), w.look.Text(w.card.Say("view.system.about"), small), look.Gap(4), tick.Layout)
	}
	return parts
}

// fit keeps a button as narrow as its words.
func fit(button layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions { return layout.W.Layout(gtx, button) }
}

// rest ends what costs memory while nobody looks.
func (v *view) rest() {
	if v.form == ui.FormPages && v.there && !v.bad() {
		v.pages.close()
		v.asked, v.there = false, false
	}
}

// screenful is how far the page keys move it.
func (v *view) screenful() unit.Dp {
	if v.form == ui.FormPages {
		return pagesHeight * 9 / 10
	}
	return 180
}

// read gets a document in one of its forms. When that is no good the next one is tried. It runs beside the drawing.
func (w *Window) read(ctx context.Context, d *document, v *view) {
	var err error
	var lines ui.Lines
	var tree ui.Tree
	var open *ui.Pages
	switch v.form {
	case ui.FormTree:
		tree, err = w.view.Tree(ctx, d.asked.Content, d.asked.Covered)
	case ui.FormPages:
		open, err = w.view.Pages(ctx, d.asked.Content)
	default:
		lines, err = w.view.Lines(ctx, d.asked.Content, v.form)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	v.lines, v.tree, v.failed, v.there = lines, tree, err != nil, true
	switch {
	case v.form == ui.FormTree:
		v.rows = w.treeRows(tree)
		v.list.Position = layout.Position{First: firstSigned(v.rows), BeforeEnd: true}
	case open != nil:
		v.pages.begin(ctx, w, open)
	}
	if v.bad() && d.view() == v && d.at+1 < len(d.views) {
		d.at++
	}
	if d.open {
		w.opened = &d.open // there is more to move to now
	}
	w.want(ctx, d)
	w.refit = true
	w.redraw()
}

// tabs are the buttons by which the form is chosen, and at their right where the person is.
func (w *Window) tabs(d *document, place string) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		var list []layout.FlexChild
		for i, v := range d.views {
			accent := w.look.Soft
			if i == d.at {
				accent = w.accent()
			}
			if v.bad() {
				continue
			}
			list = append(list, layout.Rigid(w.look.Small(&v.tab, w.card.Say("view.form."+string(v.form)), accent)),
				layout.Rigid(layout.Spacer{Width: 6}.Layout))
		}
		list = append(list, layout.Flexed(1, layout.Spacer{}.Layout), layout.Rigid(w.look.Text(place, look.Label{Size: 13, Color: w.look.Soft, Lines: 1})))
		return layout.Flex{Alignment: layout.Middle}.Layout(gtx, list...)
	}
}

// refusals say why the better forms are not shown.
func (w *Window) refusals(d *document) (list []string) {
	for _, v := range d.views[:d.at] {
		if v.there && v.bad() {
			list = append(list, w.refusal(v))
		}
	}
	return list
}

// refusal is why a document is not shown in a form, as far as that is known.
func (w *Window) refusal(v *view) string {
	reason := v.tree.Reason.Say(w.card.Lang)
	word := v.lines.Refusal
	if v.pages.refused() {
		word = v.pages.of.Refusal
	}
	if word != "" && reason == "" {
		reason = w.card.Say("view.refused." + string(word))
	}
	return w.card.Say("view.not."+string(v.form), "reason", reason)
}

// viewPanel is a document in a form, and what is to be said about that.
func (w *Window) viewPanel(v *view) (body layout.Widget, notice string) {
	switch {
	case !v.there:
		return w.remark("prompt.documents.reading"), ""
	case v.bad():
		return w.look.Text(w.refusal(v), look.Label{Size: 13, Color: w.look.Amber}), ""
	case v.form == ui.FormTree:
		return w.treePanel(v)
	case v.form == ui.FormPages:
		return w.pagesPanel(v)
	}
	return w.linesPanel(v)
}

// linesPanel is a document as lines.
func (w *Window) linesPanel(v *view) (body layout.Widget, notice string) {
	if v.form == ui.FormExtract || v.form == ui.FormHex {
		notice = w.card.Say("view.about." + string(v.form))
	}
	if v.form == ui.FormExtract && v.lines.Kind == "zip" {
		notice = w.card.Say("view.about.zip")
	}
	if v.lines.Cut {
		notice += " " + w.card.Say("prompt.documents.cut")
	}
	text := v.lines.Text
	if len(text) == 0 {
		return w.remark("prompt.documents.empty"), notice
	}
	letters := unit.Sp(12)
	if v.form == ui.FormHex {
		letters = 11 // a row of sixteen bytes in one line
	}
	return w.listing(&v.list, len(text), 10, func(gtx layout.Context, i int) layout.Dimensions {
		return w.look.Text(text[i], look.Label{Size: letters, Mono: true})(gtx)
	}), notice
}
