// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"image"
	"slices"
	"strconv"
	"strings"

	"gioui.org/io/event"
	"gioui.org/io/key"
	"gioui.org/io/semantic"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/unit"
	"gioui.org/widget"

	"persten/internal/ui"
	"persten/internal/ui/look"
)

// searchFrom is how many certificates are too many to find one's own at a glance.
const searchFrom = 4

// chooser is the certificates of a question, those first that can be chosen: searched by name and number, walked by the arrow keys.
type chooser struct {
	cards  []widget.Clickable
	chosen int // index of cards, -1: none
	search widget.Editor
	sought string
	found  []int
	begun  bool // the keyboard has been put on the list
	reveal bool // the chosen card is to be scrolled into sight

	top, bottom, height int // of the chosen card and of the list, as drawn last
}

// newChooser marks the certificate that was chosen here last; only the person confirms it.
func newChooser(c ui.Card) chooser {
	last := slices.IndexFunc(c.Choices, func(one ui.Choice) bool { return one.Last && one.Why == "" })
	return chooser{cards: make([]widget.Clickable, len(c.Choices)), chosen: last, found: c.Sought(""), reveal: last > 0}
}

// choose takes presses of cards, arrow keys and what is sought.
func (w *Window) choose(gtx layout.Context) {
	c := &w.chooser
	if len(c.cards) == 0 || w.screen != asking {
		return
	}
	w.seek(gtx)
	for i := range c.cards {
		for c.cards[i].Clicked(gtx) {
			c.chosen, w.refocus = i, true
		}
	}
	for {
		e, ok := gtx.Event(key.Filter{Name: key.NameUpArrow}, key.Filter{Name: key.NameDownArrow})
		if !ok {
			return
		}
		if k, ok := e.(key.Event); ok && k.State == key.Press {
			w.walk(gtx, k.Name)
		}
	}
}

// walk goes to the certificate before or after the chosen one, and takes the keyboard there.
func (w *Window) walk(gtx layout.Context, to key.Name) {
	c := &w.chooser
	list := w.choosable()
	if len(list) == 0 {
		return
	}
	at := slices.Index(list, c.chosen)
	switch {
	case to == key.NameDownArrow:
		at = min(at+1, len(list)-1)
	case at > 0:
		at--
	default:
		at = 0
	}
	c.chosen, c.reveal = list[at], true
	gtx.Execute(key.FocusCmd{Tag: &c.cards[c.chosen]})
	gtx.Execute(op.InvalidateCmd{}) // the toolkit may move the keyboard after this frame only
}

// choosable are the found certificates that can be chosen.
func (w *Window) choosable() (list []int) {
	for _, i := range w.chooser.found {
		if w.card.Choices[i].Why == "" {
			list = append(list, i)
		}
	}
	return list
}

// seek brings the list up to date with the search field. What is out of sight is not chosen.
func (w *Window) seek(gtx layout.Context) {
	c := &w.chooser
	for {
		if _, ok := c.search.Update(gtx); !ok {
			break
		}
	}
	if what := c.search.Text(); what != c.sought {
		c.sought, c.found = what, w.card.Sought(what)
		if !slices.Contains(c.found, c.chosen) {
			c.chosen = -1
		}
	}
}

// first is where the keyboard starts: on the certificate chosen last, else on the first; where none can be chosen, on the button.
func (c *chooser) first(choosable []int) event.Tag {
	switch {
	case len(choosable) == 0:
		return nil
	case c.chosen >= 0:
		return &c.cards[c.chosen]
	}
	return &c.cards[choosable[0]]
}

// certificates draws the search field, what can be chosen, and below it what cannot.
func (w *Window) certificates(gtx layout.Context) layout.Dimensions {
	c := &w.chooser
	heading := w.card.Accept != ""
	var parts []part
	if len(c.cards) >= searchFrom {
		parts = append(parts, part{-1, 12, w.look.Field(&c.search, w.card.Say("choose.search"), w.accent())})
	}
	for _, i := range c.found {
		one := w.card.Choices[i]
		switch {
		case one.Why == "":
			parts = append(parts, part{i, 10, w.choice(i)})
			continue
		case heading:
			heading = false
			parts = append(parts, part{-1, 14, w.look.Heading(w.card.Say("choose.refused.heading"))})
		}
		parts = append(parts, part{i, 10, w.refused(one)})
	}
	if len(c.found) < len(c.cards) {
		parts = append(parts, part{-1, 8, w.look.Text(w.found(), look.Label{Size: 13, Color: w.look.Soft})})
	}
	return c.stack(gtx, parts)
}

