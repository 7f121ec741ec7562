// SPDX-License-Identifier: GPL-3.0-or-later

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/proto"
)

// TestSending: who waits for room goes on when the session has taken enough of this document, and ends when the session says
// that it failed, when it is gone, and when nobody wants it any more.
func TestSending(t *testing.T) {
	problem := proto.Problem{Code: proto.CodeContentDiskFull}
	for name, c := range map[string]struct {
		method string
		params any
		want   error
	}{
		"enough":     {proto.NotifyContentReceived, proto.ContentReceivedParams{Handle: "mine", Size: 10}, nil},
		"failed":     {proto.NotifyContentFailed, proto.ContentFailedParams{Handle: "mine", Problem: problem}, proto.CodeContentDiskFull},
		"too little": {proto.NotifyContentReceived, proto.ContentReceivedParams{Handle: "mine", Size: 9}, context.Canceled},
		"another":    {proto.NotifyContentReceived, proto.ContentReceivedParams{Handle: "other", Size: 10}, context.Canceled},
		"another's":  {proto.NotifyContentFailed, proto.ContentFailedParams{Handle: "other", Problem: problem}, context.Canceled},
		"something":  {proto.NotifyTokensChanged, proto.TokensChangedParams{}, context.Canceled},
	} {
		s := newSending()
		s.start("mine")
		passed := 0
		hear := s.hear(func(context.Context, *rpc.Request) (any, error) { passed++; return nil, nil })
		params, err := json.Marshal(c.params)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if errors.Is(c.want, context.Canceled) {
			cancel()
		}
		done := make(chan error)
		go func() { done <- s.wait(ctx, 10) }()
		if _, err := hear(t.Context(), &rpc.Request{Method: c.method, Params: params, Notification: true}); err != nil || passed != 1 {
			t.Errorf("%s: passed on %d times, %v", name, passed, err)
		}
		if err := <-done; !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
	s := newSending()
	close(s.lost)
	if err := s.wait(t.Context(), 1); !errors.Is(err, proto.CodeAgentLost) {
		t.Error("lost:", err)
	}
	_, err := s.hear(nil)(t.Context(), &rpc.Request{Method: proto.NotifyContentFailed, Params: []byte("[]"), Notification: true})
	if err == nil {
		t.Error("a list of parameters passed")
	}
}

// reading is a client of a session that has one sealed document, whose pieces are what say makes of them.
func reading(t *testing.T, doc []byte, say func(offset int64, piece []byte) []byte) *Client {
	in, out := io.Pipe()
	back, answers := io.Pipe()
	session := rpc.New(ipc.Stdio(in, answers, ipc.MaxFrame), func(_ context.Context, r *rpc.Request) (any, error) {
		var p proto.ContentReadParams
		if err := json.Unmarshal(r.Params, &p); err != nil {
			return nil, err
		}
		from := min(p.Offset, int64(len(doc)))
		to := min(from+int64(p.Length), int64(len(doc)))
		return proto.ContentReadResult{Data: say(p.Offset, doc[from:to]), EOF: to == int64(len(doc))}, nil
	})
	c := &Client{conn: rpc.New(ipc.Stdio(back, out, ipc.MaxFrame), nil)}
	go session.Serve(t.Context())
	go c.conn.Serve(t.Context())
	t.Cleanup(func() { c.Close(); session.Close() })
	return c
}

// TestDownload: pieces asked for ahead are written in order, whatever the length; a short one in the middle is a fault.
func TestDownload(t *testing.T) {
	doc := make([]byte, 7*pieceSize+1)
	for i := range doc {
		doc[i] = byte(i / pieceSize)
	}
	whole := func(_ int64, piece []byte) []byte { return piece }
	for _, n := range []int{0, 1, pieceSize - 1, pieceSize, pieceSize + 1, readsAhead * pieceSize, len(doc)} {
		var got bytes.Buffer
		err := reading(t, doc[:n], whole).Download(t.Context(), proto.Content{Handle: "h"}, &got)
		if err != nil || !bytes.Equal(got.Bytes(), doc[:n]) {
			t.Errorf("%d bytes: got %d, %v", n, got.Len(), err)
		}
	}
	short := func(offset int64, piece []byte) []byte {
		if offset == 5*pieceSize {
			return piece[1:]
		}
		return piece
	}
	err := reading(t, doc, short).Download(t.Context(), proto.Content{Handle: "h"}, io.Discard)
	if !errors.Is(err, proto.CodeAgentLost) {
		t.Error("a short piece:", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stop := func(offset int64, piece []byte) []byte {
		if offset == 5*pieceSize {
			cancel()
		}
		return piece
	}
	if err := reading(t, doc, stop).Download(ctx, proto.Content{Handle: "h"}, io.Discard); !errors.Is(err, context.Canceled) {
		t.Error("given up:", err)
	}
}
