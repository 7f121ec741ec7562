// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/config"
	"persten/internal/doctor"
	"persten/internal/fleet"
	"persten/internal/ipc"
	"persten/internal/secret"
	"persten/internal/server"
	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/token"
	"persten/proto"
)

// sessionOptions are what a session is started with.
type sessionOptions struct {
	headless bool   // no tray, no window
	demo     string // folder of the demonstration token, empty for none
	socket   string // path of the user socket
	until    string // name of the event by which the service of Windows ends the session, empty for none
	listen   string // address of the WebSocket, empty for none
	allow    []string
	ready    func(websocket net.Addr)
}

func (a *app) sessionCommand() *cobra.Command {
	var o sessionOptions
	c := &cobra.Command{
		Use: "session", Short: a.t("cli.session.short"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.logTo(a.errOut, a.sessionLevel())
			c, err := a.config()
			if err != nil {
				return err
			}
			o.listen = c.Listen.WebSocket
			if o.socket, err = config.SocketPath(); err != nil {
				return err
			}
			err = a.session(cmd.Context(), o)
			if err == nil && o.until != "" {
				err = errWanted
			}
			return err
		},
	}
	c.Flags().BoolVar(&o.headless, "headless", false, a.t("cli.session.headless"))
	c.Flags().StringVar(&o.demo, "demo-token", "", a.t("cli.session.demo"))
	c.Flags().StringVar(&o.until, "until", "", "")
	_ = c.Flags().MarkHidden("until") // the service of Windows sets it
	return c
}

// errWanted is the end that the person wanted of a session that the service of Windows would start again.
var errWanted = errors.New("ended by the person")

