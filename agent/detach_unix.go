// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// detach keeps a terminal's Ctrl+C, meant for us, from reaching a child.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
