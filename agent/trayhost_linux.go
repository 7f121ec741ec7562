// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"

	"github.com/godbus/dbus/v5"
)

// watcher is the name under which a desktop takes icons of programs.
const watcher = "org.kde.StatusNotifierWatcher"

// trayShown asks the session bus whether the desktop shows icons of programs.
func trayShown(ctx context.Context) (shown bool, err error) {
	address := display(ctx)["DBUS_SESSION_BUS_ADDRESS"]
	if address == "" {
		address = "unix:path=" + display(ctx)["XDG_RUNTIME_DIR"] + "/bus"
	}
	bus, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		return false, err
	}
	defer bus.Close()
	err = bus.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, watcher).Store(&shown)
	return shown, err
}
