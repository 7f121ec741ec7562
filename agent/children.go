// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"persten/internal/ipc"
)

// child is a process of ours that speaks over an inherited socket.
type child struct {
	conn ipc.FileConn
	cmd  *exec.Cmd
}

// startChild runs cmd with a socket to it. The child ends by itself when the socket closes.
func startChild(cmd *exec.Cmd) (*child, error) {
	ours, theirs, err := ipc.Pair()
	if err != nil {
		return nil, fmt.Errorf("socket pair: %w", err)
	}
	defer theirs.Close()
	cmd.Stderr = os.Stderr
	theirs.Give(cmd)
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	return &child{conn: ours, cmd: cmd}, nil
}

// stop closes the socket and gives the child a moment before it is killed.
func (c *child) stop() error {
	c.conn.Close()
	done := make(chan error, 1)
	go func() { done <- c.cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(2 * time.Second):
		return c.kill()
	}
}

// reap waits for the child in the background. What it started ends with it: the pinentry of a prompt that was killed would
// stay on screen and answer nobody.
func (c *child) reap() {
	go func() {
		c.cmd.Wait()
		killGroup(c.cmd.Process.Pid)
	}()
}

// kill ends the child at once, and what it has started.
func (c *child) kill() error { return killFamily(c.cmd.Process) }

// self is the path of this program.
func self() (string, error) { return os.Executable() }

// desktop is the path of persten-desktop, which lies beside this program.
func desktop() (string, error) {
	me, err := self()
	if err != nil {
		return "", err
	}
	name := "persten-desktop"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if override := os.Getenv("PERSTEN_DESKTOP"); override != "" {
		return override, nil
	}
	p := filepath.Join(filepath.Dir(me), name)
	if _, err := os.Stat(p); err != nil {
		return "", err
	}
	return p, nil
}

// desktopEnv is our environment with the display of the user's graphical session, which on Linux may have come up after
// us and is known to the user's service manager.
func desktopEnv(ctx context.Context) []string {
	env := os.Environ()
	if runtime.GOOS != "linux" || os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "" {
		return env
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemctl", "--user", "show-environment").Output()
	if err != nil {
		slog.Debug("no user service manager", "cause", err)
		return env
	}
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(line, "=")
		switch name {
		case "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS":
			env = append(env, strings.TrimSpace(line))
		}
	}
	return env
}

// displayed tells whether env names a display a window could open on.
func displayed(env []string) bool {
	if runtime.GOOS != "linux" {
		return true
	}
	for _, v := range env {
		if strings.HasPrefix(v, "DISPLAY=") && v != "DISPLAY=" || strings.HasPrefix(v, "WAYLAND_DISPLAY=") && v != "WAYLAND_DISPLAY=" {
			return true
		}
	}
	return false
}
