// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"encoding/hex"

	"persten/internal/signing"
	"persten/proto"
)

// ContentOpen starts a document of this channel, hashes it as it arrives when told with what, and opens a stream for it where
// there can be one.
func (c *client) ContentOpen(ctx context.Context, p proto.ContentOpenParams) (*proto.ContentOpenResult, error) {
	store := c.o.Engine.Store()
	h, err := store.Open(c.who.Channel, p.Name, p.MIME, p.Size)
	if err != nil {
		return nil, err
	}
	ahead := signing.Ahead{Digest: p.DigestAlg, Certificate: p.Certificate}
	if err := c.o.Engine.HashAhead(ctx, c.who.Channel, h, ahead); err != nil {
		store.Drop(c.who.Channel, h)
		return nil, err
	}
	out := &proto.ContentOpenResult{Handle: h}
	if st := c.streams.start(h); st != nil {
		out.Stream, out.Window = int(st.number), st.window
	}
	return out, nil
}

// ContentAppend adds a piece.
func (c *client) ContentAppend(_ context.Context, p proto.ContentAppendParams) (*proto.ContentAppendResult, error) {
	store := c.o.Engine.Store()
	n, err := int64(0), error(nil)
	if p.Size > 0 {
		n, err = store.AppendAt(c.who.Channel, p.Handle, p.Size-int64(len(p.Data)), p.Data)
	} else {
		n, err = store.Append(c.who.Channel, p.Handle, p.Data)
	}
	if err != nil {
		return nil, err
	}
	return &proto.ContentAppendResult{Size: n}, nil
}

// ContentClose seals a document: from here on its bytes cannot change. It tells its digest when asked to.
func (c *client) ContentClose(ctx context.Context, p proto.ContentCloseParams) (*proto.ContentCloseResult, error) {
	if err := c.streams.finish(ctx, p.Handle); err != nil {
		return nil, err
	}
	n, err := c.o.Engine.Store().Seal(c.who.Channel, p.Handle)
	if err != nil {
		return nil, err
	}
	out := &proto.ContentCloseResult{Size: n}
	if p.DigestAlg != "" {
		sum, err := c.o.Engine.Digest(ctx, c.who.Channel, p.Handle, p.DigestAlg)
		if err != nil {
			return nil, err
		}
		out.Digest = hex.EncodeToString(sum)
	}
	return out, nil
}

// ContentRead returns a piece of a sealed document.
func (c *client) ContentRead(_ context.Context, p proto.ContentReadParams) (*proto.ContentReadResult, error) {
	data, eof, err := c.o.Engine.Store().Read(c.who.Channel, p.Handle, p.Offset, p.Length)
	if err != nil {
		return nil, err
	}
	return &proto.ContentReadResult{Data: data, EOF: eof}, nil
}

// ContentDrop frees a document.
func (c *client) ContentDrop(_ context.Context, p proto.ContentDropParams) (*proto.ContentDropResult, error) {
	c.streams.drop(p.Handle)
	c.o.Engine.Store().Drop(c.who.Channel, p.Handle)
	return &proto.ContentDropResult{}, nil
}
