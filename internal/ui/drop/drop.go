// SPDX-License-Identifier: GPL-3.0-or-later

// Package drop takes files that are dragged from a file manager onto a window of ours under X11, which the toolkit does not.
//
// # Contract
//
// [Listen] works beside the toolkit, on an X connection of its own: it makes a window that nobody sees the proxy of the
// toolkit's window in the drag-and-drop protocol of X (XDND, version 5; the property XdndProxy). Sources then talk to the
// proxy. Where there is no X server on this machine it returns an error, and dropping is not to be had.
//
// What was dropped is handed over as it came, at most [MaxDropped] bytes of text/uri-list: the receiver judges it.
package drop

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
)

// MaxDropped bounds what is taken of one drop.
const MaxDropped = 64 << 10

// version is that of the protocol.
const version = 5

// names are the atoms used.
var names = []string{
	"XdndAware", "XdndProxy", "XdndEnter", "XdndPosition", "XdndStatus", "XdndLeave", "XdndDrop", "XdndFinished", "XdndSelection",
	"XdndTypeList", "XdndActionCopy", "text/uri-list", "PERSTEN_DROP",
}

// target is a window of the toolkit's, and the drag that is over it.
type target struct {
	x      *conn
	window uint32
	proxy  uint32
	atom   map[string]uint32
	give   func(text string)

	source uint32 // 0: no drag
	files  bool   // it has files
}

// Listen hands what is dropped on window to give until ctx ends or the display goes away.
func Listen(ctx context.Context, window uint32, give func(text string)) error {
	x, err := dial(ctx)
	if err != nil {
		return err
	}
	defer x.close()
	stop := context.AfterFunc(ctx, x.close)
	defer stop()
	t := &target{x: x, window: window, give: give}
	if t.atom, err = x.atoms(names); err != nil {
		return err
	}
	if t.proxy, err = x.newWindow(); err != nil {
		return err
	}
	if err := t.announce(); err != nil {
		return err
	}
	for {
		e, err := x.event()
		if err != nil {
			return err
		}
		if err := t.handle(e); err != nil {
			return err
		}
	}
}

// announce makes the proxy known. It names itself too, so that sources see that it is alive.
func (t *target) announce() error {
	var errs []error
	for _, w := range []uint32{t.proxy, t.window} {
		errs = append(errs, t.x.setProperty(w, t.atom["XdndProxy"], atomWindow, t.proxy), t.x.setProperty(w, t.atom["XdndAware"], atomAtom, version))
	}
	return errors.Join(errs...)
}

func (t *target) handle(e []byte) error {
	switch e[0] & 0x7f {
	case clientMessage:
		return t.message(word(e, 8), e[12:32])
	case selectionNotify:
		return t.take(word(e, 20) != 0)
	}
	return nil
}

// message is one step of a drag. Only the source that entered is listened to.
func (t *target) message(kind uint32, data []byte) error {
	source := word(data, 0)
	if kind == t.atom["XdndEnter"] {
		return t.enter(source, data)
	}
	if source != t.source || source == 0 {
		return nil
	}
	switch kind {
	case t.atom["XdndPosition"]:
		return t.answer("XdndStatus")
	case t.atom["XdndLeave"]:
		t.source = 0
	case t.atom["XdndDrop"]:
		if t.files {
			return t.x.convert(t.proxy, t.atom["XdndSelection"], t.atom["text/uri-list"], t.atom["PERSTEN_DROP"], word(data, 8))
		}
		return t.finish()
	}
	return nil
}

// enter looks whether the drag has files. A source with more than three kinds of data keeps their list in a property.
func (t *target) enter(source uint32, data []byte) error {
	flags := word(data, 4)
	kinds := []uint32{word(data, 8), word(data, 12), word(data, 16)}
	if flags&1 != 0 {
		list, err := t.x.property(source, t.atom["XdndTypeList"], false)
		if err != nil {
			t.source = 0
			return lost(err)
		}
		for i := 0; i+4 <= len(list); i += 4 {
			kinds = append(kinds, word(list, i))
		}
	}
	t.source, t.files = source, slices.Contains(kinds, t.atom["text/uri-list"])
	return nil
}

// take reads what was dropped.
func (t *target) take(there bool) error {
	if there && t.source != 0 {
		text, err := t.x.property(t.proxy, t.atom["PERSTEN_DROP"], true)
		if err != nil {
			return lost(err)
		}
		if len(text) > 0 {
			t.give(string(text))
		}
	}
	return t.finish()
}

func (t *target) finish() error {
	err := t.answer("XdndFinished")
	t.source = 0
	return err
}

// answer tells the source whether the files are, or were, taken.
func (t *target) answer(kind string) error {
	data := make([]byte, 20)
	binary.LittleEndian.PutUint32(data, t.window)
	if t.files {
		data[4] = 1
		at := map[string]int{"XdndStatus": 16, "XdndFinished": 8}[kind]
		binary.LittleEndian.PutUint32(data[at:], t.atom["XdndActionCopy"])
	}
	return t.x.send(t.source, t.atom[kind], data)
}

// lost is err unless it is the server's refusal of one request, such as about a window that is gone.
func lost(err error) error {
	if errors.Is(err, errRefused) {
		return nil
	}
	return err
}
