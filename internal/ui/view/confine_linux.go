// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"errors"

	"golang.org/x/sys/unix"

	"persten/internal/ui"
)

// The limits of a viewing process.
const (
	maxMemory = 512 << 20 // that can be written: a fifth is taken by threads and libraries before anything is read
	maxSpace  = 4 << 30   // of addresses: the runtime and the C library reserve 1.5 GiB and hardly use it
	maxFiles  = 8
)

// seconds of processor time: pages are drawn as long as somebody looks at them, and an interpreter takes 16 for a scanned one.
func seconds(form ui.Form) uint64 {
	if form == ui.FormPages {
		return 900
	}
	return 5
}

// Confine takes away what showing a text does not need: memory, time, new files, new privileges, tracing. It is called on
// the main goroutine while it is locked to its thread, before anything is read.
func Confine(form ui.Form) error {
	limit := func(what int, n uint64) error { return unix.Setrlimit(what, &unix.Rlimit{Cur: n, Max: n}) }
	return errors.Join(
		limit(unix.RLIMIT_DATA, maxMemory),
		limit(unix.RLIMIT_AS, maxSpace),
		limit(unix.RLIMIT_CPU, seconds(form)),
		limit(unix.RLIMIT_FSIZE, 0),
		limit(unix.RLIMIT_NOFILE, maxFiles),
		limit(unix.RLIMIT_CORE, 0),
		unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0),
		unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
	)
}
