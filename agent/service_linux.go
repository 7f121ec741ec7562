// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kardianos/service"

	"persten/installer"
	"persten/internal/ipc"
	"persten/internal/text"
	"persten/proto"
)

const socketUnit = serviceName + ".socket"

// newService addresses the person's own systemd (systemctl --user): a system service could not show a window, nor see
// what the person's session sees. Only the port that all users share is the system's.
func newService(o serviceOrder) (controller, error) {
	if o.system {
		return newSystemUnits()
	}
	if err := requireUserManager(); err != nil {
		return nil, err
	}
	c, err := serviceConfig(o.headless)
	if err != nil {
		return nil, err
	}
	c.Executable = strings.ReplaceAll(c.Executable, "%", "%%")
	c.Option = service.KeyValue{"UserService": true}
	s, err := service.New(serviceBody{}, c)
	if err != nil {
		return nil, serviceFailed(err)
	}
	return userUnit{Service: s, config: c, headless: o.headless}, nil
}

// userUnit is the session under the person's systemd, and its socket. It renders its unit only when it is installed, because
// trying the sandbox starts a process.
type userUnit struct {
	service.Service
	config   *service.Config
	headless bool
}

// writeUnit writes and enables the unit. The library keeps the pointer to the configuration and reads the template here.
func (u userUnit) writeUnit() error {
	unit := installer.Service
	if rest, directives := installer.SplitSandbox(unit); !sandboxWorks(directives) {
		unit = rest
		fmt.Fprintln(os.Stderr, text.Get(text.FromEnv(), "service.sandbox.absent", nil))
	}
	u.config.Option["SystemdScript"] = unitTemplate(unit)
	return u.Service.Install()
}

// Status adds to the library's a word for a unit that systemd gave up on.
func (u userUnit) Status() (service.Status, error) {
	s, err := u.Service.Status()
	if err != nil && !errors.Is(err, service.ErrNotInstalled) && systemctl("is-failed", "--quiet", serviceName+".service") == nil {
		return service.StatusStopped, errServiceCrashed
	}
	return s, err
}

// sandboxWorks starts /bin/true under the directives. Those with specifiers (%h) are left out: a transient unit takes
// them literally, and they need nothing that the others do not.
func sandboxWorks(directives []string) bool {
	args := []string{"--user", "--wait", "--collect", "--quiet"}
	for _, d := range directives {
		if !strings.Contains(d, "%") {
			args = append(args, "-p", d)
		}
	}
	return command("systemd-run", append(args, "/bin/true")...) == nil
}

// unitTemplate puts the placeholders of kardianos/service where the packaged unit has its command.
func unitTemplate(unit string) string {
	return strings.Replace(unit, installer.ExecStart, "{{Path | cmdEscape}}{{range Arguments}} {{. | cmd}}{{end}}", 1)
}

// requireUserManager finds the socket of the user's systemd. In a shell opened with su or sudo XDG_RUNTIME_DIR is often
// missing while the folder is there, so the usual place is tried too.
func requireUserManager() error {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = filepath.Join("/run/user", strconv.Itoa(os.Getuid()))
	}
	if _, err := os.Stat(filepath.Join(dir, "systemd", "private")); err != nil {
		return proto.E("service_unavailable", err)
	}
	if service.Platform() != "linux-systemd" {
		return proto.E("service_unavailable", fmt.Errorf("the service manager is %s", service.Platform()))
	}
	return os.Setenv("XDG_RUNTIME_DIR", dir)
}

// Install writes both units and enables them. An earlier installation is replaced: a person who installs again
// has moved the program. A running agent keeps running until the next start.
func (u userUnit) Install() error {
	if u.headless {
		if err := linger(); err != nil {
			return err
		}
	}
	dir, err := unitDir()
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, serviceName+".service")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, socketUnit), []byte(installer.Socket), 0o644); err != nil {
		return err
	}
	err = u.writeUnit()
	if err == nil {
		err = systemctl("enable", "--now", socketUnit)
	}
	if err != nil {
		return errors.Join(err, u.Uninstall())
	}
	return nil
}

// Uninstall leaves nothing behind: no process, no socket, no unit. What is already gone is no error.
func (u userUnit) Uninstall() error {
	dir, err := unitDir()
	if err != nil {
		return err
	}
	socket := filepath.Join(dir, socketUnit)
	if _, err := os.Stat(socket); err == nil {
		if err := systemctl("disable", "--now", socketUnit); err != nil {
			return err
		}
		if err := os.Remove(socket); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, serviceName+".service")); err != nil {
		return systemctl("daemon-reload")
	}
	if err := u.Service.Stop(); err != nil {
		return err
	}
	return u.Service.Uninstall()
}

// Start starts the socket and the session.
func (u userUnit) Start() error { return u.both("start", u.Service.Start) }

// until is for Windows alone: here the service manager ends a session by a signal.
func until(string, func()) error { return ipc.ErrUnsupported }

// Stop stops the socket first: with it up, the browser's next message would start the agent again.
func (u userUnit) Stop() error { return u.both("stop", u.Service.Stop) }

// Restart keeps the socket up: what browsers send meanwhile waits for the new session.
func (u userUnit) Restart() error { return u.both("start", u.Service.Restart) }

func (u userUnit) both(socket string, session func() error) error {
	if _, err := u.Status(); errors.Is(err, service.ErrNotInstalled) {
		return proto.E("service_absent", err)
	}
	if err := systemctl(socket, socketUnit); err != nil {
		return err
	}
	return session()
}

// unitDir is where kardianos/service writes user units; it does not look at XDG_CONFIG_HOME.
func unitDir() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(home, ".config", "systemd", "user")
	return dir, os.MkdirAll(dir, 0o755)
}

// linger makes the user's units start with the machine, for servers where nobody logs on. An administrator may have
// done it already, for an account that may not do it itself.
func linger() error {
	u, err := user.Current()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join("/var/lib/systemd/linger", u.Username)); err == nil {
		return nil
	}
	return command("loginctl", "enable-linger", u.Username)
}

func systemctl(args ...string) error {
	return command("systemctl", append([]string{"--user"}, args...)...)
}

// dropUnits takes the person's own units out, if there are any.
func dropUnits() error {
	s, err := newService(serviceOrder{})
	if errors.Is(err, proto.CodeServiceUnavailable) {
		return nil
	}
	if err == nil {
		err = s.Uninstall()
	}
	return serviceFailed(err)
}

// command runs a program for its effect. Its error carries what the program said, which is the useful part.
func command(name string, args ...string) error {
	var said bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return nil
}
