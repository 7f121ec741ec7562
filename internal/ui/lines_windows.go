// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/windows"
)

// handleVariable tells a viewing process the number of its document: there are no agreed descriptors.
const handleVariable = "PERSTEN_DOCUMENT"

// handDocument lets a viewing process inherit its document.
func handDocument(cmd *exec.Cmd, content *os.File) {
	h := windows.Handle(content.Fd())
	if windows.SetHandleInformation(h, windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT) != nil {
		return // the process finds no document and says so
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{AdditionalInheritedHandles: []syscall.Handle{syscall.Handle(h)}}
	cmd.Env = append(cmd.Env, handleVariable+"="+strconv.FormatUint(uint64(h), 10))
}

// Given is what a viewing process was given to show; nil when it was given nothing.
func Given() *os.File {
	h, err := strconv.ParseUint(os.Getenv(handleVariable), 10, 64)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(h), "document")
}
