// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"persten/internal/config"
	"persten/internal/ipc"
	"persten/internal/server"
)

// A child that is wanted all the time is started again soon after it ended, and ever later when it keeps dying young.
const (
	restartSoon = 100 * time.Millisecond
	restartLate = 5 * time.Minute
	grownUp     = 2 * time.Second
)

// restarts counts the short lives of a child in a row.
type restarts int

// wait is how long to wait after a life.
func (r *restarts) wait(lived time.Duration) time.Duration {
	if lived >= grownUp {
		*r = 0
		return restartSoon
	}
	*r = min(*r+1, 16)
	return min(restartSoon<<(*r-1), restartLate)
}

// keepTray keeps a tray icon. Where there is no display it looks for one now and then: the desktop may come up after us.
func (a *app) keepTray(ctx context.Context, srv *server.Server, tell *notices) {
	var r restarts
	told := ""
	for ctx.Err() == nil {
		began := time.Now()
		poke(tell.look)
		err := a.tray(ctx, srv)
		if ctx.Err() != nil {
			return
		}
		if cause := errors.Join(errTrayEnded, err).Error(); cause != told {
			slog.Info("no tray icon", "cause", err)
			told = cause
		}
		select {
		case <-ctx.Done():
		case <-time.After(r.wait(time.Since(began))):
		}
	}
}

var errTrayEnded = errors.New("the tray ended")

// tray runs one tray process and serves it as a local client.
func (a *app) tray(ctx context.Context, srv *server.Server) error {
	env := desktopEnv(ctx)
	if !displayed(env) {
		return errNoDisplay
	}
	program, err := desktop()
	if err != nil {
		return err
	}
	s, err := a.settings()
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "tray")
	cmd.Env = append(append(env, chosenEnv(s.Get())...), "TMPDIR="+iconFolder())
	detach(cmd)
	c, err := startChild(cmd)
	if err != nil {
		return err
	}
	err = srv.Serve(ctx, c.conn, ipc.Peer{PID: c.cmd.Process.Pid, Program: program, Via: ipc.ViaPair})
	return errors.Join(err, c.stop())
}

// iconFolder is where the tray puts its icon for the panel to read, without what a tray that was killed left there. The
// unit's own /tmp would not do: the panel does not see it.
func iconFolder() string {
	dir, err := config.RuntimeDir()
	if err == nil {
		dir = filepath.Join(dir, "tray")
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return os.TempDir()
	}
	left, _ := filepath.Glob(filepath.Join(dir, "systray_*"))
	for _, name := range left {
		os.Remove(name)
	}
	return dir
}
