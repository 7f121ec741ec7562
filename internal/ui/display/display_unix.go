// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package display

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"strings"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xinerama"
	"github.com/jezek/xgb/xproto"
)

// Display is a connection to the X server, or nothing.
type Display struct {
	conn  *xgb.Conn
	root  xproto.Window
	whole Room
	xkb   byte // major opcode of the keyboard extension, 0: not there
}

// Open connects to the display of the environment.
func Open() *Display {
	d := &Display{}
	if os.Getenv("WAYLAND_DISPLAY") != "" || os.Getenv("DISPLAY") == "" {
		return d // XWayland knows the keyboard only while it has the focus itself
	}
	xgb.Logger.SetOutput(io.Discard)
	conn, err := xgb.NewConn()
	if err != nil {
		return d
	}
	screen := xproto.Setup(conn).DefaultScreen(conn)
	d.conn, d.root = conn, screen.Root
	d.whole = Room{X: int(screen.WidthInPixels), Y: int(screen.HeightInPixels)}
	d.xkb = d.extension()
	return d
}

// Close ends the connection.
func (d *Display) Close() {
	if d.conn != nil {
		d.conn.Close()
	}
}

// Requests of the X Keyboard Extension, version 1.0 (appendix D of its protocol).
const (
	xkbUseExtension = 0
	xkbGetState     = 4
	xkbUseCoreKbd   = 0x100
	lockMask        = 1 << 1 // Caps Lock
)

// extension makes the keyboard extension usable and returns its opcode.
func (d *Display) extension() byte {
	const name = "XKEYBOARD"
	e, err := xproto.QueryExtension(d.conn, uint16(len(name)), name).Reply()
	if err != nil || !e.Present {
		return 0
	}
	if _, err := d.request([]byte{e.MajorOpcode, xkbUseExtension, 2, 0, 1, 0, 0, 0}); err != nil {
		return 0
	}
	return e.MajorOpcode
}

// request sends a request of an extension the library does not know, with numbers in little-endian order as it sends all.
func (d *Display) request(b []byte) ([]byte, error) {
	cookie := d.conn.NewCookie(true, true)
	d.conn.NewRequest(b, cookie)
	return cookie.Reply()
}

// Keyboard tells how the keyboard stands now.
func (d *Display) Keyboard() Keyboard {
	if d.xkb == 0 {
		return Keyboard{}
	}
	state, err := d.request([]byte{d.xkb, xkbGetState, 2, 0, xkbUseCoreKbd & 0xff, xkbUseCoreKbd >> 8, 0, 0})
	if err != nil || len(state) < 32 {
		return Keyboard{}
	}
	locked, group := state[11], state[12]
	return Keyboard{Known: true, Caps: locked&lockMask != 0, Layout: layoutOf(d.property("_XKB_RULES_NAMES"), int(group))}
}

// layoutOf finds the layout of a group in the names by which the keyboard was set: rules, model, layouts, variants and
// options, each ended by a zero byte.
func layoutOf(names []byte, group int) string {
	fields := bytes.Split(names, []byte{0})
	if len(fields) < 3 || group < 0 {
		return ""
	}
	layouts := strings.Split(string(fields[2]), ",")
	if group >= len(layouts) {
		return ""
	}
	name := layouts[group]
	if len(name) < 2 || len(name) > 3 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") != "" {
		return ""
	}
	return name
}

// property reads a short property of the root window; nil when there is none.
func (d *Display) property(name string) []byte {
	atom, err := xproto.InternAtom(d.conn, true, uint16(len(name)), name).Reply()
	if err != nil || atom.Atom == xproto.AtomNone {
		return nil
	}
	const most = 1024 // units of four bytes
	p, err := xproto.GetProperty(d.conn, false, d.root, atom.Atom, xproto.GetPropertyTypeAny, 0, most).Reply()
	if err != nil {
		return nil
	}
	return p.Value
}

// Room is what a window may take: the height of the smallest screen, without the panels where there is one screen.
func (d *Display) Room() Room {
	if d.conn == nil {
		return Room{}
	}
	room := d.whole
	if xinerama.Init(d.conn) == nil {
		if q, err := xinerama.QueryScreens(d.conn).Reply(); err == nil && len(q.ScreenInfo) > 1 {
			for _, s := range q.ScreenInfo {
				room.X, room.Y = min(room.X, int(s.Width)), min(room.Y, int(s.Height))
			}
			return room
		}
	}
	return workArea(d.property("_NET_WORKAREA"), room)
}

// workArea reads the first desktop's place between the panels: x, y, width and height.
func workArea(b []byte, whole Room) Room {
	if len(b) < 16 {
		return whole
	}
	w, h := int(binary.LittleEndian.Uint32(b[8:])), int(binary.LittleEndian.Uint32(b[12:]))
	if w <= 0 || h <= 0 || w > whole.X || h > whole.Y {
		return whole
	}
	return Room{X: w, Y: h}
}
