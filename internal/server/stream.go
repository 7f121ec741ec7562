// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"persten/proto"
)

// Limits of streams. A stream's memory is its window. Large messages are what makes a browser fast, and several of them must fit.
const (
	streamMemory = 96 << 20         // of all connections; when it is used up, further documents come by content.append
	streamShare  = streamMemory / 4 // of one site, or one program's connection, so that it takes several to use it up
	wide         = 16 << 20         // window of a stream while half the memory is free
	narrow       = 4 << 20          // and of one that comes later
	keptEnds     = 64               // streams of one connection, those that failed and were not closed among them
	maxStrange   = 16               // messages for no stream that one connection is told of
	headSize     = 12               // of a binary message: stream, offset
	writeSize    = 1 << 20          // to the store at a time; each is acknowledged
)

// windows is the memory that all streams of a server share. It is safe for concurrent use.
type windows struct {
	mu   sync.Mutex
	used int
	of   map[string]int // used, by owner
}

// take gives a stream of owner its window, 0 when there is no memory left for it.
func (w *windows) take(owner string) (size int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	own := streamShare - w.of[owner]
	switch {
	case own >= wide && w.used+wide <= streamMemory/2:
		size = wide
	case own >= narrow && w.used+narrow <= streamMemory:
		size = narrow
	default:
		return 0
	}
	w.used += size
	w.of[owner] += size
	return size
}

func (w *windows) give(owner string, size int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used -= size
	if w.of[owner] -= size; w.of[owner] == 0 {
		delete(w.of, owner)
	}
}

// streams are the documents that one connection sends as binary messages. Receiving never waits for the disk: what a message
// holds goes into its stream's ring, where a sender that keeps to the window finds room, and a goroutine of the stream's own
// takes it to the store.
type streams struct {
	c       *client
	enabled bool
	wg      sync.WaitGroup

	mu      sync.Mutex
	last    uint32
	open    map[uint32]*stream
	handles map[string]*stream
	strange int
}

// stream is one of them.
type stream struct {
	number uint32
	handle string
	window int
	gone   <-chan struct{} // the content was dropped
	more   chan struct{}   // one token: something changed
	done   chan struct{}   // closed when the goroutine has ended

	mu      sync.Mutex
	ring    []byte
	at, n   int    // what waits in ring
	taken   int64  // bytes received; written by the receiver alone
	free    func() // of ring
	filling bool   // the receiver may be writing into ring
	over    bool   // the goroutine will not read ring again
	closing bool   // nothing more will come
	quiet   bool   // the sender wants no more of it
	err     error  // why it ended
}

// start gives a new content a stream if this connection and the memory for it allow, else returns nil.
func (s *streams) start(handle string) *stream {
	if !s.enabled {
		return nil
	}
	gone, err := s.c.o.Engine.Store().Gone(s.c.who.Channel, handle)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.handles) >= keptEnds {
		return nil
	}
	window := s.c.windows.take(s.c.who.Owner())
	if window == 0 {
		return nil
	}
	s.last++
	st := &stream{number: s.last, handle: handle, window: window, gone: gone, more: make(chan struct{}, 1), done: make(chan struct{})}
	s.open[st.number], s.handles[handle] = st, st
	s.wg.Go(func() { s.run(st) })
	return st
}

// take reads one binary message. It runs where the connection is read, so it waits for nothing but the message itself.
func (s *streams) take(r io.Reader) error {
	number, offset, err := readHead(r)
	if err != nil {
		s.tell(0, proto.E(proto.CodeContentOrder, err, "detail", "short message"))
		return nil // if it is the connection that broke, the next read says so
	}
	s.mu.Lock()
	st := s.open[number]
	s.mu.Unlock()
	if st == nil {
		s.tell(number, proto.E(proto.CodeContentAbsent, nil))
		return nil
	}
	return st.receive(offset, r)
}

// readHead reads what a binary message begins with: the stream's number, and how much of the document is before it.
func readHead(r io.Reader) (number uint32, offset uint64, err error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, 0, err
	}
	return binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint64(head[4:]), nil
}

