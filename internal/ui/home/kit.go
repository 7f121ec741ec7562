// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"image"
	"image/color"
	"time"

	"gioui.org/io/semantic"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
	"gioui.org/unit"
	"gioui.org/widget"
	"gioui.org/widget/material"

	"persten/internal/text"
	"persten/internal/ui/look"
	"persten/proto"
)

// kit is what every page draws with.
type kit struct {
	*look.Theme
	lang text.Lang
}

func newKit(lang text.Lang, dark bool) kit { return kit{look.New(dark), lang} }

// say is a line of the interface; args are name, value, name, value.
func (k *kit) say(key string, args ...string) string { return say(k.lang, key, args...) }

func say(lang text.Lang, key string, args ...string) string {
	m := make(map[string]string, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i]] = args[i+1]
	}
	return text.Get(lang, key, m)
}

// tone is the colour of a tone.
func (k *kit) tone(t Tone) color.NRGBA {
	return []color.NRGBA{k.Ink, k.Green, k.Amber, k.Red}[t]
}

// row sets widgets side by side with gaps between; nil is a spring.
func row(gap unit.Dp, parts ...layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		children := make([]layout.FlexChild, 0, 2*len(parts))
		for i, p := range parts {
			if i > 0 {
				children = append(children, layout.Rigid(layout.Spacer{Width: gap}.Layout))
			}
			if p == nil {
				children = append(children, layout.Flexed(1, layout.Spacer{}.Layout))
				continue
			}
			children = append(children, layout.Rigid(p))
		}
		return layout.Flex{Alignment: layout.Middle}.Layout(gtx, children...)
	}
}

// beside sets wide in what the rest leaves of the width.
func beside(gap unit.Dp, wide layout.Widget, rest ...layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		children := []layout.FlexChild{layout.Flexed(1, wide)}
		for _, p := range rest {
			children = append(children, layout.Rigid(layout.Spacer{Width: gap}.Layout), layout.Rigid(p))
		}
		return layout.Flex{Alignment: layout.Middle}.Layout(gtx, children...)
	}
}

// spaced stacks widgets with gaps between.
func spaced(gap unit.Dp, parts ...layout.Widget) layout.Widget {
	all := make([]layout.Widget, 0, 2*len(parts))
	for _, p := range parts {
		if p == nil {
			continue
		}
		if len(all) > 0 {
			all = append(all, look.Gap(gap))
		}
		all = append(all, p)
	}
	return look.Column(all...)
}

// head is the top of a page: its title, a line about it, and what can be done at its right end.
func (k *kit) head(title, about string, actions ...layout.Widget) layout.Widget {
	words := spaced(2, k.Text(title, look.Label{Size: 22, Bold: true, Lines: 1}), k.Text(about, look.Label{Size: 14, Color: k.Soft}))
	return layoutInset(24, 20, 24, 14, roomy(680, words, actions...))
}

// roomy sets actions at the right of words, or below them where there is less room than enough.
func roomy(enough unit.Dp, words layout.Widget, actions ...layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		if gtx.Constraints.Max.X >= gtx.Dp(enough) || len(actions) == 0 {
			return beside(8, words, actions...)(gtx)
		}
		return spaced(8, words, wrap(8, actions...))(gtx)
	}
}

func layoutInset(left, top, right, bottom unit.Dp, w layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		return layout.Inset{Left: left, Top: top, Right: right, Bottom: bottom}.Layout(gtx, w)
	}
}

// scroll is the scrolling rest of a page, one item below the other.
func (k *kit) scroll(l *widget.List, items ...layout.Widget) layout.Widget {
	l.Axis = layout.Vertical
	return func(gtx layout.Context) layout.Dimensions {
		s := material.List(k.Material, l)
		return s.Layout(gtx, len(items), func(gtx layout.Context, i int) layout.Dimensions {
			return layoutInset(24, 0, 14, 12, items[i])(gtx)
		})
	}
}

