// SPDX-License-Identifier: GPL-3.0-or-later

package rpc

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"persten/internal/ipc"
)

// webPage is the browser's end of a WebSocket, RFC 6455 by hand: what the listener speaks is checked against the document
// and not against the library it uses.
type webPage struct {
	mu sync.Mutex
	c  net.Conn
	r  *bufio.Reader
}

func dialWebSocket(t *testing.T, addr, origin string) ipc.Conn {
	t.Helper()
	c, err := net.Dial("tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: persten.v1\r\n\r\n", addr, origin)
	p := &webPage{c: c, r: bufio.NewReader(c)}
	answer, err := http.ReadResponse(p.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	const accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" // RFC 6455, section 1.3
	if answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Sec-WebSocket-Accept") != accept ||
		answer.Header.Get("Sec-WebSocket-Protocol") != "persten.v1" {
		t.Fatalf("handshake answered %s %v", answer.Status, answer.Header)
	}
	return p
}

func (p *webPage) Close() error { return p.c.Close() }

func (p *webPage) Send(b []byte) error { return p.write(0x81, b) }

// write sends one masked frame; op says of what kind.
func (p *webPage) write(op byte, b []byte) error {
	mask := [4]byte{1, 2, 3, 4}
	f := []byte{op}
	switch n := len(b); {
	case n < 126:
		f = append(f, 0x80|byte(n))
	case n < 1<<16:
		f = binary.BigEndian.AppendUint16(append(f, 0x80|126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, 0x80|127), uint64(n))
	}
	f = append(f, mask[:]...)
	for i, c := range b {
		f = append(f, c^mask[i%4])
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.c.Write(f)
	return err
}

// Recv joins frames to one text message.
func (p *webPage) Recv() ([]byte, error) {
	var msg []byte
	for {
		var h [2]byte
		if _, err := io.ReadFull(p.r, h[:]); err != nil {
			return nil, err
		}
		n := uint64(h[1]) // no mask: it comes from a server
		if ext := map[byte]int{126: 2, 127: 8}[h[1]]; ext > 0 {
			b := make([]byte, 8)
			if _, err := io.ReadFull(p.r, b[8-ext:]); err != nil {
				return nil, err
			}
			n = binary.BigEndian.Uint64(b)
		}
		if n > 64<<20 {
			return nil, fmt.Errorf("frame of %d bytes", n)
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(p.r, b); err != nil {
			return nil, err
		}
		switch op := h[0] & 0x0f; op {
		case 0, 1:
			if msg = append(msg, b...); h[0]&0x80 != 0 {
				return msg, nil
			}
		case 8:
			return nil, io.EOF
		}
	}
}
