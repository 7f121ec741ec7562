// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"os/exec"
	"syscall"
)

// apart puts the child in a session of its own, so that a Ctrl-C meant for a command does not stop it between login and logout.
// It ends by itself when the socket closes.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
