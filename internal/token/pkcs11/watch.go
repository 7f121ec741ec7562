// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"time"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/rpc"
)

// A module whose wait returns at once, again and again, does not wait: so many returns in so short a time.
const (
	burst     = 20
	burstTime = time.Second
)

// watch starts to wait for tokens to come and go, in a thread of its own that the library keeps until it has an event; it
// ends with the process. It reports whether the module can do that at all.
func (s *server) watch(conn *rpc.Conn) (*watchReply, error) {
	s.mu.Lock()
	already := s.watching
	s.watching = true
	s.mu.Unlock()
	if already {
		return &watchReply{Waits: true}, nil
	}
	switch err := s.lib.waitSlot(true); {
	case err == nil, isRV(err, p11.CKR_NO_EVENT):
		go s.waitSlots(conn)
		return &watchReply{Waits: true}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watching = false
	return &watchReply{}, nil
}

func (s *server) waitSlots(conn *rpc.Conn) {
	began, n := time.Now(), 0
	for {
		err := s.lib.waitSlot(false)
		select {
		case <-s.ended: // by C_Finalize
			return
		default:
		}
		if time.Since(began) > burstTime {
			began, n = time.Now(), 0
		}
		if n++; err != nil || n > burst {
			conn.Notify(noteBlinded, nothing{})
			return
		}
		s.dropAllHeld()
		if conn.Notify(noteSlots, nothing{}) != nil {
			return
		}
	}
}
