// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"persten/internal/ui"
)

// The limits of a viewing process.
const (
	maxMemory = 512 << 20 // that can be written: a fifth is taken by threads and libraries before anything is read
	maxSpace  = 4 << 30   // of addresses: the runtime and the C library reserve 1.5 GiB and hardly use it
	maxFiles  = 8         // open at a time
	maxHelped = 64        // where a program of the system helps
)

// fencedVariable is set when the process has been started again behind the fence.
const fencedVariable = "PERSTEN_FENCED"

// Confine takes away what showing a document does not need: memory, time, new privileges, tracing, files, network, other
// programs. It is called on the main goroutine while it is locked to its thread, before anything is read.
//
// The fence (Landlock) holds for one thread, and the runtime has several by now, so the process starts itself once more behind it;
// Confine does not return from that. The filter of system calls, which comes then, holds for all threads. A kernel without one of the two
// leaves the other.
func Confine(form ui.Form) error {
	helped := form == ui.FormPages && usePoppler()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if os.Getenv(fencedVariable) == "" && fence(helped) == nil {
		return unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), fencedVariable+"=1"))
	}
	if err := confineProcess(form, helped); err != nil {
		return err
	}
	if err := filter(helped); err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}

func confineProcess(form ui.Form, helped bool) error {
	files := uint64(maxFiles)
	if helped {
		files = maxHelped
	}
	limit := func(what int, n uint64) error { return unix.Setrlimit(what, &unix.Rlimit{Cur: n, Max: n}) }
	return errors.Join(
		limit(unix.RLIMIT_DATA, maxMemory),
		limit(unix.RLIMIT_AS, maxSpace),
		limit(unix.RLIMIT_CPU, seconds(form)),
		limit(unix.RLIMIT_FSIZE, 0),
		limit(unix.RLIMIT_NOFILE, files),
		limit(unix.RLIMIT_CORE, 0),
		unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0),
	)
}

// seconds of processor time: pages are drawn as long as somebody looks at them, and an interpreter takes 16 for a scanned one.
func seconds(form ui.Form) uint64 {
	if form == ui.FormPages {
		return 900
	}
	return 5
}
