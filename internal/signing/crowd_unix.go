// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package signing

import "golang.org/x/sys/unix"

// descriptors is how many this process may have open.
func descriptors() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 1024
	}
	return int(min(l.Cur, 1<<20))
}
