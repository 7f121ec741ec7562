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
	l, err := winio.ListenPipe(path, &winio.PipeConfig{
		SecurityDescriptor: pipeSDDL(sid.String()),
		InputBufferSize:    firstRead,
		OutputBufferSize:   firstRead,
	})
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_PIPE_BUSY) {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrInUse, err)
	}
	if err != nil {
		return nil, fmt.Errorf("named pipe: %w", err)
	}
	return &userListener{l: l, release: func() {}}, nil
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
	h, ok := c.(interface{ Fd() uintptr })
	if !ok {
		return Peer{}, fmt.Errorf("peer of %T: %w", c, ErrUnsupported)
	}
	handle := windows.Handle(h.Fd())
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

// ownProcess returns [ErrForeignUser] unless the process runs as this user.
func ownProcess(pid uint32) error {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return fmt.Errorf("%w: pid %d: %w", ErrForeignUser, pid, err)
	}
	defer windows.CloseHandle(h)
	var token windows.Token
	if err := windows.OpenProcessToken(h, windows.TOKEN_QUERY, &token); err != nil {
		return fmt.Errorf("%w: pid %d: %w", ErrForeignUser, pid, err)
	}
	defer token.Close()
	user, err := token.GetTokenUser()
	if err != nil {
		return fmt.Errorf("user of pid %d: %w", pid, err)
	}
	own, err := ownSID()
	if err != nil {
		return err
	}
	if !windows.EqualSid(user.User.Sid, own) {
		return fmt.Errorf("%w: pid %d", ErrForeignUser, pid)
	}
	return nil
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
