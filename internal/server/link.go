// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"encoding/json"
	"errors"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/proto"
)

// Link is a connection to the API from inside this process: a foreign protocol speaks through it for a page. The page has
// there what it has on any connection: its origin's rules, limits and approvals, and nothing else.
type Link struct {
	conn *rpc.Conn
	done chan struct{}
}

// Link connects p. hear gets the notifications, one at a time; it may be nil. Close ends the link, its prompts and contents.
func (s *Server) Link(ctx context.Context, p ipc.Peer, hear func(method string, params json.RawMessage)) *Link {
	near, far := ipc.Pipe()
	l := &Link{done: make(chan struct{})}
	l.conn = rpc.New(near, func(_ context.Context, r *rpc.Request) (any, error) {
		if hear != nil && r.Notification {
			hear(r.Method, r.Params)
		}
		return nil, nil
	})
	go func() {
		defer close(l.done)
		_ = s.Serve(ctx, far, p) // how it ended is of interest to nobody: both ends are ours
	}()
	go func() { _ = l.conn.Serve(ctx) }()
	return l
}

// Call calls a method; an answer that says no is a *proto.Error.
func (l *Link) Call(ctx context.Context, method string, params, result any) error {
	err := l.conn.Call(ctx, method, params, result)
	var re *rpc.Error
	if !errors.As(err, &re) {
		return err
	}
	var d proto.ErrorData
	if json.Unmarshal(re.Data, &d) != nil || d.Code == "" {
		return proto.E(proto.CodeInternal, err)
	}
	return &proto.Error{Code: d.Code, Args: d.Args}
}

// Close ends the link and waits until its caller is forgotten.
func (l *Link) Close() {
	l.conn.Close()
	<-l.done
}
