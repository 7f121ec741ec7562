// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var getExtendedTCPTable = windows.NewLazySystemDLL("iphlpapi.dll").NewProc("GetExtendedTcpTable")

const (
	tcpOwnerPIDListeners   = 3       // TCP_TABLE_OWNER_PID_LISTENER
	tcpOwnerPIDConnections = 4       // TCP_TABLE_OWNER_PID_CONNECTIONS
	tcpRowSize             = 24      // MIB_TCPROW_OWNER_PID: state, local, port, remote, port, pid
	maxTCPTable            = 8 << 20 // bytes
)

const exclusiveAddrUse = ^windows.SO_REUSEADDR // SO_EXCLUSIVEADDRUSE

// exclusive keeps other programs from listening on the same port beside us, which SO_REUSEADDR of theirs would allow.
func exclusive(_, _ string, c syscall.RawConn) error {
	var inner error
	err := c.Control(func(fd uintptr) {
		inner = windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, exclusiveAddrUse, 1)
	})
	return errors.Join(err, inner)
}

// tcpOwner asks the system which process connected client to server, both on loopback of this machine, and refuses one of
// another user or logon session. What the system does not list is refused too.
func tcpOwner(client, server netip.AddrPort) (uid, pid int, err error) {
	owner, err := tcpProcess(client, server)
	if err != nil {
		return 0, 0, err
	}
	if err := ownProcess(owner); err != nil {
		return 0, 0, err
	}
	return -1, int(owner), sameLogon(owner)
}

// Wine knows the process of a connection from its first byte on, and says 0 until then. Windows always does.
const (
	tcpLooks = 20
	tcpPause = 5 * time.Millisecond
)

// tcpProcess is the process that connected client to server.
func tcpProcess(client, server netip.AddrPort) (pid uint32, err error) {
	for look := range tcpLooks {
		table, err := tcpTable(tcpOwnerPIDConnections)
		if err != nil {
			return 0, err
		}
		pid, ok := findTCP(table, client, server)
		switch {
		case pid != 0:
			return pid, nil
		case ok:
			time.Sleep(tcpPause)
		case look > 0: // once, a table of sockets that come and go may lack a line
			return 0, fmt.Errorf("%w: owner of %s is not known", ErrForeignUser, client)
		}
	}
	return 0, fmt.Errorf("%w: owner of %s is not known", ErrForeignUser, client)
}

func tcpTable(class uintptr) ([]byte, error) {
	size := uint32(64 << 10)
	for size <= maxTCPTable {
		b := make([]byte, size)
		r, _, _ := getExtendedTCPTable.Call(uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&size)), 0,
			windows.AF_INET, class, 0)
		switch syscall.Errno(r) {
		case 0:
			return b, nil
		case windows.ERROR_INSUFFICIENT_BUFFER:
			size += size / 4 // it may have grown since
		default:
			return nil, fmt.Errorf("TCP table: %w", syscall.Errno(r))
		}
	}
	return nil, fmt.Errorf("TCP table: %w", windows.ERROR_INSUFFICIENT_BUFFER)
}

// findTCP looks for the socket local→remote; addresses and ports are in network byte order.
func findTCP(table []byte, local, remote netip.AddrPort) (pid uint32, ok bool) {
	return findRow(table, func(l, r netip.AddrPort) bool { return l == local && r == remote })
}

// findListener looks for who listens on a port.
func findListener(table []byte, port uint16) (pid uint32, ok bool) {
	return findRow(table, func(l, _ netip.AddrPort) bool { return l.Port() == port })
}

func findRow(table []byte, is func(local, remote netip.AddrPort) bool) (pid uint32, ok bool) {
	n := int(binary.LittleEndian.Uint32(table))
	for i := 0; i < n && 4+(i+1)*tcpRowSize <= len(table); i++ {
		row := table[4+i*tcpRowSize:][:tcpRowSize]
		if is(addrPort(row[4:12]), addrPort(row[12:20])) {
			return binary.LittleEndian.Uint32(row[20:]), true
		}
	}
	return 0, false
}

func addrPort(b []byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), binary.BigEndian.Uint16(b[4:]))
}

// sameLogon refuses a process of another logon session of the same user: tokens redirected there are not ours.
func sameLogon(pid uint32) error {
	var theirs, ours uint32
	if err := windows.ProcessIdToSessionId(pid, &theirs); err != nil {
		return fmt.Errorf("logon session of pid %d: %w", pid, err)
	}
	if err := windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &ours); err != nil {
		return fmt.Errorf("own logon session: %w", err)
	}
	if theirs != ours {
		return fmt.Errorf("%w: pid %d is in logon session %d", ErrForeignUser, pid, theirs)
	}
	return nil
}

func tcpProgram(pid int) string { return program(uint32(pid)) }

// standing is not looked at on Windows (agent/THREATS.md).
func standing(net.Conn) error { return nil }
