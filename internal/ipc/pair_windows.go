// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// channelVariable tells a child the number of its end: there are no agreed descriptors here.
const channelVariable = "PERSTEN_CHANNEL"

// handleSize is a handle's number in a frame.
const handleSize = 8

// End is the child's end of a [Pair] on its way to the child. It is a bare handle: an os.File would tie it to the completion
// port of this process, and the child could not tie it to its own.
type End struct{ h windows.Handle }

// Pair makes a connected pair of pipe ends for a child process. The caller keeps ours, gives theirs to the child's command,
// and closes theirs once the child has started. The child calls [Inherited]. Files travel from ours to the child alone.
func Pair() (ours FileConn, theirs *End, err error) {
	name, err := windows.UTF16PtrFromString(`\\.\pipe\persten-pair-` + rand.Text())
	if err != nil {
		return nil, nil, err
	}
	server, err := servePair(name)
	if err != nil {
		return nil, nil, fmt.Errorf("make pipe: %w", err)
	}
	client, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_OVERLAPPED|windows.SECURITY_SQOS_PRESENT|windows.SECURITY_ANONYMOUS, 0)
	if err != nil {
		windows.CloseHandle(server)
		return nil, nil, fmt.Errorf("open pipe: %w", err)
	}
	theirs = &End{client}
	if err := windows.ConnectNamedPipe(server, &windows.Overlapped{}); !errors.Is(err, windows.ERROR_PIPE_CONNECTED) {
		windows.CloseHandle(server)
		theirs.Close()
		return nil, nil, fmt.Errorf("connect pipe: %w", err)
	}
	return &pipeStream{f: os.NewFile(uintptr(server), "pair"), parent: true}, theirs, nil
}

// servePair makes a pipe of one instance, which only this user may open, and not from another machine.
func servePair(name *uint16) (windows.Handle, error) {
	sid, err := ownSID()
	if err != nil {
		return 0, err
	}
	sd, err := windows.SecurityDescriptorFromString("D:P(A;;GA;;;" + sid.String() + ")")
	if err != nil {
		return 0, err
	}
	sa := &windows.SecurityAttributes{SecurityDescriptor: sd}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	return windows.CreateNamedPipe(name,
		windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED|windows.FILE_FLAG_FIRST_PIPE_INSTANCE,
		windows.PIPE_TYPE_BYTE|windows.PIPE_REJECT_REMOTE_CLIENTS, 1, firstRead, firstRead, 0, sa)
}

// Give has the process of cmd inherit the end. It is called after what else sets cmd's environment and attributes, and before
// cmd starts.
func (e *End) Give(cmd *exec.Cmd) {
	_ = windows.SetHandleInformation(e.h, windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT) // else the start fails
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.AdditionalInheritedHandles = append(cmd.SysProcAttr.AdditionalInheritedHandles, syscall.Handle(e.h))
	cmd.Env = append(cmd.Environ(), channelVariable+"="+strconv.FormatUint(uint64(e.h), 10))
}

// Close gives the end up.
func (e *End) Close() error { return windows.CloseHandle(e.h) }

// Inherited makes a connection of the end this process was started with.
func Inherited() (FileConn, error) {
	h, err := strconv.ParseUint(os.Getenv(channelVariable), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("inherited pipe: %w", os.ErrInvalid)
	}
	os.Unsetenv(channelVariable) // not for what this process starts
	return Adopt(&End{windows.Handle(h)})
}

// Adopt makes a connection of the child's end of a [Pair] and takes e over. The first bytes say which process files are for.
func Adopt(e *End) (FileConn, error) {
	if t, err := windows.GetFileType(e.h); err != nil || t != windows.FILE_TYPE_PIPE {
		return nil, fmt.Errorf("adopt pipe: %w: not a pipe", ErrProtocol)
	}
	_ = windows.SetHandleInformation(e.h, windows.HANDLE_FLAG_INHERIT, 0)
	s := &pipeStream{f: os.NewFile(uintptr(e.h), "pair")}
	e.h = windows.InvalidHandle
	if _, err := s.f.Write(binary.LittleEndian.AppendUint32(nil, windows.GetCurrentProcessId())); err != nil {
		s.f.Close()
		return nil, fmt.Errorf("adopt pipe: %w", err)
	}
	return s, nil
}

// pipeStream is one end of a pair. A frame is the length of its message, the number of its files, their numbers in the child,
// and the message. Only the parent sends files: a number that a child made up would be some file of ours.
type pipeStream struct {
	f      *os.File
	parent bool

	greeting sync.Once
	greeted  error
	child    windows.Handle // the process that gets the files; set by meet, closed under wmu

	wmu    sync.Mutex
	broken error // a frame was written in part; guarded by wmu
}

