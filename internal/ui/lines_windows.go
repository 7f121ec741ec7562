// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"os"
	"os/exec"
)

// handDocument gives a viewing process its document as standard input: there are no numbered descriptors.
func handDocument(cmd *exec.Cmd, content *os.File) { cmd.Stdin = content }
