// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// inherit passes the handle of the child's end; the child learns its value from the environment.
func inherit(cmd *exec.Cmd, socket *os.File) {
	cmd.Env = append(cmd.Env, fmt.Sprintf("PERSTEN_CHANNEL=%d", socket.Fd()))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		HideWindow:                 true,
		AdditionalInheritedHandles: []syscall.Handle{syscall.Handle(socket.Fd())},
	}
}

// administered accepts the folders that only administrators may write to.
func administered(path string) error {
	for _, dir := range []string{os.Getenv("SystemRoot"), os.Getenv("ProgramFiles")} {
		if dir != "" && strings.HasPrefix(strings.ToLower(path), strings.ToLower(dir)+`\`) {
			return nil
		}
	}
	return fmt.Errorf("%s: outside the administrator's folders", path)
}

// terminate ends the process at once, without telling the libraries in it: one that hangs would hang there too.
func terminate() {
	if self, err := syscall.GetCurrentProcess(); err == nil {
		syscall.TerminateProcess(self, 1)
	}
	os.Exit(1)
}
