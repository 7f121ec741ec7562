// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"persten/internal/config"
	"persten/internal/ipc"
	"persten/internal/server"
	"persten/internal/server/compat"
	"persten/proto"
)

// renewalCheck is how often a running session looks whether its loopback certificate is about to end.
const renewalCheck = 12 * time.Hour

// trustCheck is how often it looks while browsers do not trust that certificate.
const trustCheck = 10 * time.Minute

// retryPort is how often a port that another program has is tried again; tests have less patience.
var retryPort = 15 * time.Second

// passing are the problems of a port that end when somebody else ends, or starts.
var passing = []proto.Code{proto.CodePortTaken, proto.CodePortOtherUser, proto.CodePortServiceLost}

// attend opens a port and has status say for as long as it is so that it could not be opened. One that another program has is
// tried again, because that program may end.
func attend(ctx context.Context, report func(of string, e *proto.Error), wg *sync.WaitGroup, name string, open func() *proto.Error) {
	try := func() (again bool) {
		e := open()
		report(name, e)
		return e != nil && slices.Contains(passing, e.Code)
	}
	if !try() {
		return
	}
	slog.Warn("port is taken by another program", "of", name)
	wg.Go(func() {
		for again := true; again; again = try() {
			select {
			case <-ctx.Done():
				return
			case <-time.After(retryPort):
			}
		}
	})
}

// faces opens the ports of foreign protocols that are on. One that cannot be opened is a problem that status names: it may
// well be the product itself that listens there, and it has the right of way.
func (a *app) faces(ctx context.Context, srv *server.Server, wg *sync.WaitGroup) {
	for name, start := range map[string]func(context.Context, *server.Server, ipc.SiteRules, string, *sync.WaitGroup) error{
		faceNCALayer: a.startNCALayer, faceNexU: a.startNexU,
	} {
		attend(ctx, srv.Problem, wg, name, func() *proto.Error {
			f, err := a.face(name)
			switch {
			case err == nil && f.On:
				err = start(ctx, srv, facing(srv, f.Sites), f.Address, wg)
			case err == nil && name == faceNCALayer:
				err = a.clearLoopback(ctx)
			}
			return portProblem(err, f.Address, faceNames[f.Name])
		})
	}
}

// facing are the rules of a face: those of all sites and, where policy names sites for it, no others.
func facing(srv *server.Server, sites []string) ipc.SiteRules {
	if sites == nil {
		return ipc.SiteRules{Allowed: srv.AllowedOrigin, Unknown: srv.UnknownOrigin}
	}
	return ipc.SiteRules{
		Allowed: func(origin string) bool { return config.Named(sites, origin) && srv.AllowedOrigin(origin) },
		Unknown: func(origin string, p ipc.Peer) {
			if config.Named(sites, origin) {
				srv.UnknownOrigin(origin, p)
			}
		},
	}
}

// portProblem is the catalogue's word for why a port is not served under a name; nil for no error.
func portProblem(err error, address, name string) *proto.Error {
	var pe *proto.Error
	_, number, _ := net.SplitHostPort(address)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pe):
	case errors.Is(err, ipc.ErrPortService):
		pe = proto.E(proto.CodePortServiceLost, err, "port", number, "name", name)
	case errors.Is(err, ipc.ErrForeignUser):
		return proto.E(proto.CodePortOtherUser, err, "port", number, "name", name)
	case errors.Is(err, ipc.ErrInUse), errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.Errno(10048)): // WSAEADDRINUSE
		return proto.E(proto.CodePortTaken, err, "port", number, "name", name)
	default:
		pe = proto.E(proto.CodeInternal, err, "ref", name)
	}
	slog.Warn("port is not served as it should be", "of", name, "cause", err)
	return pe
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
	wg.Go(func() { a.renewing(ctx, srv, &current, untrusted) })
	return untrusted // it is answered, but browsers will not come
}

// renewing replaces the certificate before it ends. While browsers do not trust it, it looks more often whether they do now.
func (a *app) renewing(ctx context.Context, srv *server.Server, current *atomic.Pointer[tls.Config], problem error) {
	for {
		wait := renewalCheck
		if problem != nil {
			wait = trustCheck
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
			problem = a.renew(ctx, time.Now(), current)
			srv.Problem(faceNCALayer, portProblem(problem, compat.NCALayerAddress, faceNames[faceNCALayer]))
		}
	}
}

// renew looks whether there is something to renew. When the face was turned off meanwhile there is not: browsers are not told anew.
func (a *app) renew(ctx context.Context, now time.Time, current *atomic.Pointer[tls.Config]) error {
	if f, err := a.face(faceNCALayer); err != nil || !f.On {
		return nil
	}
	c, err := a.loopback(ctx, now)
	if c != nil {
		current.Store(c)
	}
	return err
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
