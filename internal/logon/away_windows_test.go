// SPDX-License-Identifier: GPL-3.0-or-later

package logon

import (
	"context"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// TestAway sends the window what Windows sends it, by its class as everybody may.
func TestAway(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	left, ended := make(chan struct{}, 8), make(chan error, 1)
	go func() { ended <- Away(ctx, func() { left <- struct{}{} }) }()
	window := awayWindow(t, ended)
	const unlock, resume = 8, 7
	for _, m := range []struct {
		message, word uintptr
		away          bool
	}{{msgSession, sessionLock, true}, {msgSession, unlock, false}, {msgSession, remoteDisconnect, true}, {msgPower, resume, false}, {msgPower, powerSuspend, true}} {
		user32.NewProc("SendMessageW").Call(window, m.message, m.word, 0)
		if got := len(left) == 1; got != m.away {
			t.Errorf("message %#x with %d: away %t", m.message, m.word, got)
		}
		for len(left) > 0 {
			<-left
		}
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("does not end with its context")
	}
}

func awayWindow(t *testing.T, ended chan error) uintptr {
	t.Helper()
	name, err := windows.UTF16PtrFromString(awayClass)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if w, _, _ := user32.NewProc("FindWindowW").Call(uintptr(unsafe.Pointer(name)), 0); w != 0 {
			return w
		}
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatal("no window")
	return 0
}