// sheet is a page: its head, and below that the rest of the height.
func sheet(gtx layout.Context, head, body layout.Widget) layout.Dimensions {
	return layout.Flex{Axis: layout.Vertical}.Layout(gtx, layout.Rigid(head), layout.Flexed(1, body))
}

// card is a panel with a stripe of a tone at its left.
func (k *kit) card(t Tone, content layout.Widget) layout.Widget {
	stripe := k.Paper
	if t != Plain {
		stripe = k.tone(t)
	}
	return look.Panel(k.Paper, k.Rule, 8, 0, func(gtx layout.Context) layout.Dimensions {
		m := op.Record(gtx.Ops)
		dims := layoutInset(18, 14, 14, 14, content)(gtx)
		call := m.Stop()
		round := clip.UniformRRect(image.Rectangle{Max: dims.Size}, gtx.Dp(8)).Push(gtx.Ops)
		paint.FillShape(gtx.Ops, stripe, clip.Rect(image.Rect(0, 0, gtx.Dp(4), dims.Size.Y)).Op())
		round.Pop()
		call.Add(gtx.Ops)
		return dims
	})
}

// primary is the one button of a page that goes on; other is every further one.
func (k *kit) primary(c *widget.Clickable, caption string, enabled bool) layout.Widget {
	return k.Button(c, look.Button{Caption: caption, Accent: k.Blue, Primary: true, Disabled: !enabled})
}

func (k *kit) other(c *widget.Clickable, caption string) layout.Widget {
	return k.Small(c, caption, k.Blue)
}

// danger is a small button for what takes something away.
func (k *kit) danger(c *widget.Clickable, caption string) layout.Widget {
	return k.Small(c, caption, k.Red)
}

func (k *kit) soft(s string) layout.Widget { return k.Text(s, look.Label{Size: 13, Color: k.Soft}) }

func (k *kit) bold(s string) layout.Widget { return k.Text(s, look.Label{Size: 15, Bold: true}) }

// toned is a line in the colour of its tone.
func (k *kit) toned(t Tone, s string) layout.Widget {
	return k.Text(s, look.Label{Color: k.tone(t), Bold: t != Plain})
}

// empty says that there is nothing and what to do about it.
func (k *kit) empty(title, next string, actions ...layout.Widget) layout.Widget {
	parts := []layout.Widget{k.Text(title, look.Label{Size: 17, Bold: true}), k.Text(next, look.Label{Color: k.Soft})}
	if len(actions) > 0 {
		parts = append(parts, row(8, actions...))
	}
	return look.Panel(k.Paper, k.Rule, 8, 28, spaced(10, parts...))
}

// fault is what went wrong and what to do now.
func (k *kit) fault(f *fault) layout.Widget {
	if f == nil {
		return nil
	}
	ink, bed := k.Red, k.RedBed
	if f.code == string(proto.CodeUserRejected) { // no fault of anybody's
		ink, bed = k.Amber, k.AmberBed
	}
	return look.Panel(bed, look.Mix(ink, k.Paper, 0.6), 8, 12, spaced(4,
		k.Text(f.what, look.Label{Color: ink, Bold: true}), k.Text(f.next, look.Label{})))
}

// quick is work that is over before anybody wonders.
const quick = 400 * time.Millisecond

// working shows a job that takes longer, with its stage, how far it has come, and a button to give it up; and what went
// wrong with it.
func (h *Home) working(j *job, stop *widget.Clickable, stage string) layout.Widget {
	if !j.running {
		return h.fault(j.fault)
	}
	return func(gtx layout.Context) layout.Dimensions {
		if took := time.Since(j.since); took < quick {
			h.tick(gtx, quick-took)
			return layout.Dimensions{}
		}
		words := j.stage
		if words == "" {
			words = stage
		}
		parts := []layout.Widget{h.Text(words, look.Label{})}
		if j.done > 0 {
			parts = append(parts, h.Meter(int(j.done*1000), 1000, h.Blue))
		}
		rest := []layout.Widget{}
		if stop != nil {
			if clicked(gtx, stop) {
				j.stop()
			}
			rest = append(rest, h.other(stop, h.say("home.stop")))
		}
		return h.Box(row2(h.loader, beside(12, spaced(6, parts...), rest...)))(gtx)
	}
}

