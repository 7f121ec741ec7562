// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package doctor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"persten/proto"
)

// row is one reader as pcscd writes it.
func row(size int, name string, state uint32, atr []byte) []byte {
	s := readerState{State: state, ATRBytes: uint32(len(atr))}
	copy(s.Name[:], name)
	copy(s.ATR[:], atr)
	var b bytes.Buffer
	binary.Write(&b, binary.NativeEndian, s)
	return append(b.Bytes(), make([]byte, size-b.Len())...)
}

func table(size int, rows ...[]byte) []byte {
	b := bytes.Join(rows, nil)
	return append(b, make([]byte, maxReaders*size-len(b))...)
}

// Rows come in two widths; a card that is in and has no ATR is mute.
func TestParseReaders(t *testing.T) {
	for _, size := range []int{narrowRow, wideRow} {
		got := parseReaders(table(size, row(size, "Reader 00 00", 0x34, []byte{0x3b, 0x00}), row(size, "Reader 00 01", 0x0c, nil), row(size, "Empty", 0x02, nil)))
		want := []reader{{"Reader 00 00", 0x34, "3b00"}, {"Reader 00 01", 0x0c, ""}, {"Empty", 0x02, ""}}
		if !slices.Equal(got, want) {
			t.Errorf("%d: %+v", size, got)
		}
		if got[0].mute() || !got[1].mute() || got[2].mute() || got[2].present() {
			t.Errorf("%d: mute or present: %+v", size, got)
		}
	}
}

func FuzzReaders(f *testing.F) {
	f.Add(table(wideRow, row(wideRow, "Reader 00 00", 0x34, []byte{0x3b, 0x00})))
	f.Add(table(narrowRow, row(narrowRow, "\xff\xfe", 0xffffffff, bytes.Repeat([]byte{1}, maxATR))))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, r := range parseReaders(data) {
			if r.name == "" && len(data) < narrowRow || !utf8.ValidString(r.name) || len(r.atr) > 2*maxATR {
				t.Errorf("%+v", r)
			}
		}
	})
}

// A daemon that lets nobody in closes the connection: that is what polkit's no looks like.
func TestReadersDenied(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	m := This()
	m.Root = t.TempDir()
	m.Env = func(name string) string {
		return map[string]string{"PCSCLITE_CSOCK_NAME": socket, "USER": "user"}[name]
	}
	list, err := New(m).Run(t.Context(), proto.DoctorRunParams{Checks: []string{"pcscd"}}, "en", nil)
	if err != nil || len(list) != 1 || list[0].Code != "pcscd_denied" || !strings.Contains(list[0].Text.What, "user user") {
		t.Errorf("%+v %v", list, err)
	}
}

const tcpTable = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:5E35 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 41234 1 0000000000000000 100 0 0 10 0
   1: 0100007F:5E36 0100007F:5E35 01 00000000:00000000 00:00000000 00000000     0        0 41235 1 0000000000000000 100 0 0 10 0
`

func TestListening(t *testing.T) {
	if uid, inode, ok := listening(tcpTable, 24117); !ok || uid != 1000 || inode != "41234" {
		t.Error(uid, inode, ok)
	}
	if _, _, ok := listening(tcpTable, 24118); ok {
		t.Error("a connection is taken for a listener")
	}
}

// Who answers on the port decides what is said of it.
func TestKnock(t *testing.T) {
	for answer, want := range map[string]error{
		"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npersten\n":                        nil,
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 23\r\n\r\nanother user's persten\n": errForeign,
		"HTTP/1.1 404 Not Found\r\n\r\npersten\n":                                      errOther,
		"SSH-2.0-x\r\n": errOther,
		"":              io.EOF,
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 1024))
			io.WriteString(c, answer)
			c.Close()
		}()
		if got := This().knock(t.Context(), l.Addr().String()); !errors.Is(got, want) {
			t.Errorf("%q: %v", answer, got)
		}
	}
}

func FuzzListening(f *testing.F) {
	f.Add(tcpTable)
	f.Fuzz(func(t *testing.T, text string) {
		if uid, inode, ok := listening(text, 24117); ok && (!strings.Contains(text, inode) || uid < -1<<31) {
			t.Error(uid, inode)
		}
	})
}

func TestLicence(t *testing.T) {
	for said, want := range map[string]string{
		"License validity:\nX\nExpires: 2 month(s) 23 day(s)\nLicense type: Server.\n": "",
		"License validity:\nX\nExpires: 0 month(s) 9 day(s)\n":                         "csp_licence_ends",
		"License validity:\nX\nExpires: 0 month(s) 0 day(s)\n":                         "csp_licence_ended",
		"Error code: 0x8007065B\n":                                                     "csp_licence_ended",
		"License is expired\n":                                                         "csp_licence_ended",
		"License validity:\nX\nExpires: permanent\n":                                   "",
		"": "",
	} {
		code := ""
		if list := judgeLicence(said); len(list) > 0 {
			code = list[0].Code
		}
		if code != want {
			t.Errorf("%q: %q, want %q", said, code, want)
		}
	}
}

func FuzzLicence(f *testing.F) {
	f.Add("License validity:\nX\nExpires: 2 month(s) 23 day(s)\n")
	f.Fuzz(func(t *testing.T, said string) {
		if list := judgeLicence(said); len(list) > 1 {
			t.Error(list)
		}
	})
}

func TestAddresses(t *testing.T) {
	for display, want := range map[string][2]string{
		":0": {"unix", "/tmp/.X11-unix/X0"}, ":12.1": {"unix", "/tmp/.X11-unix/X12"}, "localhost:10.0": {"tcp", "localhost:6010"},
		"": {}, "host": {}, "host:": {}, "host:x": {}, "host:99999": {},
	} {
		if got := xSocket(display); got != want {
			t.Errorf("%q: %v", display, got)
		}
	}
	for setting, want := range map[string]string{
		"http://proxy.example:3128": "proxy.example:3128", "proxy.example:3128": "proxy.example:3128", "https://proxy.example": "proxy.example:443",
		"http://user:word@proxy.example": "proxy.example:80", "http://:3128": "", "socks5://proxy.example": "", "%": "",
	} {
		if got, ok := proxyHost(setting); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v", setting, got, ok)
		}
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{{"0.1.0", "0.2", true}, {"0.2.0", "v0.2.9-3-gabc", false}, {"1.0", "0.9", false}, {"0.9", "1.0", true}, {"dev", "0.1", false}, {"0.1", "dev", false}} {
		if older(c.a, c.b) != c.want {
			t.Errorf("older(%q, %q) = %v", c.a, c.b, !c.want)
		}
	}
}

// What a device says of itself is shown as a name and fills no template.
func TestHostileNames(t *testing.T) {
	d := &Doctor{m: &Machine{}, checks: []Check{{Code: "readers", Run: func(context.Context, *Machine) []Finding {
		return []Finding{problem("reader_unseen", "{advice} [[x]] {id}", "id", "{subject}")}
	}}}, patience: patience}
	list, err := d.Run(t.Context(), proto.DoctorRunParams{}, "en", nil)
	if err != nil || !strings.Contains(list[0].Text.What, `"{advice} [[x]] {id}" ({subject})`) {
		t.Errorf("%+v %v", list, err)
	}
}
