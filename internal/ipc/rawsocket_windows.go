// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// rawListener accepts connections to be given away. Package net ties a connection that it accepts to this process for good,
// and whoever got a copy could not wait for data.
type rawListener struct {
	socket windows.Handle
	addr   *net.TCPAddr
	closed atomic.Bool

	mu   sync.Mutex // held by Accept
	op   windows.Overlapped
	room [2 * acceptRoom]byte
}

const acceptRoom = 16 + 16 // what AcceptEx wants for an IPv4 address

// listenRaw listens at addr, and no other program does beside us.
func listenRaw(addr string) (*rawListener, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil || !ap.Addr().Is4() {
		return nil, os.ErrInvalid
	}
	var data windows.WSAData
	if err := windows.WSAStartup(2<<8|2, &data); err != nil {
		return nil, err
	}
	s, err := rawSocket()
	if err != nil {
		return nil, err
	}
	l := &rawListener{socket: s}
	err = windows.SetsockoptInt(s, windows.SOL_SOCKET, exclusiveAddrUse, 1)
	if err == nil {
		err = windows.Bind(s, &windows.SockaddrInet4{Addr: ap.Addr().As4(), Port: int(ap.Port())})
	}
	if err == nil {
		err = windows.Listen(s, windows.SOMAXCONN)
	}
	if err == nil {
		l.addr, err = socketAddr(windows.Getsockname(s))
	}
	if err == nil {
		l.op.HEvent, err = windows.CreateEvent(nil, 1, 0, nil)
	}
	if err != nil {
		windows.Closesocket(s)
		return nil, err
	}
	return l, nil
}

func rawSocket() (windows.Handle, error) {
	return windows.WSASocket(windows.AF_INET, windows.SOCK_STREAM, windows.IPPROTO_TCP, nil, 0,
		windows.WSA_FLAG_OVERLAPPED|windows.WSA_FLAG_NO_HANDLE_INHERIT)
}

func socketAddr(sa windows.Sockaddr, err error) (*net.TCPAddr, error) {
	in, ok := sa.(*windows.SockaddrInet4)
	if err == nil && !ok {
		err = windows.WSAEAFNOSUPPORT
	}
	if err != nil {
		return nil, err
	}
	return &net.TCPAddr{IP: net.IP(in.Addr[:]), Port: in.Port}, nil
}

func (l *rawListener) Addr() net.Addr { return l.addr }

// Close ends an Accept that waits.
func (l *rawListener) Close() error {
	if l.closed.Swap(true) {
		return net.ErrClosed
	}
	_ = windows.CancelIoEx(l.socket, nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(windows.Closesocket(l.socket), windows.CloseHandle(l.op.HEvent))
}

// Accept passes over connections that were gone before they were accepted.
func (l *rawListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		c, err := l.accept()
		switch {
		case err == nil:
			return c, nil
		case l.closed.Load():
			return nil, net.ErrClosed
		case !errors.Is(err, windows.ERROR_NETNAME_DELETED) && !errors.Is(err, windows.WSAECONNRESET):
			return nil, err
		}
	}
}

func (l *rawListener) accept() (net.Conn, error) {
	if l.closed.Load() {
		return nil, net.ErrClosed
	}
	s, err := rawSocket()
	if err != nil {
		return nil, err
	}
	if err = l.acceptOn(s); err == nil {
		err = windows.Setsockopt(s, windows.SOL_SOCKET, windows.SO_UPDATE_ACCEPT_CONTEXT, (*byte)(unsafe.Pointer(&l.socket)), int32(unsafe.Sizeof(l.socket)))
	}
	c := &rawConn{socket: s}
	if err == nil {
		c.local, err = socketAddr(windows.Getsockname(s))
	}
	if err == nil {
		c.remote, err = socketAddr(windows.Getpeername(s))
	}
	if err != nil {
		windows.Closesocket(s)
		return nil, err
	}
	return c, nil
}

// acceptOn waits for a connection. A Close that came too early to end the wait is seen here.
func (l *rawListener) acceptOn(s windows.Handle) error {
	var n uint32
	err := windows.AcceptEx(l.socket, s, &l.room[0], 0, acceptRoom, acceptRoom, &n, &l.op)
	if !errors.Is(err, windows.ERROR_IO_PENDING) {
		return err
	}
	if l.closed.Load() {
		_ = windows.CancelIoEx(l.socket, &l.op)
	}
	return windows.GetOverlappedResult(l.socket, &l.op, &n, true)
}

// rawConn is a connection to be given away unread.
type rawConn struct {
	net.Conn      // none: nobody reads from it, writes to it or waits for it here
	socket        windows.Handle
	local, remote *net.TCPAddr
}

func (c *rawConn) LocalAddr() net.Addr  { return c.local }
func (c *rawConn) RemoteAddr() net.Addr { return c.remote }
func (c *rawConn) Close() error         { return windows.Closesocket(c.socket) }

// socketConn is a connection that was accepted elsewhere. Package net would tie it to this process twice, which wine cannot.
type socketConn struct {
	overlapped
	local, remote *net.TCPAddr
}

// overlapped is what winio makes of a handle.
type overlapped interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// newSocketConn takes s over, unless it fails.
func newSocketConn(s windows.Handle) (*socketConn, error) {
	local, err := socketAddr(windows.Getsockname(s))
	if err != nil {
		return nil, err
	}
	remote, err := socketAddr(windows.Getpeername(s))
	if err != nil {
		return nil, err
	}
	if err := windows.SetsockoptInt(s, windows.IPPROTO_TCP, windows.TCP_NODELAY, 1); err != nil {
		return nil, err
	}
	f, err := winio.NewOpenFile(s)
	if err != nil {
		return nil, err
	}
	return &socketConn{overlapped: f.(overlapped), local: local, remote: remote}, nil
}

func (c *socketConn) LocalAddr() net.Addr  { return c.local }
func (c *socketConn) RemoteAddr() net.Addr { return c.remote }

func (c *socketConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
