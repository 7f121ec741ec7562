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
	"time"
)

// command is a contestant that is a program. If it has a clock, it writes the nanoseconds it worked to standard output.
func command(name string, clock bool, program string, args ...string) contestant {
	return contestant{name, func(ctx context.Context) (sample, error) {
		var out, errs, figures bytes.Buffer
		var stdout io.Writer // /dev/null
		if clock {
			stdout = &out
		}
		if err := launched(ctx, stdout, &errs, &figures, append([]string{program}, args...)); err != nil {
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

// launched runs a program through launch, in a process group that ends with ctx.
func launched(ctx context.Context, out, errs io.Writer, figures *bytes.Buffer, program []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.CommandContext(ctx, self, append([]string{"child", "launch"}, program...)...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = out, errs, []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Run()
	w.Close()
	if err == nil {
		_, err = figures.ReadFrom(r)
	}
	return err
}

// launch runs a program and writes to descriptor 3 how long it ran, its processor time and its peak memory.
//
// It is a process of its own because the kernel counts into a program's peak memory what its parent had up to then: this
// one has some 6 MB, the program that measures much more.
func launch(program []string) error {
	figures := os.NewFile(3, "figures")
	cmd := exec.Command(program[0], program[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return err
	}
	process, state := time.Since(began), cmd.ProcessState
	peak := state.SysUsage().(*syscall.Rusage).Maxrss << 10
	_, err := fmt.Fprintln(figures, process.Nanoseconds(), (state.UserTime() + state.SystemTime()).Nanoseconds(), peak)
	return err
}
