// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"image"
	"slices"
	"strconv"

	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
	"gioui.org/unit"

	"persten/internal/signing"
	"persten/internal/ui"
	"persten/internal/ui/look"
)

// treeRow is a row of a document's tree, ready to draw.
type treeRow struct {
	text    string
	depth   int
	marked  bool // whether it is signed is told
	signed  bool
	caption string // stands above the first row of a part
}

// How far a tree is set in; what is deeper tells its depth in figures.
const (
	treeStep  unit.Dp = 14
	treeDepth         = 10
	treeShown         = 12 // lines
)

// treeRows puts rows into words. Where only some of the document is signed, each part begins with a word that says whether it
// is; comments, which are hardly ever signed, say so themselves.
func (w *Window) treeRows(t ui.Tree) []treeRow {
	partly := t.Marked && slices.ContainsFunc(t.Rows, unsigned)
	rows := make([]treeRow, len(t.Rows))
	part := ""
	for i, r := range t.Rows {
		rows[i] = treeRow{text: w.rowText(t, r), depth: r.Depth, marked: t.Marked, signed: r.Signed}
		if !partly || !r.Signed && r.Kind == signing.TreeComment {
			continue
		}
		caption := "prompt.tree.signed"
		if !r.Signed {
			caption = "prompt.tree.unsigned"
		}
		if caption != part {
			part, rows[i].caption = caption, w.card.Say(caption)
		}
	}
	return rows
}

func unsigned(r signing.TreeRow) bool { return !r.Signed && r.Kind != signing.TreeComment }

// rowText is what a row says.
func (w *Window) rowText(t ui.Tree, r signing.TreeRow) string {
	s := r.Text
	if r.Size > 0 {
		s = w.card.Say("prompt.tree.long", "text", s, "n", strconv.FormatInt(r.Size, 10))
	}
	switch {
	case r.Kind == signing.TreeInstruction:
		s = "<?" + s + "?>"
	case r.Kind == signing.TreeComment && t.Marked && !r.Signed:
		s = w.card.Say("prompt.tree.comment.unsigned", "text", s)
	case r.Kind == signing.TreeComment:
		s = w.card.Say("prompt.tree.comment", "text", s)
	}
	if r.Depth > treeDepth {
		s = "[" + strconv.Itoa(r.Depth) + "] " + s
	}
	return s
}

// firstSigned is the row to begin with: the root, or one shortly before the signed part when that is far down.
func firstSigned(rows []treeRow) int {
	const near, before = treeShown / 2, 2
	if i := slices.IndexFunc(rows, func(r treeRow) bool { return r.signed }); i > near {
		return i - before
	}
	return 0
}

// treePanel is a document as a tree, and what is to be said about that.
func (w *Window) treePanel(v *view) (body layout.Widget, notice string) {
	if v.tree.Cut {
		notice = w.card.Say("prompt.documents.cut")
		if v.tree.Marked && !slices.ContainsFunc(v.rows, func(r treeRow) bool { return r.signed }) {
			notice += " " + w.card.Say("prompt.tree.beyond")
		}
	}
	return w.listing(&v.list, len(v.rows), treeShown, func(gtx layout.Context, i int) layout.Dimensions {
		return w.treeRow(gtx, v.rows[i])
	}), notice
}

// treeRow draws a row: signed ones on a tint with a bar at the left, the others dimmed.
func (w *Window) treeRow(gtx layout.Context, r treeRow) layout.Dimensions {
	l, caption := look.Label{Size: 12, Mono: true}, look.Label{Size: 12, Bold: true, Color: w.look.Soft}
	if r.marked && !r.signed {
		l.Color = w.look.Soft
	}
	if r.signed {
		caption.Color = w.accent()
	}
	parts := []layout.Widget{w.look.Text(r.text, l)}
	if r.caption != "" {
		parts = slices.Insert(parts, 0, look.Gap(2), w.look.Text(r.caption, caption), look.Gap(2))
	}
	indent := treeStep * unit.Dp(min(r.depth, treeDepth))
	return w.signedBar(gtx, r.signed, func(gtx layout.Context) layout.Dimensions {
		text := layout.Inset{Left: indent, Top: 1, Bottom: 1}
		return look.Column(append(parts[:len(parts)-1:len(parts)-1], func(gtx layout.Context) layout.Dimensions {
			return text.Layout(gtx, parts[len(parts)-1])
		})...)(gtx)
	})
}

// signedBar sets content beside the place of the bar, and draws bar and tint where the content is signed.
func (w *Window) signedBar(gtx layout.Context, signed bool, content layout.Widget) layout.Dimensions {
	m := op.Record(gtx.Ops)
	gtx.Constraints.Min = image.Pt(gtx.Constraints.Max.X, 0)
	dims := layout.Inset{Left: 10, Right: 4}.Layout(gtx, content)
	call := m.Stop()
	dims.Size.X = gtx.Constraints.Max.X
	if signed {
		paint.FillShape(gtx.Ops, look.Mix(w.accent(), w.look.Paper, 0.9), clip.Rect{Max: dims.Size}.Op())
		paint.FillShape(gtx.Ops, w.accent(), clip.Rect{Max: image.Pt(gtx.Dp(4), dims.Size.Y)}.Op())
	}
	call.Add(gtx.Ops)
	return dims
}
