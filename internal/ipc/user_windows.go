// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// ListenUser opens the user's named pipe. Its descriptor lets in the owner and nobody else, and denies the network; the
// first instance is ours or the call fails with [ErrInUse].
func ListenUser(path string) (Listener, error) {
	sid, err := ownSID()
	if err != nil {
		return nil, err
	}
	l, err := listenPipe(path, pipeSDDL(sid.String()), firstRead)
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_PIPE_BUSY) {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrInUse, err)
	}
	if err != nil {
		return nil, fmt.Errorf("named pipe: %w", err)
	}
	return &userListener{l: l, release: func() {}}, nil
}

// listenPipe makes a pipe, the first of its name, for those whom sddl lets in.
func listenPipe(path, sddl string, buffer int32) (net.Listener, error) {
	l, err := winio.ListenPipe(path, &winio.PipeConfig{SecurityDescriptor: sddl, InputBufferSize: buffer, OutputBufferSize: buffer})
	if err != nil {
		return nil, err
	}
	// One instance only holds the name, and Windows lets nobody into it. Wine does, and its client would wait for ever: be that client.
	if name, err := windows.UTF16PtrFromString(path); err == nil {
		if h, err := windows.CreateFile(name, pipeUse, 0, nil, windows.OPEN_EXISTING, 0, 0); err == nil {
			windows.CloseHandle(h)
		}
	}
	return l, nil
}

// pipeSDDL: owner and group are the user; a protected list that denies network logons and allows the user alone.
func pipeSDDL(sid string) string {
	return "O:" + sid + "G:" + sid + "D:P(D;;GA;;;NU)(A;;GA;;;" + sid + ")"
}

func ownSID() (*windows.SID, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("own user: %w", err)
	}
	return user.User.Sid, nil
}

func dialPath(ctx context.Context, path string) (net.Conn, error) {
	return winio.DialPipeContext(ctx, path)
}

func starting(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, windows.ERROR_PIPE_BUSY)
}

// peerOf names the process at the other end. The pipe's descriptor has kept other users from the server's end; the client
// makes sure by the user of the server's process.
func peerOf(c net.Conn) (Peer, error) {
	handle, err := pipeHandle(c)
	if err != nil {
		return Peer{}, err
	}
	var flags, pid uint32
	if err := windows.GetNamedPipeInfo(handle, &flags, nil, nil, nil); err != nil {
		return Peer{}, fmt.Errorf("pipe information: %w", err)
	}
	ask := windows.GetNamedPipeServerProcessId
	if flags&windows.PIPE_SERVER_END != 0 {
		ask = windows.GetNamedPipeClientProcessId
	}
	if err := ask(handle, &pid); err != nil {
		return Peer{}, fmt.Errorf("pipe peer: %w", err)
	}
	if err := ownProcess(pid); err != nil {
		return Peer{}, err
	}
	return Peer{UID: -1, PID: int(pid), Program: program(pid), Via: ViaUnix}, nil
}

func pipeHandle(c net.Conn) (windows.Handle, error) {
	h, ok := c.(interface{ Fd() uintptr })
	if !ok {
		return 0, fmt.Errorf("pipe %T: %w", c, ErrUnsupported)
	}
	return windows.Handle(h.Fd()), nil
}

// ownProcess returns [ErrForeignUser] unless the process runs as this user.
func ownProcess(pid uint32) error {
	theirs, err := processUser(pid)
	if err != nil {
		return err
	}
	own, err := ownSID()
	if err != nil {
		return err
	}
	if !windows.EqualSid(theirs, own) {
		return fmt.Errorf("%w: pid %d", ErrForeignUser, pid)
	}
	return nil
}

// processUser is whose a process is. One that we may not ask is [ErrForeignUser].
func processUser(pid uint32) (*windows.SID, error) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return nil, fmt.Errorf("%w: pid %d: %w", ErrForeignUser, pid, err)
	}
	defer windows.CloseHandle(h)
	var token windows.Token
	if err := windows.OpenProcessToken(h, windows.TOKEN_QUERY, &token); err != nil {
		return nil, fmt.Errorf("%w: pid %d: %w", ErrForeignUser, pid, err)
	}
	defer token.Close()
	user, err := token.GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("user of pid %d: %w", pid, err)
	}
	return user.User.Sid, nil
}

func program(pid uint32) string {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return ""
	}
	defer windows.CloseHandle(h)
	path := make([]uint16, windows.MAX_LONG_PATH)
	n := uint32(len(path))
	if err := windows.QueryFullProcessImageName(h, 0, &path[0], &n); err != nil {
		return ""
	}
	return windows.UTF16ToString(path[:n])
}
