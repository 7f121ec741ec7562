// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"bytes"
	"io"
	"os"
)

// inlineMemory is how many bytes of small contents may lie in memory at a time, of all channels. More go to disk.
const inlineMemory = 16 << 20

// inlineShare is the part of the room for contents that those in memory may take: each has a descriptor, however small it is.
const inlineShare = 4

// inlineLeast is what a content in memory counts for at least, so that their number is bounded too.
func (s *Store) inlineLeast() int64 { return inlineMemory / max(1, int64(s.most/inlineShare)) }

// Inline makes a sealed content of data that came inside a request, for that request alone; done frees it. While there is
// room it lies in memory: making and removing a file takes as long as a quick signature.
func (s *Store) Inline(channel string, data []byte) (c *Content, done func(), err error) {
	n := max(int64(len(data)), s.inlineLeast())
	if s.inline.Add(n) <= inlineMemory {
		if r, err := memoryFile(data); err == nil {
			c := blankContent("", "")
			c.r, c.size, c.refs = r, int64(len(data)), 1
			return c, func() { c.drop(); c.Release(); s.inline.Add(-n) }, nil
		}
	}
	s.inline.Add(-n)
	handle, _, err := s.Create(channel, "", "", func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if c, err = s.Sealed(channel, handle); err != nil {
		return nil, nil, err
	}
	return c, func() { c.Release(); s.Drop(channel, handle) }, nil
}

// Collect returns what write wrote: the bytes themselves up to limit of them, else the handle of a new sealed content. When
// more than limit is expected, there is a place and room for as much before write is called, or Collect fails.
func (s *Store) Collect(channel, mime string, limit int, expected int64, write func(io.Writer) error) (
	small []byte, handle string, err error,
) {
	p := &spill{limit: limit, s: s, channel: channel, mime: mime}
	defer p.done()
	if err := p.reserve(expected); err != nil {
		return nil, "", err
	}
	if err := write(p); err != nil {
		return nil, "", err
	}
	if !p.spilled {
		return p.head.Bytes(), "", nil
	}
	if err := p.c.seal(); err != nil {
		return nil, "", err
	}
	p.kept = true
	return nil, p.handle, nil
}

// spill is a writer into memory that turns into a content when it grows.
type spill struct {
	head  bytes.Buffer
	limit int

	s             *Store
	channel, mime string
	handle        string
	c             *Content // nil until more is written, or expected, than fits; in use until done
	spilled, kept bool
}

func (p *spill) Write(data []byte) (int, error) {
	if !p.spilled && p.head.Len()+len(data) <= p.limit {
		return p.head.Write(data)
	}
	if !p.spilled {
		if err := p.spill(); err != nil {
			return 0, err
		}
	}
	if _, err := p.s.Append(p.channel, p.handle, data); err != nil {
		return 0, err
	}
	return len(data), nil
}

func (p *spill) open() (err error) {
	if p.handle, err = p.s.Open(p.channel, "", p.mime, 0); err != nil {
		return err
	}
	c, err := p.s.find(p.channel, p.handle)
	if err == nil {
		err = c.use() // it does not grow old while a person is asked
	}
	if err != nil {
		return err
	}
	p.c = c
	return nil
}

// reserve opens the content now if it is expected to be large.
func (p *spill) reserve(expected int64) error {
	if expected <= int64(p.limit) {
		return nil
	}
	if err := p.s.room(expected, expected); err != nil {
		return err
	}
	if err := p.open(); err != nil {
		return err
	}
	return p.s.book(p.channel, p.handle, expected)
}

// spill moves what was written so far.
func (p *spill) spill() error {
	if p.c == nil {
		if err := p.open(); err != nil {
			return err
		}
	}
	p.spilled = true
	_, err := p.s.Append(p.channel, p.handle, p.head.Bytes())
	p.head = bytes.Buffer{}
	return err
}

// done gives back what is not the result.
func (p *spill) done() {
	if p.c == nil {
		return
	}
	if p.kept {
		_ = p.s.book(p.channel, p.handle, 0) // fails when the channel is gone, and all of it with it
	} else {
		p.s.Drop(p.channel, p.handle)
	}
	p.c.Release()
}

// memoryFile makes a file in memory that holds data and can never change, and returns a reading descriptor of it, the only one.
func memoryFile(data []byte) (*os.File, error) {
	w, err := newMemoryFile()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := sealMemoryFile(w); err != nil {
		return nil, err
	}
	return reopen(w)
}
