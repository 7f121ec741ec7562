// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// stateListen is TCP_LISTEN in the table of proc(5) net/tcp.
const stateListen = "0A"

// listener finds who listens on a TCP port of this computer.
func listener(m *Machine, port string) (h holder, ok bool) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return h, false
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := m.read(table)
		if err != nil {
			continue
		}
		if uid, inode, found := listening(string(text), uint16(n)); found {
			h = holder{uid: uid, foreign: uid != os.Getuid(), system: uid == systemUser()}
			h.fill(m, inode)
			return h, true
		}
	}
	return h, false
}

// systemUser owns what belongs to the system; in the user namespace of the sandboxed unit root has no number of its own.
func systemUser() int {
	if fi, err := os.Stat("/"); err == nil {
		return int(fi.Sys().(*syscall.Stat_t).Uid)
	}
	return 0
}

// listening looks in the table for a socket that listens on port.
func listening(table string, port uint16) (uid int, inode string, ok bool) {
	suffix := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != stateListen || !strings.HasSuffix(f[1], suffix) {
			continue
		}
		if uid, err := strconv.Atoi(f[7]); err == nil {
			return uid, f[9], true
		}
	}
	return 0, "", false
}

// fill names the process that holds the socket, where this user may see it.
func (h *holder) fill(m *Machine, inode string) {
	want := "socket:[" + inode + "]"
	for _, p := range processes(m) {
		fds, _ := filepath.Glob(m.path(fmt.Sprintf("/proc/%d/fd/*", p.pid)))
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && to == want {
				h.pid, h.name = p.pid, p.name()
				h.ours = p.session()
				return
			}
		}
	}
}
