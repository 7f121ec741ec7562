// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"io"
	"sync"
)

// connSet is the connections a listener serves at a time.
type connSet struct {
	wg    sync.WaitGroup
	mu    sync.Mutex
	limit int
	conns map[io.Closer]bool // nil once closed
}

func newConnSet(limit int) *connSet {
	return &connSet{limit: limit, conns: map[io.Closer]bool{}}
}

// start runs serve in a goroutine unless there are too many or the set is closed. serve closes c.
func (s *connSet) start(c io.Closer, serve func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil || len(s.conns) >= s.limit {
		return false
	}
	s.conns[c] = true
	s.wg.Go(func() {
		defer s.remove(c)
		serve()
	})
	return true
}

func (s *connSet) remove(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// closeAndWait closes every connection and waits until none is served.
func (s *connSet) closeAndWait() {
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.wg.Wait()
}
