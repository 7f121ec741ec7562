// SPDX-License-Identifier: GPL-3.0-or-later

package drop

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The few requests, events and atoms of the X protocol, version 11, that are used.
const (
	createWindow     = 1
	internAtom       = 16
	changeProperty   = 18
	getProperty      = 20
	convertSelection = 24
	sendEvent        = 25

	replyPacket     = 1
	selectionNotify = 31
	clientMessage   = 33

	atomAtom   = 4
	atomWindow = 33

	inputOnly     = 2
	overrideAttr  = 0x200
	packetSize    = 32
	maxReply      = 1 << 20
	maxSetup      = 1 << 18
	setupPatience = 5 * time.Second
)

var (
	errRefused = errors.New("the X server refused a request")
	errNoX     = errors.New("no X server on this machine")
)

// conn is a connection to the X server, for one goroutine.
type conn struct {
	net  net.Conn
	in   *bufio.Reader
	root uint32
	next uint32   // number of the next thing we make
	held [][]byte // events that came ahead of a reply
}

// dial connects to the server that DISPLAY names, which must be on this machine.
func dial(ctx context.Context) (*conn, error) {
	number, ok := localDisplay(os.Getenv("DISPLAY"))
	if !ok {
		return nil, errNoX
	}
	var d net.Dialer
	socket := "/tmp/.X11-unix/X" + number
	c, err := d.DialContext(ctx, "unix", "@"+socket)
	if err != nil {
		c, err = d.DialContext(ctx, "unix", socket)
	}
	if err != nil {
		return nil, err
	}
	x := &conn{net: c, in: bufio.NewReader(c)}
	c.SetDeadline(time.Now().Add(setupPatience))
	if err := x.setup(cookie(number)); err != nil {
		c.Close()
		return nil, err
	}
	return x, c.SetDeadline(time.Time{})
}

func (x *conn) close() { x.net.Close() }

// localDisplay reads ":1" or "unix:1.0".
func localDisplay(s string) (number string, ok bool) {
	host, rest, ok := strings.Cut(s, ":")
	number, _, _ = strings.Cut(rest, ".")
	_, err := strconv.ParseUint(number, 10, 16)
	return number, ok && err == nil && (host == "" || host == "unix")
}

// cookie finds what the server knows its clients by, in the file that xauth keeps; servers without one ask for none.
func cookie(display string) (secret []byte) {
	path := os.Getenv("XAUTHORITY")
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil
		}
		path = filepath.Join(home, ".Xauthority")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	return findCookie(bufio.NewReader(io.LimitReader(f, maxSetup)), display)
}

// cookieName is the one kind of secret known here.
const cookieName = "MIT-MAGIC-COOKIE-1"

// findCookie reads entries: family, address, display, kind, secret, each with its length ahead.
func findCookie(r io.Reader, display string) []byte {
	for {
		var family uint16
		if binary.Read(r, binary.BigEndian, &family) != nil {
			return nil
		}
		var parts [4][]byte
		for i := range parts {
			var n uint16
			if binary.Read(r, binary.BigEndian, &n) != nil {
				return nil
			}
			parts[i] = make([]byte, n)
			if _, err := io.ReadFull(r, parts[i]); err != nil {
				return nil
			}
		}
		if number := string(parts[1]); (number == display || number == "") && string(parts[2]) == cookieName {
			return parts[3]
		}
	}
}

// setup opens the conversation and learns the root window and the numbers that are ours.
func (x *conn) setup(secret []byte) error {
	name := cookieName
	if secret == nil {
		name = ""
	}
	hello := []byte{'l', 0}
	for _, n := range []int{11, 0, len(name), len(secret), 0} {
		hello = binary.LittleEndian.AppendUint16(hello, uint16(n))
	}
	hello = append(pad(append(hello, name...)), secret...)
	if _, err := x.net.Write(pad(hello)); err != nil {
		return err
	}
	head := make([]byte, 8)
	if _, err := io.ReadFull(x.in, head); err != nil {
		return err
	}
	body := make([]byte, 4*int(binary.LittleEndian.Uint16(head[6:])))
	if _, err := io.ReadFull(x.in, body); err != nil {
		return err
	}
	if head[0] != 1 {
		return errors.New("the X server takes no clients from here")
	}
	return x.learn(body)
}

