// SPDX-License-Identifier: GPL-3.0-or-later

// Package tray is the icon in the panel: it shows whether Persten is ready, uses a key, waits for the person, has a problem or
// is paused; its menu lists requests, certificates, signatures and sites and leads to the main window; it passes the agent's
// notices on to the desktop's notification service.
//
// # Contract
//
// [Run] is an ordinary client of the agent's API on the connection the session gave it. It asks how things are once and after
// every agent.changed and tokens.changed; what the menu says is a pure function of the answers. It returns when the connection
// ends or ctx does. It must run on the main goroutine, once in a process: the toolkit asks for both.
//
// Without a panel the icon is simply not seen, without a notification service notices are not; each has a line in the log and
// nothing else depends on it.
//
// Whatever comes from sites, certificates and files goes through ui.Safe.
//
// # Menu, notices and front ends
//
//   - The menu is a function. ui/tray asks for status, tokens, journal, sites and settings and compose makes rows of the answers.
//     The toolkit cannot remove items, so each place of the menu is made once and shows one row after the other.
//   - Notices are decided in the session (agent/notice.go), so that each is told once whatever becomes of the tray: what was told
//     of a certificate's end is kept in the state folder, and only when there was a tray to tell it. A renewed certificate's end
//     is no news.
//   - Supervision. The tray is started again at once, and ever later when it lives less than 2 s. A prompt that dies with the
//     question on screen is started once more; then prompt_lost. One that dies before anything was on screen, cannot draw or
//     shows nothing for 30 s makes room for the next front end: window, pinentry, terminal (ui.Fronts), with a line in the log.
//     What the configuration names itself is not replaced.
//   - Memory. persten-desktop holds the toolkits of all roles. The tray gives back the pages that only the start or a change
//     needed (MADV_DONTNEED on what is unchanged from its file) and rests at about 20 MiB.
package tray

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/getlantern/systray"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/text"
	"persten/proto"
)

// Changes come in bursts: they are looked at together, a moment later. Days left are counted anew now and then.
const (
	burst   = 150 * time.Millisecond
	daily   = 6 * time.Hour
	settled = 3 * time.Second // after a change
)

// memoryLimit keeps the collector at work in a process that is always there. The toolkit's own memory is beside it.
const memoryLimit = 12 << 20

// icon is the tray on its way from one state to the next.
type icon struct {
	conn    *rpc.Conn
	news    *news
	changed chan struct{}
	orders  chan order
	shown   string // state of the picture
	slots   []*slot
	desk    *desk
	window  func(page proto.WindowPage) error
}

// patience is how long the toolkit may take to be ready. Where it cannot make its icon, as on Windows before the taskbar is
// there, it waits for ever and cannot be ended: then the process ends, and is started again.
const patience = 20 * time.Second

// Run shows the icon until the connection or ctx ends. window starts the main window at a page.
func Run(ctx context.Context, c ipc.Conn, lang text.Lang, window func(page proto.WindowPage) error) error {
	debug.SetMemoryLimit(memoryLimit)
	debug.SetGCPercent(20)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &icon{changed: make(chan struct{}, 1), orders: make(chan order, 8), window: window}
	t.conn = rpc.New(c, t.handle)
	t.news = &news{conn: t.conn, system: lang, lang: lang, stale: true}
	t.desk = newDesk(ctx, t.orders)
	var lost error
	hopeless := time.AfterFunc(patience, func() {
		slog.Error("the desktop takes no icon")
		os.Exit(1)
	})
	systray.Run(func() {
		hopeless.Stop()
		t.slots = build(t.orders)
		t.draw()
		go func() {
			lost = t.conn.Serve(ctx)
			cancel()
		}()
		go func() {
			t.follow(ctx)
			systray.Quit()
		}()
	}, func() { t.conn.Close() })
	return lost
}

// handle takes the agent's notifications. Only the fact of a change is used: the state is then asked for, so that a
// notification lost or late cannot leave a wrong icon.
func (t *icon) handle(_ context.Context, r *rpc.Request) (any, error) {
	switch r.Method {
	case proto.NotifyTokensChanged:
		t.news.tokensChanged()
		t.poke()
	case proto.NotifyAgentChanged:
		t.poke()
	case proto.NotifyAgentNotice:
		t.desk.show(r.Params, t.news.language())
	}
	return nil, nil
}

func (t *icon) poke() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// follow keeps the icon true and does what the menu says.
func (t *icon) follow(ctx context.Context) {
	t.poke()
	again := time.NewTicker(daily)
	defer again.Stop()
	later, due := time.NewTimer(settled), true
	defer later.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			t.news.tokensChanged()
			t.poke()
		case <-t.changed:
			wait(ctx, burst)
			if !due {
				later.Reset(settled)
				due = true
			}
			switch err := t.news.fetch(ctx); {
			case err == nil:
				t.draw()
			case errors.Is(err, errLanguage):
				return
			}
		case <-later.C:
			shrink()
			due = false
		case o := <-t.orders:
			if t.do(ctx, o) {
				return
			}
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// draw shows what is known.
func (t *icon) draw() {
	if s := string(t.news.status.State); s != t.shown {
		systray.SetIcon(picture(s))
		t.shown = s
	}
	m := compose(t.news, time.Now())
	systray.SetTooltip(label(m.hint))
	show(t.slots, m.rows)
	t.desk.forget(t.news.status.Requests)
}

// order is what a row of the menu does.
type order struct{ what, arg string }

// The orders.
const (
	doPage     = "page"
	doRequest  = "request"
	doPause    = "pause" // arg: minutes
	doResume   = "resume"
	doDeny     = "deny"
	doForget   = "forget"
	doLanguage = "language"
	doQuit     = "quit"
)

// do carries an order out and reports whether it was the last one.
func (t *icon) do(ctx context.Context, o order) (last bool) {
	var err error
	switch o.what {
	case doPage:
		err = t.page(ctx, proto.WindowPage(o.arg))
	case doRequest:
		err = t.conn.Call(ctx, proto.MethodRequestsShow, proto.RequestsShowParams{ID: proto.RequestRef(o.arg)}, nil)
	case doPause:
		err = t.conn.Call(ctx, proto.MethodAgentPause, proto.AgentPauseParams{Paused: true, Minutes: minutes(o.arg)}, nil)
	case doResume:
		err = t.conn.Call(ctx, proto.MethodAgentPause, proto.AgentPauseParams{}, nil)
	case doDeny:
		err = t.conn.Call(ctx, proto.MethodOriginsDeny, proto.OriginsDenyParams{Origin: o.arg}, nil)
	case doForget:
		err = t.conn.Call(ctx, proto.MethodOriginsForget, proto.OriginsForgetParams{Origin: o.arg}, nil)
	case doLanguage:
		err = t.conn.Call(ctx, proto.MethodSettingsSet, proto.SettingsSetParams{Language: proto.LanguageSetting(o.arg)}, nil)
	case doQuit:
		err = t.conn.Call(ctx, proto.MethodAgentStop, proto.AgentStopParams{}, nil)
		last = err == nil
	}
	if err != nil {
		slog.Warn("the menu", "order", o.what, "cause", err)
	}
	t.poke()
	return last
}

// page has the main window show a page, and starts one when none is open.
func (t *icon) page(ctx context.Context, p proto.WindowPage) error {
	var r proto.WindowShowResult
	if err := t.conn.Call(ctx, proto.MethodWindowShow, proto.WindowShowParams{Page: p}, &r); err != nil || r.Shown {
		return err
	}
	return t.window(p)
}
