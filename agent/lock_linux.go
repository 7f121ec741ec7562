// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"log/slog"

	"github.com/godbus/dbus/v5"
)

// logind's signals after which nobody may be at the desk any more.
var lockSignals = []struct{ iface, member string }{
	{"org.freedesktop.login1.Session", "Lock"},
	{"org.freedesktop.login1.Manager", "PrepareForSleep"},
	{"org.freedesktop.login1.Manager", "PrepareForShutdown"},
}

// watchLock calls away whenever a session of this machine locks or the machine is about to sleep, until ctx ends. Where
// there is no logind it says so once and does nothing.
func watchLock(ctx context.Context, away func()) {
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		slog.Warn("locking and sleep go unnoticed: kept PINs end by time alone", "cause", err)
		return
	}
	defer bus.Close()
	for _, s := range lockSignals {
		if err := bus.AddMatchSignal(dbus.WithMatchInterface(s.iface), dbus.WithMatchMember(s.member)); err != nil {
			slog.Warn("locking and sleep go unnoticed: kept PINs end by time alone", "cause", err)
			return
		}
	}
	signals := make(chan *dbus.Signal, 8)
	bus.Signal(signals)
	for {
		select {
		case <-ctx.Done():
			return
		case s, ok := <-signals:
			if !ok {
				return
			}
			slog.Debug("away", "signal", s.Name)
			away()
		}
	}
}
