// SPDX-License-Identifier: GPL-3.0-or-later

package client

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"persten/internal/rpc"
	"persten/proto"
)

const (
	pieceSize  = 512 << 10 // of a document, in one message
	readsAhead = 4         // pieces asked for before the first of them is written
)

// Upload hands a document over in pieces and returns its handle.
func (c *Client) Upload(ctx context.Context, as proto.ContentOpenParams, r io.Reader) (string, error) {
	c.uploading.Lock()
	defer c.uploading.Unlock()
	opened, err := Ask[proto.ContentOpenResult](ctx, c, proto.MethodContentOpen, as)
	if err != nil {
		return "", err
	}
	send := c.append
	if opened.Stream > 0 {
		send = c.stream
	}
	c.sending.start(opened.Handle)
	buf := make([]byte, pieceSize)
	for at := int64(0); ; {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			if err := send(ctx, opened, at, buf[:n]); err != nil {
				return "", err
			}
			at += int64(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return "", err
		}
	}
	_, err = Ask[proto.ContentCloseResult](ctx, c, proto.MethodContentClose, proto.ContentCloseParams{Handle: opened.Handle})
	return opened.Handle, err
}

// append is the way of a document for which the session has no memory to spare.
func (c *Client) append(ctx context.Context, to *proto.ContentOpenResult, at int64, piece []byte) error {
	p := proto.ContentAppendParams{Handle: to.Handle, Data: piece, Size: at + int64(len(piece))}
	_, err := Ask[proto.ContentAppendResult](ctx, c, proto.MethodContentAppend, p)
	return err
}

// stream sends a piece as a binary message when the window has room for it.
func (c *Client) stream(ctx context.Context, to *proto.ContentOpenResult, at int64, piece []byte) error {
	if err := c.sending.wait(ctx, at+int64(len(piece))-int64(to.Window)); err != nil {
		return err
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(to.Stream))
	head = binary.BigEndian.AppendUint64(head, uint64(at))
	if err := c.wire.SendBinary(head, piece); err != nil {
		return proto.E(proto.CodeAgentLost, err)
	}
	return nil
}

// sending is what the session has told of the document on its way to it.
type sending struct {
	wake chan struct{} // one token: something changed
	lost chan struct{} // closed when the connection has ended

	mu       sync.Mutex
	handle   string
	received int64
	err      error
}

func newSending() *sending {
	return &sending{wake: make(chan struct{}, 1), lost: make(chan struct{})}
}

func (s *sending) start(handle string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle, s.received, s.err = handle, 0, nil
}

// hear passes on what is not about the document.
func (s *sending) hear(others rpc.Handler) rpc.Handler {
	return func(ctx context.Context, r *rpc.Request) (any, error) {
		switch {
		case r.Notification && r.Method == proto.NotifyContentReceived:
			var p proto.ContentReceivedParams
			if err := json.Unmarshal(r.Params, &p); err != nil {
				return nil, err
			}
			s.tell(p.Handle, p.Size, nil)
		case r.Notification && r.Method == proto.NotifyContentFailed:
			var p proto.ContentFailedParams
			if err := json.Unmarshal(r.Params, &p); err != nil {
				return nil, err
			}
			s.tell(p.Handle, 0, &proto.Error{Code: p.Problem.Code, Args: p.Problem.Args})
		}
		return others(ctx, r)
	}
}

func (s *sending) tell(handle string, received int64, err error) {
	s.mu.Lock()
	if handle == s.handle {
		s.received = max(s.received, received)
		s.err = cmp.Or(s.err, err)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// wait returns when so many bytes have been received, or with the reason why they will not be.
func (s *sending) wait(ctx context.Context, received int64) error {
	for {
		s.mu.Lock()
		there, err := s.received >= received, s.err
		s.mu.Unlock()
		if err != nil || there {
			return err
		}
		select {
		case <-s.wake:
		case <-s.lost:
			return proto.E(proto.CodeAgentLost, nil)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Download writes a content to w.
func (c *Client) Download(ctx context.Context, from proto.Content, w io.Writer) error {
	if from.Handle == "" {
		_, err := w.Write(from.Inline)
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ahead := make(chan (<-chan piece), readsAhead)
	for i := range int64(readsAhead) {
		ahead <- c.read(ctx, from.Handle, i*pieceSize)
	}
	for offset := int64(readsAhead * pieceSize); ; offset += pieceSize {
		p := <-<-ahead
		if p.err != nil {
			return p.err
		}
		if _, err := w.Write(p.Data); err != nil {
			return err
		}
		if p.EOF {
			return nil
		}
		if len(p.Data) != pieceSize {
			return proto.E(proto.CodeAgentLost, io.ErrUnexpectedEOF)
		}
		ahead <- c.read(ctx, from.Handle, offset)
	}
}

type piece struct {
	*proto.ContentReadResult
	err error
}

// read asks for one piece; beyond the end of the document it is empty.
func (c *Client) read(ctx context.Context, handle string, offset int64) <-chan piece {
	got := make(chan piece, 1)
	go func() {
		p := proto.ContentReadParams{Handle: handle, Offset: offset, Length: pieceSize}
		r, err := Ask[proto.ContentReadResult](ctx, c, proto.MethodContentRead, p)
		got <- piece{r, err}
	}()
	return got
}
