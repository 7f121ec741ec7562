// SPDX-License-Identifier: GPL-3.0-or-later

package uitest

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Xvfb starts an X server that draws nowhere, with a screen of this size ("1100x900") in true colour, and ends it with the test. It
// returns the server's DISPLAY and process. The caller has seen that Xvfb is installed.
//
// The server never starts over: by default it does when its last client goes, and whoever connects in that moment is turned away.
func Xvfb(t testing.TB, size string) (display string, server *os.Process) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-noreset", "-screen", "0", size+"x24", "-nolisten", "tcp")
	cmd.ExtraFiles, cmd.SysProcAttr = []*os.File{w}, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatalf("Xvfb: %v", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb: %v", err)
	}
	return ":" + strings.TrimSpace(line), cmd.Process
}