// row2 sets a small thing ahead of a wide one.
func row2(small, wide layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		return layout.Flex{Alignment: layout.Middle}.Layout(gtx, layout.Rigid(small),
			layout.Rigid(layout.Spacer{Width: 12}.Layout), layout.Flexed(1, wide))
	}
}

func (k *kit) loader(gtx layout.Context) layout.Dimensions {
	gtx.Constraints = layout.Exact(image.Pt(gtx.Dp(20), gtx.Dp(20)))
	return material.Loader(k.Material).Layout(gtx)
}

// choice is a row of answers of which one is taken.
type choice struct {
	values []string
	clicks []widget.Clickable
	value  string
}

func newChoice(value string, values ...string) choice {
	return choice{values, make([]widget.Clickable, len(values)), value}
}

// changed tells whether the person took another answer.
func (c *choice) changed(gtx layout.Context) (changed bool) {
	for i := range c.clicks {
		if clicked(gtx, &c.clicks[i]) {
			changed = changed || c.value != c.values[i]
			c.value = c.values[i]
		}
	}
	return changed
}

// choice draws one; prefix and a value make the key of its caption.
func (k *kit) choice(c *choice, prefix string) layout.Widget {
	parts := make([]layout.Widget, len(c.values))
	for i, v := range c.values {
		parts[i] = k.option(&c.clicks[i], k.say(prefix+v), v == c.value)
	}
	return row(6, parts...)
}

// option is one answer of a choice; the taken one is filled.
func (k *kit) option(c *widget.Clickable, caption string, taken bool) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		fill, frame, ink := k.Paper, k.Rule, k.Ink
		if taken {
			fill, frame, ink = look.Mix(k.Blue, k.Paper, 0.86), k.Blue, k.Blue
		}
		if gtx.Focused(c) {
			frame = k.Blue
			fill = look.Mix(k.Blue, k.Paper, 0.78)
		}
		return c.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			semantic.RadioButton.Add(gtx.Ops)
			semantic.SelectedOp(taken).Add(gtx.Ops)
			return look.Plate(fill, frame, 6, layoutInset(12, 6, 12, 6, k.Text(caption, look.Label{Size: 13, Color: ink, Bold: taken, Lines: 1})))(gtx)
		})
	}
}

// wrap sets widgets beside each other and goes on below where the width ends.
func wrap(gap unit.Dp, parts ...layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		g, x, y, high := gtx.Dp(gap), 0, 0, 0
		for _, p := range parts {
			m := op.Record(gtx.Ops)
			inner := gtx
			inner.Constraints.Min = image.Point{}
			dims := p(inner)
			call := m.Stop()
			if x > 0 && x+dims.Size.X > gtx.Constraints.Max.X {
				x, y, high = 0, y+high+g, 0
			}
			t := op.Offset(image.Pt(x, y)).Push(gtx.Ops)
			call.Add(gtx.Ops)
			t.Pop()
			x, high = x+dims.Size.X+g, max(high, dims.Size.Y)
		}
		return layout.Dimensions{Size: image.Pt(gtx.Constraints.Max.X, y+high)}
	}
}

// clicked tells whether a button was pressed since the last frame. What that changes may be drawn already: there is another
// frame after it.
func clicked(gtx layout.Context, c *widget.Clickable) (yes bool) {
	for c.Clicked(gtx) {
		yes = true
		gtx.Execute(op.InvalidateCmd{})
	}
	return yes
}
