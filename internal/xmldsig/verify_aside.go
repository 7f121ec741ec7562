// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"io"
	"sync"
)

// Reading, canonicalising and hashing one document can go on at the same time. Buffers pass between the goroutines.
const (
	asideSize  = 64 << 10
	asideCount = 4
	asideFrom  = 1 << 20 // a document of this size is worth it
	maxAside   = 4       // hashes that get a goroutine and buffers of their own
)

// ahead reads a document in a goroutine of its own, a few buffers in advance. Its owner closes it, and may use what it reads
// from only then.
type ahead struct {
	full, free chan []byte
	stop, done chan struct{}
	err        error // of the source; set before full is closed
	rest, room []byte
}

func readAhead(r io.Reader) *ahead {
	a := &ahead{
		full: make(chan []byte, asideCount), free: make(chan []byte, asideCount),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	for range asideCount {
		a.free <- make([]byte, asideSize)
	}
	go a.fill(r)
	return a
}

func (a *ahead) fill(r io.Reader) {
	defer close(a.done)
	defer close(a.full)
	for a.err == nil {
		var b []byte
		select {
		case b = <-a.free:
		case <-a.stop:
			return
		}
		var n int
		n, a.err = io.ReadFull(r, b[:asideSize])
		if a.err == io.ErrUnexpectedEOF {
			a.err = io.EOF
		}
		a.full <- b[:n] // there is room for every buffer
	}
}

func (a *ahead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.room != nil {
			a.free <- a.room
			a.room = nil
		}
		b, open := <-a.full
		if !open {
			return 0, a.err
		}
		a.rest, a.room = b, b
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

func (a *ahead) close() {
	close(a.stop)
	<-a.done
}

// aside writes to w in a goroutine of its own. Errors of w are w's business.
type aside struct {
	full, free chan []byte
	wait       sync.WaitGroup
}

func writeAside(w io.Writer) *aside {
	a := &aside{full: make(chan []byte, asideCount), free: make(chan []byte, asideCount)}
	for range asideCount {
		a.free <- make([]byte, 0, asideSize)
	}
	a.wait.Go(func() {
		for b := range a.full {
			w.Write(b)
			a.free <- b[:0]
		}
	})
	return a
}

func (a *aside) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		b := <-a.free
		k := min(len(p), asideSize)
		a.full <- append(b, p[:k]...)
		p = p[k:]
	}
	return n, nil
}

// close returns when everything is written.
func (a *aside) close() {
	close(a.full)
	a.wait.Wait()
}
