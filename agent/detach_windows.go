// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// detach keeps a console's Ctrl+C, meant for us, from reaching a child, and shows no console window for it.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// killGroup does nothing: what a process left behind cannot be found here.
func killGroup(int) {}

// killFamily ends a child. Windows has no family to end without a job object.
func killFamily(p *os.Process) error { return p.Kill() }
