// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"image"
	"image/color"
	"unicode/utf8"

	"gioui.org/f32"
	"gioui.org/layout"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
	"gioui.org/unit"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/ui"
)

// accent is the colour of the kind of question, and of the outcome.
func (w *Window) accent() color.NRGBA {
	switch {
	case w.screen == ended && w.closing.Done:
		return green
	case w.screen == ended && w.closing.Declined:
		return soft
	case w.screen == ended && w.closing.Partly:
		return amber
	case w.screen == ended:
		return red
	case w.card.Kind.Site():
		return violet
	case w.card.Kind == signing.KindLogin, w.card.Kind == signing.KindSelect:
		return teal
	}
	return blue
}

// question draws the card.
func (w *Window) question(gtx layout.Context) layout.Dimensions {
	title := label{size: 22, bold: true}
	if w.card.Kind != signing.KindSign {
		title.color = w.accent()
	}
	parts := []layout.Widget{w.text(w.title(), title), gap(8), w.asker}
	if w.card.Banner != "" {
		parts = append(parts, gap(8), w.banner)
	}
	if w.card.Note != "" {
		parts = append(parts, gap(8), w.note)
	}
	if w.card.Body != "" {
		parts = append(parts, gap(14), w.text(w.card.Body, label{size: 15}))
	}
	for i := range w.card.Choices {
		parts = append(parts, gap(10), w.choice(i))
	}
	if len(w.docs) > 0 {
		heading, list := w.heading(text.Plural(w.card.Lang, "prompt.closing.documents", len(w.docs))), w.documentList
		if w.many() {
			heading, list = w.text(w.card.Summary, label{size: 16, bold: true}), w.batchList
		}
		parts = append(parts, gap(12), heading, gap(6), list)
		for _, warning := range w.card.Warnings() {
			if !w.many() {
				parts = append(parts, gap(8), indented(w.text(warning, label{size: 14, color: amber, bold: true})))
			}
		}
	}
	if len(w.card.Meaning) > 0 {
		parts = append(parts, gap(10), indented(w.table(w.card.Meaning)))
	}
	if len(w.card.Owner) > 0 {
		parts = append(parts, gap(12), w.heading(w.card.Say("prompt.cert.heading")), gap(6), w.certificate)
	}
	if len(w.card.Facts) > 0 {
		parts = append(parts, gap(10), indented(w.table(w.card.Facts)))
	}
	return column(parts...)(gtx)
}

func (w *Window) title() string {
	if w.card.Kind == signing.KindSign && len(w.docs) > 1 {
		return w.card.Say("prompt.sign.titles")
	}
	return w.card.Title
}

func (w *Window) heading(s string) layout.Widget {
	return w.text(s, label{size: 13, color: soft, bold: true})
}

// asker is who asks, large, the registrable domain in bold.
func (w *Window) asker(gtx layout.Context) layout.Dimensions {
	parts := []layout.Widget{w.text(w.card.Say("prompt.asker.label"), label{size: 13, color: soft, bold: true}), gap(4)}
	if s := w.card.Site; s != nil {
		parts = append(parts, w.site(*s))
	} else {
		parts = append(parts, w.text(w.card.Asker, label{size: 19, bold: true}))
	}
	if w.card.Frame != "" {
		parts = append(parts, gap(4), w.text(w.card.Say("prompt.asker.frame", "site", w.card.Frame), label{color: soft}))
	}
	return box(paper, rule, 8, 12, column(parts...))(gtx)
}

// site sets an origin in type that gets smaller for long ones; a very long one takes two lines.
func (w *Window) site(s ui.Site) layout.Widget {
	size := unit.Sp(21)
	n := utf8.RuneCountInString(s.String())
	for size > 14 && n*int(size) > 880 {
		size--
	}
	lead := layout.Rigid(w.text(s.Scheme+s.Before, label{size: size, color: soft, lines: 1}))
	name := layout.Rigid(w.text(s.Domain, label{size: size, bold: true}))
	port := layout.Rigid(w.text(s.After, label{size: size, color: soft, lines: 1}))
	return func(gtx layout.Context) layout.Dimensions {
		if n*int(size) <= 880 {
			return layout.Flex{Alignment: layout.Baseline}.Layout(gtx, lead, name, port)
		}
		return layout.Flex{Axis: layout.Vertical}.Layout(gtx, lead,
			layout.Rigid(func(gtx layout.Context) layout.Dimensions {
				return layout.Flex{Alignment: layout.Baseline}.Layout(gtx, name, port)
			}))
	}
}

