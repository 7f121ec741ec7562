// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	inboxMessages = 256
	muxBytes      = 64 << 20 // received for all channels of one host and not yet read
	maxBadFrames  = 16
)

// Demux is the session's end of a native host's connection. It reads envelopes from c and calls accept, in a goroutine of
// its own, for each channel the browser opens; the channel is closed when accept returns. peer is the host process, and
// each channel's Peer adds to it what the browser said. A channel without a valid origin is refused.
//
// A frame that cannot be read ends its channel; one whose channel cannot be told ends, after a few, everything. Demux
// returns when c ends and every accept has returned, nil when the host closed.
func Demux(c Conn, peer Peer, accept func(ch Conn, p Peer)) error {
	m := &mux{c: c, peer: peer, accept: accept, channels: map[string]*channel{}}
	err := m.read()
	c.Close()
	m.mu.Lock()
	for _, ch := range m.channels {
		ch.end(io.EOF)
	}
	m.mu.Unlock()
	m.wg.Wait()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

type mux struct {
	c      Conn
	peer   Peer
	accept func(Conn, Peer)
	wg     sync.WaitGroup
	queued atomic.Int64

	mu       sync.Mutex
	channels map[string]*channel
}

func (m *mux) read() error {
	bad := 0
	for {
		b, err := m.c.Recv()
		if err != nil {
			return err
		}
		e, err := parseEnvelope(b)
		if err == nil {
			err = m.take(e)
		}
		if err == nil {
			continue
		}
		if e != nil && validChannel(e.Ch) {
			m.drop(e.Ch, "malformed")
		} else if ch, ok := channelOf(b); ok {
			m.drop(ch, "malformed")
		} else if bad++; bad > maxBadFrames {
			return err
		}
	}
}

// take deals with one envelope. Its error ends the channel.
func (m *mux) take(e *envelope) error {
	m.mu.Lock()
	ch := m.channels[e.Ch]
	m.mu.Unlock()
	switch {
	case e.Kind == kindOpen && ch != nil:
		return fmt.Errorf("%w: channel is open", ErrProtocol)
	case e.Kind == kindOpen:
		return m.open(e)
	case e.From != nil:
		return fmt.Errorf("%w: only open says who calls", ErrProtocol)
	case e.Kind == kindClose:
		if ch != nil {
			m.forget(ch)
			ch.end(io.EOF)
		}
		return nil
	case ch == nil:
		return m.c.Send(closeFrame(e.Ch, "unknown"))
	case e.Kind == kindPart:
		return ch.part(e)
	}
	if ch.joining() {
		return fmt.Errorf("%w: message between parts", ErrProtocol)
	}
	return ch.push(e.Body)
}

func (m *mux) open(e *envelope) error {
	p, err := m.peerOf(e.From)
	if err != nil {
		return m.c.Send(closeFrame(e.Ch, "origin"))
	}
	ch := &channel{mux: m, id: e.Ch, more: make(chan struct{}, 1), gone: make(chan struct{})}
	m.mu.Lock()
	full := len(m.channels) >= MaxChannels
	if !full {
		m.channels[e.Ch] = ch
	}
	m.mu.Unlock()
	if full {
		return m.c.Send(closeFrame(e.Ch, "limit"))
	}
	m.wg.Add(1)
	go func() {
		defer m.wg.Done()
		defer ch.Close()
		m.accept(ch, p)
	}()
	return nil
}

// peerOf makes the channel's Peer. An extension's own page may call as the extension that relays, and as no other.
func (m *mux) peerOf(f *from) (Peer, error) {
	p := m.peer
	p.Via, p.Origin, p.Top, p.Frame = ViaNative, f.Origin, f.Top, string(f.Frame)
	switch {
	case f.Extension != p.Extension:
		return p, fmt.Errorf("%w: another extension", ErrProtocol)
	case !webOrigin(f.Origin) && !ownPage(f.Origin, p.Extension):
		return p, fmt.Errorf("%w: origin", ErrProtocol)
	case f.Top != "" && !webOrigin(f.Top) && f.Top != f.Origin, len(f.Frame) > maxFrameName:
		return p, fmt.Errorf("%w: frame", ErrProtocol)
	}
	return p, nil
}

// ownPage reports whether origin is the relaying extension's own. Firefox gives each installation an origin that does not
// hold the id, so there the extension's word, which is all we have for any origin, must do.
func ownPage(origin, extension string) bool {
	if ChromeID(extension) {
		return origin == "chrome-extension://"+extension
	}
	return strings.HasPrefix(origin, "moz-extension://") && ValidOrigin(origin)
}

// drop ends a channel from our side.
func (m *mux) drop(id, reason string) {
	m.mu.Lock()
	ch := m.channels[id]
	m.mu.Unlock()
	if ch != nil {
		ch.shut(reason, ErrProtocol)
		return
	}
	_ = m.c.Send(closeFrame(id, reason))
}

// forget removes ch and reports whether it was still there.
func (m *mux) forget(ch *channel) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.channels[ch.id] != ch {
		return false
	}
	delete(m.channels, ch.id)
	return true
}

