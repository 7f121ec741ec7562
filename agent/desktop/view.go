// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"runtime"

	"persten/internal/ui"
	"persten/internal/ui/view"
)

// showDocument is the role that reads a document nobody trusts, and shows it in a form.
func showDocument(args []string) {
	if len(args) == 0 {
		usage()
	}
	runtime.LockOSThread()
	form := ui.Form(args[0])
	if err := view.Confine(form); err != nil {
		exit(err)
	}
	in, out := ui.Given(), os.Stdout
	switch {
	case form == ui.FormTree && len(args) == 2:
		os.Exit(view.Tree(in, args[1], out))
	case len(args) > 1:
	case form == ui.FormText:
		os.Exit(view.Main(in, out))
	case form == ui.FormExtract:
		os.Exit(view.Extract(in, out))
	case form == ui.FormHex:
		os.Exit(view.Hex(in, out))
	case form == ui.FormPages:
		os.Exit(view.Pages(in, os.Stdin, out))
	}
	usage()
}