// learn reads the answer to a setup: what we need stands at the front, and, after the vendor's name and the formats, the root.
func (x *conn) learn(b []byte) error {
	const front = 32
	if len(b) < front {
		return io.ErrUnexpectedEOF
	}
	screens := front + (int(binary.LittleEndian.Uint16(b[16:]))+3)&^3 + 8*int(b[21])
	if b[20] == 0 || len(b) < screens+4 {
		return io.ErrUnexpectedEOF
	}
	x.next, x.root = word(b, 4), word(b, screens)
	return nil
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// word is a number of four bytes.
func word(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }

// request sends one: its code, a byte of its own, and words.
func (x *conn) request(code, detail byte, words []uint32, tail ...byte) error {
	tail = pad(tail)
	b := []byte{code, detail}
	b = binary.LittleEndian.AppendUint16(b, uint16(1+len(words)+len(tail)/4))
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	_, err := x.net.Write(append(b, tail...))
	return err
}

// packet reads an event, an error or a reply.
func (x *conn) packet() ([]byte, error) {
	b := make([]byte, packetSize)
	if _, err := io.ReadFull(x.in, b); err != nil {
		return nil, err
	}
	if b[0] != replyPacket {
		return b, nil
	}
	more := word(b, 4)
	if more > maxReply/4 {
		return nil, fmt.Errorf("a reply of %d words", more)
	}
	rest := make([]byte, 4*more)
	_, err := io.ReadFull(x.in, rest)
	return append(b, rest...), err
}

// maxHeld bounds the events that may come ahead of a reply.
const maxHeld = 1024

// reply reads the answer to the request just sent. Only one is under way at a time.
func (x *conn) reply() ([]byte, error) {
	for {
		b, err := x.packet()
		switch {
		case err != nil:
			return nil, err
		case b[0] == replyPacket:
			return b, nil
		case b[0] == 0:
			return nil, errRefused
		case len(x.held) == maxHeld:
			return nil, errors.New("too many events")
		}
		x.held = append(x.held, b)
	}
}

// event reads the next one. Errors of requests that have no reply are about windows that are gone.
func (x *conn) event() ([]byte, error) {
	if len(x.held) > 0 {
		e := x.held[0]
		x.held = x.held[1:]
		return e, nil
	}
	for {
		b, err := x.packet()
		if err != nil || b[0] > replyPacket {
			return b, err
		}
	}
}

// atoms gets the numbers of names.
func (x *conn) atoms(names []string) (map[string]uint32, error) {
	m := map[string]uint32{}
	for _, n := range names {
		if err := x.request(internAtom, 0, []uint32{uint32(len(n))}, []byte(n)...); err != nil {
			return nil, err
		}
		b, err := x.reply()
		if err != nil {
			return nil, err
		}
		m[n] = word(b, 8)
	}
	return m, nil
}

// newWindow makes one that is never shown; window managers leave it alone.
func (x *conn) newWindow() (uint32, error) {
	id := x.next
	x.next++
	place := []uint32{id, x.root, 0, 1<<16 | 1, inputOnly << 16, 0, overrideAttr, 1}
	return id, x.request(createWindow, 0, place)
}

func (x *conn) setProperty(window, property, kind, value uint32) error {
	return x.request(changeProperty, 0, []uint32{window, property, kind, 32, 1, value})
}

// property reads the first MaxDropped bytes of one, and takes it away if asked to.
func (x *conn) property(window, property uint32, take bool) ([]byte, error) {
	const anyKind = 0
	if err := x.request(getProperty, map[bool]byte{true: 1}[take], []uint32{window, property, anyKind, 0, MaxDropped / 4}); err != nil {
		return nil, err
	}
	b, err := x.reply()
	if err != nil {
		return nil, err
	}
	n := uint64(word(b, 16)) * uint64(b[1]/8)
	if more := word(b, 12); more > 0 || n > uint64(len(b)-packetSize) {
		return nil, errRefused // larger than anything we want
	}
	return b[packetSize : packetSize+int(n)], nil
}

// convert asks the owner of a selection to put it into a property of ours.
func (x *conn) convert(requestor, selection, kind, property, when uint32) error {
	return x.request(convertSelection, 0, []uint32{requestor, selection, kind, property, when})
}

// send sends a message of 20 bytes to a window of another client.
func (x *conn) send(to, kind uint32, data []byte) error {
	e := []byte{clientMessage, 32, 0, 0}
	e = binary.LittleEndian.AppendUint32(e, to)
	e = binary.LittleEndian.AppendUint32(e, kind)
	return x.request(sendEvent, 0, []uint32{to, 0}, append(e, data...)...)
}