// part is a piece of the list with the room above it; card is the index of the certificate, or -1.
type part struct {
	card int
	gap  unit.Dp
	draw layout.Widget
}

// stack draws one part below the other, and notes where the chosen one stands.
func (c *chooser) stack(gtx layout.Context, parts []part) layout.Dimensions {
	y := 0
	for _, p := range parts {
		y += gtx.Dp(p.gap)
		at := op.Offset(image.Pt(0, y)).Push(gtx.Ops)
		dims := p.draw(gtx)
		at.Pop()
		if p.card == c.chosen {
			c.top, c.bottom = y, y+dims.Size.Y
		}
		y += dims.Size.Y
	}
	c.height = y
	return layout.Dimensions{Size: image.Pt(gtx.Constraints.Max.X, y)}
}

// found says how many certificates the search has left.
func (w *Window) found() string {
	c := &w.chooser
	if len(c.found) == 0 {
		return w.card.Say("choose.nothing")
	}
	return w.card.Say("choose.found", "n", strconv.Itoa(len(c.found)), "total", strconv.Itoa(len(c.cards)))
}

// choice is one certificate to choose, in a box that can be pressed; the chosen one is framed, the one with the keyboard has a ring.
func (w *Window) choice(i int) layout.Widget {
	one, card := w.card.Choices[i], &w.chooser.cards[i]
	bed, frame, ring := w.look.Paper, w.look.Rule, w.look.Ground
	name := look.Label{Size: 16, Bold: true}
	if i == w.chooser.chosen {
		bed, frame, name.Color = look.Mix(w.accent(), w.look.Paper, 0.9), w.accent(), w.accent()
	}
	return func(gtx layout.Context) layout.Dimensions {
		if gtx.Focused(card) {
			frame, ring = w.accent(), look.Mix(w.accent(), w.look.Ground, 0.55)
		}
		content := look.Column(w.look.Text(one.Name, name), look.Gap(6), w.table(one.Facts))
		return widget.Border{Color: ring, CornerRadius: 10, Width: 2}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			return layout.UniformInset(2).Layout(gtx, func(gtx layout.Context) layout.Dimensions {
				return card.Layout(gtx, func(gtx layout.Context) layout.Dimensions { // without the ripple: while that moves, the toolkit drops Tab
					semantic.Button.Add(gtx.Ops)
					return look.Panel(bed, frame, 8, 12, content)(gtx)
				})
			})
		})
	}
}

// refused is a certificate that cannot be chosen: its facts in one paragraph, and below them why and what to do.
func (w *Window) refused(one ui.Choice) layout.Widget {
	var facts []string
	for _, f := range one.Facts {
		facts = append(facts, f.Label+": "+f.Value)
	}
	soft := w.look.Soft
	return aligned(look.Panel(w.look.Ground, w.look.Rule, 8, 12, look.Column(
		w.look.Text(one.Name, look.Label{Size: 15, Bold: true, Color: soft}), look.Gap(2),
		w.look.Text(strings.Join(facts, " · "), look.Label{Size: 13, Color: soft}), look.Gap(6),
		w.look.Text(one.Why, look.Label{Bold: true}), look.Gap(2),
		w.look.Text(one.Next, look.Label{}),
	)))
}

// aligned sets a box in line with those that have room for a ring.
func aligned(box layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		return layout.Inset{Left: 2, Right: 2}.Layout(gtx, box)
	}
}

// revealChosen scrolls the chosen card into sight. The list is the last thing of the content.
func (w *Window) revealChosen(gtx layout.Context) {
	c := &w.chooser
	if !c.reveal || c.chosen < 0 {
		return
	}
	c.reveal = false
	p, margin := &w.list.Position, gtx.Dp(16)
	sight := p.Length - p.Offset + p.OffsetLast
	start := p.Length - margin - c.height
	switch top, bottom := start+c.top-margin, start+c.bottom+margin; {
	case top < p.Offset:
		p.Offset, p.BeforeEnd = max(top, 0), true
	case bottom > p.Offset+sight:
		p.Offset, p.BeforeEnd = bottom-sight, true
	default:
		return
	}
	gtx.Execute(op.InvalidateCmd{})
}
