// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package journal

import (
	"os/signal"

	"golang.org/x/sys/unix"
)

// limitFileSize sets the largest file this process may write to n bytes.
func limitFileSize(n uint64) error {
	signal.Ignore(unix.SIGXFSZ)
	return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: n})
}
