// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package ui

import (
	"os"
	"os/exec"
)

// handDocument gives a viewing process its document as descriptor 3.
func handDocument(cmd *exec.Cmd, content *os.File) { cmd.ExtraFiles = []*os.File{content} }

// Given is what a viewing process was given to show.
func Given() *os.File { return os.NewFile(3, "document") }
