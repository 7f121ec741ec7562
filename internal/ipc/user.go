// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	maxUserConns = 128 // programs of the user at a time
	maxHello     = 1024
	maxExtension = 80
	dialPause    = 50 * time.Millisecond
	dialLimit    = 5 * time.Second
)

// hello is the first frame of a client of the user socket.
type hello struct {
	Role      string `json:"role"`
	Extension string `json:"extension,omitempty"`
}

const (
	roleLocal = "local"
	roleHost  = "host"
)

// userListener accepts programs of the same user.
type userListener struct {
	l       net.Listener
	release func() // gives the lock back
	once    sync.Once
	err     error
}

func (u *userListener) Addr() net.Addr { return u.l.Addr() }

func (u *userListener) Close() error {
	u.once.Do(func() {
		u.err = u.l.Close()
		u.release()
	})
	return u.err
}

// Serve accepts commands as they are and native hosts channel by channel.
func (u *userListener) Serve(ctx context.Context, accept func(Conn, Peer)) error {
	defer context.AfterFunc(ctx, func() { u.Close() })()
	conns := newConnSet(maxUserConns)
	defer conns.closeAndWait()
	return acceptAll(ctx, u.l, "user socket", func(c net.Conn) {
		if !conns.start(c, func() { serveUser(c, accept) }) {
			warnRefused("user socket: too many connections")
			c.Close()
		}
	})
}

// acceptAll calls each with every connection until the listener is closed. Name is a constant, for the log.
func acceptAll(ctx context.Context, l net.Listener, name string, each func(net.Conn)) error {
	for {
		c, err := l.Accept()
		switch {
		case err == nil && ctx.Err() == nil:
			each(c)
		case err == nil:
			c.Close()
			return ctx.Err()
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return ctx.Err()
		default:
			warnRefused(name+": accept failed", "err", err)
			time.Sleep(dialPause) // out of descriptors: it passes
		}
	}
}

func serveUser(c net.Conn, accept func(Conn, Peer)) {
	defer c.Close()
	p, err := peerOf(c)
	if err != nil {
		warnRefused("user socket: refused", "err", err)
		return
	}
	h, err := readHello(c)
	if err != nil {
		if !errors.Is(err, io.EOF) { // a probe whether anybody answers
			warnRefused("user socket: no hello", "pid", p.PID, "err", err)
		}
		return
	}
	q := newQueued(c, MaxFrame)
	defer q.Close()
	if h.Role == roleLocal {
		accept(q, p)
		return
	}
	p.Extension = h.Extension
	if err := Demux(q, p, accept); err != nil && !errors.Is(err, net.ErrClosed) {
		slog.Warn("native host ended", "pid", p.PID, "err", err)
	}
}

func readHello(c net.Conn) (hello, error) {
	var h hello
	if err := c.SetReadDeadline(time.Now().Add(helloTimeout)); err != nil {
		return h, err
	}
	b, err := readFrame(c, maxHello, 0)
	if err != nil {
		return h, err
	}
	if err := decodeHello(b, &h); err != nil {
		return h, err
	}
	local := h.Role == roleLocal && h.Extension == ""
	host := h.Role == roleHost && h.Extension != "" && len(h.Extension) <= maxExtension
	if !local && !host {
		return h, fmt.Errorf("%w: hello names no role", ErrProtocol)
	}
	return h, c.SetReadDeadline(time.Time{})
}

// decodeHello reads the first frame of a connection, an object with no members but those of h.
func decodeHello(b []byte, h any) error {
	if err := CheckJSON(b, 1); err != nil {
		return fmt.Errorf("%w: hello: %w", ErrProtocol, err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(h); err != nil {
		return fmt.Errorf("%w: hello", ErrProtocol)
	}
	return nil
}

// DialUser connects a program of the user to the session at path and says hello as a local client. While nobody answers it
// tries again until ctx ends, or for five seconds when ctx has no deadline. It refuses a session of another user.
func DialUser(ctx context.Context, path string) (BinarySender, error) {
	s, err := dial(ctx, path, hello{Role: roleLocal})
	if err != nil {
		return nil, err
	}
	return &local{s}, nil
}

// DialHost is [DialUser] for the native host; extension is what the browser named.
func DialHost(ctx context.Context, path, extension string) (Conn, error) {
	s, err := dial(ctx, path, hello{Role: roleHost, Extension: extension})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func dial(ctx context.Context, path string, h hello) (*stream, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, dialLimit)
		defer cancel()
	}
	c, err := dialRetry(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", path, err)
	}
	if _, err := peerOf(c); err != nil {
		c.Close()
		return nil, fmt.Errorf("session at %s: %w", path, err)
	}
	s := &stream{r: c, w: c, max: MaxFrame}
	b, err := json.Marshal(h)
	if err == nil {
		err = s.Send(b)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("say hello: %w", err)
	}
	return s, nil
}

// dialRetry waits for a session that starts. Its error tells what was last
// found at path, not that the time is over.
func dialRetry(ctx context.Context, path string) (net.Conn, error) {
	var found error
	for {
		c, err := dialPath(ctx, path)
		if found != nil && ctx.Err() != nil && err != nil {
			return nil, found
		}
		if err == nil || !starting(err) {
			return c, err
		}
		found = err
		select {
		case <-time.After(dialPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// local is a local client's end of the user socket.
type local struct{ *stream }

func (l *local) SendBinary(parts ...[]byte) error {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if size > l.max {
		return &FrameError{Size: int64(size), Max: int64(l.max)}
	}
	l.wmu.Lock()
	defer l.wmu.Unlock()
	header := binary.NativeEndian.AppendUint32(nil, uint32(size)|binaryFrame)
	return l.write(append(net.Buffers{header}, parts...))
}

// queued is a stream whose senders do not wait for the peer.
type queued struct {
	stream
	out  *outbox
	done chan struct{}
}

func newQueued(c net.Conn, max int) *queued {
	q := &queued{stream: stream{r: c, w: c, max: max}, out: newOutbox(), done: make(chan struct{})}
	go func() {
		defer close(q.done)
		q.out.drain(q.stream.Send, 0, nil)
		q.stream.Close() // a peer that does not read is not read from either
	}()
	return q
}

func (q *queued) Send(msg []byte) error {
	if len(msg) > q.max {
		return &FrameError{Size: int64(len(msg)), Max: int64(q.max)}
	}
	return q.out.put(msg)
}

func (q *queued) RecvBinary(take func(io.Reader) error) ([]byte, error) {
	for {
		size, err := readLength(q.r)
		if err != nil {
			return nil, err
		}
		if size&binaryFrame == 0 {
			return readSized(q.r, size, q.max, q.skip)
		}
		if err := takeBinary(q.r, size&^binaryFrame, q.max, take); err != nil {
			return nil, err
		}
	}
}

// takeBinary gives the next size bytes to take and drops what it leaves unread.
func takeBinary(r io.Reader, size int64, max int, take func(io.Reader) error) error {
	if size > int64(max) {
		return &FrameError{Size: size, Max: int64(max)}
	}
	frame := &io.LimitedReader{R: r, N: size}
	if err := take(frame); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, frame); err != nil {
		return err
	}
	if frame.N > 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// Close sends what is queued if the peer takes it within a moment.
func (q *queued) Close() error {
	q.out.finish(time.Second)
	<-q.done
	return nil
}
