// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/windows"
)

// apart keeps a Ctrl-C meant for a command from the child, which might be between login and logout, and shows no console for it.
// SW_HIDE (HideWindow) would also hide the first window of vendor code, such as the one that asks for a password.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_NO_WINDOW}
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
