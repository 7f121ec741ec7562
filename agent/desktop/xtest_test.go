// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"image"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// hand types and clicks at exact moments, which xdotool, a process for each key, does not.
type hand struct {
	t    *testing.T
	conn *xgb.Conn
	root xproto.Window
}

func (s *screen) hand() *hand {
	s.t.Helper()
	conn, err := xgb.NewConnDisplay(s.display)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(conn.Close)
	if err := xtest.Init(conn); err != nil {
		s.t.Fatal(err)
	}
	return &hand{s.t, conn, xproto.Setup(conn).DefaultScreen(conn).Root}
}

// Keys by the codes of Xvfb's keyboard.
const (
	keyReturn = 36
	keySpace  = 65
	keyTab    = 23
	keyBack   = 22
	keyDigit1 = 10
)

func (h *hand) fake(kind, detail byte, at image.Point) {
	h.t.Helper()
	if err := xtest.FakeInputChecked(h.conn, kind, detail, 0, h.root, int16(at.X), int16(at.Y), 0).Check(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hand) down(code byte) { h.t.Helper(); h.fake(xproto.KeyPress, code, image.Point{}) }
func (h *hand) up(code byte)   { h.t.Helper(); h.fake(xproto.KeyRelease, code, image.Point{}) }

func (h *hand) key(code byte) {
	h.t.Helper()
	h.down(code)
	h.up(code)
}

// move, and press and let go the mouse.
func (h *hand) move(at image.Point) { h.t.Helper(); h.fake(xproto.MotionNotify, 0, at) }
func (h *hand) press()              { h.t.Helper(); h.fake(xproto.ButtonPress, 1, image.Point{}) }
func (h *hand) release()            { h.t.Helper(); h.fake(xproto.ButtonRelease, 1, image.Point{}) }

func (h *hand) property(w xproto.Window, name string) []byte {
	atom, err := xproto.InternAtom(h.conn, false, uint16(len(name)), name).Reply()
	if err != nil {
		h.t.Fatal(err)
	}
	p, err := xproto.GetProperty(h.conn, false, w, atom.Atom, xproto.GetPropertyTypeAny, 0, 1024).Reply()
	if err != nil {
		return nil // the window has just gone
	}
	return p.Value
}

// prompt is the window whose title begins with Persten, once the window manager has it.
func (h *hand) prompt() (id xproto.Window, place image.Rectangle, ok bool) {
	list := h.property(h.root, "_NET_CLIENT_LIST")
	for ; len(list) >= 4; list = list[4:] {
		id = xproto.Window(binary.LittleEndian.Uint32(list))
		if !strings.HasPrefix(string(h.property(id, "_NET_WM_NAME")), "Persten") {
			continue
		}
		g, err := xproto.GetGeometry(h.conn, xproto.Drawable(id)).Reply()
		if err != nil {
			continue
		}
		c, err := xproto.TranslateCoordinates(h.conn, id, h.root, 0, 0).Reply()
		if err != nil {
			continue
		}
		at := image.Pt(int(c.DstX), int(c.DstY))
		return id, image.Rectangle{Min: at, Max: at.Add(image.Pt(int(g.Width), int(g.Height)))}, true
	}
	return 0, image.Rectangle{}, false
}

// appears waits until the window manager has the prompt.
func (h *hand) appears() (xproto.Window, image.Rectangle) {
	h.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if id, place, ok := h.prompt(); ok {
			return id, place
		}
	}
	h.t.Fatal("no window")
	panic("unreachable")
}

// colour is what is on screen at a place, as 0xRRGGBB.
func (h *hand) colour(at image.Point) (uint32, error) {
	r, err := xproto.GetImage(h.conn, xproto.ImageFormatZPixmap, xproto.Drawable(h.root), int16(at.X), int16(at.Y), 1, 1, 0xffffffff).Reply()
	if err != nil {
		return 0, err
	}
	if len(r.Data) < 4 {
		return 0, fmt.Errorf("a pixel of %d bytes", len(r.Data))
	}
	return binary.LittleEndian.Uint32(r.Data) & 0xffffff, nil
}

// bandOfSigning is the colour at the top of a window that asks for a signature.
const bandOfSigning = 0x1f5fbf

// drawn waits until the prompt is not only there but drawn.
func (h *hand) drawn() image.Rectangle {
	h.t.Helper()
	return h.awaits(func(c uint32) bool { return c == bandOfSigning })
}

// painted is drawn for windows of every kind and look: it waits until they are neither the toolkit's first white nor the server's black.
func (h *hand) painted() image.Rectangle {
	h.t.Helper()
	return h.awaits(func(c uint32) bool { return c != 0 && c != 0xffffff })
}

func (h *hand) awaits(is func(colour uint32) bool) image.Rectangle {
	h.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if _, place, ok := h.prompt(); ok {
			if c, err := h.colour(place.Min.Add(image.Pt(4, 4))); err == nil && is(c) {
				return place
			}
		}
	}
	h.t.Fatal("nothing was drawn")
	panic("unreachable")
}

// otherWindow makes a window that can have the keyboard.
func (h *hand) otherWindow() xproto.Window {
	h.t.Helper()
	id, err := xproto.NewWindowId(h.conn)
	if err != nil {
		h.t.Fatal(err)
	}
	screen := xproto.Setup(h.conn).DefaultScreen(h.conn)
	if err := xproto.CreateWindowChecked(h.conn, screen.RootDepth, id, h.root, 0, 0, 50, 50, 0,
		xproto.WindowClassInputOutput, screen.RootVisual, 0, nil).Check(); err != nil {
		h.t.Fatal(err)
	}
	if err := xproto.MapWindowChecked(h.conn, id).Check(); err != nil {
		h.t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	return id
}

// focus gives a window the keyboard.
func (h *hand) focus(id xproto.Window) {
	h.t.Helper()
	if err := xproto.SetInputFocusChecked(h.conn, xproto.InputFocusPointerRoot, id, xproto.TimeCurrentTime).Check(); err != nil {
		h.t.Fatal(err)
	}
}

// typePIN empties the field, waits until the window listens, and types four digits into it.
func (h *hand) typePIN(place image.Rectangle) {
	h.t.Helper()
	time.Sleep(deafFor + 200*time.Millisecond)
	h.move(image.Pt(place.Min.X+100, place.Max.Y-116)) // the field
	h.press()
	h.release()
	time.Sleep(300 * time.Millisecond) // several frames of a machine that has other work too
	for range 8 {
		h.key(keyBack)
	}
	for i := range byte(4) {
		h.key(keyDigit1 + i)
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
}

// ink is a digest of what is on screen in a place, but for the caret, which blinks: of columns that are all paper, and of others.
func (h *hand) ink(r image.Rectangle) string {
	h.t.Helper()
	reply, err := xproto.GetImage(h.conn, xproto.ImageFormatZPixmap, xproto.Drawable(h.root), int16(r.Min.X), int16(r.Min.Y),
		uint16(r.Dx()), uint16(r.Dy()), 0xffffffff).Reply()
	if err != nil {
		h.t.Fatal(err)
	}
	columns := make([]int, r.Dx())
	for i := 0; i+4 <= len(reply.Data); i += 4 {
		if binary.LittleEndian.Uint32(reply.Data[i:])&0xffffff < 0x808080 {
			columns[i/4%r.Dx()]++
		}
	}
	const caretHeight = 19
	return fmt.Sprint(slices.DeleteFunc(columns, func(n int) bool { return n == 0 || n >= caretHeight }))
}
