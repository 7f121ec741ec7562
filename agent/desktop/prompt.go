// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"os"
	"os/exec"

	"persten/internal/ipc"
	"persten/internal/secret"
	"persten/internal/ui"
	"persten/internal/ui/display"
	"persten/internal/ui/look"
	"persten/internal/ui/window"
	"persten/proto"
)

// prompt is the role of one question. The toolkit keeps the main goroutine.
func prompt() {
	if err := secret.Harden(); err != nil {
		exit(err)
	}
	conn, err := ipc.Inherited()
	if err != nil {
		exit(err)
	}
	go func() {
		exit(ui.Serve(untilSignalled(), conn, window.New(look.New(darkDesktop()), display.Open(), viewer, doctor)))
	}()
	window.Main()
}

// doctor opens the main window where it looks for what is wrong.
func doctor() error { return openWindow(proto.WindowPageDoctor) }

// viewer is another process of this program, which reads documents.
func viewer(ctx context.Context, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return exec.CommandContext(ctx, self, append([]string{"view"}, args...)...)
}
