// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"persten/internal/ipc"
	"persten/internal/server"
	"persten/internal/server/compat"
	"persten/proto"
)

// renewalCheck is how often a running session looks whether its loopback certificate is about to end.
const renewalCheck = 12 * time.Hour

// faces opens the ports of foreign protocols that are on. One that cannot be opened is a problem that status names: it may
// well be the product itself that listens there, and it has the right of way.
func (a *app) faces(ctx context.Context, srv *server.Server, wg *sync.WaitGroup) {
	rules := ipc.SiteRules{Allowed: srv.AllowedOrigin, Unknown: srv.UnknownOrigin}
	for name, start := range map[string]func(context.Context, *server.Server, ipc.SiteRules, string, *sync.WaitGroup) error{
		faceNCALayer: a.startNCALayer, faceNexU: a.startNexU,
	} {
		f, err := a.face(name)
		switch {
		case err == nil && f.On:
			err = start(ctx, srv, rules, f.Address, wg)
		case err == nil && name == faceNCALayer:
			err = a.clearLoopback(ctx)
		}
		if err != nil {
			slog.Warn("foreign protocol is not answered", "name", name, "cause", err)
			srv.Problem(faceProblem(err, f))
		}
	}
}

func faceProblem(err error, f face) *proto.Error {
	var pe *proto.Error
	_, number, _ := net.SplitHostPort(f.Address)
	switch {
	case errors.As(err, &pe):
		return pe
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.Errno(10048)): // WSAEADDRINUSE
		return proto.E(proto.CodePortTaken, err, "port", number, "name", faceNames[f.Name])
	}
	return proto.E(proto.CodeInternal, err, "ref", f.Name)
}

func (a *app) startNCALayer(ctx context.Context, srv *server.Server, rules ipc.SiteRules, address string, wg *sync.WaitGroup) error {
	var current atomic.Pointer[tls.Config]
	secure := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return current.Load(), nil }}
	l, err := ipc.ListenWebSocket(address, ipc.WebSocketOptions{SiteRules: rules, TLS: secure, Foreign: true, MaxMessage: compat.MaxNCALayer})
	if err != nil {
		return err // before browsers are told anything: the product itself may be there
	}
	c, untrusted := a.loopback(ctx, time.Now())
	if c == nil {
		return errors.Join(untrusted, l.Close())
	}
	current.Store(c)
	wg.Go(func() {
		err := l.Serve(ctx, func(c ipc.Conn, p ipc.Peer) {
			if err := compat.NCALayer(ctx, srv, c, p, string(a.lang)); err != nil {
				slog.Debug("NCALayer connection ended", "origin", p.Origin, "cause", err)
			}
		})
		over(ctx, faceNCALayer, err)
	})
	wg.Go(func() { a.renewing(ctx, &current) })
	return untrusted // it is answered, but browsers will not come
}

// renewing replaces the certificate before it ends.
func (a *app) renewing(ctx context.Context, current *atomic.Pointer[tls.Config]) {
	for t := time.NewTicker(renewalCheck); ; {
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
			a.renew(ctx, time.Now(), current)
		}
	}
}

// renew looks whether there is something to renew. When the face was turned off meanwhile there is not: browsers are not told anew.
func (a *app) renew(ctx context.Context, now time.Time, current *atomic.Pointer[tls.Config]) {
	if f, err := a.face(faceNCALayer); err != nil || !f.On {
		return
	}
	c, err := a.loopback(ctx, now)
	if err != nil {
		slog.Warn("loopback certificate", "cause", err)
	}
	if c != nil {
		current.Store(c)
	}
}

func (a *app) startNexU(ctx context.Context, srv *server.Server, rules ipc.SiteRules, address string, wg *sync.WaitGroup) error {
	l, err := ipc.ListenPages(address, ipc.PageOptions{
		SiteRules: rules, Methods: compat.NexUMethods(), MaxBody: compat.MaxNexU, Answer: compat.NewNexU(srv, string(a.lang)).Answer,
	})
	if err != nil {
		return err
	}
	wg.Go(func() { over(ctx, faceNexU, l.Serve(ctx)) })
	return nil
}

// over logs that a port is not served any more, unless the session ends.
func over(ctx context.Context, name string, err error) {
	if ctx.Err() == nil {
		slog.Error("foreign protocol ended", "name", name, "cause", err)
	}
}