// receive puts a message's bytes into the ring. An error is the connection's.
func (st *stream) receive(offset uint64, r io.Reader) error {
	if offset != uint64(st.taken) {
		st.fail(proto.E(proto.CodeContentOrder, nil, "detail", fmt.Sprintf("offset %d, want %d", offset, st.taken)))
	}
	defer st.rest()
	for {
		room, ended := st.room()
		if ended {
			return nil // what was sent before the sender heard of it
		}
		full := len(room) == 0
		if full {
			room = make([]byte, 1)
		}
		n, err := r.Read(room)
		switch {
		case full && n > 0:
			st.fail(proto.E(proto.CodeContentOrder, nil, "detail", "beyond the window"))
		case n > 0:
			st.add(n)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// room is where the next bytes go. The receiver fills it without the lock: nobody else touches that part.
func (st *stream) room() (free []byte, ended bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err != nil || st.closing {
		return nil, true
	}
	st.filling = true
	if st.ring == nil {
		st.ring, st.free = newRing(st.window)
	}
	from := st.at + st.n
	if from >= st.window {
		return st.ring[from-st.window : st.at], false
	}
	return st.ring[from:], false
}

// rest ends the receiver's use of the ring.
func (st *stream) rest() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.filling = false
	st.release()
}

// release gives the ring back when neither side uses it any more. The caller holds st.mu.
func (st *stream) release() {
	if st.over && !st.filling && st.ring != nil {
		st.free()
		st.ring = nil
	}
}

func (st *stream) add(n int) {
	st.mu.Lock()
	st.n += n
	st.taken += int64(n)
	st.mu.Unlock()
	st.wake()
}

func (st *stream) wake() {
	select {
	case st.more <- struct{}{}:
	default:
	}
}

// fail ends the stream, unless its sender has closed it; its goroutine drops the content and tells.
func (st *stream) fail(err error) {
	st.mu.Lock()
	if st.err == nil && !st.closing {
		st.err = err
	}
	st.mu.Unlock()
	st.wake()
}

func (st *stream) fault() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.err
}

// run takes a stream's bytes to the store until it is closed or fails.
func (s *streams) run(st *stream) {
	defer s.c.windows.give(s.c.who.Owner(), st.window)
	defer close(st.done)
	err := s.keep(st)
	st.mu.Lock()
	if st.err == nil {
		st.err = err
	}
	st.over = true
	st.release()
	err, quiet := st.err, st.quiet
	st.mu.Unlock()
	if err == nil {
		return
	}
	s.c.o.Engine.Store().Drop(s.c.who.Channel, st.handle)
	if !quiet {
		s.c.failed(st.number, st.handle, err)
	}
}

func (s *streams) keep(st *stream) error {
	var kept, told int64
	for {
		piece, closing, err := st.waiting()
		switch {
		case err != nil:
			return err
		case len(piece) == 0 && closing:
			return nil
		case len(piece) == 0:
			select {
			case <-st.more:
			case <-st.gone:
				return proto.E(proto.CodeContentAbsent, nil)
			}
			continue
		}
		if kept, err = s.c.o.Engine.Store().AppendAt(s.c.who.Channel, st.handle, kept, piece); err != nil {
			return err
		}
		st.written(len(piece))
		if kept-told >= writeSize {
			told = kept
			if err := s.c.conn.Notify(proto.NotifyContentReceived, proto.ContentReceivedParams{Handle: st.handle, Size: kept}); err != nil {
				return err // the connection is ending
			}
		}
	}
}

// waiting is the oldest of what waits in the ring.
func (st *stream) waiting() (piece []byte, closing bool, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	end := min(st.at+min(st.n, writeSize), st.window)
	if st.n > 0 {
		piece = st.ring[st.at:end]
	}
	return piece, st.closing, st.err
}

func (st *stream) written(n int) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.at, st.n = (st.at+n)%st.window, st.n-n
}

// finish waits until what was sent of a document before content.close is in the store.
func (s *streams) finish(ctx context.Context, handle string) error {
	s.mu.Lock()
	st := s.handles[handle]
	s.mu.Unlock()
	if st == nil {
		return nil
	}
	st.mu.Lock()
	st.closing = true
	st.mu.Unlock()
	st.wake()
	select {
	case <-st.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.forget(st)
	return st.fault()
}

// drop ends a document's stream without a word: its sender does not want it any more.
func (s *streams) drop(handle string) {
	s.mu.Lock()
	st := s.handles[handle]
	s.mu.Unlock()
	if st == nil {
		return
	}
	st.mu.Lock()
	st.quiet, st.err = true, proto.E(proto.CodeContentAbsent, nil)
	st.mu.Unlock()
	st.wake()
	s.forget(st)
}

func (s *streams) forget(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, st.number)
	delete(s.handles, st.handle)
}

// tell says that a message was for no stream, a few times: a sender that goes on does not listen. It does not wait.
func (s *streams) tell(number uint32, err error) {
	s.mu.Lock()
	s.strange++
	tell := s.strange <= maxStrange
	s.mu.Unlock()
	if tell {
		s.wg.Go(func() { s.c.failed(number, "", err) })
	}
}

// failed tells the other side that a stream is over.
func (c *client) failed(number uint32, handle string, err error) {
	p := c.public(err).Problem(c.lang())
	n := proto.ContentFailedParams{Stream: int(number), Handle: handle, Problem: p}
	if err := c.conn.Notify(proto.NotifyContentFailed, n); err != nil {
		slog.Debug("content.failed", "cause", err) // the connection is gone, and the content with it
	}
}
