// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// checksModes: the mode bits of files mean something here.
const checksModes = true

// process is what /proc shows of one.
type process struct {
	pid  int
	uid  int
	args []string
}

// name is what people know it by.
func (p process) name() string {
	if len(p.args) == 0 {
		return strconv.Itoa(p.pid)
	}
	return filepath.Base(p.args[0])
}

// session tells whether it is a daemon of ours, by the command line that every way of starting one has.
func (p process) session() bool {
	return len(p.args) > 1 && filepath.Base(p.args[0]) == "persten" && (p.args[1] == "session" || p.args[1] == "demo")
}

// processes lists those /proc shows. Threads of the kernel have no command line.
func processes(m *Machine) (all []process) {
	dirs, _ := filepath.Glob(m.path("/proc/[0-9]*"))
	for _, dir := range dirs {
		if p, ok := processAt(dir); ok {
			all = append(all, p)
		}
	}
	return all
}

func processAt(dir string) (p process, ok bool) {
	fi, err := os.Stat(dir)
	if err != nil {
		return p, false
	}
	line, err := readSome(filepath.Join(dir, "cmdline"))
	st, known := fi.Sys().(*syscall.Stat_t)
	pid, bad := strconv.Atoi(filepath.Base(dir))
	if err != nil || !known || bad != nil || len(line) == 0 {
		return p, false
	}
	return process{pid, int(st.Uid), strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00")}, true
}

// sessions are the processes of this user that run `persten session`.
func sessions(m *Machine) (pids []int) {
	for _, p := range processes(m) {
		if p.uid == os.Getuid() && p.session() {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

func joined(pids []int) string {
	var all []string
	for _, p := range pids {
		all = append(all, strconv.Itoa(p))
	}
	return strings.Join(all, ", ")
}
