// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// PortSocket is where the port service takes sessions: a pipe of the system's, for everybody logged on to this machine.
const PortSocket = `\\.\pipe\persten-port`

// pipeUse is reading and writing, without the right to add an instance to a pipe that comes with them.
const pipeUse = windows.FILE_GENERIC_READ | windows.FILE_GENERIC_WRITE&^windows.FILE_APPEND_DATA

// Of the system: who owns the pipe, and who is whose. A test has one user, so it sets itself as the owner, and each process is one.
var (
	portOwner = "S-1-5-18"
	userOf    = logonOf
)

// logonOf names the user and the logon session of a process.
func logonOf(pid uint32) (string, error) {
	sid, err := processUser(pid)
	if err != nil {
		return "", err
	}
	var session uint32
	if err := windows.ProcessIdToSessionId(pid, &session); err != nil {
		return "", fmt.Errorf("logon session of pid %d: %w", pid, err)
	}
	return sid.String() + "/" + strconv.Itoa(int(session)), nil
}

// OpenPort opens what [ServePort] serves: the port at addr, and the pipe of sessions at path.
func OpenPort(addr, path string) (web, sessions net.Listener, err error) {
	web, err = listenRaw(addr)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	if sessions, err = listenPipe(path, portSDDL(portOwner), onTheWay); err != nil {
		web.Close()
		return nil, nil, fmt.Errorf("pipe of sessions: %w", err)
	}
	return web, sessions, nil
}

// portSDDL: the system's; nobody from the network; who is logged on may connect.
func portSDDL(owner string) string {
	return fmt.Sprintf("O:%[1]sG:%[1]sD:P(D;;GA;;;NU)(A;;GA;;;%[1]s)(A;;%#[2]x;;;IU)", owner, pipeUse)
}

// ownerOf makes the function that tells whose program made a connection to web.
func ownerOf(web net.Listener) (func(net.Conn) (string, error), error) {
	self, err := netip.ParseAddrPort(web.Addr().String())
	if err != nil {
		return nil, err
	}
	return func(c net.Conn) (string, error) {
		client, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err != nil {
			return "", err
		}
		pid, err := tcpProcess(client, self)
		if err != nil {
			return "", err
		}
		return userOf(pid)
	}, nil
}

// taken is what a session answers when it has a connection.
const taken = 1

// giver is the port service's end of a session.
type giver struct {
	user     string
	pid      uint32
	conn     net.Conn
	waiting  atomic.Bool   // for an answer
	answered chan struct{} // one
	gone     chan struct{}
}

// newGiver asks the system whose session connected.
func newGiver(c net.Conn) (*giver, error) {
	pid, err := pipeClient(c)
	if err != nil {
		return nil, err
	}
	user, err := userOf(pid)
	if err != nil {
		return nil, err
	}
	return &giver{user: user, pid: pid, conn: c, answered: make(chan struct{}, 1), gone: make(chan struct{})}, nil
}

func (g *giver) hello(h portHello) error {
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return g.send(b)
}

func (g *giver) send(b []byte) error {
	return (&stream{w: g.conn, max: max(maxHello, socketInfoSize)}).Send(b)
}

// give makes a copy of the connection for the session's process and sends what that needs to open it. Ours stays open until
// the session has done so.
func (g *giver) give(c net.Conn) error {
	raw, ok := c.(*rawConn)
	if !ok {
		return fmt.Errorf("give %T: %w", c, ErrUnsupported)
	}
	var info windows.WSAProtocolInfo
	if err := windows.WSADuplicateSocket(raw.socket, g.pid, &info); err != nil {
		return fmt.Errorf("copy a connection: %w", err)
	}
	g.waiting.Store(true)
	if err := g.send(infoBytes(&info)); err != nil {
		return err
	}
	select {
	case <-g.answered:
		return nil
	case <-g.gone:
		return ErrClosed
	case <-time.After(helloTimeout):
		return ErrSlow
	}
}

