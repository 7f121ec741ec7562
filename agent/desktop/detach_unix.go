// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// detach lets a program outlive this one and its terminal.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
