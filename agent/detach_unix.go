// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// detach keeps a terminal's Ctrl+C, meant for us, from reaching a child.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// killGroup ends what a detached child has left behind.
func killGroup(pid int) { syscall.Kill(-pid, syscall.SIGKILL) }

// killFamily ends a detached child and its own children, such as the pinentry of a prompt, which would not notice.
func killFamily(p *os.Process) error {
	if err := p.Signal(syscall.Signal(0)); err != nil { // reaped: the number may be somebody else's by now
		return err
	}
	if err := syscall.Kill(-p.Pid, syscall.SIGKILL); err == nil {
		return nil
	}
	return p.Kill() // not detached, and so without a group of its own
}
