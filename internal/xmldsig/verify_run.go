// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"sync/atomic"

	"persten/internal/algo"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// work is one chain while it runs, for every reference that asks for the same octets in the same digest.
type work struct {
	chain  *chain
	job    *c14n.Job
	sum    hash.Hash
	size   int64
	copies []io.Writer // get the octets that are digested
	head   *io.PipeWriter
	queue  *aside // instead of head, for large documents
	stages sync.WaitGroup
	mu     sync.Mutex
	err    error // the first one of a stage after the first
	refuse error // of a copy
}

func newWork(c *chain, d algo.Digest) *work {
	s := c.stages[0]
	return &work{chain: c, job: &c14n.Job{Nodes: s.nodes, Method: s.method, Text: s.text}, sum: d.New()}
}

// Write takes the octets that are digested.
func (w *work) Write(p []byte) (int, error) {
	w.size += int64(len(p))
	w.sum.Write(p)
	for _, c := range w.copies {
		if _, err := c.Write(p); err != nil {
			w.refuse = err
			return 0, err
		}
	}
	return len(p), nil
}

// start connects the stages: the job writes into the first pipe, each stage reads one and writes the next, the last one
// writes into w. With a large document a single stage hashes aside.
func (w *work) start(ctx context.Context, l xml.Limits, b *budget, large bool) {
	var out io.WriteCloser = &metered{w, b}
	for i := len(w.chain.stages) - 1; i > 0; i-- {
		in, pipe := io.Pipe()
		w.stages.Add(1)
		go w.stage(ctx, w.chain.stages[i], in, out, l, b)
		out, w.head = &metered{pipe, b}, pipe
	}
	switch {
	case w.head != nil:
		w.job.Out = &sink{w: w.head}
	case large:
		w.queue = writeAside(w)
		w.job.Out = w.queue
	default:
		w.job.Out = w
	}
}

func (w *work) stage(ctx context.Context, s stage, in *io.PipeReader, out io.WriteCloser, l xml.Limits, b *budget) {
	defer w.stages.Done()
	defer out.Close()
	err := s.run(ctx, in, out, l, b)
	if err != nil {
		w.mu.Lock()
		if w.err == nil {
			w.err = err
		}
		w.mu.Unlock()
	}
	in.CloseWithError(err) // nobody waits for a reader that is gone
}

// finish ends the chain after the document; err is why it did not come to its end.
func (w *work) finish(err error) {
	if w.head != nil {
		w.head.CloseWithError(err) // nil is io.EOF
		w.stages.Wait()
	}
	if w.queue != nil {
		w.queue.close()
	}
}

// run carries out one stage after the first.
func (s *stage) run(ctx context.Context, in io.Reader, out io.Writer, l xml.Limits, b *budget) error {
	switch {
	case s.decode:
		_, err := io.Copy(out, base64.NewDecoder(base64.StdEncoding.Strict(), &unspaced{r: in}))
		return err
	case s.smev:
		return c14n.SMEV(ctx, out, xml.NewReader(in, l))
	}
	return b.effort.Run(ctx, xml.NewReader(in, l), b.rest(), &c14n.Job{Nodes: s.nodes, Method: s.method, Text: s.text, Out: out})
}

// sink goes on when what it writes to has failed: other jobs read the same document.
type sink struct {
	w      io.Writer
	failed bool
}

func (s *sink) Write(p []byte) (int, error) {
	if !s.failed {
		_, err := s.w.Write(p)
		s.failed = err != nil
	}
	return len(p), nil
}

// unspaced leaves out the white space base64 may hold, and lets nothing stand behind its padding, which the decoder would
// pass at the end of a piece.
type unspaced struct {
	r      io.Reader
	padded bool
}

var errPadding = errors.New("base64: octets behind the padding")

func (u *unspaced) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	kept := 0
	for _, c := range p[:n] {
		if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			continue
		}
		if u.padded = u.padded || c == '='; u.padded && c != '=' {
			return 0, errPadding
		}
		p[kept] = c
		kept++
	}
	return kept, err
}

// budget is how many octets the chains of one document may still write.
type budget struct {
	left   atomic.Int64
	effort *c14n.Effort // of all filters
}

var errBudget = fmt.Errorf("%w: the references cover the document too many times", ErrLimit)

// rest is never 0, which would be no bound.
func (b *budget) rest() int64 { return max(b.left.Load(), 1) }

// metered counts what the stages after the first write; the first is counted by c14n.Run.
type metered struct {
	w io.Writer
	b *budget
}

func (m *metered) Write(p []byte) (int, error) {
	if m.b.left.Add(-int64(len(p))) < 0 {
		return 0, errBudget
	}
	return m.w.Write(p)
}

func (m *metered) Close() error {
	if c, ok := m.w.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// kept is a buffer with a bound, for octets that are parsed after they were digested. What is too much is dropped.
type kept struct {
	octets []byte
	over   bool
}

func (k *kept) Write(p []byte) (int, error) {
	if k.over = k.over || len(k.octets)+len(p) > maxKept; !k.over {
		k.octets = append(k.octets, p...)
	}
	return len(p), nil
}

// aborts tells which errors of a chain end the whole verification.
func (w *work) aborts() error {
	if w.refuse != nil {
		return w.refuse
	}
	if errors.Is(w.err, errBudget) || errors.Is(w.err, c14n.ErrLimit) {
		return fmt.Errorf("%w: %w", ErrLimit, w.err)
	}
	return nil
}
