// SPDX-License-Identifier: GPL-3.0-or-later

package view

import "golang.org/x/sys/unix"

// mayCompile tries whether this process may run code it made itself; MemoryDenyWriteExecute of a unit forbids it.
func mayCompile() bool {
	b, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return false
	}
	defer unix.Munmap(b)
	return unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC) == nil
}
