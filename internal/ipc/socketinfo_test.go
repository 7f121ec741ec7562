// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"encoding/binary"
	"errors"
	"testing"
)

// tcpInfo is a WSAPROTOCOL_INFOW with nothing but these.
func tcpInfo(family, kind, protocol uint32) []byte {
	b := make([]byte, socketInfoSize)
	binary.LittleEndian.PutUint32(b[76:], family)
	binary.LittleEndian.PutUint32(b[88:], kind)
	binary.LittleEndian.PutUint32(b[92:], protocol)
	return b
}

func TestCheckSocketInfo(t *testing.T) {
	if err := checkSocketInfo(tcpInfo(2, 1, 6)); err != nil {
		t.Error(err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "short": make([]byte, socketInfoSize-1), "long": make([]byte, socketInfoSize+1), "zeros": make([]byte, socketInfoSize),
		"IPv6": tcpInfo(23, 1, 6), "UDP": tcpInfo(2, 2, 17), "raw": tcpInfo(2, 3, 0), "pipe": tcpInfo(1, 1, 0),
	} {
		if err := checkSocketInfo(b); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzSocketInfo: what passes is as long as it must be and speaks of TCP over IPv4.
func FuzzSocketInfo(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, socketInfoSize))
	f.Add(tcpInfo(2, 1, 6))
	f.Add(tcpInfo(23, 1, 6))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := checkSocketInfo(b)
		if err != nil && !errors.Is(err, ErrProtocol) {
			t.Fatal(err)
		}
		if err == nil && (len(b) != socketInfoSize || string(b[76:80])+string(b[88:96]) != "\x02\x00\x00\x00\x01\x00\x00\x00\x06\x00\x00\x00") {
			t.Fatalf("%x passed", b)
		}
	})
}
