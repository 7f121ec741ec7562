// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// The part of pcsc-lite's own protocol (winscard_msg.h, 4.x) that lists readers: no library of others runs in this process, and
// what the daemon says of a refusal is seen as it is.
const (
	pcscPatience = 6 * time.Second

	pcscMajor, pcscMinor = 4, 4
	commandVersion       = 0x11
	commandReaders       = 0x12
	maxReaders           = 16
	readerNameSize       = 128
	maxATR               = 33
	narrowRow            = 180
	wideRow              = 184
	restPatience         = 300 * time.Millisecond // for the rest of an answer of which most is here
)

// cardPresent is the bit of a reader's state that says that a card is in.
const cardPresent = 0x0004

var (
	errRejected = errors.New("the service closed the connection")
	errVersion  = errors.New("the service speaks another version")
)

// reader is what pcscd says of one.
type reader struct {
	name  string
	state uint32
	atr   string // hexadecimal
}

func (r reader) present() bool { return r.state&cardPresent != 0 }

// mute: a card is in, and says nothing.
func (r reader) mute() bool { return r.present() && r.atr == "" }

// readerState is a reader in the daemon's answer, in the machine's byte order.
type readerState struct {
	Name     [readerNameSize]byte
	Events   uint32
	State    uint32
	Sharing  int32
	ATR      [maxATR]byte
	_        [3]byte
	ATRBytes uint32
}

// readers asks the daemon behind a socket which readers there are.
func readers(ctx context.Context, m *Machine, socket string) ([]reader, error) {
	ctx, cancel := context.WithTimeout(ctx, pcscPatience)
	defer cancel()
	conn, err := m.Dial(ctx, "unix", socket)
	for err != nil && isFull(err) && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
		conn, err = m.Dial(ctx, "unix", socket)
	}
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(pcscPatience))
	if err := greet(conn); err != nil {
		return nil, err
	}
	return askReaders(conn)
}

// greet agrees on the version, as every client does first.
func greet(conn net.Conn) error {
	v := struct {
		Major, Minor int32
		Result       uint32
	}{pcscMajor, pcscMinor, 0}
	if err := send(conn, commandVersion, v); err != nil {
		return err
	}
	if err := binary.Read(conn, binary.NativeEndian, &v); err != nil {
		return ended(err)
	}
	if v.Result != 0 {
		return fmt.Errorf("%w: %d.%d", errVersion, v.Major, v.Minor)
	}
	return nil
}

// askReaders reads the daemon's table of readers. Its rows have 180 bytes, or 184 where the last number is a long one: the length of the
// answer tells.
func askReaders(conn net.Conn) ([]reader, error) {
	if err := send(conn, commandReaders, nil); err != nil {
		return nil, err
	}
	table := make([]byte, maxReaders*wideRow)
	n, err := io.ReadFull(conn, table[:maxReaders*narrowRow])
	if err != nil {
		return nil, ended(err)
	}
	conn.SetReadDeadline(time.Now().Add(restPatience))
	more, err := io.ReadFull(conn, table[n:])
	var late net.Error
	if err != nil && more > 0 || err != nil && !(errors.As(err, &late) && late.Timeout()) {
		return nil, ended(err)
	}
	return parseReaders(table[:n+more]), nil
}

// parseReaders reads the table; what is no text in a name is dropped.
func parseReaders(table []byte) (list []reader) {
	row := len(table) / maxReaders
	for i := 0; row >= narrowRow && i < maxReaders; i++ {
		var s readerState
		binary.Read(bytes.NewReader(table[i*row:]), binary.NativeEndian, &s) // a row is long enough
		name, _, _ := bytes.Cut(s.Name[:], []byte{0})
		if len(name) > 0 {
			list = append(list, reader{strings.ToValidUTF8(string(name), ""), s.State, hex.EncodeToString(s.ATR[:min(s.ATRBytes, maxATR)])})
		}
	}
	return list
}

// send writes a message: its size and command, then the body.
func send(conn net.Conn, command uint32, body any) error {
	var b bytes.Buffer
	if body != nil {
		if err := binary.Write(&b, binary.NativeEndian, body); err != nil {
			return err
		}
	}
	head := binary.NativeEndian.AppendUint32(nil, uint32(b.Len()))
	head = binary.NativeEndian.AppendUint32(head, command)
	_, err := conn.Write(append(head, b.Bytes()...))
	return ended(err)
}

// ended names a connection that the daemon closed instead of answering: it does so to those whom polkit does not let in.
func ended(err error) error {
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isReset(err) {
		return errRejected
	}
	return err
}
