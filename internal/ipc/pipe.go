// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"io"
	"sync"
)

// pipeRoom is how many messages may lie between the ends of a pipe.
const pipeRoom = 64

// Pipe joins two ends inside this process. A message is given over as it is: the sender must not change it afterwards.
func Pipe() (Conn, Conn) {
	there, back, closed := make(chan []byte, pipeRoom), make(chan []byte, pipeRoom), make(chan struct{})
	end := sync.OnceFunc(func() { close(closed) })
	return &pipeEnd{out: there, in: back, closed: closed, end: end}, &pipeEnd{out: back, in: there, closed: closed, end: end}
}

type pipeEnd struct {
	out    chan<- []byte
	in     <-chan []byte
	closed <-chan struct{}
	end    func()
}

func (p *pipeEnd) Recv() ([]byte, error) {
	select {
	case b := <-p.in:
		return b, nil
	case <-p.closed:
	}
	select {
	case b := <-p.in: // what was sent before the end
		return b, nil
	default:
		return nil, io.EOF
	}
}

func (p *pipeEnd) Send(b []byte) error {
	if len(b) > MaxFrame {
		return &FrameError{Size: int64(len(b)), Max: MaxFrame}
	}
	select {
	case <-p.closed:
		return ErrClosed
	default:
	}
	select {
	case p.out <- b:
		return nil
	case <-p.closed:
		return ErrClosed
	}
}

func (p *pipeEnd) Close() error {
	p.end()
	return nil
}
