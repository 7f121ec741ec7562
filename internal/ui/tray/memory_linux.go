// SPDX-License-Identifier: GPL-3.0-or-later

package tray

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// shrink gives back what is not needed while nothing happens: the heap's free pages, and the pages that were read from the files
// of programs and libraries. persten-desktop holds the toolkits of all roles, and their start-up alone touches a third of what
// the tray would then hold for ever. What is needed again is read again.
func shrink() {
	debug.FreeOSMemory()
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	for _, r := range clean(bufio.NewScanner(maps)) {
		unix.Syscall(unix.SYS_MADVISE, r.from, r.to-r.from, unix.MADV_DONTNEED)
	}
}

type region struct{ from, to uintptr }

// clean lists the mappings of files that can only be read and hold nothing but what is in the file. Those that the loader
// changed before it made them read-only are not among them.
func clean(smaps *bufio.Scanner) (list []region) {
	var r region
	ours := false
	for smaps.Scan() {
		f := strings.Fields(smaps.Text())
		if len(f) >= 5 && strings.Contains(f[0], "-") {
			n, err := fmt.Sscanf(f[0], "%x-%x", &r.from, &r.to)
			ours = n == 2 && err == nil && len(f) == 6 && strings.HasPrefix(f[5], "/") && (f[1] == "r--p" || f[1] == "r-xp")
		}
		if ours && len(f) >= 2 && f[0] == "Anonymous:" && f[1] == "0" {
			list = append(list, r)
		}
	}
	return list
}
