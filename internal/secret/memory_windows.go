// SPDX-License-Identifier: GPL-3.0-or-later

package secret

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// lockedPages allocates at least n bytes that stay in the working set.
func lockedPages(n int) ([]byte, error) {
	page := os.Getpagesize()
	n = (n + page - 1) / page * page
	addr, err := windows.VirtualAlloc(0, uintptr(n), windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return nil, err
	}
	if err := windows.VirtualLock(addr, uintptr(n)); err != nil {
		windows.VirtualFree(addr, 0, windows.MEM_RELEASE)
		return nil, err
	}
	// The memory is not Go's, so its address may be held in a uintptr; the indirection tells vet that this is meant.
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&addr)), n), nil
}

func releasePages(mem []byte) {
	addr := uintptr(unsafe.Pointer(&mem[0]))
	windows.VirtualUnlock(addr, uintptr(len(mem)))
	windows.VirtualFree(addr, 0, windows.MEM_RELEASE)
}

// SystemLibraries keeps libraries that somebody put beside the program, into the current folder or into PATH out of this
// process. Call it first in main.
func SystemLibraries() error {
	return windows.SetDefaultDllDirectories(windows.LOAD_LIBRARY_SEARCH_SYSTEM32 | windows.LOAD_LIBRARY_SEARCH_USER_DIRS) // those a module's child adds
}

// Harden keeps error reporting from writing dumps of this process. Call it first thing in every process that may hold
// a secret.
func Harden() error {
	windows.SetErrorMode(windows.SEM_FAILCRITICALERRORS | windows.SEM_NOGPFAULTERRORBOX)
	return nil
}
