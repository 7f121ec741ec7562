// SPDX-License-Identifier: GPL-3.0-or-later

package drop

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"
)

func TestLocalDisplay(t *testing.T) {
	for in, want := range map[string]string{":0": "0", ":91.0": "91", "unix:1": "1", "host:0": "", "": "", ":": "", ":x": "", ":../a": "", ":99999999": ""} {
		if got, ok := localDisplay(in); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q %v", in, got, ok)
		}
	}
}

// entry is one of an .Xauthority file.
func entry(address, display, kind, secret string) (b []byte) {
	b = binary.BigEndian.AppendUint16(nil, 256)
	for _, s := range []string{address, display, kind, secret} {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	}
	return b
}

func TestCookie(t *testing.T) {
	file := append(entry("host", "1", cookieName, "other"), entry("host", "7", "XDM-AUTHORIZATION-1", "not this")...)
	file = append(file, entry("host", "7", cookieName, "secret")...)
	if got := findCookie(bytes.NewReader(file), "7"); string(got) != "secret" {
		t.Errorf("%q", got)
	}
	for n := range file { // a file that ends anywhere
		if got := findCookie(bytes.NewReader(file[:n]), "7"); got != nil {
			t.Errorf("%d bytes: %q", n, got)
		}
	}
}

// played is a connection to a server that says what it says, whatever it is asked.
func played(t testing.TB, answers []byte) *conn {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	go io.Copy(io.Discard, theirs)
	go func() {
		theirs.Write(answers)
		theirs.Close()
	}()
	ours.SetDeadline(time.Now().Add(5 * time.Second))
	return &conn{net: ours, in: bufio.NewReader(ours)}
}

// packetOf is an event, or the reply when kind is 1.
func packetOf(kind byte, words map[int]uint32, tail ...byte) []byte {
	b := make([]byte, packetSize)
	b[0] = kind
	for at, w := range words {
		binary.LittleEndian.PutUint32(b[at:], w)
	}
	return append(b, tail...)
}

// TestPropertyTooLarge: what does not fit is not taken in part, and a length that the reply does not have is not believed.
func TestPropertyTooLarge(t *testing.T) {
	more := packetOf(replyPacket, map[int]uint32{12: 4})
	lies := packetOf(replyPacket, map[int]uint32{16: 1 << 30})
	lies[1] = 32
	good := packetOf(replyPacket, map[int]uint32{4: 1, 16: 3}, 'a', 'b', 'c', 0)
	good[1] = 8
	for name, answer := range map[string][]byte{"more": more, "lies": lies} {
		if got, err := played(t, answer).property(1, 2, true); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got, err := played(t, good).property(1, 2, true); err != nil || string(got) != "abc" {
		t.Errorf("%q %v", got, err)
	}
	if _, err := played(t, packetOf(replyPacket, map[int]uint32{4: maxReply})).property(1, 2, true); err == nil {
		t.Error("a reply of 4 MiB was read")
	}
}

// FuzzServer: whatever a server, or another client through it, says, nothing is handed over that is longer than a drop may be.
func FuzzServer(f *testing.F) {
	enter := packetOf(clientMessage|0x80, map[int]uint32{8: 3, 12: 77, 16: 1})
	f.Add(append(enter, packetOf(selectionNotify, map[int]uint32{20: 1})...))
	f.Add(packetOf(replyPacket, map[int]uint32{4: 2, 16: 8}, []byte("file:///")...))
	f.Add([]byte{0, 1, 2})
	f.Fuzz(func(t *testing.T, answers []byte) {
		x := played(t, answers)
		tg := &target{x: x, window: 5, proxy: 6, atom: map[string]uint32{}, give: func(s string) {
			if len(s) > MaxDropped {
				t.Errorf("%d bytes", len(s))
			}
		}}
		for i, n := range names {
			tg.atom[n] = uint32(i + 1)
		}
		for {
			e, err := x.event()
			if err != nil || tg.handle(e) != nil {
				return
			}
		}
	})
}

// FuzzLearn reads setups that no server would send.
func FuzzLearn(f *testing.F) {
	f.Add(make([]byte, 40))
	f.Fuzz(func(_ *testing.T, b []byte) { new(conn).learn(b) })
}
