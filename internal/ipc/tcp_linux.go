// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// exclusive has nothing to ask for: here a listening port is one program's.
func exclusive(_, _ string, _ syscall.RawConn) error { return nil }

// tcpOwner asks the kernel which user's socket connected client to server, both on loopback of this machine, and refuses
// another user. What the kernel does not list is refused too. The process is found where /proc shows it, else 0.
func tcpOwner(client, server netip.AddrPort) (uid, pid int, err error) {
	uid, inode, err := tcpListed(client, server)
	if err != nil {
		return 0, 0, err
	}
	if uid != os.Getuid() {
		return 0, 0, fmt.Errorf("%w: uid %d", ErrForeignUser, uid)
	}
	return uid, socketHolder(inode), nil
}

// standing makes sure that a connection whose owner was just looked up still had both ends then. Once the other end is closed its
// port may be another user's, who would be taken for the owner of what was sent before.
func standing(c net.Conn) error {
	s, ok := c.(syscall.Conn)
	if !ok {
		return ErrUnsupported
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var info *unix.TCPInfo
	var failed error
	err = raw.Control(func(fd uintptr) { info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if info.State != unix.BPF_TCP_ESTABLISHED {
		return fmt.Errorf("%w: the other end is closed already", ErrForeignUser)
	}
	return nil
}

var tcpTables = []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} // an IPv6 socket may hold a mapped address

// tcpListed finds a socket in the kernel's tables, which it writes out whole.
func tcpListed(client, server netip.AddrPort) (uid int, inode string, err error) {
	for _, table := range tcpTables {
		f, err := os.Open(table)
		if err != nil {
			continue // no IPv6
		}
		uid, inode, ok := findTCP(f, client, server)
		f.Close()
		if ok {
			return uid, inode, nil
		}
	}
	return 0, "", fmt.Errorf("%w: owner of %s is not known", ErrForeignUser, client)
}

// heldByOther reports whether another user listens on a port of this machine.
func heldByOther(port uint16) bool {
	for _, table := range tcpTables {
		text, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) >= 10 && f[3] == tcpListen && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				return f[7] != strconv.Itoa(os.Getuid())
			}
		}
	}
	return false
}

const tcpListen = "0A" // TCP_LISTEN in these tables

// findTCP looks in a table of proc(5) net/tcp for the socket local→remote.
func findTCP(table io.Reader, local, remote netip.AddrPort) (uid int, inode string, ok bool) {
	port := fmt.Appendf(nil, ":%04X ", local.Port())
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		if !bytes.Contains(lines.Bytes(), port) { // cheap: a busy machine has ten thousand lines
			continue
		}
		f := strings.Fields(lines.Text())
		if len(f) < 10 || !sameAddr(f[1], local) || !sameAddr(f[2], remote) {
			continue
		}
		uid, err := strconv.Atoi(f[7])
		if err != nil || f[9] == "0" { // a socket without inode has no owner any more
			continue
		}
		return uid, f[9], true
	}
	return 0, "", false
}

// sameAddr compares "0100007F:5E35", whose address is 32-bit words in the machine's byte order, with a.
func sameAddr(s string, a netip.AddrPort) bool {
	addr, port, ok := strings.Cut(s, ":")
	if !ok || len(port) != 4 {
		return false
	}
	if n, err := strconv.ParseUint(port, 16, 16); err != nil || uint16(n) != a.Port() {
		return false
	}
	raw, err := hex.DecodeString(addr)
	if err != nil || len(raw)%4 != 0 {
		return false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	got, ok := netip.AddrFromSlice(raw)
	return ok && got.Unmap() == a.Addr().Unmap()
}

// socketHolder finds a process of this user that holds the socket.
func socketHolder(inode string) int {
	want := "socket:[" + inode + "]"
	dirs, _ := filepath.Glob("/proc/[0-9]*/fd") // the pattern is well-formed
	for _, dir := range dirs {
		fds, err := os.ReadDir(dir)
		if err != nil {
			continue // another user's, or gone
		}
		for _, fd := range fds {
			if name, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && name == want {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
				return pid
			}
		}
	}
	return 0
}

func tcpProgram(pid int) string {
	if pid == 0 {
		return ""
	}
	return program(pid)
}
