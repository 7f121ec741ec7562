// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kardianos/service"

	"persten/installer"
	"persten/internal/config"
	"persten/internal/ipc"
	"persten/internal/token/pkcs11"
	"persten/proto"
)

// systemUnitDir is where an administrator's units are; those of packages are elsewhere.
const systemUnitDir = "/etc/systemd/system"

// The units of the port that all users share.
const (
	portUnit   = "persten-port.service"
	portSocket = "persten-port.socket"
)

// serviceRun is what systemd calls: it shares the port between the users' sessions until ctx ends.
func serviceRun(ctx context.Context, _ serviceOrder) error {
	web, sessions, err := ipc.Activated()
	if err != nil {
		return proto.E(proto.CodeUsage, err, "detail", "service run: systemd starts this, by "+portSocket)
	}
	slog.Info("sharing the port", "address", web.Addr(), "sessions", sessions.Addr())
	if err := ipc.ServePort(ctx, web, sessions); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// systemUnits is the shared port under the system's systemd.
type systemUnits struct{ exe string }

func newSystemUnits() (controller, error) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil, proto.E(proto.CodeServiceUnavailable, err)
	}
	c, err := serviceConfig(false)
	if err != nil {
		return nil, err
	}
	return systemUnits{exe: c.Executable}, nil
}

// Install writes the units with the path of this program, enables them, and has systemd take the port. Everybody's connections go
// through this program, so it must be the administrator's alone to change.
func (u systemUnits) Install() error {
	if err := requireRoot(); err != nil {
		return err
	}
	if err := guarded(u.exe); err != nil {
		return err
	}
	start := strings.NewReplacer("%", "%%", " ", `\x20`).Replace(u.exe) + " service run"
	for name, text := range map[string]string{
		portSocket: installer.PortSocket,
		portUnit:   strings.Replace(installer.PortService, installer.PortExecStart, start, 1),
	} {
		if err := os.WriteFile(filepath.Join(systemUnitDir, name), []byte(text), 0o644); err != nil {
			return errors.Join(err, u.Uninstall())
		}
	}
	err := command("systemctl", "daemon-reload")
	if err == nil {
		err = takePort("enable", "--now", portSocket)
	}
	if err != nil {
		return errors.Join(err, u.Uninstall())
	}
	return nil
}

// guarded makes sure that nobody but root can change the program or put another in its place.
func guarded(exe string) error {
	if err := pkcs11.Trusted(exe); err != nil {
		return proto.E(proto.CodeServiceUnsafe, err, "file", exe)
	}
	return nil
}

// takePort has systemd open the port, or says that it is not free: a session that was started before has it, or a stranger.
func takePort(order ...string) error {
	err := command("systemctl", order...)
	if err == nil {
		return nil
	}
	if c, none := net.DialTimeout("tcp4", config.DefaultWebSocket, time.Second); none == nil {
		c.Close()
		_, port, _ := net.SplitHostPort(config.DefaultWebSocket)
		return proto.E(proto.CodePortTaken, err, "port", port, "name", portSocket)
	}
	return err
}

// Uninstall removes what Install wrote; a package removes its own.
func (u systemUnits) Uninstall() error {
	if err := requireRoot(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(systemUnitDir, portSocket)); err != nil {
		return nil
	}
	failed := command("systemctl", "disable", "--now", portSocket, portUnit)
	for _, name := range []string{portSocket, portUnit} {
		if err := os.Remove(filepath.Join(systemUnitDir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return errors.Join(failed, command("systemctl", "daemon-reload"))
}

// Start has systemd take the port; the first session or connection starts the service.
func (u systemUnits) Start() error {
	return u.installed(func() error { return takePort("start", portSocket) })
}

// Stop gives the port away: the first session that asks for it gets it.
func (u systemUnits) Stop() error {
	return u.installed(func() error { return command("systemctl", "stop", portSocket, portUnit) })
}

// Restart keeps the port; open connections are the sessions' and stay.
func (u systemUnits) Restart() error {
	return u.installed(func() error {
		if err := takePort("start", portSocket); err != nil {
			return err
		}
		return command("systemctl", "restart", portUnit)
	})
}

// installed does something to units that are there.
func (u systemUnits) installed(do func() error) error {
	if err := requireRoot(); err != nil {
		return err
	}
	if _, err := u.Status(); errors.Is(err, service.ErrNotInstalled) {
		return proto.E(proto.CodeServiceAbsent, err)
	}
	return do()
}

// Status is that of the socket: while systemd holds the port, the service starts when it is needed.
func (u systemUnits) Status() (service.Status, error) {
	out, err := exec.Command("systemctl", "show", "--property=LoadState,ActiveState", portSocket).Output()
	if err != nil {
		return service.StatusUnknown, fmt.Errorf("systemctl show %s: %w", portSocket, err)
	}
	state := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		state[name] = value
	}
	switch {
	case state["LoadState"] != "loaded":
		return service.StatusUnknown, service.ErrNotInstalled
	case state["ActiveState"] == "active":
		return service.StatusRunning, nil
	case state["ActiveState"] == "failed":
		return service.StatusStopped, errServiceCrashed
	}
	return service.StatusStopped, nil
}

func requireRoot() error {
	if os.Geteuid() != 0 {
		return proto.E(proto.CodeServiceRoot, nil)
	}
	return nil
}
