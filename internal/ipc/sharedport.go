// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"sync"
	"time"
)

// ErrPortService is a port service that is there and gives no connections.
var ErrPortService = errors.New("the service that shares the port does not answer")

// How long a session waits before it looks for the port service again, and for its predecessor to be gone.
const (
	sharePause = time.Second
	endPause   = 200 * time.Millisecond
)

// sharedPort is the port that the port service shares between users, or, where there is no such service, a port of our own.
// A service that goes away and comes back, or does not, costs no connection that is open.
type sharedPort struct {
	socket  string // of the port service; empty for none
	addr    string
	trouble func(error)
	ended   chan struct{}
	once    sync.Once

	mu sync.Mutex
	l  net.Listener
}

// listenShared opens the port at addr. Later, trouble hears why no connections come, and nil when they come again.
func listenShared(socket, addr string, trouble func(error)) (net.Listener, error) {
	if trouble == nil {
		trouble = func(error) {}
	}
	p := &sharedPort{socket: socket, addr: addr, trouble: trouble, ended: make(chan struct{})}
	var err error
	p.l, err = p.open()
	if err != nil {
		return nil, err
	}
	return p, nil
}

// open asks the port service, and takes the port itself where there is none.
func (p *sharedPort) open() (net.Listener, error) {
	absent := fs.ErrNotExist
	if p.socket != "" {
		var l net.Listener
		l, absent = dialPort(p.socket, p.addr)
		if errors.Is(absent, ErrInUse) { // a session that has just ended may not have been noticed yet
			time.Sleep(endPause)
			l, absent = dialPort(p.socket, p.addr)
		}
		if absent == nil {
			return l, nil
		}
	}
	l, busy := listenOwn(p.addr)
	switch {
	case busy == nil || errors.Is(absent, fs.ErrNotExist):
		return l, busy
	case errors.Is(absent, ErrInUse):
		return nil, absent
	}
	return nil, fmt.Errorf("%w: %w", ErrPortService, absent)
}

// listenOwn listens at addr. A port that another user's program has is [ErrForeignUser].
func listenOwn(addr string) (net.Listener, error) {
	lc := net.ListenConfig{Control: exclusive}
	l, err := lc.Listen(context.Background(), "tcp4", addr)
	if err == nil {
		return l, nil
	}
	if ap, bad := netip.ParseAddrPort(addr); bad == nil && heldByOther(ap.Port()) {
		err = fmt.Errorf("%w: %w", ErrForeignUser, err)
	}
	return nil, err
}

func (p *sharedPort) current() net.Listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.l
}

func (p *sharedPort) Addr() net.Addr { return p.current().Addr() }

func (p *sharedPort) Close() error {
	p.once.Do(func() { close(p.ended) })
	return p.current().Close()
}

// Accept waits for a connection, and for the port service when that is gone.
func (p *sharedPort) Accept() (net.Conn, error) {
	for {
		c, err := p.current().Accept()
		if !errors.Is(err, ErrPortService) {
			return c, err
		}
		if p.over() {
			return nil, net.ErrClosed
		}
		p.current().Close()
		p.trouble(err)
		if !p.reopen(err) {
			return nil, net.ErrClosed
		}
		p.trouble(nil)
	}
}

// reopen tries until the port is there again; false when it was closed meanwhile. Trouble has heard of known.
func (p *sharedPort) reopen(known error) bool {
	for {
		select {
		case <-p.ended:
			return false
		case <-time.After(sharePause):
		}
		l, err := p.open()
		if err != nil {
			if err.Error() != known.Error() {
				p.trouble(err)
			}
			known = err
			continue
		}
		p.mu.Lock()
		p.l = l
		p.mu.Unlock()
		if p.over() {
			l.Close()
		}
		return !p.over()
	}
}

func (p *sharedPort) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// given is the connections that the port service gives.
type given struct {
	from taker
	addr net.Addr
}

func (g *given) Addr() net.Addr { return g.addr }
func (g *given) Close() error   { return g.from.Close() }

// Accept takes the next connection. What is none to our port from this machine is closed; whose program made it is looked up
// later, as for every connection.
func (g *given) Accept() (net.Conn, error) {
	for {
		c, err := g.from.take()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPortService, err)
		}
		remote, ok := c.RemoteAddr().(*net.TCPAddr)
		if ok && remote.IP.IsLoopback() && c.LocalAddr().String() == g.addr.String() {
			return c, nil
		}
		c.Close()
		warnRefused("loopback port: given a connection that is not ours")
	}
}

// readPortHello takes what a port service said first, or the error of waiting for it.
func readPortHello(b []byte, err error, want string) (net.Addr, error) {
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("port service: %w: a session of this user has the port", ErrInUse)
	case err != nil:
		return nil, fmt.Errorf("port service: %w", err)
	}
	var h portHello
	if err := decodeHello(b, &h); err != nil {
		return nil, err
	}
	ap, err := netip.ParseAddrPort(h.Address)
	if err != nil || !ap.Addr().Is4() || !ap.Addr().IsLoopback() {
		return nil, fmt.Errorf("%w: hello names no port of this machine", ErrProtocol)
	}
	if h.Address != want { // it shares another port than the one we are to listen on
		return nil, fmt.Errorf("port service of %s: %w", h.Address, fs.ErrNotExist)
	}
	return net.TCPAddrFromAddrPort(ap), nil
}
