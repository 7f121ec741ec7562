// SPDX-License-Identifier: GPL-3.0-or-later

package secret

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockedPages maps at least n bytes of anonymous memory that is never swapped, dumped or inherited by a fork.
func lockedPages(n int) ([]byte, error) {
	page := os.Getpagesize()
	n = (n + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	for _, f := range []func() error{
		func() error { return unix.Mlock(mem) },
		func() error { return unix.Madvise(mem, unix.MADV_DONTDUMP) },
		func() error { return unix.Madvise(mem, unix.MADV_WIPEONFORK) },
	} {
		if err := f(); err != nil {
			unix.Munmap(mem)
			return nil, err
		}
	}
	return mem, nil
}

func releasePages(mem []byte) {
	unix.Munlock(mem)
	unix.Munmap(mem)
}

// SystemLibraries keeps libraries that somebody put beside the program, into the current folder or into PATH out of this
// process. Call it first in main.
func SystemLibraries() error { return nil } // the loader looks there only if the person's own environment says so

// Harden forbids core dumps of this process and keeps other processes of the same user from reading its memory.
// Call it first thing in every process that may hold a secret.
func Harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