func infoBytes(info *windows.WSAProtocolInfo) []byte {
	return (*[socketInfoSize]byte)(unsafe.Pointer(info))[:]
}

// wait passes answers on. It ends when the session does, or says what it was not asked.
func (g *giver) wait() {
	defer close(g.gone)
	var b [1]byte
	for {
		if n, err := g.conn.Read(b[:]); err != nil || n != 1 || b[0] != taken || !g.waiting.CompareAndSwap(true, false) {
			return
		}
		g.answered <- struct{}{}
	}
}

// dialPort waits at the port service for connections to addr. It believes a pipe that the system owns: nobody else can make
// one of that owner, nor add an instance to it.
func dialPort(socket, addr string) (net.Listener, error) {
	ctx, cancel := context.WithTimeout(context.Background(), helloTimeout)
	defer cancel()
	c, err := winio.DialPipeAccess(ctx, socket, pipeUse)
	if err != nil {
		return nil, fmt.Errorf("port service: %w", err)
	}
	g, err := meetPort(c, addr)
	if err != nil {
		c.Close()
		return nil, err
	}
	return g, nil
}

func meetPort(c net.Conn, addr string) (*given, error) {
	owner, err := pipeOwner(c)
	if err != nil {
		return nil, err
	}
	if owner != portOwner {
		return nil, fmt.Errorf("%w: %s listens for sessions", ErrForeignUser, owner)
	}
	if err := c.SetReadDeadline(time.Now().Add(helloTimeout)); err != nil {
		return nil, err
	}
	b, err := readFrame(c, maxHello, 0)
	at, err := readPortHello(b, err, addr)
	if err != nil {
		return nil, err
	}
	return &given{from: taker{c}, addr: at}, c.SetReadDeadline(time.Time{})
}

// taker is a session's end.
type taker struct{ conn net.Conn }

func (t taker) Close() error { return t.conn.Close() }

// take waits for the next connection and says that it has it.
func (t taker) take() (net.Conn, error) {
	b, err := readFrame(t.conn, socketInfoSize, 0)
	if err != nil {
		return nil, err
	}
	if err := checkSocketInfo(b); err != nil {
		return nil, err
	}
	var info windows.WSAProtocolInfo
	copy(infoBytes(&info), b)
	const fromInfo = -1 // FROM_PROTOCOL_INFO
	s, err := windows.WSASocket(fromInfo, fromInfo, fromInfo, &info, 0, windows.WSA_FLAG_OVERLAPPED|windows.WSA_FLAG_NO_HANDLE_INHERIT)
	if err != nil {
		return nil, errors.Join(ErrProtocol, err)
	}
	c, err := newSocketConn(s)
	if err != nil {
		windows.Closesocket(s)
		return nil, errors.Join(ErrProtocol, err)
	}
	setWriteDeadline(t.conn)
	if _, err := t.conn.Write([]byte{taken}); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// pipeClient is the process that opened a pipe.
func pipeClient(c net.Conn) (pid uint32, err error) {
	h, err := pipeHandle(c)
	if err == nil {
		err = windows.GetNamedPipeClientProcessId(h, &pid)
	}
	if err != nil {
		return 0, fmt.Errorf("pipe client: %w", err)
	}
	return pid, nil
}

func pipeOwner(c net.Conn) (string, error) {
	h, err := pipeHandle(c)
	if err != nil {
		return "", err
	}
	sd, err := windows.GetSecurityInfo(h, windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return "", fmt.Errorf("owner of the pipe: %w", err)
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return "", fmt.Errorf("owner of the pipe: %w", err)
	}
	return owner.String(), nil
}

// heldByOther tells whether another user's program listens on a port.
func heldByOther(port uint16) bool {
	table, err := tcpTable(tcpOwnerPIDListeners)
	if err != nil {
		return false
	}
	pid, ok := findListener(table, port)
	return ok && pid != 0 && errors.Is(ownProcess(pid), ErrForeignUser) // 0: nobody's, or not known
}
