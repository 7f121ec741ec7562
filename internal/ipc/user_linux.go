// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	probeTimeout   = time.Second
	activatedFirst = 3 // sd_listen_fds(3)
)

// ListenUser opens the user's socket at path. The folder is made 0700 when missing, and must be a folder of this user that
// nobody else may enter; the socket is 0600. A socket left behind by a dead session is replaced; when somebody answers,
// the error is [ErrInUse]. A socket handed over by systemd for the same path is used as it is.
func ListenUser(path string) (Listener, error) {
	if err := ownDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	release, err := lock(path + ".lock")
	if err != nil {
		return nil, err
	}
	l, err := activated(path)
	if err == nil && l == nil {
		l, err = bind(path)
	}
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		if l != nil {
			l.Close()
		}
		release()
		return nil, err
	}
	return &userListener{l: l, release: release}, nil
}

// ownDir makes sure nobody else can put a socket in dir or reach one in it.
func ownDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("socket folder: %w", err)
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("socket folder: %w", err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	switch {
	case !fi.IsDir():
		return fmt.Errorf("socket folder %s: not a folder: %w", dir, fs.ErrPermission)
	case !ok || int(st.Uid) != os.Getuid():
		return fmt.Errorf("socket folder %s: %w", dir, ErrForeignUser)
	case fi.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("socket folder %s: mode %04o lets others in: %w", dir, fi.Mode().Perm(), fs.ErrPermission)
	}
	return nil
}

// lock keeps two starting sessions from replacing each other's socket.
func lock(path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("socket lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", path, ErrInUse)
		}
		return nil, fmt.Errorf("socket lock: %w", err)
	}
	return func() { f.Close() }, nil
}

func bind(path string) (net.Listener, error) {
	if c, err := net.DialTimeout("unix", path, probeTimeout); err == nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", path, ErrInUse)
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		if err := removeSocket(path); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	return l, nil
}

// removeSocket removes what a dead session left, and nothing that is no socket.
func removeSocket(path string) error {
	fi, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if fi.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("socket %s: something else is there: %w", path, fs.ErrExist)
	}
	return os.Remove(path)
}

// activated returns the listener systemd passed for path, or nil. Descriptors for other paths are left alone.
func activated(path string) (net.Listener, error) {
	for _, fd := range passedFDs() {
		if name, err := unix.Getsockname(fd); err == nil && sameSocket(name, path) {
			return passed(fd)
		}
	}
	return nil, nil
}

// passedFDs are the descriptors that systemd started this process with.
func passedFDs() (fds []int) {
	if pid, err := strconv.Atoi(os.Getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return nil
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 1 || n > 16 {
		return nil
	}
	for fd := activatedFirst; fd < activatedFirst+n; fd++ {
		unix.CloseOnExec(fd)
		fds = append(fds, fd)
	}
	return fds
}

// passed makes a listener of a socket that systemd listens on.
func passed(fd int) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), "passed")
	l, err := net.FileListener(f)
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("socket from systemd: %w", err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // the unit owns the file
	}
	return l, nil
}

func sameSocket(name unix.Sockaddr, path string) bool {
	u, ok := name.(*unix.SockaddrUnix)
	return ok && filepath.Clean(u.Name) == filepath.Clean(path)
}

func dialPath(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

// starting reports whether a session that is just being started would explain err.
func starting(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EAGAIN)
}

// credentials asks the kernel who connected, or who listened.
func credentials(c net.Conn) (*unix.Ucred, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("peer of %T: %w", c, ErrUnsupported)
	}
	rc, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var inner error
	err = rc.Control(func(fd uintptr) {
		cred, inner = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, inner); err != nil {
		return nil, fmt.Errorf("peer credentials: %w", err)
	}
	return cred, nil
}

// peerOf is who connected; another user is refused, root included.
func peerOf(c net.Conn) (Peer, error) {
	cred, err := credentials(c)
	if err != nil {
		return Peer{}, err
	}
	if int(cred.Uid) != os.Getuid() {
		return Peer{}, fmt.Errorf("%w: uid %d, pid %d", ErrForeignUser, cred.Uid, cred.Pid)
	}
	return Peer{UID: int(cred.Uid), PID: int(cred.Pid), Program: program(int(cred.Pid)), Via: ViaUnix}, nil
}

// program is the path of a process's executable, empty when it is gone or hidden.
func program(pid int) string {
	path, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	if err != nil {
		return ""
	}
	return path
}
