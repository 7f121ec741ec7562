// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"os"
	"os/exec"
	"syscall"
)

// inherit passes the socket as descriptor 3 and puts the child in a session of its own, so that a Ctrl-C meant for a
// command does not stop it between login and logout. It ends by itself when the socket closes.
func inherit(cmd *exec.Cmd, socket *os.File) {
	cmd.ExtraFiles = []*os.File{socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
}
