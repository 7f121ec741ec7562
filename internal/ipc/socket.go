// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gorilla/websocket"
)

// socket is a WebSocket as a BinaryConn.
type socket struct {
	c    *websocket.Conn
	max  int // bytes of a message that comes in
	most int // bytes of one that goes out
	out  *outbox
	done chan struct{}
}

func newSocket(c *websocket.Conn, max, most int) *socket {
	s := &socket{c: c, max: max, most: most, out: newOutbox(), done: make(chan struct{})}
	c.SetReadLimit(int64(max))
	s.alive("")
	c.SetPongHandler(s.alive)
	go s.write()
	return s
}

// alive moves the deadline by which the peer must be heard of.
func (s *socket) alive(string) error {
	return s.c.SetReadDeadline(time.Now().Add(pongTimeout))
}

// write is the one goroutine that sends messages and pings.
func (s *socket) write() {
	defer close(s.done)
	s.out.drain(func(msg []byte) error {
		setWriteDeadline(s.c)
		return s.c.WriteMessage(websocket.TextMessage, msg)
	}, pingPeriod, func() error {
		return s.c.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout))
	})
	bye := websocket.FormatCloseMessage(websocket.CloseGoingAway, "")
	_ = s.c.WriteControl(websocket.CloseMessage, bye, time.Now().Add(closeTimeout))
	s.c.Close()
}

func (s *socket) Recv() ([]byte, error) {
	return s.RecvBinary(func(io.Reader) error { return fmt.Errorf("%w: binary message", ErrProtocol) })
}

func (s *socket) RecvBinary(take func(io.Reader) error) ([]byte, error) {
	for {
		kind, r, err := s.c.NextReader() // drops what take left unread
		if err != nil {
			return nil, s.readError(err)
		}
		if kind == websocket.TextMessage {
			b, err := readLong(r)
			return b, s.readError(err)
		}
		if err := take(r); err != nil {
			return nil, s.readError(err)
		}
	}
}

// reading is the messages over MaxFrame that are read at a time, over all connections: they are what memory goes to.
var reading = make(chan struct{}, 4)

// readLong reads a message to its end. A long one has to find a place.
func readLong(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxFrame+1))
	if err != nil || len(b) <= MaxFrame {
		return b, err
	}
	select {
	case reading <- struct{}{}:
	case <-time.After(writeTimeout):
		return nil, ErrSlow
	}
	defer func() { <-reading }()
	rest, err := io.ReadAll(r)
	return append(b, rest...), err
}

func (s *socket) readError(err error) error {
	var ended *websocket.CloseError
	switch {
	case errors.Is(err, websocket.ErrReadLimit):
		return &FrameError{Size: int64(s.max) + 1, Max: int64(s.max)}
	case errors.As(err, &ended):
		return io.EOF
	}
	return err
}

func (s *socket) Send(msg []byte) error {
	if len(msg) > s.most {
		return &FrameError{Size: int64(len(msg)), Max: int64(s.most)}
	}
	return s.out.put(msg)
}

// Close sends what is queued if the peer takes it within a moment.
func (s *socket) Close() error {
	s.out.finish(closeTimeout)
	<-s.done
	return nil
}
