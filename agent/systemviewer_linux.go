// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// openInSystem asks the desktop's portal, which opens the file outside our sandbox and knows the person's choice of programs;
// where there is none, xdg-open.
func openInSystem(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	env := desktopEnv(ctx)
	if openByPortal(ctx, env, path) == nil {
		return nil
	}
	args := []string{"xdg-open", path}
	if os.Getenv("INVOCATION_ID") != "" { // in a unit, whose sandbox the viewer must not share
		args = append([]string{"systemd-run", "--user", "--collect", "--quiet", "--"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Cancel = env, func() error { return nil } // a viewer that stays in the foreground lives on
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(3 * time.Second):
		return nil
	}
}

// openByPortal calls OpenFile of org.freedesktop.portal.OpenURI.
func openByPortal(ctx context.Context, env []string, path string) error {
	address := ""
	for _, v := range env {
		if a, ok := strings.CutPrefix(v, "DBUS_SESSION_BUS_ADDRESS="); ok {
			address = a
		}
	}
	bus, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		return err
	}
	defer bus.Close()
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return bus.Object("org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop").CallWithContext(ctx,
		"org.freedesktop.portal.OpenURI.OpenFile", 0, "", dbus.UnixFD(f.Fd()), map[string]dbus.Variant{"writable": dbus.MakeVariant(false)}).Err
}
