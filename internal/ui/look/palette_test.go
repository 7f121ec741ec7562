// SPDX-License-Identifier: GPL-3.0-or-later

package look

import (
	"image/color"
	"math"
	"testing"
)

// luminance is the relative luminance of WCAG 2.
func luminance(c color.NRGBA) float64 {
	f := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*f(c.R) + 0.7152*f(c.G) + 0.0722*f(c.B)
}

func contrast(a, b color.NRGBA) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// Text can be read wherever it is drawn, in both palettes.
func TestContrast(t *testing.T) {
	if c := contrast(rgb(0), rgb(0xffffff)); math.Abs(c-21) > 0.01 {
		t.Fatalf("black on white: %f", c)
	}
	if c := contrast(rgb(0x777777), rgb(0xffffff)); math.Abs(c-4.48) > 0.01 {
		t.Fatalf("the known pair #777 on white: %f", c)
	}
	for name, p := range map[string]Palette{"light": light(), "dark": dark()} {
		accents := map[string]color.NRGBA{
			"blue": p.Blue, "teal": p.Teal, "violet": p.Violet, "plum": p.Plum, "rust": p.Rust, "slate": p.Slate, "olive": p.Olive,
			"green": p.Green, "red": p.Red, "amber": p.Amber,
		}
		check := func(what string, ink, bed color.NRGBA) {
			if c := contrast(ink, bed); c < 4.5 {
				t.Errorf("%s: %s has a contrast of %.2f", name, what, c)
			}
		}
		for bed, c := range map[string]color.NRGBA{"paper": p.Paper, "ground": p.Ground} {
			check("ink on "+bed, p.Ink, c)
			check("soft on "+bed, p.Soft, c)
			for accent, a := range accents {
				check(accent+" on "+bed, a, c)
			}
		}
		for accent, a := range accents {
			check("text on "+accent, p.OnAccent, a)
			bed, ink := (&Theme{Palette: p, Dark: name == "dark"}).Band(a)
			check("the title on a band of "+accent, ink, bed)
			check(accent+" on its tint", a, Mix(a, p.Paper, 0.9))
			check("soft on the tint of "+accent, p.Soft, Mix(a, p.Paper, 0.9))
			check(accent+" on a small button", a, p.tint())
		}
		check("amber on its bed", p.Amber, p.AmberBed)
		check("red on its bed", p.Red, p.RedBed)
	}
}
