// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"image/color"

	"gioui.org/font"
	"gioui.org/font/opentype"
	"gioui.org/layout"
	"gioui.org/text"
	"gioui.org/unit"
	"gioui.org/widget/material"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
)

// Theme is one look. It belongs to one window: Gio's shaper is not for several goroutines.
type Theme struct {
	Palette
	Dark     bool
	Material *material.Theme // for Gio's own widgets
}

// New makes a look with embedded fonts: a fresh machine, a thin client and Windows all draw Cyrillic the same way.
func New(darkness bool) *Theme {
	t := &Theme{Palette: light(), Dark: darkness, Material: material.NewTheme()}
	if darkness {
		t.Palette = dark()
	}
	t.Material.Shaper = text.NewShaper(text.NoSystemFonts(), text.WithCollection(faces()))
	t.Material.Palette = material.Palette{Bg: t.Paper, Fg: t.Ink, ContrastBg: t.Blue, ContrastFg: t.OnAccent}
	return t
}

// mono is the typeface of documents.
const mono = "Go Mono"

// faces are the three of the Go fonts that are used: reading the others would cost each window some milliseconds.
func faces() (list []font.FontFace) {
	for _, f := range []struct {
		ttf  []byte
		font font.Font
	}{
		{goregular.TTF, font.Font{Typeface: "Go"}},
		{gobold.TTF, font.Font{Typeface: "Go", Weight: font.Bold}},
		{gomono.TTF, font.Font{Typeface: mono}},
	} {
		face, err := opentype.Parse(f.ttf)
		if err != nil {
			panic("look: an embedded font: " + err.Error()) // caught by every test
		}
		list = append(list, font.FontFace{Font: f.font, Face: face})
	}
	return list
}

// Label is how text is set; zero values are the usual ones.
type Label struct {
	Size   unit.Sp // 14
	Color  color.NRGBA
	Bold   bool
	Mono   bool
	Lines  int // at most so many; 0 is as many as needed
	Middle bool
}

// Text sets s.
func (t *Theme) Text(s string, l Label) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		if l.Size == 0 {
			l.Size = 14
		}
		m := material.Label(t.Material, l.Size, s)
		if l.Color != (color.NRGBA{}) {
			m.Color = l.Color
		}
		if l.Bold {
			m.Font.Weight = font.Bold
		}
		if l.Mono {
			m.Font.Typeface = mono
		}
		m.MaxLines = l.Lines
		if l.Middle {
			m.Alignment = text.Middle
		}
		m.LineHeightScale = 1.25
		if l.Lines > 0 {
			m.Text = fit(gtx, m)
		}
		return m.Layout(gtx)
	}
}

// Heading names the part of a window below it.
func (t *Theme) Heading(s string) layout.Widget {
	return t.Text(s, Label{Size: 13, Color: t.Soft, Bold: true})
}
