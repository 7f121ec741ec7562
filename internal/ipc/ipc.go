// SPDX-License-Identifier: GPL-3.0-or-later

// Package ipc moves messages between the agent's processes and its clients, and says who the other side is. It knows
// bytes, descriptors and peers; it knows no method and reads no body.
//
// # Connections
//
// A [Conn] carries whole messages, one per call. Send may be called by any number of goroutines; Recv by one at a time;
// Close by anyone, at any time, and it wakes both. A [FileConn] carries descriptors beside a message. After an error
// other than a [FrameError] with Skipped set a Conn is of no further use and should be closed. A [BinaryConn] carries binary
// messages too; who calls Recv on one wants none.
//
// Streams (native messaging, the user socket, named pipe, inherited sockets) share one framing: four bytes of length in
// the machine's own byte order, then the message. The order is native because browsers chose so for native messaging, and
// no stream here leaves the machine. A length is believed only up to the limit, and memory grows with what really arrives.
// A local client of the user socket may also send binary messages: their length has its highest bit set.
//
// # Ways in
//
//   - [ListenUser]: a unix socket (0600, in a 0700 folder) or a named pipe that only its owner may open. The kernel names
//     the peer's user, and another user is refused before a byte is read. The first frame is a hello, see below.
//   - [ListenWebSocket]: 127.0.0.1 only, RFC 6455 messages, one message each. Every check stands before the upgrade.
//   - [Pair] and [Inherited]: an unnamed socket pair, or a pipe of one instance, for a child process, the only way descriptors travel.
//   - [Stdio]: the framing over any reader and writer, such as a native host's standard streams.
//
// Each way in makes a [Peer] from what the operating system and the browser say, never from what a page says.
//
// # Hello and envelopes
//
// On the user socket the client speaks first:
//
//	{"role":"local"}                      then plain messages: a command, the tray
//	{"role":"host","extension":"ID"}      then envelopes only: the native host
//
// An envelope carries one page's message among many:
//
//	{"ch":"32 hex digits","from":{"origin":"https://site.example","top":"...","frame":"0","extension":"ID"},"kind":"open"}
//	{"ch":"...","kind":"rpc","body":{...}}                  body is the message itself, a JSON value
//	{"ch":"...","kind":"part","more":true,"body":"..."}     body is a string: the next piece of a message's text
//	{"ch":"...","kind":"part","more":false,"body":"..."}    the last piece; the pieces joined are one message
//	{"ch":"...","kind":"close","body":"reason"}             the page is gone, or the session has no more to say; body optional
//
// "from" belongs to open alone and is fixed for the channel's life; frame is a string or a number. Pieces exist because a browser drops a native
// host that sends 1 MiB at once; [HostPipe] cuts at [MaxPart]. Either side may cut, and both join. [HostPipe] runs between
// browser and session; [Demux] turns the session's end into one Conn per channel.
//
// # Limits
//
// A frame holds at most [MaxFrame] bytes, a joined message [MaxMessage], a host [MaxChannels] channels. A writer waits at
// most 30 seconds for a reader. What exceeds a limit ends the channel, or, where channels cannot be told apart, the
// connection; nothing is cut silently.
package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// Limits of every transport.
const (
	MaxFrame    = 4 << 20         // one frame, envelope included
	MaxMessage  = MaxFrame - 1024 // one message on a channel, whole or joined from parts
	MaxPart     = 768 << 10       // one part as it stands in the frame, escapes included
	MaxChannels = 256             // open channels of one native host
	MaxFiles    = 128             // descriptors beside one message

	// MaxSockets is how many connections all listeners together have open.
	MaxSockets = MaxWebSockets + maxPending + maxUserConns

	writeTimeout = 30 * time.Second
	helloTimeout = 5 * time.Second
)

// Conn carries whole messages.
type Conn interface {
	Recv() ([]byte, error) // io.EOF when the other side closed between messages
	Send([]byte) error
	Close() error
}

// FileConn carries open files beside a message. The sender keeps its files and closes them itself; the receiver owns what
// it gets. Files received by Recv are closed.
type FileConn interface {
	Conn
	SendFiles(msg []byte, files ...*os.File) error
	RecvFiles() ([]byte, []*os.File, error)
}

// BinaryConn carries binary messages beside the others. RecvBinary is Recv that first gives each binary message before the
// next other one to take, in order, which reads as much of it as it wants while it runs. An error of take is returned.
type BinaryConn interface {
	Conn
	RecvBinary(take func(r io.Reader) error) ([]byte, error)
}

// BinarySender sends binary messages to a BinaryConn: one, whose parts are joined.
type BinarySender interface {
	Conn
	SendBinary(parts ...[]byte) error
}

// Peer is who is at the other end. It is made where the connection came in and passed down unchanged.
type Peer struct {
	UID       int    // user of the peer process; -1 where the system has none (Windows: the owner was checked by SID)
	PID       int    // 0 when unknown
	Program   string // path of the peer's executable, empty when unknown
	Via       string // one of the Via constants
	Origin    string // serialised origin of the asking frame; empty for local programs
	Top       string // origin of the top-level page when known
	Frame     string // the browser's frame number
	Extension string // id of the extension that relays
}

// Ways in, as in Peer.Via.
const (
	ViaUnix      = "unix"
	ViaNative    = "native"
	ViaWebSocket = "websocket"
	ViaPair      = "pair"
)

// Listener is a way in. Serve accepts until ctx ends or the listener is closed, and calls accept in a goroutine of its own
// for each connection (or channel); the connection is closed when accept returns. When Serve returns no accept is running.
type Listener interface {
	Serve(ctx context.Context, accept func(Conn, Peer)) error
	Addr() net.Addr
	Close() error
}

// Errors a caller branches on.
var (
	ErrClosed      = errors.New("connection is closed")
	ErrInUse       = errors.New("another agent answers there")
	ErrForeignUser = errors.New("peer belongs to another user")
	ErrUnsupported = errors.New("not supported on this system")
	ErrSlow        = errors.New("peer does not read")
	ErrProtocol    = errors.New("peer breaks the protocol")
)

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// FrameError is a frame or message over the limit.
type FrameError struct {
	Size    int64
	Max     int64
	Head    []byte // the frame's first bytes when it was skipped
	Skipped bool   // the frame was read past and the connection goes on
}

func (e *FrameError) Error() string {
	return fmt.Sprintf("frame of %d bytes exceeds %d", e.Size, e.Max)
}
