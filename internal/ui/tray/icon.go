// SPDX-License-Identifier: GPL-3.0-or-later

package tray

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
)

// iconSize is drawn large; panels scale it down.
const iconSize = 64

// The colours of the states.
var (
	calm  = color.NRGBA{R: 0x2f, G: 0x74, B: 0xd8, A: 0xff}
	grey  = color.NRGBA{R: 0x8a, G: 0x94, B: 0xa3, A: 0xff}
	green = color.NRGBA{R: 0x2e, G: 0xa0, B: 0x43, A: 0xff}
	amber = color.NRGBA{R: 0xf0, G: 0x9a, B: 0x00, A: 0xff}
	alarm = color.NRGBA{R: 0xd9, G: 0x30, B: 0x25, A: 0xff}
	white = color.NRGBA{R: 0xff, G: 0xff, B: 0xff, A: 0xff}
)

// pictures are made once and kept: the toolkit reads them after SetIcon has returned.
var pictures = map[string][]byte{}

// picture returns the picture of a state.
func picture(state string) []byte {
	if pictures[state] == nil {
		pictures[state] = format(paint(state))
	}
	return pictures[state]
}

// paint draws the signet ring and, at its corner, the badge of a state that wants attention.
func paint(state string) []byte {
	ring, badge := calm, color.NRGBA{}
	switch state {
	case "busy":
		badge = green
	case "waiting":
		badge = amber
	case "problem":
		badge = alarm
	case "paused":
		ring = grey
	}
	m := image.NewNRGBA(image.Rect(0, 0, iconSize, iconSize))
	for y := range iconSize {
		for x := range iconSize {
			m.SetNRGBA(x, y, pixel(float64(x)+0.5, float64(y)+0.5, ring, badge))
		}
	}
	var b bytes.Buffer
	png.Encode(&b, m) // a buffer takes everything
	return b.Bytes()
}

// pixel layers band, seal and badge; each edge is blurred over one pixel.
func pixel(x, y float64, ring, badge color.NRGBA) color.NRGBA {
	band := math.Abs(math.Hypot(x-32, y-40)-17) - 4
	seal := math.Max(math.Abs(x-32)-14, math.Abs(y-15)-10) - 2
	c := over(color.NRGBA{}, ring, -math.Min(band, seal))
	c = over(c, white, -(math.Abs(math.Hypot(x-32, y-15)-6) - 1.5))
	if badge.A != 0 {
		d := math.Hypot(x-48, y-48)
		c = over(c, white, 16-d)
		c = over(c, badge, 13-d)
	}
	return c
}

// over puts top on c where depth, the distance inside the shape, is positive.
func over(c, top color.NRGBA, depth float64) color.NRGBA {
	a := math.Min(math.Max(depth+0.5, 0), 1)
	if a == 0 {
		return c
	}
	if c.A == 0 {
		top.A = uint8(255 * a)
		return top
	}
	mix := func(x, y uint8) uint8 { return uint8(float64(x)*(1-a) + float64(y)*a) }
	return color.NRGBA{R: mix(c.R, top.R), G: mix(c.G, top.G), B: mix(c.B, top.B), A: max(c.A, uint8(255*a))}
}
