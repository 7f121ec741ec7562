// SPDX-License-Identifier: GPL-3.0-or-later

package logon

import (
	"context"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	user32   = windows.NewLazySystemDLL("user32.dll")
	wtsapi32 = windows.NewLazySystemDLL("wtsapi32.dll")

	registerClass       = user32.NewProc("RegisterClassExW")
	unregisterClass     = user32.NewProc("UnregisterClassW")
	createWindow        = user32.NewProc("CreateWindowExW")
	destroyWindow       = user32.NewProc("DestroyWindow")
	defWindowProc       = user32.NewProc("DefWindowProcW")
	getMessage          = user32.NewProc("GetMessageW")
	dispatchMessage     = user32.NewProc("DispatchMessageW")
	postMessage         = user32.NewProc("PostMessageW")
	registerForSession  = wtsapi32.NewProc("WTSRegisterSessionNotification")
	unregisterOfSession = wtsapi32.NewProc("WTSUnRegisterSessionNotification")
)

// Messages of Windows, and what they say with their first word.
const (
	msgQuit    = 0x0012
	msgPower   = 0x0218
	msgSession = 0x02B1

	powerSuspend      = 4
	consoleDisconnect = 2
	remoteDisconnect  = 4
	sessionLock       = 7
	thisSession       = 0
)

// Away calls away whenever this logon session is locked or left, or the machine is about to sleep, until ctx ends. Windows tells
// it to windows alone; the one made for it is never shown.
func Away(ctx context.Context, away func()) error {
	runtime.LockOSThread() // the window belongs to its thread
	defer runtime.UnlockOSThread()
	window, done, err := hiddenWindow(away)
	if err != nil {
		return err
	}
	defer done()
	if ok, _, err := registerForSession.Call(window, thisSession); ok == 0 {
		return fmt.Errorf("changes of the logon session: %w", err)
	}
	defer unregisterOfSession.Call(window)
	defer context.AfterFunc(ctx, func() { postMessage.Call(window, msgQuit, 0, 0) })()
	var m struct {
		window        uintptr
		message       uint32
		first, second uintptr
		time          uint32
		x, y          int32
		reserved      uint32
	}
	for ctx.Err() == nil {
		n, _, err := getMessage.Call(uintptr(unsafe.Pointer(&m)), 0, 0, 0)
		if int32(n) < 0 {
			return fmt.Errorf("messages: %w", err)
		}
		if n == 0 {
			break
		}
		dispatchMessage.Call(uintptr(unsafe.Pointer(&m)))
	}
	return nil
}

const awayClass = "Persten away"

// hiddenWindow calls away for the messages that say so. It is no message-only window, for these are not told of sleep.
func hiddenWindow(away func()) (window uintptr, done func(), err error) {
	name, err := windows.UTF16PtrFromString(awayClass)
	if err != nil {
		return 0, nil, err
	}
	class := struct {
		size, style                    uint32
		proc                           uintptr
		extraClass, extraWindow        int32
		instance, icon, cursor, ground uintptr
		menu, name                     *uint16
		small                          uintptr
	}{name: name}
	class.size = uint32(unsafe.Sizeof(class))
	class.proc = windows.NewCallback(func(window, message, first, second uintptr) uintptr {
		if leaves(uint32(message), first) {
			away()
		}
		r, _, _ := defWindowProc.Call(window, message, first, second)
		return r
	})
	if ok, _, err := registerClass.Call(uintptr(unsafe.Pointer(&class))); ok == 0 {
		return 0, nil, fmt.Errorf("window class: %w", err)
	}
	unregister := func() { unregisterClass.Call(uintptr(unsafe.Pointer(name)), 0) }
	window, _, err = createWindow.Call(0, uintptr(unsafe.Pointer(name)), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	if window == 0 {
		unregister()
		return 0, nil, fmt.Errorf("window: %w", err)
	}
	return window, func() { destroyWindow.Call(window); unregister() }, nil
}

// leaves says whether a message means that the person leaves the desk.
func leaves(message uint32, word uintptr) bool {
	switch message {
	case msgPower:
		return word == powerSuspend
	case msgSession:
		return word == sessionLock || word == consoleDisconnect || word == remoteDisconnect
	}
	return false
}
