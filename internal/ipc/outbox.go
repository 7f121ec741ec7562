// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"sync"
	"time"
)

const outboxBytes = 16 << 20 // waiting for one peer that reads slowly

// outbox lets many goroutines send to one peer without waiting for it. A full outbox makes senders wait, and one that
// stays full for writeTimeout ends the connection. One goroutine runs drain.
type outbox struct {
	mu     sync.Mutex
	queue  [][]byte
	bytes  int
	err    error
	more   chan struct{} // one token: there may be work
	room   chan struct{} // closed and replaced when bytes left the queue
	closed chan struct{}
}

func newOutbox() *outbox {
	return &outbox{more: make(chan struct{}, 1), room: make(chan struct{}), closed: make(chan struct{})}
}

// put queues msg, which must not be changed afterwards.
func (o *outbox) put(msg []byte) error {
	var timeout <-chan time.Time
	for {
		room, err := o.try(msg)
		if err != nil || room == nil {
			return err
		}
		if timeout == nil {
			t := time.NewTimer(writeTimeout)
			defer t.Stop()
			timeout = t.C
		}
		select {
		case <-room:
		case <-o.closed:
		case <-timeout:
			o.close(ErrSlow)
		}
	}
}

// try queues msg, or returns a channel that is closed when there is more room.
func (o *outbox) try(msg []byte) (<-chan struct{}, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return nil, o.err
	}
	if o.bytes > 0 && o.bytes+len(msg) > outboxBytes {
		return o.room, nil
	}
	o.queue, o.bytes = append(o.queue, msg), o.bytes+len(msg)
	select {
	case o.more <- struct{}{}:
	default:
	}
	return nil, nil
}

func (o *outbox) close(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
		o.queue, o.bytes = nil, 0
		close(o.closed)
	}
}

// finish gives drain up to d to write what is queued, and closes.
func (o *outbox) finish(d time.Duration) {
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	for {
		o.mu.Lock()
		empty, room, ended := o.bytes == 0, o.room, o.err != nil
		o.mu.Unlock()
		if empty || ended {
			break
		}
		select {
		case <-room:
			continue
		case <-o.closed:
		case <-deadline.C:
		}
		break
	}
	o.close(ErrClosed)
}

// drain writes what is queued until the outbox is closed or write fails, which closes it. idle, if not nil, is called
// every period without work.
func (o *outbox) drain(write func([]byte) error, period time.Duration, idle func() error) {
	var tick <-chan time.Time
	if idle != nil {
		t := time.NewTicker(period)
		defer t.Stop()
		tick = t.C
	}
	for {
		var err error
		select {
		case <-o.closed:
			return
		case <-tick:
			err = idle()
		case <-o.more:
			err = o.flush(write)
		}
		if err != nil {
			o.close(writeError(err))
			return
		}
	}
}

func (o *outbox) flush(write func([]byte) error) error {
	for {
		o.mu.Lock()
		if len(o.queue) == 0 {
			o.mu.Unlock()
			return nil
		}
		msg := o.queue[0]
		o.queue = o.queue[1:]
		o.mu.Unlock()
		if err := write(msg); err != nil {
			return err
		}
		o.mu.Lock()
		o.bytes = max(0, o.bytes-len(msg))
		close(o.room)
		o.room = make(chan struct{})
		o.mu.Unlock()
	}
}
