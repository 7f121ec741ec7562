// SPDX-License-Identifier: GPL-3.0-or-later

// Command persten-desktop is the part of Persten a person sees. The session starts it, one process for each role:
//
//	persten-desktop prompt   one question in a window; the session is at descriptor 3
//	persten-desktop tray     the icon in the panel; the session is at descriptor 3
//	persten-desktop window [PAGE]  the main window: tokens, sign, journal, sites, settings or doctor; a client of the user socket
//	persten-desktop view FORM  reads a document, descriptor 3, and prints it; started by prompt. FORM is text, extract,
//	                           hex, pages, or tree SPANS, which marks the elements in the spans as signed
//
// It is a program of its own so that no toolkit is linked into the agent.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"persten/internal/secret"
	"persten/internal/ui/home"
)

func main() {
	if err := secret.SystemLibraries(); err != nil {
		exit(err)
	}
	if len(os.Args) < 2 {
		usage()
	}
	switch role, args := os.Args[1], os.Args[2:]; {
	case role == "view":
		showDocument(args)
	case role == "prompt" && len(args) == 0:
		prompt()
	case role == "tray" && len(args) == 0:
		icon()
	case role == "window" && len(args) < 2:
		mainWindow(home.Page(append(args, string(home.Tokens))[0]))
	default:
		usage()
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: persten-desktop prompt | tray | window [PAGE] | view FORM [SPANS]")
	os.Exit(2)
}

// untilSignalled ends with the first request to end the process.
func untilSignalled() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	return ctx
}

// exit ends the process with what went wrong, if anything did.
func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "persten-desktop:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