func (a *app) sessionLevel() slog.Level {
	if a.verbose {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// session runs the daemon until ctx ends or a local client says stop.
func (a *app) session(ctx context.Context, o sessionOptions) error {
	if err := secret.Harden(); err != nil {
		return fmt.Errorf("hardening: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if o.until != "" {
		if err := until(o.until, stop); err != nil {
			return err
		}
	}
	keys, err := a.inventory(o.demo)
	if err != nil {
		return err
	}
	defer keys.Close()
	srv, tell, err := a.server(keys, o, stop)
	if err != nil {
		return err
	}
	user, err := listen(o)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { accept(ctx, user, srv, stop) })
	web := atomic.Pointer[ipc.Listener]{}
	attend(ctx, srv.Problem, &wg, webSocketPort, func() *proto.Error {
		l, err := listenWeb(srv, o)
		if l != nil {
			web.Store(&l)
			wg.Go(func() { accept(ctx, l, srv, stop) })
		}
		return portProblem(err, o.listen, "WebSocket")
	})
	a.faces(ctx, srv, &wg)
	keys.Watched(false)
	wg.Go(func() { watch(ctx, keys, srv, tell) })
	wg.Go(func() { tell.run(ctx) })
	if keep := a.loaded.Journal.Keep; keep > 0 {
		wg.Go(func() { a.expireJournal(ctx, keep) })
	}
	if a.loaded.PIN.Cache > 0 {
		wg.Go(func() { watchLock(ctx, func() { keys.modules.Forget(ctx) }) })
	}
	if a.loaded.Forward.On() {
		wg.Go(func() { a.forward(ctx, keys, srv) })
	}
	if !o.headless {
		wg.Go(func() { a.keepTray(ctx, srv, tell) })
	}
	ready(o, web.Load())
	var end error
	if giveWay(ctx, programs(), srv.Idle, lookForNew, lookForIdle) {
		end = errGivesWay
		stop()
	}
	a.sealJournal()
	time.AfterFunc(shutdownGrace, keys.Close) // a driver that hangs must not keep us
	return end
}

// sealJournal marks the journal's last record in the system's log.
func (a *app) sealJournal() {
	j, err := a.journal()
	if err == nil {
		err = j.Seal()
	}
	if err != nil {
		slog.Debug("the journal's head was not sealed", "cause", err)
	}
}

// expireJournal forgets the records that policy keeps no longer and that are sent wherever policy sends them, now and once a day.
func (a *app) expireJournal(ctx context.Context, keep time.Duration) {
	for ctx.Err() == nil {
		gone, err := a.expireOnce(ctx, time.Now().Add(-keep))
		if gone > 0 || err != nil {
			slog.Info("journal records are kept no longer", "forgotten", gone, "cause", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(24 * time.Hour):
		}
	}
}

func (a *app) expireOnce(ctx context.Context, before time.Time) (int, error) {
	state, err := a.statePath("")
	if err != nil {
		return 0, err
	}
	j, err := a.journal()
	if err != nil {
		return 0, err
	}
	return j.Expire(ctx, before, fleet.Sent(state, a.forwardTo())...)
}

// shutdownGrace is how long signatures under way may take to end by themselves.
const shutdownGrace = 500 * time.Millisecond

// accept serves one way in; the session ends with it rather than live on unreachable.
func accept(ctx context.Context, l ipc.Listener, srv *server.Server, stop func()) {
	err := l.Serve(ctx, func(c ipc.Conn, p ipc.Peer) { srv.Serve(ctx, c, p) })
	if err != nil && ctx.Err() == nil {
		slog.Error("listener ended", "address", l.Addr(), "cause", err)
		stop()
	}
}

// server builds the API over an engine whose prompts it reports on, and the notices about both.
func (a *app) server(keys inventory, o sessionOptions, stop func()) (*server.Server, *notices, error) {
	settings, err := a.settings()
	if err != nil {
		return nil, nil, err
	}
	people, err := a.fronts(settings)
	if err != nil {
		return nil, nil, err
	}
	file, err := a.statePath("notices.json")
	if err != nil {
		return nil, nil, err
	}
	tell := newNotices(file)
	tell.lang = func() text.Lang { return language(settings.Get(), a.lang) }
	tell.quiet = func() bool { return !settings.Get().Notifications }
	people.Closed = tell.made
	ask, err := a.unattended(spoken{people, settings})
	if err != nil {
		return nil, nil, err
	}
	var srv *server.Server
	engine, err := a.engine(keys.Inventory, ask, func() {
		if srv != nil {
			srv.Changed()
			poke(tell.changed)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	origins, err := a.origins(o.allow...)
	if err != nil {
		return nil, nil, err
	}
	record, err := a.journalReader()
	if err != nil {
		return nil, nil, err
	}
	identity, err := a.identity()
	if err != nil {
		return nil, nil, err
	}
	withheld, err := a.withheld()
	if err != nil {
		return nil, nil, err
	}
	srv = server.New(server.Options{
		Engine: engine, Origins: origins, Journal: record, Identity: identity, Doctor: doctor.New(a.machine(keys.Inventory)), Stop: stop, Version: version, User: userName(), Lang: string(a.lang),
		Watched: keys.Watched, Page: reportPage, Settings: settings, KeyFiles: keyFiles{keys.files, engine, a.loaded.Keyfiles.Forbid}, Managed: a.loaded.Managed, Withheld: withheld,
	})
	tell.open, tell.keys, tell.send = engine.OpenRequests, engine.Keys, srv.Notice
	return srv, tell, nil
}

// listen opens the user socket, which must be free.
func listen(o sessionOptions) (ipc.Listener, error) {
	user, err := ipc.ListenUser(o.socket)
	if errors.Is(err, ipc.ErrInUse) {
		return nil, proto.E(proto.CodeAgentRunning, err)
	}
	if err != nil {
		return nil, proto.E(proto.CodeSocketFailed, err, "detail", err.Error())
	}
	return user, nil
}

// webSocketPort is what problems of the WebSocket's port are filed under.
const webSocketPort = "websocket"

// listenWeb opens the WebSocket, without which the session still serves browsers with the extension; nil when there is to be none.
func listenWeb(srv *server.Server, o sessionOptions) (ipc.Listener, error) {
	if o.listen == "" {
		return nil, nil
	}
	l, err := ipc.ListenWebSocket(o.listen, ipc.WebSocketOptions{
		SiteRules: ipc.SiteRules{Allowed: srv.AllowedOrigin, Unknown: srv.UnknownOrigin},
		Service:   ipc.PortSocket,
		Trouble:   func(err error) { srv.Problem(webSocketPort, portProblem(err, o.listen, "WebSocket")) },
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

func ready(o sessionOptions, web *ipc.Listener) {
	var addr net.Addr
	if web != nil {
		addr = (*web).Addr()
	}
	slog.Info("ready", "socket", o.socket, "websocket", addr, "version", version)
	if o.ready != nil {
		o.ready(addr)
	}
}

// watch tells clients when tokens come and go.
func watch(ctx context.Context, keys inventory, srv *server.Server, tell *notices) {
	for e := range keys.Events(ctx) {
		slog.Info("token", "event", e.Kind, "label", e.Token.Label, "module", e.Token.Module)
		srv.TokensChanged()
		srv.Changed()
		poke(tell.look)
		if e.Kind == token.Inserted {
			tell.plugged(ctx, e.Token)
		}
	}
}

// commandCaller is who asks when a command signs by itself.
func commandCaller(lang string) signing.Caller {
	return signing.Caller{Channel: signing.NewChannel(), Via: signing.ViaCommand, User: userName(), Lang: lang}
}
