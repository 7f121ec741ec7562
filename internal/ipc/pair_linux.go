// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// inheritedFD is where a child finds its end.
const inheritedFD = 3

// End is the child's end of a [Pair] on its way to the child.
type End struct{ f *os.File }

// Pair makes a connected pair of sockets for a child process. The caller keeps ours, gives theirs to the child's command, and
// closes theirs once the child has started. The child calls [Inherited].
func Pair() (ours FileConn, theirs *End, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	theirs = &End{os.NewFile(uintptr(fds[1]), "pair")}
	ours, err = Adopt(&End{os.NewFile(uintptr(fds[0]), "pair")})
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// Give has the process of cmd inherit the end. It is called after what else sets cmd's environment and attributes, and before
// cmd starts.
func (e *End) Give(cmd *exec.Cmd) { cmd.ExtraFiles = []*os.File{e.f} }

// Close gives the end up.
func (e *End) Close() error { return e.f.Close() }

// Inherited makes a connection of the end this process was started with.
func Inherited() (FileConn, error) { return Adopt(&End{os.NewFile(inheritedFD, "inherited")}) }

// Adopt makes a connection of the child's end of a [Pair] and takes e over.
func Adopt(e *End) (FileConn, error) {
	c, err := net.FileConn(e.f) // a duplicate, close-on-exec
	e.f.Close()
	if err != nil {
		return nil, fmt.Errorf("adopt socket: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("adopt socket: %w: not a unix socket", ErrProtocol)
	}
	return &fileStream{c: u}, nil
}

// fileStream is the framing over a unix stream socket. Descriptors travel with the first byte of their frame; the kernel
// never joins data across such a border, so a frame's descriptors cannot be read with another frame.
type fileStream struct {
	c      *net.UnixConn
	wmu    sync.Mutex
	broken error
}

func (s *fileStream) Close() error          { return s.c.Close() }
func (s *fileStream) Send(msg []byte) error { return s.SendFiles(msg) }

func (s *fileStream) Recv() ([]byte, error) {
	msg, files, err := s.RecvFiles()
	closeFiles(files)
	return msg, err
}

func (s *fileStream) SendFiles(msg []byte, files ...*os.File) error {
	if len(msg) > MaxFrame {
		return &FrameError{Size: int64(len(msg)), Max: MaxFrame}
	}
	if len(files) > MaxFiles {
		return fmt.Errorf("%w: %d files", ErrProtocol, len(files))
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	if err := s.write(appendFrame(nil, msg), files); err != nil {
		s.broken = writeError(err)
		return s.broken
	}
	return nil
}

func (s *fileStream) write(frame []byte, files []*os.File) error {
	setWriteDeadline(s.c)
	n := 0
	if len(files) > 0 {
		var err error
		if n, err = s.writeFiles(frame, files); err != nil {
			return err
		}
	}
	if n == len(frame) {
		return nil
	}
	_, err := s.c.Write(frame[n:])
	return err
}

// writeFiles sends the frame's beginning with the files. Their numbers are taken through SyscallConn because File.Fd would
// make them blocking.
func (s *fileStream) writeFiles(frame []byte, files []*os.File) (int, error) {
	fds := make([]int, 0, len(files))
	var send func(rest []*os.File) error
	n := 0
	send = func(rest []*os.File) error {
		if len(rest) == 0 {
			var err error
			n, _, err = s.c.WriteMsgUnix(frame, unix.UnixRights(fds...), nil)
			return err
		}
		rc, err := rest[0].SyscallConn()
		if err != nil {
			return err
		}
		var inner error
		err = rc.Control(func(fd uintptr) { // holds the file open until the message is out
			fds = append(fds, int(fd))
			inner = send(rest[1:])
		})
		return errors.Join(err, inner)
	}
	return n, send(files)
}

func (s *fileStream) RecvFiles() ([]byte, []*os.File, error) { return s.recvFiles(MaxFrame) }

func (s *fileStream) recvFiles(max int64) ([]byte, []*os.File, error) {
	r := &rightsReader{c: s.c}
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return r.fail(err)
	}
	size := int64(binary.NativeEndian.Uint32(header[:]))
	if size > max {
		return r.fail(&FrameError{Size: size, Max: max})
	}
	body, err := readBody(r, int(size))
	if err == nil {
		err = r.err
	}
	if err != nil {
		return r.fail(err)
	}
	return body, r.files, nil
}

// rightsReader reads a socket and collects the descriptors that come with the bytes. A breach is remembered: a reader that
// fills its buffer does not look at the error beside it.
type rightsReader struct {
	c     *net.UnixConn
	files []*os.File
	err   error
	oob   [24 + 4*MaxFiles]byte // one control message of MaxFiles descriptors
}

func (r *rightsReader) fail(err error) ([]byte, []*os.File, error) {
	closeFiles(r.files)
	return nil, nil, err
}

func (r *rightsReader) Read(p []byte) (int, error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	n, oobn, flags, _, err := r.c.ReadMsgUnix(p, r.oob[:])
	if oobn > 0 {
		r.err = r.collect(r.oob[:oobn])
	}
	if flags&syscall.MSG_CTRUNC != 0 || len(r.files) > MaxFiles {
		r.err = fmt.Errorf("%w: too many files", ErrProtocol)
	}
	if err == nil && n == 0 || errors.Is(err, io.EOF) { // package net wraps it here, and only here
		err = io.EOF
	}
	if r.err != nil {
		err = r.err
	}
	return n, err
}

func (r *rightsReader) collect(oob []byte) error {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return fmt.Errorf("%w: control message: %w", ErrProtocol, err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return fmt.Errorf("%w: control message: %w", ErrProtocol, err)
		}
		for _, fd := range fds {
			r.files = append(r.files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return nil
}
