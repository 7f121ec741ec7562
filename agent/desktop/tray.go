// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"log/slog"
	"os"
	"os/exec"
	"strings"

	"persten/internal/ipc"
	"persten/internal/text"
	"persten/internal/ui/tray"
	"persten/proto"
)

// icon is the role of the panel icon. The toolkit keeps the main goroutine.
func icon() {
	conn, err := ipc.Inherited()
	if err != nil {
		exit(err)
	}
	exit(tray.Run(untilSignalled(), conn, text.FromEnv(), openWindow))
}

// openWindow starts the main window at a page. In a unit of the service manager the tray shares the session's sandbox, in which
// a window could not write beside the person's files: there the manager starts it.
func openWindow(page proto.WindowPage) error {
	me, err := os.Executable()
	if err != nil {
		return err
	}
	role := []string{me, "window", string(page)}
	if os.Getenv("INVOCATION_ID") != "" {
		args := append([]string{"--user", "--collect", "--quiet", "--slice=app.slice"}, shared()...)
		out, err := exec.Command("systemd-run", append(append(args, "--"), role...)...).CombinedOutput()
		if err == nil {
			return nil
		}
		slog.Warn("the service manager does not start the window", "cause", err, "said", strings.TrimSpace(string(out)))
	}
	cmd := exec.Command(role[0], role[1:]...)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait()
	return nil
}

// shared are the variables the window needs of ours, as the service manager takes them.
func shared() (args []string) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch {
		case name == "DISPLAY", name == "WAYLAND_DISPLAY", name == "XAUTHORITY", name == "DBUS_SESSION_BUS_ADDRESS", strings.HasPrefix(name, "PERSTEN_"):
			args = append(args, "--setenv="+v)
		}
	}
	return args
}
