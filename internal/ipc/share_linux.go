// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// PortSocket is where the port service takes sessions: a socket for all users in a folder of root's.
const PortSocket = "/run/persten/port.sock"

// ownerOf makes the function that tells whose program made a connection to web.
func ownerOf(web net.Listener) (func(net.Conn) (string, error), error) {
	self, err := netip.ParseAddrPort(web.Addr().String())
	if err != nil {
		return nil, err
	}
	ask := diagTCP
	if _, err := diagTCP(self, netip.AddrPortFrom(netip.IPv4Unspecified(), 0)); err != nil { // it knows its own socket, if it knows any
		warnRefused("port: no sock_diag here, reading the table of all connections", "err", err)
		ask = func(client, server netip.AddrPort) (int, error) {
			uid, _, err := tcpListed(client, server)
			return uid, err
		}
	}
	return func(c net.Conn) (string, error) {
		client, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err != nil {
			return "", err
		}
		uid, err := ask(client, self)
		if err == nil {
			err = standing(c)
		}
		return strconv.Itoa(uid), err
	}, nil
}

// giver is the port service's end of a session.
type giver struct {
	user string
	conn *fileStream
}

// newGiver asks the kernel whose session connected.
func newGiver(c net.Conn) (*giver, error) {
	cred, err := credentials(c)
	if err != nil {
		return nil, err
	}
	u := c.(*net.UnixConn)
	if err := u.SetWriteBuffer(onTheWay); err != nil {
		return nil, err
	}
	return &giver{user: strconv.Itoa(int(cred.Uid)), conn: &fileStream{c: u}}, nil
}

func (g *giver) hello(h portHello) error {
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return g.conn.Send(b)
}

// give hands a connection over: an empty frame with its descriptor.
func (g *giver) give(c net.Conn) error {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return fmt.Errorf("give %T: %w", c, ErrUnsupported)
	}
	f, err := t.File()
	if err != nil {
		return err
	}
	defer f.Close()
	return g.conn.SendFiles(nil, f)
}

// wait ends when the session does, or says anything.
func (g *giver) wait() { _, _ = g.conn.c.Read(make([]byte, 1)) }

// dialPort waits at the port service for connections to addr. It believes a socket that only the system can have put there,
// with the system at its other end.
func dialPort(socket, addr string) (net.Listener, error) {
	if err := systemFolder(filepath.Dir(socket)); err != nil {
		return nil, err
	}
	c, err := net.DialTimeout("unix", socket, probeTimeout)
	if err != nil {
		return nil, err
	}
	g, err := meetPort(c.(*net.UnixConn), addr)
	if err != nil {
		c.Close()
		return nil, err
	}
	return g, nil
}

func meetPort(c *net.UnixConn, addr string) (*given, error) {
	cred, err := credentials(c)
	if err != nil {
		return nil, err
	}
	if owner, err := systemUser(); err != nil || cred.Uid != owner {
		return nil, fmt.Errorf("%w: uid %d listens for sessions: %w", ErrForeignUser, cred.Uid, err)
	}
	return newGiven(c, addr)
}

// newGiven hears the port service's first word on c.
func newGiven(c *net.UnixConn, addr string) (*given, error) {
	if err := c.SetReadDeadline(time.Now().Add(helloTimeout)); err != nil {
		return nil, err
	}
	s := &fileStream{c: c}
	b, files, err := s.recvFiles(maxHello)
	closeFiles(files)
	at, err := readPortHello(b, err, addr)
	if err != nil {
		return nil, err
	}
	return &given{from: taker{s}, addr: at}, c.SetReadDeadline(time.Time{})
}

// systemUser owns what belongs to the system. In the user namespace of a sandboxed unit root has no number of its own.
func systemUser() (uint32, error) {
	var st unix.Stat_t
	err := unix.Stat("/", &st)
	return st.Uid, err
}

// systemFolder makes sure that only the system can have put something into dir.
func systemFolder(dir string) error {
	fi, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("folder of the port service: %w", err)
	}
	owner, err := systemUser()
	st, ok := fi.Sys().(*syscall.Stat_t)
	switch {
	case err != nil:
		return err
	case !fi.IsDir() || fi.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("folder of the port service %s: %s lets others in: %w", dir, fi.Mode(), fs.ErrPermission)
	case !ok || st.Uid != owner:
		return fmt.Errorf("folder of the port service %s: %w", dir, ErrForeignUser)
	}
	return nil
}

// taker is a session's end.
type taker struct{ conn *fileStream }

func (t taker) Close() error { return t.conn.Close() }

// take waits for the next connection: an empty frame with one descriptor, of a TCP connection. Whatever else ends it.
func (t taker) take() (net.Conn, error) {
	msg, files, err := t.conn.recvFiles(0)
	defer closeFiles(files)
	if err != nil {
		return nil, err
	}
	if len(msg) != 0 || len(files) != 1 {
		return nil, fmt.Errorf("%w: %d bytes and %d files for a connection", ErrProtocol, len(msg), len(files))
	}
	c, err := net.FileConn(files[0])
	if err != nil {
		return nil, errors.Join(ErrProtocol, err)
	}
	if _, ok := c.(*net.TCPConn); !ok {
		c.Close()
		return nil, fmt.Errorf("%w: given %T", ErrProtocol, c)
	}
	return c, nil
}

// Activated returns the sockets that systemd passed to the port service: one for browsers, one for sessions.
func Activated() (web, sessions net.Listener, err error) {
	fds := passedFDs()
	for _, fd := range fds {
		l, err := passed(fd)
		switch {
		case err != nil:
			return nil, nil, err
		case l.Addr().Network() == "unix":
			sessions = l
		default:
			web = l
		}
	}
	if len(fds) != 2 || web == nil || sessions == nil {
		return nil, nil, fmt.Errorf("sockets from systemd: %d are not one port and one socket of sessions", len(fds))
	}
	return web, sessions, nil
}
