// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"slices"
	"sync"

	p11 "github.com/miekg/pkcs11"
)

// maxSeats is how many sessions of one login sign at a time.
const maxSeats = 4

// seat is one PKCS#11 session within a login: one signature at a time.
type seat struct {
	handle p11.SessionHandle
	keys   []candidate
}

// seats are the PKCS#11 sessions of a login. There is one until several signatures are wanted at once, as in a batch; then
// more are opened, as far as the token has them. A key that asks for the PIN each time keeps to one, so that a wrong PIN is
// tried once.
type seats struct {
	free    chan seat
	refused error // of a key that asks each time: the PIN was wrong, and is not tried again. Guarded by the one seat

	mu    sync.Mutex
	open  int
	limit int
	p     openParams
}

// begin makes the login's own session the first seat.
func (s *seats) begin(o *session, p openParams) {
	s.free, s.open, s.limit, s.p = make(chan seat, maxSeats), 1, maxSeats, p
	if slices.ContainsFunc(o.keys, func(c candidate) bool { return c.always }) {
		s.limit = 1
	}
	s.free <- seat{o.handle, o.keys}
}

func (s *seats) leave(at seat) { s.free <- at }

// others are the sessions beside the login's own. Nobody is signing.
func (s *seats) others(own p11.SessionHandle) (list []p11.SessionHandle) {
	for range len(s.free) {
		if at := <-s.free; at.handle != own {
			list = append(list, at.handle)
		}
	}
	return list
}

// seat takes a free seat, a new one, or the next to become free. The caller holds o.mu, shared.
func (s *server) seat(o *session) seat {
	select {
	case at := <-o.seats.free:
		return at
	default:
	}
	if at, ok := s.anotherSeat(o); ok {
		return at
	}
	return <-o.seats.free
}

// anotherSeat opens a session more. A token that has none to spare, or shows other keys in it, is not asked again.
func (s *server) anotherSeat(o *session) (seat, bool) {
	t := &o.seats
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open >= t.limit {
		return seat{}, false
	}
	at := seat{}
	var err error
	if at.handle, err = s.lib.ctx.OpenSession(o.slot, p11.CKF_SERIAL_SESSION); err != nil {
		t.limit = t.open
		return seat{}, false
	}
	if at.keys, err = s.lib.candidates(at.handle, t.p); err != nil || len(at.keys) != len(o.keys) {
		s.lib.ctx.CloseSession(at.handle)
		t.limit = t.open
		return seat{}, false
	}
	t.open++
	return at, true
}