// channel is one page's Conn.
type channel struct {
	mux  *mux
	id   string
	more chan struct{} // one token: there may be a message
	gone chan struct{}

	mu     sync.Mutex
	queue  [][]byte
	joined []byte // pieces so far; nil between messages
	err    error
}

func (c *channel) Recv() ([]byte, error) {
	for {
		c.mu.Lock()
		if len(c.queue) > 0 {
			msg := c.queue[0]
			c.queue = c.queue[1:]
			c.mu.Unlock()
			c.mux.queued.Add(-int64(len(msg)))
			return msg, nil
		}
		err := c.err
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-c.more:
		case <-c.gone:
		}
	}
}

func (c *channel) Send(msg []byte) error {
	if len(msg) > MaxMessage {
		return &FrameError{Size: int64(len(msg)), Max: MaxMessage}
	}
	if !json.Valid(msg) { // it becomes part of a larger JSON value
		return fmt.Errorf("%w: message is not JSON", ErrProtocol)
	}
	c.mu.Lock()
	err := c.err
	c.mu.Unlock()
	if err != nil {
		return ErrClosed
	}
	return c.mux.c.Send(messageFrame(c.id, msg))
}

func (c *channel) Close() error {
	c.shut("", ErrClosed)
	return nil
}

// shut ends the channel and tells the browser, once.
func (c *channel) shut(reason string, err error) {
	told := !c.mux.forget(c)
	c.end(err)
	if !told {
		_ = c.mux.c.Send(closeFrame(c.id, reason)) // fails when the host is gone, and then nobody asks
	}
}

// end wakes Recv for the last time and gives memory back.
func (c *channel) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	bytes := len(c.joined)
	for _, msg := range c.queue {
		bytes += len(msg)
	}
	c.queue, c.joined = nil, nil
	c.mux.queued.Add(-int64(bytes))
	close(c.gone)
}

func (c *channel) joining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.joined != nil
}

func (c *channel) push(msg []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil
	}
	if total := c.mux.queued.Add(int64(len(msg))); total > muxBytes || len(c.queue) >= inboxMessages {
		c.mux.queued.Add(-int64(len(msg)))
		return fmt.Errorf("%w: too much unread", ErrSlow)
	}
	c.queue = append(c.queue, msg)
	select {
	case c.more <- struct{}{}:
	default:
	}
	return nil
}

// part joins pieces into a message.
func (c *channel) part(e *envelope) error {
	var piece string
	if err := json.Unmarshal(e.Body, &piece); err != nil {
		return fmt.Errorf("%w: part is not a string", ErrProtocol)
	}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil
	}
	if len(c.joined)+len(piece) > MaxMessage {
		c.mu.Unlock()
		return &FrameError{Size: int64(len(c.joined) + len(piece)), Max: MaxMessage}
	}
	c.joined = append(c.joined, piece...)
	if c.joined == nil {
		c.joined = []byte{}
	}
	if total := c.mux.queued.Add(int64(len(piece))); e.More {
		c.mu.Unlock()
		if total > muxBytes {
			return fmt.Errorf("%w: too much unread", ErrSlow)
		}
		return nil
	}
	msg := c.joined
	c.joined = nil
	c.mu.Unlock()
	c.mux.queued.Add(-int64(len(msg)))
	return c.push(msg)
}
