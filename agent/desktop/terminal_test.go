// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTerminalTakesOver: a session in the foreground of a terminal, with no display and no pinentry, asks there.
func TestTerminalTakesOver(t *testing.T) {
	s := newScreen(t)
	a := prepareSession(t, s, "", "DISPLAY=", "PATH="+nowhere)
	near, far := terminal(t)
	var screen journal
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := near.Read(b)
			if err != nil {
				return
			}
			screen.Write(b[:n])
		}
	}()
	a.cmd.Stdin, a.cmd.Stdout = far, far
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	a.start()
	g := a.sign()
	a.eventually("the question", func() bool { return strings.Contains(screen.String(), "Подписать документ?") })
	time.Sleep(300 * time.Millisecond)
	fmt.Fprint(near, "да\n")
	a.eventually("the PIN", func() bool { return strings.Contains(screen.String(), "PIN-код") && a.pinWanted(screen.String()) })
	time.Sleep(300 * time.Millisecond)
	fmt.Fprint(near, "12345678\n")
	if said, err := a.end(g); err != nil {
		t.Fatalf("%v %s\n%s", err, said, screen.String())
	}
	for _, way := range []string{"window", "pinentry"} {
		if n := strings.Count(a.log.String(), "front="+way); n != 1 {
			t.Errorf("%d lines about %s in the log", n, way)
		}
	}
	if strings.Contains(screen.String(), "12345678") {
		t.Error("the PIN is on the terminal")
	}
}

// pinWanted looks for the last line of the terminal.
func (a *session) pinWanted(screen string) bool {
	lines := strings.Split(strings.TrimSpace(screen), "\n")
	return strings.Contains(lines[len(lines)-1], "PIN-код")
}

// terminal makes a pseudo-terminal: what is written to near was typed at far.
func terminal(t *testing.T) (near, far *os.File) {
	t.Helper()
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { near.Close() })
	if err := unix.IoctlSetPointerInt(int(near.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(near.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if far, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}