// banner warns about the asker.
func (w *Window) banner(gtx layout.Context) layout.Dimensions {
	return box(amberBed, mix(amber, paper, 0.6), 8, 12, func(gtx layout.Context) layout.Dimensions {
		return layout.Flex{}.Layout(gtx,
			layout.Rigid(warningSign),
			layout.Rigid(layout.Spacer{Width: 10}.Layout),
			layout.Flexed(1, w.text(w.card.Banner, label{color: amber})),
		)
	})(gtx)
}

// warningSign is a triangle with a stroke and a dot.
func warningSign(gtx layout.Context) layout.Dimensions {
	s := float32(gtx.Dp(18))
	var p clip.Path
	p.Begin(gtx.Ops)
	p.MoveTo(f32.Pt(s/2, 0))
	p.LineTo(f32.Pt(s, s*0.9))
	p.LineTo(f32.Pt(0, s*0.9))
	p.Close()
	paint.FillShape(gtx.Ops, amber, clip.Outline{Path: p.End()}.Op())
	stroke := image.Rect(int(s*0.46), int(s*0.32), int(s*0.56)+1, int(s*0.6))
	dot := image.Rect(int(s*0.46), int(s*0.68), int(s*0.56)+1, int(s*0.78))
	paint.FillShape(gtx.Ops, amberBed, clip.Rect(stroke).Op())
	paint.FillShape(gtx.Ops, amberBed, clip.Rect(dot).Op())
	return layout.Dimensions{Size: image.Pt(int(s), int(s))}
}

// note is what the asker says: labelled, quoted, and drawn unlike anything of ours.
func (w *Window) note(gtx layout.Context) layout.Dimensions {
	who := w.card.Say("prompt.note.label")
	return layout.Inset{Left: 14, Right: 14}.Layout(gtx,
		column(w.text(who+":", label{size: 13, color: soft, bold: true}), gap(2), w.text("«"+w.card.Note+"»", label{color: soft})))
}

// certificate is the card a person knows the certificate by: the name large, the rest in two columns.
func (w *Window) certificate(gtx layout.Context) layout.Dimensions {
	parts := []layout.Widget{}
	rest := w.card.Owner
	if rest[0].Strong {
		parts = append(parts, w.text(rest[0].Value, label{size: 17, bold: true}), gap(8))
		rest = rest[1:]
	}
	return box(paper, rule, 8, 12, column(append(parts, w.table(rest))...))(gtx)
}

// indented sets a widget in line with the content of the boxes above.
func indented(content layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		return layout.Inset{Left: 12, Right: 12}.Layout(gtx, content)
	}
}

// table sets facts in two columns.
func (w *Window) table(facts []ui.Fact) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		rows := make([]layout.Widget, 0, 2*len(facts))
		for i, f := range facts {
			if i > 0 {
				rows = append(rows, gap(2))
			}
			rows = append(rows, w.row(f))
		}
		return column(rows...)(gtx)
	}
}

func (w *Window) row(f ui.Fact) layout.Widget {
	value := label{size: 14}
	if f.Warn {
		value.color, value.bold = amber, true
	}
	return func(gtx layout.Context) layout.Dimensions {
		return layout.Flex{Alignment: layout.Baseline}.Layout(gtx,
			layout.Rigid(func(gtx layout.Context) layout.Dimensions {
				gtx.Constraints.Min.X = gtx.Dp(132)
				gtx.Constraints.Max.X = gtx.Constraints.Min.X
				return w.text(f.Label, label{size: 14, color: soft})(gtx)
			}),
			layout.Flexed(1, w.text(f.Value, value)),
		)
	}
}

// warnings says what the person should know about earlier tries.
func (w *Window) warnings() []string {
	list := ui.PINWarnings(w.card.Lang, w.pin)
	if w.differ {
		list = append([]string{w.card.Say("prompt.pin.differ")}, list...)
	}
	return list
}
