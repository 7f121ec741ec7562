// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	headerSize = 4
	firstRead  = 64 << 10 // memory taken on the word of a length alone
	headSize   = 256      // of a skipped frame
	maxSkip    = 64 << 20 // the most a browser puts in one native message

	binaryFrame = 1 << 31 // in a length: the frame is a binary message
)

// Stdio frames messages over r and w. Frames over max bytes are refused with a [FrameError]; one that a browser can send
// (64 MiB) is skipped first, so that one page's excess does not end every page's connection. Close closes r and w if
// they can be closed.
func Stdio(r io.Reader, w io.Writer, max int) Conn {
	return &stream{r: r, w: w, max: max, skip: maxSkip}
}

// stream is the framing over a byte stream.
type stream struct {
	r         io.Reader
	w         io.Writer
	max, skip int

	wmu    sync.Mutex
	broken error // a frame was written in part; guarded by wmu
	once   sync.Once
	err    error
}

func (s *stream) Recv() ([]byte, error) { return readFrame(s.r, s.max, s.skip) }

func (s *stream) Send(msg []byte) error {
	if len(msg) > s.max {
		return &FrameError{Size: int64(len(msg)), Max: int64(s.max)}
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	return s.write(net.Buffers{appendFrame(nil, msg)})
}

// write writes a frame. The caller holds s.wmu.
func (s *stream) write(frame net.Buffers) error {
	if s.broken != nil {
		return s.broken
	}
	setWriteDeadline(s.w)
	if _, err := frame.WriteTo(s.w); err != nil {
		s.broken = writeError(err)
		return s.broken
	}
	return nil
}

func (s *stream) Close() error {
	s.once.Do(func() {
		if c, ok := s.w.(io.Closer); ok {
			s.err = c.Close()
		}
		if c, ok := s.r.(io.Closer); ok && any(s.r) != any(s.w) {
			s.err = errors.Join(s.err, c.Close())
		}
	})
	return s.err
}

// setWriteDeadline bounds the next write where w knows deadlines; files opened blocking do not, and need none.
func setWriteDeadline(w any) {
	if d, ok := w.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = d.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
}

func writeError(err error) error {
	var t interface{ Timeout() bool }
	if errors.As(err, &t) && t.Timeout() {
		return fmt.Errorf("%w: %w", ErrSlow, err)
	}
	return err
}

func appendFrame(b, msg []byte) []byte {
	if b == nil {
		b = make([]byte, 0, headerSize+len(msg))
	}
	b = binary.NativeEndian.AppendUint32(b, uint32(len(msg)))
	return append(b, msg...)
}

// readFrame reads one frame. The end of the stream between frames is io.EOF, inside one io.ErrUnexpectedEOF.
func readFrame(r io.Reader, max, skip int) ([]byte, error) {
	size, err := readLength(r)
	if err != nil {
		return nil, err
	}
	return readSized(r, size, max, skip)
}

func readLength(r io.Reader) (int64, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, err
	}
	return int64(binary.NativeEndian.Uint32(header[:])), nil
}

func readSized(r io.Reader, size int64, max, skip int) ([]byte, error) {
	if size > int64(max) {
		return nil, refuseFrame(r, size, max, skip)
	}
	return readBody(r, int(size))
}

func refuseFrame(r io.Reader, size int64, max, skip int) error {
	e := &FrameError{Size: size, Max: int64(max)}
	if size > int64(skip) {
		return e
	}
	e.Head = make([]byte, min(headSize, size))
	if _, err := io.ReadFull(r, e.Head); err != nil {
		return errors.Join(e, err)
	}
	if _, err := io.CopyN(io.Discard, r, size-int64(len(e.Head))); err != nil {
		return errors.Join(e, io.ErrUnexpectedEOF)
	}
	e.Skipped = true
	return e
}

// readBody reads size bytes, taking memory as they arrive.
func readBody(r io.Reader, size int) ([]byte, error) {
	body := make([]byte, min(size, firstRead))
	for done := 0; ; {
		n, err := io.ReadFull(r, body[done:])
		done += n
		if err == io.EOF && done < size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		if done == size {
			return body, nil
		}
		body = append(body, make([]byte, min(size-done, len(body)))...)
	}
}
