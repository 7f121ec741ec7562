// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// The kernel's answers about one socket, sock_diag(7) and linux/inet_diag.h. A table of /proc grows with everybody's
// connections, so that one user could make every look at it slow; this takes the same time always.
const (
	sockDiagByFamily = 20
	diagRequestSize  = 56 // struct inet_diag_req_v2
	diagAnswerSize   = 72 // struct inet_diag_msg
	diagPatience     = 1  // seconds
	maxDiag          = 4096
)

var errNotListed = errors.New("the kernel knows no such socket")

// diagTCP asks the kernel whose socket connected client to server, both IPv4. A socket that nobody holds any more is not listed.
func diagTCP(client, server netip.AddrPort) (uid int, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return 0, fmt.Errorf("sock_diag: %w", err)
	}
	defer unix.Close(fd)
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: diagPatience}),
		unix.Sendto(fd, diagRequest(client, server), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
	)
	if err != nil {
		return 0, fmt.Errorf("sock_diag: %w", err)
	}
	answer := make([]byte, maxDiag)
	n, from, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return 0, fmt.Errorf("sock_diag: %w", err)
	}
	if k, ok := from.(*unix.SockaddrNetlink); !ok || k.Pid != 0 {
		return 0, fmt.Errorf("sock_diag: %w: not the kernel's answer", ErrProtocol)
	}
	return readDiag(answer[:n], client, server)
}

func diagRequest(client, server netip.AddrPort) []byte {
	b := binary.NativeEndian.AppendUint32(nil, unix.SizeofNlMsghdr+diagRequestSize)
	b = binary.NativeEndian.AppendUint16(b, sockDiagByFamily)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST)
	b = append(b, make([]byte, 8)...) // sequence, sender
	b = append(b, unix.AF_INET, unix.IPPROTO_TCP, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, ^uint32(0)) // states
	b = binary.BigEndian.AppendUint16(b, client.Port())
	b = binary.BigEndian.AppendUint16(b, server.Port())
	b = append(append(b, client.Addr().AsSlice()...), make([]byte, 12)...)
	b = append(append(b, server.Addr().AsSlice()...), make([]byte, 12)...)
	b = binary.NativeEndian.AppendUint32(b, 0)             // interface
	return binary.NativeEndian.AppendUint64(b, ^uint64(0)) // no cookie
}

// readDiag is the user in an answer about the socket client→server. The kernel also answers with a socket that listens
// there; that is another one.
func readDiag(b []byte, client, server netip.AddrPort) (uid int, err error) {
	if len(b) < unix.SizeofNlMsghdr {
		return 0, fmt.Errorf("sock_diag: %w", ErrProtocol)
	}
	kind := binary.NativeEndian.Uint16(b[4:])
	b = b[unix.SizeofNlMsghdr:]
	switch {
	case kind == unix.NLMSG_ERROR && len(b) >= 4:
		if errno := unix.Errno(-int32(binary.NativeEndian.Uint32(b))); errno != unix.ENOENT {
			return 0, fmt.Errorf("sock_diag: %w", errno)
		}
		return 0, errNotListed
	case kind != sockDiagByFamily || len(b) < diagAnswerSize:
		return 0, fmt.Errorf("sock_diag: %w", ErrProtocol)
	}
	const ids, uids, inodes = 4, 64, 68 // offsets of struct inet_diag_msg
	local := netip.AddrPortFrom(diagAddr(b[0], b[ids+4:]), binary.BigEndian.Uint16(b[ids:]))
	remote := netip.AddrPortFrom(diagAddr(b[0], b[ids+20:]), binary.BigEndian.Uint16(b[ids+2:]))
	if local != client || remote != server || binary.NativeEndian.Uint32(b[inodes:]) == 0 {
		return 0, errNotListed
	}
	return int(binary.NativeEndian.Uint32(b[uids:])), nil
}

// diagAddr is an address of an IPv4 socket, or of an IPv6 one that holds a mapped address.
func diagAddr(family byte, b []byte) netip.Addr {
	if family == unix.AF_INET6 {
		return netip.AddrFrom16([16]byte(b[:16])).Unmap()
	}
	return netip.AddrFrom4([4]byte(b[:4]))
}
