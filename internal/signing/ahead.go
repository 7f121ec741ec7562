// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"hash"
	"io"
	"log/slog"
	"sync"
	"time"

	"persten/internal/algo"
	"persten/proto"
)

const (
	hashPiece = 256 << 10 // read at a time
	hashTurn  = 4 << 20   // hashed before another request for a digest gets a turn
	hintTime  = 30 * time.Second
)

// running is a digest of a content's first n bytes, so far.
type running struct {
	h hash.Hash
	n int64
}

func (r *running) Write(p []byte) (int, error) {
	r.n += int64(len(p))
	return r.h.Write(p)
}

var hashBuffers = sync.Pool{New: func() any { b := make([]byte, hashPiece); return &b }}

// Digest hashes the content, once per algorithm. What was hashed ahead is not hashed again.
func (c *Content) Digest(ctx context.Context, d algo.Digest) ([]byte, error) {
	if err := take(ctx, c.hashing); err != nil {
		return nil, err
	}
	defer func() { <-c.hashing }()
	if sum := c.digests[d]; sum != nil {
		return sum, nil
	}
	r, err := c.hash(ctx, d, c.Size())
	if err != nil {
		return nil, fault(err)
	}
	delete(c.running, d)
	c.digests[d] = r.h.Sum(nil)
	return c.digests[d], nil
}

// hash brings the running digest to the content's first n bytes. The caller holds c.hashing.
func (c *Content) hash(ctx context.Context, d algo.Digest, n int64) (*running, error) {
	r := c.running[d]
	if r == nil {
		r = &running{h: d.New()}
		c.running[d] = r
	}
	buf := hashBuffers.Get().(*[]byte)
	defer hashBuffers.Put(buf)
	_, err := io.CopyBuffer(r, &reading{ctx, io.NewSectionReader(c, r.n, n-r.n)}, *buf)
	return r, err
}

// HashAhead hashes the content while it still arrives, so that Digest has little left to do. It reads behind the writer what
// the file already holds: the file is the queue between the two, so that neither holds up the other and memory stays flat.
func (s *Store) HashAhead(channel, handle string, d algo.Digest) error {
	c, err := s.find(channel, handle)
	if err != nil {
		return err
	}
	c.hashing <- struct{}{}
	defer func() { <-c.hashing }()
	if !c.following { // one is enough: a content is signed with one certificate
		c.following = true
		go c.follow(d)
	}
	return nil
}

// follow hashes until the content is sealed or gone.
func (c *Content) follow(d algo.Digest) {
	for {
		sealed := c.sealed()
		for more := true; more; {
			var err error
			if more, err = c.turn(d); err != nil {
				select {
				case <-c.gone:
				default:
					slog.Warn("hashing ahead", "cause", err) // Digest meets the same error, and somebody waits for it
				}
				return
			}
		}
		if sealed {
			return
		}
		select {
		case <-c.grown:
		case <-c.gone:
			return
		}
	}
}

// turn hashes some of what is there and reports whether there was more.
func (c *Content) turn(d algo.Digest) (more bool, err error) {
	c.hashing <- struct{}{}
	defer func() { <-c.hashing }()
	if c.digests[d] != nil {
		return false, nil
	}
	var done int64
	if r := c.running[d]; r != nil {
		done = r.n
	}
	size := c.Size()
	upTo := min(size, done+hashTurn)
	_, err = c.hash(context.Background(), d, upTo)
	return upTo < size, err
}

func (c *Content) sealed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.w == nil
}

// grow wakes whoever follows the content. The caller holds c.mu.
func (c *Content) grow() {
	select {
	case c.grown <- struct{}{}:
	default:
	}
}

// Ahead says what an arriving content will be hashed with: by name, or what the key of a certificate signs with.
type Ahead struct{ Digest, Certificate string }

// HashAhead begins to hash a content that still arrives. A certificate that is not there is no fault yet: its token may come
// while the content does.
func (e *Engine) HashAhead(ctx context.Context, channel, handle string, a Ahead) error {
	if a.Digest != "" {
		d := algo.Digest(a.Digest)
		if !d.Known() {
			return proto.E(proto.CodeAlgorithmUnsupported, nil, "algorithm", a.Digest)
		}
		return e.store.HashAhead(channel, handle, d)
	}
	if a.Certificate == "" {
		return nil
	}
	go func() { // tokens may be slow to list, and the content need not wait
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hintTime)
		defer cancel()
		key, err := e.wanted(ctx, a.Certificate)
		if err != nil || Usable(key, time.Now()) != nil {
			return
		}
		if alg, err := algorithm(key, ""); err == nil {
			_ = e.store.HashAhead(channel, handle, alg.Digest) // fails when the content is gone
		}
	}()
	return nil
}

// reading ends a long read when the context ends.
type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r *reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// Digest is the digest of a sealed content by the algorithm of that name.
func (e *Engine) Digest(ctx context.Context, channel, handle, name string) ([]byte, error) {
	d := algo.Digest(name)
	if !d.Known() {
		return nil, proto.E(proto.CodeAlgorithmUnsupported, nil, "algorithm", name)
	}
	c, err := e.store.Sealed(channel, handle)
	if err != nil {
		return nil, err
	}
	defer c.Release()
	return c.Digest(ctx, d)
}
