// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"context"
	"log/slog"
	"net"
	"sync"
)

// Limits of the port service. What one user can take of it is bounded, so that nobody is left without: connections that wait
// for a session, in the service and on their way, and sessions.
const (
	maxWaiting  = 16      // connections that a session has not been given yet
	maxSessions = 512     // users with a session
	onTheWay    = 4 << 10 // bytes of the socket's buffer: the connections given and not yet taken are few
)

// portHello is the first frame of the port service: this session gets its user's connections to Address from now on.
type portHello struct {
	Address string `json:"address"`
}

// ServePort shares a port of 127.0.0.1 between the users of this machine, until ctx ends. Web listens on that port; sessions
// is where the users' sessions wait for connections. Each connection goes, before a byte of it is read, to the session of the
// user whose program made it, and is closed when that user has none. A user has one session; a second one is turned away.
// The service says nothing about a session to anybody, and believes no word: users are those the system names.
func ServePort(ctx context.Context, web, sessions net.Listener) error {
	owner, err := ownerOf(web)
	if err != nil {
		return err
	}
	s := &portService{address: web.Addr().String(), owner: owner, sessions: map[string]*waiting{}}
	defer context.AfterFunc(ctx, func() { web.Close() })()
	defer context.AfterFunc(ctx, func() { sessions.Close() })()
	conns := newConnSet(maxSessions)
	defer conns.closeAndWait()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		acceptAll(ctx, sessions, "port service", func(c net.Conn) {
			if !conns.start(c, func() { s.serve(c) }) {
				c.Close()
			}
		})
	})
	return acceptAll(ctx, web, "port", s.deliver)
}

// portService gives connections to sessions. A user is whatever the system names users by.
type portService struct {
	address string
	owner   func(c net.Conn) (user string, err error) // whose program made a connection to the port

	mu       sync.Mutex
	sessions map[string]*waiting
}

// waiting is a session and the connections it has yet to be given.
type waiting struct{ queue chan net.Conn }

// deliver queues a connection for the session of its user, or closes it. It never waits for a session.
func (s *portService) deliver(c net.Conn) {
	user, err := s.owner(c)
	if err != nil {
		warnRefused("port: nobody's connection", "err", err)
		c.Close()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.sessions[user]
	if w == nil {
		c.Close()
		return
	}
	select {
	case w.queue <- c:
	default:
		warnRefused("port: too many connections wait", "user", user)
		c.Close()
	}
}

// serve keeps a session until it ends, says a word, which it has no reason to, or does not take what it is given.
func (s *portService) serve(c net.Conn) {
	defer c.Close()
	to, err := newGiver(c)
	if err != nil {
		warnRefused("port service: refused", "err", err)
		return
	}
	w := &waiting{queue: make(chan net.Conn, maxWaiting)}
	if !s.enter(to.user, w) {
		warnRefused("port service: the user has a session", "user", to.user)
		return
	}
	defer s.leave(to.user, w)
	slog.Debug("session", "user", to.user) // a user can come and go as often as he likes, and must not fill the log
	defer slog.Debug("session ended", "user", to.user)
	if err := to.hello(portHello{Address: s.address}); err != nil {
		return
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		to.wait()
	}()
	for {
		select {
		case <-gone:
			return
		case conn := <-w.queue:
			err := to.give(conn)
			conn.Close()
			if err != nil {
				warnRefused("port service: a session does not take its connections", "user", to.user, "err", err)
				return
			}
		}
	}
}

func (s *portService) enter(user string, w *waiting) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[user] != nil {
		return false
	}
	s.sessions[user] = w
	return true
}

func (s *portService) leave(user string, w *waiting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, user)
	for {
		select {
		case c := <-w.queue:
			c.Close()
		default:
			return
		}
	}
}
