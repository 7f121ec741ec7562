// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// prefersDark asks the desktop: by its portal, which is asked only where it runs, else by the files of GTK.
func prefersDark() bool {
	if dark, err := portalDark(); err == nil {
		return dark
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return false
	}
	f, err := os.Open(filepath.Join(dir, "gtk-3.0", "settings.ini"))
	if err != nil {
		return strings.HasSuffix(os.Getenv("GTK_THEME"), "dark")
	}
	defer f.Close()
	return gtkDark(f)
}

var errNoPreference = errors.New("the desktop has no preference")

// portalDark reads org.freedesktop.appearance color-scheme: 1 is dark, 2 is light. A window waits for it, so not for long.
func portalDark() (bool, error) {
	const name, path = "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop"
	address := os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	if address == "" {
		return false, errNoPreference
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	conn, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		return false, err
	}
	defer conn.Close()
	var v dbus.Variant
	call := conn.Object(name, path).CallWithContext(ctx, "org.freedesktop.portal.Settings.Read", dbus.FlagNoAutoStart,
		"org.freedesktop.appearance", "color-scheme")
	if err := call.Store(&v); err != nil {
		return false, err
	}
	if inner, ok := v.Value().(dbus.Variant); ok { // old portals wrap it twice
		v = inner
	}
	scheme, _ := v.Value().(uint32)
	if scheme != 1 && scheme != 2 {
		return false, errNoPreference
	}
	return scheme == 1, nil
}

// gtkDark reads what GTK programs are told of their look.
func gtkDark(r io.Reader) (dark bool) {
	const most = 1 << 16
	lines := bufio.NewScanner(io.LimitReader(r, most))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		value = strings.ToLower(strings.TrimSpace(value))
		switch strings.TrimSpace(key) {
		case "gtk-application-prefer-dark-theme":
			return value == "1" || value == "true"
		case "gtk-theme-name":
			dark = strings.HasSuffix(value, "dark")
		}
	}
	return dark
}
