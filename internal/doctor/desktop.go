// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"cmp"
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// firstX is the port of the first display of an X server that listens on the network.
const firstX = 6000

// checkDesktop looks whether a person can be asked, in the way the configuration says.
func checkDesktop(ctx context.Context, m *Machine) []Finding {
	if m.Config == nil || runtime.GOOS != "linux" {
		return nil
	}
	c, err := m.Config()
	if err != nil {
		return nil
	}
	switch c.UI.Approver {
	case "terminal":
		return nil
	case "pinentry":
		return checkPinentry(c.UI.Pinentry)
	}
	if m.Desktop == "" {
		return []Finding{problem("desktop_missing", filepath.Join(filepath.Dir(m.Program), "persten-desktop"))}
	}
	if m.Display == nil {
		return nil
	}
	env := m.Display(ctx)
	if list := m.checkDisplay(ctx, env); len(list) > 0 {
		return list
	}
	return m.checkTray(ctx)
}

// pinentryUsual is what package pinentry starts when none is named.
const pinentryUsual = "pinentry"

func checkPinentry(program string) []Finding {
	program = cmp.Or(program, pinentryUsual)
	if _, err := exec.LookPath(program); err != nil {
		return []Finding{problem("pinentry_absent", program)}
	}
	return nil
}

// checkDisplay knocks at the display a window would open on.
func (m *Machine) checkDisplay(ctx context.Context, env map[string]string) []Finding {
	wayland, x := env["WAYLAND_DISPLAY"], env["DISPLAY"]
	if wayland == "" && x == "" {
		return []Finding{problem("display_none", "")}
	}
	for _, at := range [][2]string{waylandSocket(wayland, m.Env("XDG_RUNTIME_DIR")), xSocket(x)} {
		if at[1] == "" {
			continue
		}
		if conn, err := m.Dial(ctx, at[0], at[1]); err == nil {
			conn.Close()
			return nil
		}
	}
	return []Finding{problem("display_unreachable", cmp.Or(x, wayland))}
}

func waylandSocket(name, runtimeDir string) [2]string {
	if name != "" && !filepath.IsAbs(name) {
		name = filepath.Join(runtimeDir, name)
	}
	return [2]string{"unix", name}
}

// xSocket is where the X server of a DISPLAY listens.
func xSocket(display string) [2]string {
	host, rest, ok := strings.Cut(display, ":")
	number, _, _ := strings.Cut(rest, ".")
	switch {
	case !ok || number == "":
		return [2]string{}
	case host == "" || host == "unix":
		return [2]string{"unix", "/tmp/.X11-unix/X" + number}
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > 9999 {
		return [2]string{}
	}
	return [2]string{"tcp", net.JoinHostPort(host, strconv.Itoa(firstX+n))}
}

// checkTray looks for a place for the icon.
func (m *Machine) checkTray(ctx context.Context) []Finding {
	if m.Tray == nil {
		return nil
	}
	shown, err := m.Tray(ctx)
	switch {
	case err != nil:
		return []Finding{note("bus_none", "")}
	case !shown:
		return []Finding{note("tray_none", "")}
	}
	return nil
}
