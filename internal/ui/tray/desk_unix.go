// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package tray

import (
	"context"
	"encoding/json"
	"html"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"persten/internal/text"
	"persten/proto"
)

// The desktop's notification service, https://specifications.freedesktop.org/notification-spec.
const (
	noticeService = "org.freedesktop.Notifications"
	noticePath    = "/org/freedesktop/Notifications"
	trayHost      = "org.kde.StatusNotifierWatcher"

	noticePatience = 3 * time.Second
)

// desk is the desktop around the icon: it shows notices and tells of clicks on them.
type desk struct {
	bus    *dbus.Conn // nil: there is none
	orders chan<- order

	mu     sync.Mutex
	shown  map[uint32]proto.AgentNoticeParams
	markup *bool // whether bodies are read as markup; nil: not asked yet
}

// newDesk joins the session bus. Without one notices are not shown, and the log says so.
func newDesk(ctx context.Context, orders chan<- order) *desk {
	d := &desk{orders: orders, shown: map[uint32]proto.AgentNoticeParams{}}
	bus, err := dbus.Connect(busAddress(), dbus.WithContext(ctx))
	if err != nil {
		slog.Warn("no session bus: notices are not shown", "cause", err)
		return d
	}
	d.bus = bus
	if err := bus.AddMatchSignal(dbus.WithMatchInterface(noticeService), dbus.WithMatchSender(noticeService)); err != nil {
		slog.Warn("clicks on notices go unnoticed", "cause", err)
	}
	signals := make(chan *dbus.Signal, 8)
	bus.Signal(signals)
	go d.hear(ctx, signals)
	var host bool
	if err := bus.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, trayHost).Store(&host); err != nil || !host {
		slog.Info("nothing on this desktop shows status icons yet", "cause", err)
	}
	return d
}

// busAddress is the bus that is there: one is never started for us.
func busAddress() string {
	if a := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); a != "" {
		return a
	}
	return "unix:path=" + filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus")
}

// show shows a notice; a click on it gives its order.
func (d *desk) show(params json.RawMessage, lang text.Lang) {
	n, ok := read(params)
	if !ok || d.bus == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	body := n.Body
	if d.reads() {
		body = html.EscapeString(body)
	}
	hints := map[string]dbus.Variant{"desktop-entry": dbus.MakeVariant("persten"), "urgency": dbus.MakeVariant(byte(1))}
	var id uint32
	err := d.call("Notify", "Persten", uint32(0), "",
		n.Title, body, []string{"default", openWord(lang)}, hints, int32(-1)).Store(&id)
	if err != nil {
		slog.Warn("a notice was not shown", "kind", n.Kind, "cause", err)
		return
	}
	d.shown[id] = n
}

// call asks the notification service, which may hang like any program.
func (d *desk) call(method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(context.Background(), noticePatience)
	defer cancel()
	return d.bus.Object(noticeService, noticePath).CallWithContext(ctx, noticeService+"."+method, 0, args...)
}

// reads reports whether the service takes bodies for markup. The caller holds mu.
func (d *desk) reads() bool {
	if d.markup == nil {
		var able []string
		if err := d.call("GetCapabilities").Store(&able); err != nil {
			return true
		}
		yes := slices.Contains(able, "body-markup")
		d.markup = &yes
	}
	return *d.markup
}

// hear waits for clicks.
func (d *desk) hear(ctx context.Context, signals <-chan *dbus.Signal) {
	for {
		select {
		case <-ctx.Done():
			d.bus.Close()
			return
		case s, ok := <-signals:
			if !ok {
				return
			}
			d.heard(s)
		}
	}
}

func (d *desk) heard(s *dbus.Signal) {
	var id uint32
	if len(s.Body) != 2 {
		return
	}
	if id, _ = s.Body[0].(uint32); id == 0 {
		return
	}
	d.mu.Lock()
	n, ours := d.shown[id]
	if s.Name == noticeService+".NotificationClosed" {
		delete(d.shown, id)
	}
	d.mu.Unlock()
	if ours && s.Name == noticeService+".ActionInvoked" {
		d.orders <- click(n)
	}
}

// forget takes away what reminds of requests that are over.
func (d *desk) forget(open []proto.OpenRequest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, n := range d.shown {
		if n.Request != "" && !slices.ContainsFunc(open, func(r proto.OpenRequest) bool { return r.ID == n.Request }) {
			d.bus.Object(noticeService, noticePath).Call(noticeService+".CloseNotification", dbus.FlagNoReplyExpected, id)
			delete(d.shown, id)
		}
	}
}
