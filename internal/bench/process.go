// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// command is a contestant that is a program. If it has a clock, it writes the nanoseconds it worked to standard output.
func (w *workbench) command(name string, clock bool, program string, args ...string) contestant {
	return contestant{name, func(ctx context.Context) (sample, error) {
		var out, errs, figures bytes.Buffer
		var stdout io.Writer // /dev/null
		if clock {
			stdout = &out
		}
		if err := w.launched(ctx, stdout, &errs, &figures, append([]string{program}, args...)); err != nil {
			return sample{}, fmt.Errorf("%w: %s", err, strings.TrimSpace(errs.String()))
		}
		var s sample
		if _, err := fmt.Sscan(figures.String(), &s.process, &s.cpu, &s.memory); err != nil {
			return s, fmt.Errorf("figures %q: %w", figures.String(), err)
		}
		if clock {
			if _, err := fmt.Sscan(out.String(), &s.work); err != nil {
				return s, fmt.Errorf("time %q: %w", out.String(), err)
			}
		}
		return s, nil
	}}
}

// launched runs a program through peer/launch.c, in a process group that ends with ctx.
func (w *workbench) launched(ctx context.Context, out, errs io.Writer, figures *bytes.Buffer, program []string) error {
	if w.launcher == "" {
		path, err := w.compile(ctx, "launch.c")
		if err != nil {
			return err
		}
		w.launcher = path
	}
	r, end, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.CommandContext(ctx, w.launcher, program...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = out, errs, []*os.File{end}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Run()
	end.Close()
	if err == nil {
		_, err = figures.ReadFrom(r)
	}
	return err
}
