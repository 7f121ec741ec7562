// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"runtime"

	"persten/internal/ui/view"
)

// showDocument is the role that reads a document nobody trusts, as lines or as the rows of a tree.
func showDocument(args []string) {
	runtime.LockOSThread()
	if err := view.Confine(); err != nil {
		exit(err)
	}
	switch {
	case len(args) == 0:
		os.Exit(view.Main(document(), os.Stdout))
	case len(args) == 2 && args[0] == "tree":
		os.Exit(view.Tree(document(), args[1], os.Stdout))
	}
	usage()
}
