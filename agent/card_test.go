// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"os"
	"time"
)

// cardAddress is where the driver of virtual readers (vpcd) waits for a card.
const cardAddress = "127.0.0.1:35963"

// controlATR asks for the ATR; other messages of one byte switch the power.
const controlATR = 4

// cardMain is a smart card in a virtual reader. Its argument is its ATR in hexadecimal. To all commands it says that it does
// not know them.
func cardMain() {
	atr, err := hex.DecodeString(os.Args[1])
	if err != nil {
		os.Exit(exitUsage)
	}
	for {
		if c, err := net.Dial("tcp", cardAddress); err == nil {
			serveCard(c, atr)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// serveCard answers until the reader is gone. Messages have a length of two bytes.
func serveCard(c net.Conn, atr []byte) {
	defer c.Close()
	for {
		var head [2]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		answer := []byte{0x6d, 0x00}
		switch {
		case len(body) == 1 && body[0] != controlATR:
			continue
		case len(body) == 1:
			answer = atr
		}
		c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	}
}