// Close wakes who reads and who writes.
func (s *pipeStream) Close() error {
	err := s.f.Close()
	s.greeting.Do(func() { s.greeted = ErrClosed })
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.child != 0 {
		windows.CloseHandle(s.child)
		s.child = 0
	}
	return err
}

// meet waits for the parent's first bytes from the child.
func (s *pipeStream) meet() error {
	if !s.parent {
		return nil
	}
	s.greeting.Do(func() {
		var pid [4]byte
		_ = s.f.SetReadDeadline(time.Now().Add(writeTimeout))
		if _, s.greeted = io.ReadFull(s.f, pid[:]); s.greeted != nil {
			return
		}
		_ = s.f.SetReadDeadline(time.Time{})
		s.child, s.greeted = windows.OpenProcess(windows.PROCESS_DUP_HANDLE, false, binary.LittleEndian.Uint32(pid[:]))
	})
	return s.greeted
}

func (s *pipeStream) Send(msg []byte) error { return s.SendFiles(msg) }

func (s *pipeStream) Recv() ([]byte, error) {
	msg, files, err := s.RecvFiles()
	closeFiles(files)
	return msg, err
}

func (s *pipeStream) SendFiles(msg []byte, files ...*os.File) error {
	switch {
	case len(msg) > MaxFrame:
		return &FrameError{Size: int64(len(msg)), Max: MaxFrame}
	case len(files) > MaxFiles:
		return fmt.Errorf("%w: %d files", ErrProtocol, len(files))
	case len(files) > 0 && !s.parent:
		return fmt.Errorf("send files to the parent: %w", ErrUnsupported)
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	given, err := s.give(files)
	if err != nil {
		return err
	}
	frame := binary.LittleEndian.AppendUint32(make([]byte, 0, 2*headerSize+len(given)*handleSize+len(msg)), uint32(len(msg)))
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(given)))
	for _, h := range given {
		frame = binary.LittleEndian.AppendUint64(frame, uint64(h))
	}
	setWriteDeadline(s.f)
	if _, err := s.f.Write(append(frame, msg...)); err != nil {
		s.broken = writeError(err) // what the child was given ends with it
	}
	return s.broken
}

// give makes handles of the files in the child.
func (s *pipeStream) give(files []*os.File) (given []windows.Handle, err error) {
	if len(files) == 0 {
		return nil, nil
	}
	if err := s.meet(); err != nil {
		return nil, err
	}
	for _, f := range files {
		h, err := s.giveOne(f)
		if err != nil {
			s.takeBack(given)
			return nil, fmt.Errorf("give %s to the child: %w", f.Name(), err)
		}
		given = append(given, h)
	}
	return given, nil
}

func (s *pipeStream) giveOne(f *os.File) (h windows.Handle, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var inner error
	err = rc.Control(func(fd uintptr) {
		inner = windows.DuplicateHandle(windows.CurrentProcess(), windows.Handle(fd), s.child, &h, 0, false, windows.DUPLICATE_SAME_ACCESS)
	})
	return h, errors.Join(err, inner)
}

// takeBack closes handles in the child that it will not hear of.
func (s *pipeStream) takeBack(given []windows.Handle) {
	for _, h := range given {
		_ = windows.DuplicateHandle(s.child, h, 0, nil, 0, false, windows.DUPLICATE_CLOSE_SOURCE)
	}
}

func (s *pipeStream) RecvFiles() ([]byte, []*os.File, error) {
	if err := s.meet(); err != nil {
		return nil, nil, err
	}
	var head [2 * headerSize]byte
	if _, err := io.ReadFull(s.f, head[:]); err != nil {
		return nil, nil, err
	}
	size, count := binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint32(head[headerSize:])
	switch {
	case size > MaxFrame:
		return nil, nil, &FrameError{Size: int64(size), Max: MaxFrame}
	case count > MaxFiles, count > 0 && s.parent:
		return nil, nil, fmt.Errorf("%w: %d files", ErrProtocol, count)
	}
	numbers, err := readBody(s.f, int(count)*handleSize)
	if err != nil {
		return nil, nil, err
	}
	var files []*os.File
	for ; len(numbers) > 0; numbers = numbers[handleSize:] {
		files = append(files, os.NewFile(uintptr(binary.LittleEndian.Uint64(numbers)), "received"))
	}
	body, err := readBody(s.f, int(size))
	if err != nil {
		closeFiles(files)
		return nil, nil, err
	}
	return body, files, nil
}
