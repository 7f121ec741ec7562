// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"image/color"
	"strings"
	"unicode/utf8"

	"gioui.org/layout"
	"gioui.org/unit"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/ui"
	"persten/internal/ui/look"
)

// accent is the colour of the kind of question, and of the outcome.
func (w *Window) accent() color.NRGBA {
	switch {
	case w.screen == ended && w.closing.Done:
		return w.look.Green
	case w.screen == ended && w.closing.Declined:
		return w.look.Soft
	case w.screen == ended && w.closing.Partly:
		return w.look.Amber
	case w.screen == ended:
		return w.look.Red
	case w.card.Kind.Site():
		return w.look.Violet
	case w.card.Kind == signing.KindLogin, w.card.Kind == signing.KindSelect, w.card.Login != "":
		return w.look.Teal
	case w.card.Kind == signing.KindDecrypt:
		return w.look.Rust
	case w.card.Kind == signing.KindKey:
		return w.look.Plum
	case w.card.Kind == signing.KindTest:
		return w.look.Slate
	case w.card.Kind == signing.KindPIN:
		return w.look.Olive
	}
	return w.look.Blue
}

// question draws the card.
func (w *Window) question(gtx layout.Context) layout.Dimensions {
	parts := []layout.Widget{w.asker}
	if w.card.Banner != "" {
		parts = append(parts, look.Gap(8), w.look.Banner(w.card.Banner))
	}
	if w.card.Note != "" {
		parts = append(parts, look.Gap(8), w.note)
	}
	if w.card.Body != "" {
		parts = append(parts, look.Gap(14), w.look.Text(w.card.Body, look.Label{Size: 15}))
	}
	if len(w.card.Choices) > 0 {
		parts = append(parts, w.certificates)
	}
	if len(w.docs) > 0 {
		heading, list := w.look.Heading(text.Plural(w.card.Lang, "prompt.closing.documents", len(w.docs))), w.documentList
		if w.many() {
			heading, list = w.look.Text(w.card.Summary, look.Label{Size: 16, Bold: true}), w.batchList
		}
		w.reach(gtx, look.Column(parts...))
		parts = append(parts, look.Gap(12), heading, look.Gap(6), list)
		for _, warning := range w.card.Warnings() {
			if !w.many() {
				parts = append(parts, look.Gap(8), w.look.Banner(warning))
			}
		}
	}
	if len(w.card.Meaning) > 0 {
		parts = append(parts, look.Gap(10), indented(w.table(w.card.Meaning)))
	}
	if len(w.card.Owner) > 0 {
		parts = append(parts, look.Gap(12), w.look.Heading(w.card.Say("prompt.cert.heading")), look.Gap(6), w.certificate)
	}
	if len(w.card.Facts) > 0 {
		parts = append(parts, look.Gap(10), w.facts)
	}
	return look.Column(parts...)(gtx)
}

// asker is who asks, large, the registrable domain in bold.
func (w *Window) asker(gtx layout.Context) layout.Dimensions {
	parts := []layout.Widget{w.look.Text(w.card.Say("prompt.asker.label"), look.Label{Size: 13, Color: w.look.Soft, Bold: true}), look.Gap(4)}
	if s := w.card.Site; s != nil {
		parts = append(parts, w.site(*s))
	} else {
		parts = append(parts, w.look.Text(w.card.Asker, look.Label{Size: 19, Bold: true}))
	}
	if w.card.Frame != "" {
		parts = append(parts, look.Gap(4), w.look.Text(w.card.Say("prompt.asker.frame", "site", w.card.Frame), look.Label{Color: w.look.Soft}))
	}
	return w.look.Box(look.Column(parts...))(gtx)
}

// site sets an origin in type that gets smaller for long ones; a very long one takes two lines.
func (w *Window) site(s ui.Site) layout.Widget {
	size := unit.Sp(21)
	n := utf8.RuneCountInString(s.String())
	for size > 14 && n*int(size) > 880 {
		size--
	}
	lead := layout.Rigid(w.look.Text(s.Scheme+s.Before, look.Label{Size: size, Color: w.look.Soft, Lines: 1}))
	name := layout.Rigid(w.look.Text(s.Domain, look.Label{Size: size, Bold: true}))
	port := layout.Rigid(w.look.Text(s.After, look.Label{Size: size, Color: w.look.Soft, Lines: 1}))
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

// note is what the asker says: labelled, quoted, and drawn unlike anything of ours.
func (w *Window) note(gtx layout.Context) layout.Dimensions {
	who := w.card.Say("prompt.note.label")
	return layout.Inset{Left: 14, Right: 14}.Layout(gtx,
		look.Column(w.look.Text(who+":", look.Label{Size: 13, Color: w.look.Soft, Bold: true}), look.Gap(2), w.look.Text("«"+w.card.Note+"»", look.Label{Color: w.look.Soft})))
}

// certificate is the card a person knows the certificate by: the name large, what matters in two columns, the rest small.
func (w *Window) certificate(gtx layout.Context) layout.Dimensions {
	parts := []layout.Widget{}
	rest := w.card.Owner
	if rest[0].Strong {
		parts = append(parts, w.look.Text(rest[0].Value, look.Label{Size: 17, Bold: true}), look.Gap(6))
		rest = rest[1:]
	}
	var main []ui.Fact
	var minor []string
	for _, f := range rest {
		if f.Minor && !f.Warn {
			minor = append(minor, f.Label+" "+f.Value)
			continue
		}
		main = append(main, f)
	}
	parts = append(parts, w.table(main))
	if len(minor) > 0 {
		parts = append(parts, look.Gap(6), w.look.Text(strings.Join(minor, "   "), look.Label{Size: 12, Color: w.look.Soft}))
	}
	return w.look.Box(look.Column(parts...))(gtx)
}

// facts is the form of the signature and the token; in a box where there is no certificate's above.
func (w *Window) facts(gtx layout.Context) layout.Dimensions {
	if len(w.card.Owner) == 0 {
		return w.look.Box(w.table(w.card.Facts))(gtx)
	}
	return indented(w.table(w.card.Facts))(gtx)
}

// indented sets a widget in line with the content of the boxes above.
func indented(content layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		return layout.Inset{Left: 12, Right: 12}.Layout(gtx, content)
	}
}

// table sets facts in two columns.
func (w *Window) table(facts []ui.Fact) layout.Widget {
	rows := make([]look.Row, len(facts))
	for i, f := range facts {
		rows[i] = look.Row{Label: f.Label, Value: f.Value, Warn: f.Warn}
	}
	return w.look.Table(rows)
}
