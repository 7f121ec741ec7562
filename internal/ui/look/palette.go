// SPDX-License-Identifier: GPL-3.0-or-later

package look

import "image/color"

// Palette is the colours of a window.
type Palette struct {
	Ink, Soft, Faint color.NRGBA // text: usual, of less weight, of what cannot be pressed
	Paper, Ground    color.NRGBA // the beds of text: in a box, and around the boxes
	Rule             color.NRGBA // lines and frames
	OnAccent         color.NRGBA // text on an accent

	Blue, Teal, Violet, Plum, Rust, Slate, Olive color.NRGBA // accents of questions
	Green, Red, Amber                            color.NRGBA // of outcomes and warnings

	AmberBed, RedBed color.NRGBA // beds of warnings
}

// tint is the bed of a small button under the mouse or with the keyboard.
func (p Palette) tint() color.NRGBA {
	return Mix(p.Rule, p.Paper, 0.5)
}

func light() Palette {
	return Palette{
		Ink: rgb(0x1c2430), Soft: rgb(0x5b6675), Faint: rgb(0x8a94a3),
		Paper: rgb(0xffffff), Ground: rgb(0xf4f6f9), Rule: rgb(0xdde2ea), OnAccent: rgb(0xffffff),
		Blue: rgb(0x1f5fbf), Teal: rgb(0x0f7173), Violet: rgb(0x7a3fb0), Plum: rgb(0x96276e), Rust: rgb(0xa34a12), Slate: rgb(0x475569), Olive: rgb(0x5b6300),
		Green: rgb(0x1a7145), Red: rgb(0xb3261e), Amber: rgb(0x8a5a00),
		AmberBed: rgb(0xfff4d6), RedBed: rgb(0xfdecea),
	}
}

func dark() Palette {
	return Palette{
		Ink: rgb(0xe7ebf1), Soft: rgb(0xa7b1c0), Faint: rgb(0x707b8b),
		Paper: rgb(0x232a35), Ground: rgb(0x181d25), Rule: rgb(0x3a4453), OnAccent: rgb(0x10151c),
		Blue: rgb(0x7fb2ff), Teal: rgb(0x4fc4c0), Violet: rgb(0xc79bf2), Plum: rgb(0xf49ac8), Rust: rgb(0xf0a06c), Slate: rgb(0xa9bad0), Olive: rgb(0xc5cf6e),
		Green: rgb(0x63cf95), Red: rgb(0xff8f85), Amber: rgb(0xf2bf5e),
		AmberBed: rgb(0x3a2f17), RedBed: rgb(0x42221f),
	}
}

// Band is the bed of a window's title, and the colour of what stands on it.
func (t *Theme) Band(accent color.NRGBA) (bed, ink color.NRGBA) {
	if t.Dark {
		return Mix(accent, t.Ground, 0.8), accent
	}
	return accent, t.OnAccent
}

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xff}
}

// Mix is a of the way from x to y.
func Mix(x, y color.NRGBA, a float32) color.NRGBA {
	f := func(x, y uint8) uint8 { return uint8(float32(x) + (float32(y)-float32(x))*a) }
	return color.NRGBA{R: f(x.R, y.R), G: f(x.G, y.G), B: f(x.B, y.B), A: 0xff}
}
