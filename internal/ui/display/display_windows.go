// SPDX-License-Identifier: GPL-3.0-or-later

package display

import (
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	user32   = windows.NewLazySystemDLL("user32.dll")
	kernel32 = windows.NewLazySystemDLL("kernel32.dll")

	getForegroundWindow      = user32.NewProc("GetForegroundWindow")
	getWindowThreadProcessID = user32.NewProc("GetWindowThreadProcessId")
	getKeyboardLayout        = user32.NewProc("GetKeyboardLayout")
	getKeyState              = user32.NewProc("GetKeyState")
	systemParametersInfo     = user32.NewProc("SystemParametersInfoW")
	lcidToLocaleName         = kernel32.NewProc("LCIDToLocaleName")
)

// Display is the desktop of the process.
type Display struct{}

// Open has nothing to connect to.
func Open() *Display { return &Display{} }

// Close has nothing to end.
func (*Display) Close() {}

// Keyboard tells how the keyboard of the window in front stands now.
func (*Display) Keyboard() Keyboard {
	const capital = 0x14
	front, _, _ := getForegroundWindow.Call()
	thread, _, _ := getWindowThreadProcessID.Call(front, 0)
	layout, _, _ := getKeyboardLayout.Call(thread)
	caps, _, _ := getKeyState.Call(capital)
	return Keyboard{Known: layout != 0, Layout: language(uint16(layout)), Caps: caps&1 != 0}
}

// language is the two letters of a language identifier.
func language(id uint16) string {
	var name [85]uint16 // LOCALE_NAME_MAX_LENGTH
	n, _, _ := lcidToLocaleName.Call(uintptr(id), uintptr(unsafe.Pointer(&name[0])), uintptr(len(name)), 0)
	if n == 0 {
		return ""
	}
	two, _, _ := strings.Cut(windows.UTF16ToString(name[:]), "-")
	return strings.ToLower(two)
}

// Room is the desktop without the task bar.
func (*Display) Room() Room {
	const workArea = 0x30
	var r struct{ Left, Top, Right, Bottom int32 }
	if ok, _, _ := systemParametersInfo.Call(workArea, 0, uintptr(unsafe.Pointer(&r)), 0); ok == 0 {
		return Room{}
	}
	return Room{X: int(r.Right - r.Left), Y: int(r.Bottom - r.Top)}
}
