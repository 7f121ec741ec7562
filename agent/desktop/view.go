// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"runtime"

	"persten/internal/ui/view"
)

// showDocument is the role that reads a document nobody trusts.
func showDocument() {
	runtime.LockOSThread()
	if err := view.Confine(); err != nil {
		exit(err)
	}
	os.Exit(view.Main(document(), os.Stdout))
}
